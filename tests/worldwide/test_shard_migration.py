"""Online migration from a cluster that a user runs in an instance to a group in cluster mode: real engines."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import pytest
from botocore.exceptions import ClientError

from tests.daemon.atoll import until
from tests.worldwide.conftest import Move, inside

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

NAME = "shards"
PORTS = (6379, 6380, 6381)
REPLICAS = (6389, 6390, 6391)
EQUAL = ("0 5460", "5461 10922", "10923 16383")
IN_STEP = f"Replication group {NAME} is in sync with its source"
DONE = "Data migration completed"

WRITER = """
import select, sys, redis
host, n, client = sys.argv[1], 0, None
while not select.select([sys.stdin], [], [], 0)[0]:
    n += 1
    try:
        client = client or redis.RedisCluster(host=host, port=6379, socket_timeout=5)
        client.set(f"w:{n}", n)
        print(n, flush=True)
    except (redis.RedisError, OSError):
        client = None
"""
READER = """
import sys, redis
client = redis.RedisCluster(host=sys.argv[1], port=6379, socket_timeout=10)
lost = [n for n in sys.stdin.read().split() if client.get(f"w:{n}") != n.encode()]
print(lost or "none lost")
"""


class Shards:
    """A group of three shards, and a cluster of three that a user runs in an instance."""

    def __init__(self, move: Move):
        self.move, self.cache = move, move.cache
        self.id, self.address = move.source()
        self.found(PORTS, EQUAL)
        self.cache.create_replication_group(
            ReplicationGroupId=NAME, ReplicationGroupDescription="x", Engine="valkey", CacheNodeType="cache.t3.micro",
            ClusterMode="enabled", AutomaticFailoverEnabled=True, NumNodeGroups=3, ReplicasPerNodeGroup=1,
        )  # fmt: skip
        self.available()

    def found(self, ports: Sequence[int], slots: Sequence[str]) -> None:
        """Run engines in cluster mode in the source's instance, and have them know each other."""
        for port in ports:
            self.run(port)
        for port, range_ in zip(ports, slots, strict=True):
            self.source(port, "CLUSTER", "ADDSLOTSRANGE", *range_.split())
            if port != ports[0]:
                self.source(port, "CLUSTER", "MEET", self.address, str(ports[0]))
        for port in ports:
            until(
                lambda p=port: "cluster_state:ok" in self.source(p, "CLUSTER", "INFO"), 20.0, f"a cluster at {port}"
            )

    def run(self, port: int) -> None:
        """Run one engine in cluster mode."""
        files = f"--dir /tmp --cluster-config-file nodes-{port}.conf --dbfilename {port}.rdb"
        self.move.run_engine(self.id, port, "--cluster-enabled yes --cluster-node-timeout 2000", files)
        until(lambda: self.source(port, "PING") == "PONG", what=f"an engine at {port}")

    def source(self, port: int, *words: str) -> str:
        """Ask one of the source's engines."""
        return inside(
            self.move.atoll, "us-east-1", self.id, f"redis-cli -h {self.address} -p {port} {' '.join(words)}"
        )

    def put(self, key: str, value: str) -> None:
        """Write to the source."""
        said = inside(
            self.move.atoll, "us-east-1", self.id, f"redis-cli -c -h {self.address} SET {key} {value}", ok=False
        )
        assert said == "OK", said

    def ask(self, *words: str) -> str:
        """Ask the group by its configuration endpoint."""
        command = f"redis-cli -c -h {self.endpoint()} {' '.join(words)}"
        return inside(self.move.atoll, "us-east-1", self.move.instance, command, ok=False)

    def endpoint(self) -> str:
        address: str = self.move.described(NAME)["ConfigurationEndpoint"]["Address"]
        return address

    def start(self, port: int = PORTS[0]) -> None:
        at = [{"Address": self.address, "Port": port}]
        self.cache.start_migration(ReplicationGroupId=NAME, CustomerNodeEndpointList=at)

    def event(self, *ends: str) -> str:
        return self.move.event(*ends, name=NAME)

    def available(self) -> None:
        self.move.available(NAME, 60.0)

    def complete(self, seconds: float = 30.0) -> None:
        """Complete as soon as all shards are in sync."""

        def called() -> bool:
            with contextlib.suppress(ClientError):
                self.cache.complete_migration(ReplicationGroupId=NAME)
                return True
            return False

        until(called, seconds, "a group in sync")

    def is_well(self) -> None:
        """Assert that the group is a cluster of six that serves all slots, and that the source was left alone."""
        self.available()
        assert "cluster_state:ok" in self.ask("CLUSTER", "INFO")
        until(lambda: "cluster_known_nodes:6" in self.ask("CLUSTER", "INFO"), 20.0, "six nodes")
        for n in range(12):
            assert self.ask("SET", f"own:{n}", str(n)) == "OK"
            assert self.ask("GET", f"own:{n}") == str(n)
        addresses = self.addresses()
        for port in PORTS:
            said = inside(self.move.atoll, "us-east-1", self.id, f"redis-cli -p {port} INFO replication", ok=False)
            assert not any(f"ip={address}," in said for address in addresses), "it is followed still"

    def addresses(self) -> list[str]:
        """Return where the nodes of the group are."""
        names = " ".join(c["CacheNodes"][0]["Endpoint"]["Address"] for c in self.clusters())
        said = inside(self.move.atoll, "us-east-1", self.move.instance, f"getent hosts {names}")
        return [line.split()[0] for line in said.splitlines()]

    def leads(self, port: int) -> str | None:
        """Return the member of the group that copies from one of the source's engines."""
        said = self.source(port, "INFO", "replication")
        for cluster, address in zip(self.clusters(), self.addresses(), strict=True):
            if f"ip={address}," in said:
                found: str = cluster["CacheClusterId"]
                return found
        return None

    def is_fed(self, port: int) -> bool:
        """Tell whether who copies from one of the source's engines has a replica in step."""
        name = self.leads(port)
        at = next(
            (c["CacheNodes"][0]["Endpoint"]["Address"] for c in self.clusters() if c["CacheClusterId"] == name), ""
        )
        return "state=online" in self.move.redis(at, "INFO", "replication") if at else False

    def clusters(self):
        found = self.cache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
        return [c for c in found if c.get("ReplicationGroupId") == NAME]

    @contextlib.contextmanager
    def writing(self) -> Iterator[Callable[[], list[str]]]:
        """Write numbered records to the source meanwhile; yields what tells which were acknowledged by now."""
        within = ("run", "--in", self.move.instance, "--", sys.executable, "-c")
        command = [sys.executable, "-m", "atoll.cli", *within, WRITER, self.address]
        said = self.move.atoll.place / "written"
        with (
            said.open("wb") as out,
            self.move.atoll.start_process(command, stdin=subprocess.PIPE, stdout=out) as writer,
        ):
            try:
                until(lambda: len(said.read_text().split()) > 50, 30.0, "a writer")
                yield lambda: said.read_text().split()[:-1]  # of the last, only a part may be there
            finally:
                writer.communicate(timeout=60)

    def lost(self, written: Sequence[str]) -> str:
        """Return which of the records are not in the group."""
        within = ("run", "--in", self.move.instance, "--", sys.executable, "-c")
        return self.move.atoll.cli(*within, READER, self.endpoint(), input=" ".join(written)).strip()


