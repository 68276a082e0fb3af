"""Migration to a serverless cache from an engine that a user runs in an instance: real engines, real packets."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.daemon.atoll import own_mode, until
from tests.worldwide.conftest import Move, inside

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

BURST = {"ServerlessCacheName": "burst"}


def shown(move: Move):
    return move.cache.describe_serverless_caches(**BURST)["ServerlessCaches"][0]


def is_at(move: Move, status: str | None, seconds: float = 60.0):
    def found():
        return shown(move).get("Migration", {}).get("Status") == status

    until(found, seconds, f"migration {status} ({move.atoll.log})")


def tls(move: Move, *words: str) -> str:
    """Ask the serverless cache, by its endpoint; a cluster client follows what it is told."""
    host = shown(move)["Endpoint"]["Address"]
    return inside(move.atoll, "us-east-1", move.instance, f"redis-cli -c --tls -h {host} {' '.join(words)}", ok=False)


def told(move: Move) -> list[str]:
    events = move.cache.describe_events(SourceType="serverless-cache", SourceIdentifier="burst", Duration=600)
    return [event["Message"] for event in events["Events"]]


WRITER = """
import select, sys, redis
host, n, client = sys.argv[1], 0, None
while not select.select([sys.stdin], [], [], 0)[0]:
    n += 1
    try:
        client = client or redis.Redis(host=host, ssl=True, socket_timeout=5)
        client.set(f"w:{n}", n)
        print(n)
    except redis.RedisError:
        client = None
