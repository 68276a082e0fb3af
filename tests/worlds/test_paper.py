"""Worlds in files, of a daemon that runs nothing: what is refused, what is replaced, and what a kill leaves."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests.daemon.atoll import Atoll, running

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def filled():
    """A daemon with something in it."""
    with running("paper") as atoll:
        ec2, cache = atoll.client("ec2"), atoll.client("elasticache")
        ec2.create_key_pair(KeyName="old")
        cache.create_replication_group(
            ReplicationGroupId="g", ReplicationGroupDescription="g", Engine="valkey", NumNodeGroups=2,
            ReplicasPerNodeGroup=1, ClusterMode="enabled", CacheNodeType="cache.t3.micro",
            AutomaticFailoverEnabled=True,
        )  # fmt: skip
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        until_available(cache)
        cache.create_snapshot(SnapshotName="s", ReplicationGroupId="g")
        yield atoll


def until_available(cache):
    end = time.monotonic() + 30
    while cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] != "available":
        assert time.monotonic() < end
        time.sleep(0.02)


def keys(atoll: Atoll) -> list[str]:
    return [pair["KeyName"] for pair in atoll.client("ec2").describe_key_pairs()["KeyPairs"]]


def test_a_world_comes_back_as_it_was(filled):
    file = filled.place / "home" / "w.atoll"
    said = filled.cli("snapshot", "save", str(file))
    assert "It holds secrets: only you may read it." in said
    assert file.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in file.parent.iterdir()] == ["w.atoll"]
    filled.client("ec2").create_key_pair(KeyName="new")
    before = filled.get("/_atoll/status")["instances"][0]["id"]

    refused = filled.cli("snapshot", "load", str(file), ok=False)
    assert "--replace ends and forgets them" in refused
    assert keys(filled) == ["old", "new"]

    filled.cli("restore", str(file), "--replace")
    assert keys(filled) == ["old"]
    assert filled.get("/_atoll/status")["instances"][0]["id"] == before
    cache = filled.client("elasticache")
    until_available(cache)
    assert cache.describe_snapshots()["Snapshots"][0]["SnapshotStatus"] == "available"
    cache.create_replication_group(
        ReplicationGroupId="h", ReplicationGroupDescription="h", SnapshotName="s", CacheNodeType="cache.t3.micro"
    )

    filled.post("/_atoll/reset")
    filled.cli("snapshot", "load", str(file))  # what every account begins with is nothing
    assert keys(filled) == ["old"]


def test_what_cannot_be_loaded_changes_nothing_and_says_why(filled):
    file = filled.place / "home" / "w.atoll"
    filled.cli("backup", str(file))
    good = file.read_bytes()
    file.write_bytes(good[: len(good) // 2])
    before = filled.get("/_atoll/history")[0]

    assert "is damaged" in filled.cli("snapshot", "load", "--replace", str(file), ok=False)
    assert "cannot be read" in filled.cli("snapshot", "load", str(filled.place / "none"), ok=False)
    file.write_bytes(b"x" * 3000)
    assert "is damaged" in filled.cli("snapshot", "load", "--replace", str(file), ok=False)
    with pytest.raises(AssertionError, match="is not a name that was given out"):
        filled.post("/_atoll/worlds/load", {"name": "../../etc/x.atoll", "replace": True})
    with pytest.raises(AssertionError, match="is not there"):
        filled.post("/_atoll/worlds/load", {"name": "none.atoll", "replace": True})

    assert filled.get("/_atoll/history")[0] == before
    assert list((filled.state / "worlds").iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_nothing(filled):
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="atoll-test-") as other:  # another file system
        limited = ["/bin/sh", "-c", f"ulimit -f 4; exec {sys.executable} -m atoll.cli snapshot save {other}/w.atoll"]
        done = subprocess.run(limited, env=filled.environment, capture_output=True, text=True, check=False)
        left = os.listdir(other)

    assert done.returncode == 2
    assert "cannot be written: File too large; nothing is left of it" in done.stderr
    assert left == []
    assert list((filled.state / "worlds").iterdir()) == []
    assert "is not a directory" in filled.cli("snapshot", "save", "/nowhere/w.atoll", ok=False)


def test_a_kill_in_the_middle_of_a_load_leaves_the_old_world_or_the_new(filled):
    file, seen = filled.place / "home" / "w.atoll", set()
    filled.cli("snapshot", "save", str(file))
    for number in range(5):
        filled.client("ec2").create_key_pair(KeyName=f"later {number}")
        old = set(keys(filled))
        copy = Path(filled.post("/_atoll/worlds/place")["file"])
        shutil.copy(file, copy)
        loading = threading.Thread(target=load, args=(filled, copy.name))
        loading.start()
        time.sleep(0.02 * number)  # wherever it is by then
        filled.kill()
        loading.join()
        filled.up()
        found = set(keys(filled))
        assert found in ({"old"}, old), "neither the one nor the other"
        seen.add(found == {"old"})
        until_available(filled.client("elasticache"))
    assert filled.cli("snapshot", "load", "--replace", str(file))
    assert keys(filled) == ["old"]


def load(atoll: Atoll, name: str) -> None:
    try:
        atoll.post("/_atoll/worlds/load", {"name": name, "replace": True})
    except (OSError, AssertionError, ValueError):
        return