@pytest.fixture(scope="module")
def shards(move: Move) -> Shards:
    return Shards(move)


def test_each_shard_copies_from_the_one_with_its_slots_and_the_group_goes_on_alone(shards: Shards):
    for n in range(30):
        shards.put(f"before:{n}", str(n))
    shards.ask("SET", "own", "1")

    with shards.writing() as written:
        shards.start(PORTS[1])
        assert shards.move.described(NAME)["Status"] == "migrating"
        shards.event(IN_STEP)
        reader = shards.clusters()[0]["CacheNodes"][0]["Endpoint"]["Address"]
        assert "READONLY" in shards.move.redis(reader, "SET", "own", "2")
        begun, acknowledged = len(written()), written
        until(lambda: len(written()) > begun + 50, 30.0, "more records")
        acknowledged = written()
        shards.cache.complete_migration(ReplicationGroupId=NAME)
        shards.available()
        assert len(written()) > len(acknowledged), "it went on writing to the source"

    assert shards.move.messages(NAME)[-1] == DONE
    assert shards.lost(acknowledged) == "none lost"
    assert [shards.ask("GET", f"before:{n}") for n in range(30)] == [str(n) for n in range(30)]
    assert shards.ask("GET", "own") == ""
    shards.is_well()


def test_what_is_wrong_with_a_source_is_told_and_the_group_goes_on(shards: Shards):
    shards.run(7001)
    shards.found((7002, 7003), ("0 8191", "8192 16383"))
    shards.run(7004)
    shards.source(7004, "CONFIG", "SET", "requirepass", "secret")
    shards.move.run_engine(shards.id, 7005)
    until(lambda: shards.source(7005, "PING") == "PONG", what="an engine that is in no cluster")
    wrongs = {
        7001: "its cluster serves 0 of 16384 slots; 0-16383 are missing",
        7003: "its cluster has 2 shards, and the replication group has 3",
        7004: "NOAUTH Authentication required.",
        7005: "its cluster mode is disabled, and that of the replication group is enabled",
        7999: "connection refused: nobody listens there",
    }
    assert shards.ask("SET", "own", "3") == "OK"

    for port, why in wrongs.items():
        at = [{"Address": shards.address, "Port": port}]
        shards.cache.test_migration(ReplicationGroupId=NAME, CustomerNodeEndpointList=at)
        assert shards.event(why) == f"Migration test failed: {shards.address}:{port}: {why}"
        shards.available()
    shards.start(7003)
    assert shards.event(wrongs[7003]).startswith("Migration failed: ")
    shards.available()

    assert shards.ask("GET", "own") == "3"
    at = [{"Address": shards.address, "Port": PORTS[2]}]
    shards.cache.test_migration(ReplicationGroupId=NAME, CustomerNodeEndpointList=at)
    assert shards.event("succeeded") == "Migration test succeeded"
    shards.is_well()