"""
READER = """
import sys, redis
client = redis.RedisCluster(host=sys.argv[1], ssl=True, socket_timeout=10)
lost = [n for n in sys.stdin.read().split() if client.get(f"w:{n}") != n.encode()]
print(lost or "none lost")
"""


@pytest.fixture(scope="module")
def source(move: Move) -> str:
    id, address = move.source()
    move.run_engine(id)
    until(lambda: move.redis(address, "PING") == "PONG", what="the source")
    move.redis(address, "SET", "before", "1")
    move.cache.create_serverless_cache(**BURST, Engine="valkey")
    until(lambda: shown(move)["Status"] == "available", 60.0, "burst")
    return address


def test_a_serverless_cache_stands_in_for_its_source_and_then_takes_its_place(move: Move, source: str):
    assert tls(move, "SET", "own", "1") == "OK"
    move.cache.prepare_migration(**BURST, CustomerNodeEndpointList=[{"Address": source, "Port": 6379}])
    is_at(move, "prepared")
    until(lambda: tls(move, "GET", "before") == "1", 20.0, "the source behind the endpoint")
    assert tls(move, "SET", "through", "2") == "OK"
    assert move.redis(source, "GET", "through") == "2"

    move.cache.start_migration(**BURST)
    is_at(move, "prepared")
    until(lambda: any("ClearTargetCacheData" in line for line in told(move)), 20.0, "why it does not start")
    move.cache.start_migration(**BURST, ClearTargetCacheData=True)
    until(lambda: told(move)[-1] == "Serverless cache burst is in sync with its source", 30.0, "in sync")
    move.cache.stop_migration(**BURST)
    is_at(move, "prepared")
    assert "connected_slaves:0" in move.redis(source, "INFO", "replication")
    assert tls(move, "SET", "stopped", "3") == "OK"

    move.cache.start_migration(**BURST, ClearTargetCacheData=True, AutoCutover=True)
    is_at(move, None)
    until(lambda: shown(move)["Status"] == "available", 60.0, "burst")

    for key, value in (("before", "1"), ("through", "2"), ("stopped", "3"), ("own", "")):
        assert tls(move, "GET", key) == value
    assert tls(move, "SET", "after", "4") == "OK"
    assert move.redis(source, "EXISTS", "after") == "0", "the source was left alone"
    assert "connected_slaves:0" in move.redis(source, "INFO", "replication")
    assert "cluster_state:ok" in tls(move, "CLUSTER", "INFO")
    until(lambda: "connected_slaves:1" in tls(move, "INFO", "replication"), 30.0, "a replica")


def test_no_write_that_the_endpoint_has_acknowledged_is_lost_at_the_cutover(move: Move, source: str):
    move.cache.prepare_migration(**BURST, CustomerNodeEndpointList=[{"Address": source, "Port": 6379}])
    is_at(move, "prepared")
    host = shown(move)["Endpoint"]["Address"]
    within = ("run", "--in", move.instance, "--", sys.executable, "-c")
    command = [sys.executable, "-m", "atoll.cli", *within, WRITER, host]
    with move.atoll.start_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        try:
            until(lambda: move.redis(source, "EXISTS", "w:50") == "1", 30.0, "a writer")
            move.cache.start_migration(**BURST, ClearTargetCacheData=True)
            until(lambda: told(move)[-1] == "Serverless cache burst is in sync with its source", 30.0, "in sync")
            kill_terminator(move)  # the one that comes instead must not lead to the source
            move.cache.complete_migration(**BURST)
            is_at(move, None)
        finally:
            written = writer.communicate(timeout=60)[0].decode()

    assert int(move.redis(source, "EXISTS", f"w:{written.split()[-1]}")) == 0, "it went on writing after the cutover"
    assert move.atoll.cli(*within, READER, host, input=written).strip() == "none lost"


def test_a_leader_that_is_lost_while_it_copies_is_replaced_and_its_successor_copies_on(move: Move, source: str):
    move.cache.prepare_migration(**BURST, CustomerNodeEndpointList=[{"Address": source, "Port": 6379}])
    is_at(move, "prepared")
    move.cache.start_migration(**BURST, ClearTargetCacheData=True)
    until(lambda: told(move)[-1] == "Serverless cache burst is in sync with its source", 30.0, "in sync")
    lost = copies(move, source)
    until(lambda: is_fed(move, lost), 30.0, "a replica that can take over")

    os.kill(leads(move), signal.SIGKILL)

    until(lambda: copies(move, source) not in ("", lost), 30.0, "another that copies")
    until(lambda: tls(move, "SET", "late", "9") == "OK", 20.0, "its way to the source")
    assert move.redis(source, "GET", "late") == "9"
    until(lambda: completes(move), 30.0, "in sync again")
    is_at(move, None)
    assert tls(move, "GET", "late") == "9"


def test_the_next_daemon_finishes_what_a_killed_one_began(move: Move, source: str):
    move.redis(source, "SET", "again", "5")
    begun = move.atoll.log.stat().st_size
    move.cache.prepare_migration(**BURST, CustomerNodeEndpointList=[{"Address": source, "Port": 6379}])
    until(lambda: '"step": "looked_at"' in move.atoll.said(begun), 30.0, "the first step")
    move.atoll.kill()
    move.atoll.up()
    is_at(move, "prepared")

    begun = move.atoll.log.stat().st_size
    move.cache.start_migration(**BURST, ClearTargetCacheData=True, AutoCutover=True)
    until(lambda: '"step": "completed"' in move.atoll.said(begun), 60.0, "the cutover")
    move.atoll.kill()
    move.atoll.up()
    is_at(move, None)

    until(lambda: tls(move, "GET", "again") == "5", 20.0, "the data")
    assert "cluster_state:ok" in tls(move, "CLUSTER", "INFO")


def copies(move: Move, source: str) -> str:
    """Return the address that copies from the source."""
    found = re.search(r"slave0:ip=([\d.]+)", move.redis(source, "INFO", "replication"))
    return found[1] if found else ""


def is_fed(move: Move, leader: str) -> bool:
    """Tell whether the leader, at that address, has a replica in step: only such a one can take its place."""
    enter = [
        "nsenter",
        "-t",
        str(leads(move)),
        "-n",
        *(("-U", "--preserve-credentials") if own_mode() != "root" else ()),
    ]
    command = [*enter, "redis-cli", "-h", leader, "INFO", "replication"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    has, all_ = re.search(r"slave0:.*state=online,offset=(\d+)", said), re.search(r"master_repl_offset:(\d+)", said)
    return bool(has and all_) and has[1] == all_[1]


def leads(move: Move) -> int:
    """Return the process of the engine behind the endpoint."""
    return move.pid(shown(move)["Endpoint"]["Address"])


def kill_terminator(move: Move) -> None:
    """Kill what ends TLS at the leader's node: HAProxy, in the network of the engine."""
    network = os.readlink(f"/proc/{leads(move)}/ns/net")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_haproxy = (process / "cmdline").read_bytes().split(b"\0")[1:4] == [b"-db", b"-f", b"tls.cfg"]
            if is_haproxy and os.readlink(process / "ns" / "net") == network:
                os.kill(int(process.name), signal.SIGKILL)
                return
    raise AssertionError("there is no terminator")


def completes(move: Move) -> bool:
    try:
        move.cache.complete_migration(**BURST)
    except ClientError as error:
        if error.response["Error"]["Code"] != "MigrationHealthFault":
            raise
        return False
    return True
