"""Online resharding with real engines and cluster clients under load: no error, no lost record, whatever happens."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.atoll import own_mode, running, until
from tests.failover.conftest import Ward
from tests.failover.sharded import Sharded

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

WRITER = Path(__file__).with_name("cluster_writer.py")
# What redis-py says when two engines have sent it to each other sixteen times.  Where slots do not move as a whole,
# they do so for as long as it takes to tell both whose the first slots of a new shard are (engine/slot_mover.py).
BOUNCED, BOUNCED_MAX = "ClusterError: TTL exhausted.", 3


@pytest.fixture(scope="module", params=["valkey", "redis"])
def sharded(request: pytest.FixtureRequest) -> Iterator[Sharded]:
    with running(own_mode()) as atoll:
        engines = atoll.client("elasticache").describe_cache_engine_versions()["CacheEngineVersions"]
        if request.param not in {v["Engine"] for v in engines}:
            pytest.skip(f"NOT TESTED: no {request.param} on this machine")
        yield Sharded(Ward(atoll, request.param, group=False), shards=2, replicas=1)


@contextmanager
def writing(sharded: Sharded) -> Iterator[dict[str, Any]]:
    """Have cluster clients write meanwhile; what they say is in the dictionary afterwards."""
    said: dict[str, Any] = {}
    words = (sys.executable, "-c", WRITER.read_text(), sharded.endpoint, f"{time.time_ns():x}")
    command = [sys.executable, "-m", "atoll.cli", "run", "--in", sharded.ward.instance, "--", *words]
    with sharded.atoll.start_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield said
            process.stdin.write(b"\n")
            process.stdin.flush()
            said.update(json.loads(process.stdout.readline()))
        finally:
            process.kill()


def reshard(sharded: Sharded, count: int, **more: Any) -> None:
    asked = {"ReplicationGroupId": "shards", "NodeGroupCount": count, "ApplyImmediately": True}
    sharded.ward.cache.modify_replication_group_shard_configuration(**asked, **more)


def watched(sharded: Sharded, seconds: float = 60.0) -> list[dict[str, Any]]:
    """Describe the group until it is available, and return all that was seen."""
    seen: list[dict[str, Any]] = []
    end = time.monotonic() + seconds
    while not seen or seen[-1]["Status"] != "available":
        seen.append(sharded.ward.described("shards"))
        assert time.monotonic() < end, sharded.atoll.log.read_text()[-6000:]
        time.sleep(0.05)
    return seen


def sizes(described: dict[str, Any]) -> dict[str, int]:
    """Return how many slots each shard has."""
    found = {}
    for shard in described["NodeGroups"]:
        parts = [part.split("-") for part in shard["Slots"].split(",") if part]
        found[shard["NodeGroupId"]] = sum(int(last) - int(first) + 1 for first, last in parts)
    return found


def engines_say(sharded: Sharded) -> dict[str, int]:
    """Return how many slots each primary has, by its name, as the engines say."""
    found = {}
    names = {address: name for name, address in sharded.addresses().items()}
    for line in sharded.redis(next(iter(sharded.primaries().values())), "CLUSTER", "NODES").splitlines():
        words = line.split()
        if "master" in words[2]:
            ends = [word.split("-") for word in words[8:]]
            name = names[words[1].partition(":")[0]]
            found[name] = sum(int(end[-1]) - int(end[0]) + 1 for end in ends)
    return found


def test_shards_come_and_go_under_load_without_an_error_or_a_lost_record(sharded):
    with writing(sharded) as said:
        reshard(sharded, 3)
        out = watched(sharded)
        more = sharded.ward.described("shards")
        there = engines_say(sharded)
        reshard(sharded, 2, NodeGroupsToRemove=["0001"])
        back = watched(sharded)

    bounced = [error for error in said["errors"] if error.startswith(BOUNCED)]
    assert said["errors"] == bounced
    assert len(bounced) <= (0 if sharded.ward.engine == "valkey" else BOUNCED_MAX)
    assert said["lost"] == []
    assert min(said["acks"].values()) > 100
    seen = [d["PendingModifiedValues"]["Resharding"]["SlotMigration"]["ProgressPercentage"] for d in out[:-1]]
    assert seen == sorted(seen), "progress only rises"
    assert {d["Status"] for d in (*out[:-1], *back[:-1])} == {"modifying"}
    assert sorted(sizes(more).values()) == [5461, 5461, 5462]
    assert sorted(there.values()) == [5461, 5461, 5462]
    assert all(sum(sizes(d).values()) == 16384 for d in (*out, *back))
    assert sizes(back[-1]) == {"0002": 8192, "0003": 8192}
    assert "PendingModifiedValues" not in back[-1] or not back[-1]["PendingModifiedValues"]
    assert sharded.members() == ["shards-0002-001", "shards-0002-002", "shards-0003-001", "shards-0003-002"]
    known = lambda: sharded.everybody("CLUSTER", "INFO").count("cluster_known_nodes:4")  # noqa: E731
    until(lambda: known() == 4, what="nobody who remembers those that left")
    assert sharded.ward.messages("shards")[-4:] == [
        "Started resharding of replication group shards from 2 to 3 node groups",
        "Finished resharding of replication group shards from 2 to 3 node groups",
        "Started resharding of replication group shards from 3 to 2 node groups",
        "Finished resharding of replication group shards from 3 to 2 node groups",
    ]


@pytest.mark.parametrize("when", ["modify", "move", "finish"])
def test_the_next_daemon_finishes_what_a_killed_one_began(sharded, when):
    """The daemon is killed as soon as its log tells of an act, or the call has answered: before, in or after it."""
    before = len(sharded.shards())
    begun = sharded.atoll.log.stat().st_size
    if sharded.ward.engine == "redis" and when != "move":
        pytest.skip("the same steps as with Valkey, only slower")
    gone = {} if before == 2 else {"NodeGroupsToRemove": [sharded.shards()[-1]["NodeGroupId"]]}
    with writing(sharded) as said:
        reshard(sharded, 5 - before, **gone)
        until(lambda: when == "modify" or f'"act": "{when}"' in sharded.atoll.said(begun), what=when)
        sharded.atoll.kill()
        sharded.atoll.up()
        last = watched(sharded)[-1]

    assert sorted(sizes(last).values()) == ([5461, 5461, 5462] if before == 2 else [8192, 8192])
    assert said["lost"] == []
    if sharded.ward.engine == "valkey":
        assert said["errors"] == []
    assert [error for error in said["errors"] if not error.startswith(BOUNCED)] == []


def test_a_drill_tells_how_much_moved_when_and_what_the_clients_saw(sharded):
    if sharded.ward.engine == "redis":
        pytest.skip("a drill is the same with Valkey, and quicker")
    before = len(sharded.shards())

    asked = ("drill", "reshard", "shards", "--shards", str(5 - before), "--json")
    said = sharded.atoll.cli(*asked, timeout=90)
    found = json.loads(said[said.index("{") :])

    assert found["lost"] == []
    assert found["errors"] == {}
    assert len(found["slots"]["after"]) == 5 - before == len(sharded.shards())
    assert found["time_line"][-1]["progress"] == 100.0
    assert found["p99_ms"]["during"] > 0


def test_a_primary_that_is_lost_while_its_slots_move_is_replaced_and_the_rest_follows(sharded):
    before = len(sharded.shards())
    begun = sharded.atoll.log.stat().st_size
    gone = {} if before == 2 else {"NodeGroupsToRemove": [sharded.shards()[-1]["NodeGroupId"]]}
    lost = sharded.primaries()[sharded.shards()[0]["NodeGroupId"]]
    reshard(sharded, 5 - before, **gone)
    until(lambda: '"act": "move"' in sharded.atoll.said(begun), what="a move")

    os.kill(sharded.ward.pid(lost), signal.SIGKILL)

    last = watched(sharded)[-1]
    assert sorted(sizes(last).values()) == ([5461, 5461, 5462] if before == 2 else [8192, 8192])
    assert lost not in sharded.primaries().values()
    assert sharded.run("client.set('after', 1)\nprint(client.get('after'))") == "b'1'"
