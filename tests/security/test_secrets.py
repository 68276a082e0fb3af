"""Secrets of a daemon that runs: who may read them, and where they never are.  And what its engines may do."""

import base64
import os
import stat
from pathlib import Path

import pytest

from tests.daemon.atoll import own_mode, running, until

pytestmark = [pytest.mark.kernel, pytest.mark.engines]
TOKEN, PASSWORD = "token-that-nobody-sees", "password-that-nobody-sees"
USER_DATA = "#!/bin/sh\n: said-to-one-instance\n"
SECRETS = (TOKEN, PASSWORD)
NODE = {"CacheNodeType": "cache.t3.micro", "ReplicationGroupDescription": "x", "TransitEncryptionEnabled": True}


@pytest.fixture(scope="module")
def atoll():
    with running(own_mode()) as made:
        cache, ec2 = made.client("elasticache"), made.client("ec2")
        if not cache.describe_cache_engine_versions(Engine="valkey")["CacheEngineVersions"]:
            pytest.skip("NOT TESTED: no valkey on this machine")
        cache.create_user(
            UserId="app", UserName="app", Engine="valkey", AccessString="on ~* +@all", Passwords=[PASSWORD]
        )
        cache.create_replication_group(
            ReplicationGroupId="kept", Engine="valkey", NumCacheClusters=1, AuthToken=TOKEN, **NODE
        )
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        ec2.create_key_pair(KeyName="mine")
        ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=USER_DATA)
        until(lambda: groups(cache)[0]["Status"] == "available", 60.0, f"a cache ({made.log})")
        cache.create_snapshot(ReplicationGroupId="kept", SnapshotName="kept")
        until(lambda: cache.describe_snapshots()["Snapshots"][0]["SnapshotStatus"] == "available", 60.0, "a snapshot")
        with pytest.raises(Exception, match="UserAlreadyExists"):
            cache.create_user(UserId="app", UserName="app", Engine="valkey", AccessString="on", Passwords=[PASSWORD])
        yield made


def groups(cache):
    return cache.describe_replication_groups()["ReplicationGroups"]


def of_the_installation(atoll):
    """Yield the processes of a daemon: itself, its keeper, its engines and what speaks TLS for them."""
    inside = {str(atoll.state), str(atoll.run_dir)}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            said = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(directory / "cwd")
        except OSError:
            continue
        if any(place in said or where.startswith(place) for place in inside):
            yield directory, said


def test_no_secret_is_in_a_command_line_or_a_log(atoll):
    seen = 0
    for directory, said in of_the_installation(atoll):
        seen += 1
        told = said + (directory / "environ").read_bytes().decode(errors="replace")
        assert not [secret for secret in SECRETS if secret in told], said
    assert seen >= 3
    assert not [secret for secret in SECRETS if secret in atoll.log.read_text()]


def test_no_secret_is_in_an_answer(atoll):
    cache, ec2 = atoll.client("elasticache"), atoll.client("ec2")
    told = [
        atoll.cli("activity"), atoll.cli("export"), atoll.cli("status"), str(atoll.status()),
        str(groups(cache)), str(cache.describe_users()), str(cache.describe_snapshots()),
        str(cache.describe_events()),
        str(ec2.describe_instances()), str(ec2.describe_key_pairs()),
    ]  # fmt: skip

    for answer in told:
        assert not [secret for secret in (*SECRETS, "PRIVATE KEY") if secret in answer]
        assert base64.b64encode(USER_DATA.encode()).decode() not in str(ec2.describe_instances())


def test_the_state_is_its_owners(atoll):
    """Nobody else enters it; and what is secret is closed by itself, too, for who copies the directory."""
    assert atoll.state.stat().st_mode & 0o077 == 0
    assert atoll.run_dir.stat().st_mode & 0o077 == 0
    closed = []
    for path in atoll.state.rglob("*"):
        at = path.relative_to(atoll.state)
        if at.parts[0] in ("instances", "images") or not stat.S_ISREG(path.lstat().st_mode):
            continue  # disks: their files have the modes that guests gave them, below a directory of mode 0700
        kind = path.suffix in (".key", ".rdb", ".db", ".sqlite", ".pem") and path.name != "ca.pem"
        if kind or "snapshots" in at.parts or at.parts[0].startswith("world"):
            closed.append(str(at))
            assert path.stat().st_mode & 0o077 == 0, at
    assert any(name.endswith("ca.key") for name in closed)
    assert any("snapshots" in name for name in closed), closed
    assert all(path.stat().st_mode & 0o077 == 0 for path in (atoll.state / "instances").iterdir())


def test_no_secret_is_in_a_file_in_plain_text(atoll):
    for place in (atoll.state, atoll.run_dir):
        for path in place.rglob("*"):
            if stat.S_ISREG(path.lstat().st_mode) and "usr" not in path.relative_to(place).parts:
                text = path.read_bytes()
                assert not [secret for secret in SECRETS if secret.encode() in text], path


def test_an_engine_holds_nothing(atoll):
    seen = 0
    for directory, said in of_the_installation(atoll):
        if "valkey-server" not in said.split(" ")[0] and "haproxy" not in said.split(" ")[0]:
            continue
        seen += 1
        lines = dict(line.split(":\t") for line in (directory / "status").read_text().splitlines() if ":\t" in line)
        assert (lines["Seccomp"], int(lines["CapEff"], 16), int(lines["CapPrm"], 16)) == ("2", 0, 0), said
        assert lines["NoNewPrivs"] == "1"
        assert own_mode() == "rootless" or "0" not in lines["Uid"].split(), "it is not root"
    assert seen


def test_the_daemon_is_not_in_the_machines_network(atoll):
    """So whatever a call makes it dial is in the simulated internet: of the machine it has the API's socket only."""
    own, daemon = (os.readlink(f"/proc/{pid}/ns/net") for pid in (os.getpid(), atoll.status()["pid"]))

    assert daemon != own