def test_a_group_divides_the_slots_as_its_source_does(shards: Shards):
    ports = (7011, 7012, 7013)
    shards.found(ports, ("100 5460", "5461 5999", "0 99 6000 16383"))
    shards.source(7011, "SET", "{b}", "1")

    shards.start(ports[0])
    shards.event(IN_STEP)
    shards.complete()
    shards.available()

    slots = [shard["Slots"] for shard in shards.move.described(NAME)["NodeGroups"]]
    assert slots == ["0-99,6000-16383", "100-5460", "5461-5999"]
    assert shards.ask("GET", "{b}") == "1"
    shards.is_well()


def test_a_leader_that_is_lost_while_it_copies_is_replaced_and_its_successor_copies_on(shards: Shards):
    shards.start()
    shards.event(IN_STEP)
    old = shards.leads(PORTS[1])
    until(lambda: shards.is_fed(PORTS[1]), 30.0, "a replica that can take over")

    os.kill(shards.move.pid(old), signal.SIGKILL)
    until(lambda: shards.leads(PORTS[1]) not in (None, old), 30.0, "another leader")
    shards.put("after", "4")
    shards.complete()
    shards.available()

    assert shards.move.described(NAME)["NodeGroups"][0]["Slots"] == "0-5460"
    assert shards.ask("GET", "after") == "4"
    shards.is_well()


def test_a_leader_that_is_lost_while_its_engines_go_back_into_cluster_mode_copies_all_again(shards: Shards):
    shards.put("again", "5")
    shards.start()
    shards.event(IN_STEP)
    begun = shards.move.atoll.log.stat().st_size
    lost = shards.move.pid(shards.leads(PORTS[2]) or "")
    shards.complete()
    until(lambda: '"step": "caught_up"' in shards.move.atoll.said(begun), 30.0, "the way back")

    with contextlib.suppress(ProcessLookupError):  # its replica may have taken over already
        os.kill(lost, signal.SIGKILL)
    shards.available()

    assert shards.ask("GET", "again") == "5"
    shards.is_well()


@pytest.mark.parametrize("step", ["begun", "copied", "caught_up", "handing over"])
def test_the_next_daemon_finishes_what_a_killed_one_began(shards: Shards, step: str):
    shards.put("step", step.split()[0])
    begun = shards.move.atoll.log.stat().st_size
    shards.start()
    if step not in ("begun", "copied"):
        shards.event(IN_STEP)
        shards.complete()
    said = '"step": "handover"' if step == "handing over" else f'"step": "{step}"'
    until(lambda: said in shards.move.atoll.said(begun), 30.0, step)
    shards.move.atoll.kill()

    shards.move.atoll.up()

    if step in ("begun", "copied"):
        shards.complete()
    shards.available()
    assert shards.ask("GET", "step") == step.split()[0]
    shards.is_well()


def test_a_primary_of_the_source_that_is_replaced_there_is_not_followed_any_more(shards: Shards):
    for port in REPLICAS:
        shards.run(port)
        shards.source(port, "CLUSTER", "MEET", shards.address, str(PORTS[0]))
    for port in (*PORTS, *REPLICAS):
        until(lambda p=port: "cluster_known_nodes:6" in shards.source(p, "CLUSTER", "INFO"), 30.0, "six nodes")
    for port, leader in zip(REPLICAS, PORTS, strict=True):
        shards.source(port, "CLUSTER", "REPLICATE", shards.source(leader, "CLUSTER", "MYID"))
        until(lambda p=port: "link_status:up" in shards.source(p, "INFO", "replication"), 30.0, "a replica")
    shards.start()
    shards.event(IN_STEP)

    shards.source(PORTS[0], "SHUTDOWN", "NOSAVE")
    shards.source(REPLICAS[0], "CLUSTER", "FAILOVER", "TAKEOVER")
    until(lambda: shards.leads(REPLICAS[0]), 30.0, "who copies from the new primary")
    until(
        lambda: "cluster_state:ok" in shards.source(PORTS[1], "CLUSTER", "INFO"), 30.0, "a source that takes writes"
    )
    command = f"redis-cli -c -h {shards.address} -p {PORTS[1]} SET {{b}}late 6"
    assert inside(shards.move.atoll, "us-east-1", shards.id, command) == "OK"
    shards.complete()
    shards.available()

    told = shards.move.messages(NAME)
    assert any(f"copies from the new primary {shards.address}:{REPLICAS[0]}" in line for line in told), told
    assert shards.ask("GET", "{b}late") == "6"
    shards.is_well()


def test_force_ends_a_migration_whose_source_is_gone(shards: Shards):
    shards.start(PORTS[1])
    shards.event(IN_STEP)
    for port in (REPLICAS[0], *PORTS[1:], *REPLICAS[1:]):
        shards.source(port, "SHUTDOWN", "NOSAVE")
    shards.event("no longer in sync with its source")

    with pytest.raises(ClientError, match="is not in sync with its source"):
        shards.cache.complete_migration(ReplicationGroupId=NAME)
    shards.cache.complete_migration(ReplicationGroupId=NAME, Force=True)
    shards.available()

    assert shards.ask("GET", "{b}late") == "6"
    shards.is_well()
