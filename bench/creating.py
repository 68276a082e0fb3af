"""(b) From CreateCacheCluster to the answer of the engine through the VPC, over the fork of a bare engine.

The client is in another subnet, asks for the address as soon as the call has returned, and connects until it is
answered.  Deletion is timed until no process is left.
"""

import itertools
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable

from bench.ground import Atoll, Room, end, one, running, until
from bench.probe import Probe, probing
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import allow, build, group, instance

ENGINES = {"redis": 6379, "memcached": 11211}
_numbers = itertools.count()

SETTLE_SECONDS = 1.0


def measure(rounds: int) -> list[Row]:
    """Create, reach and delete `rounds` of each."""
    with running() as atoll:
        vpc = build(atoll.api)
        client = instance(atoll.api, vpc.public, group(atoll.api, vpc, "client"))
        cluster_group = group(atoll.api, vpc, "cache")
        for port in ENGINES.values():
            allow(atoll.api, cluster_group, "10.0.0.0/24", port)
        named = {"CacheSubnetGroupName": "g", "CacheSubnetGroupDescription": "d"}
        atoll.api.cache("CreateCacheSubnetGroup", **named, **{"SubnetIds.member.1": vpc.private})
        room = atoll.room(client)
        with probing(room) as near, probing(None) as bare:
            series = _series(atoll, room, cluster_group, near, bare, rounds)
    asked = []
    for engine in ENGINES:
        reachable, forked = f"{engine}: create to answer", f"{engine}: bare fork to answer"
        asked.append(Asked(series=reachable, unit="ms", baseline=forked, target="<= 100 ms"))
    asked.append(Asked(series="redis: delete to nothing left", unit="ms", baseline="redis: bare fork to answer",
                       target="<= 50 ms"))  # fmt: skip
    asked.append(
        Asked(series="replication group 1+1: in sync", unit="ms", baseline="redis: bare fork to answer",
              target="<= 300 ms")
    )  # fmt: skip
    asked.append(
        Asked(series="cluster mode, nine nodes: available", unit="ms", baseline="redis: bare fork to answer",
              target="<= 1,000 ms")
    )  # fmt: skip
    return rows("create", series, asked)


def _series(atoll: Atoll, room: Room, group_id: str, near: Probe, bare: Probe, rounds: int) -> dict[str, list[float]]:
    deletions: list[float] = []
    measures: dict[str, Callable[[], float]] = {}
    for engine in ENGINES:
        measures[f"{engine}: create to answer"] = lambda e=engine: _created(atoll, e, group_id, near, deletions)
        measures[f"{engine}: bare fork to answer"] = lambda e=engine: _forked(atoll.engine(e), e, bare)
    measures["replication group 1+1: in sync"] = lambda: _replicated(atoll, room, group_id)
    measures["cluster mode, nine nodes: available"] = lambda: _sharded(atoll, group_id)
    interleave(measures, 1)  # the first of each engine warms the page cache
    deletions.clear()
    series = interleave(measures, rounds)
    return series | {"redis: delete to nothing left": deletions[:rounds]}


def _created(atoll: Atoll, engine: str, group_id: str, near: Probe, deletions: list[float]) -> float:
    name, port = f"c{next(_numbers)}", ENGINES[engine]
    begun = time.monotonic()
    _create(atoll, "CreateCacheCluster", group_id, CacheClusterId=name, NumCacheNodes=1, Engine=engine)
    near.ask(_addresses(atoll, group_id)[0], port, engine)
    seconds = near.answered() - begun
    until(lambda: _status(atoll, "DescribeCacheClusters", "CacheClusterId", name) == "available")
    begun = time.monotonic()
    atoll.api.cache("DeleteCacheCluster", CacheClusterId=name)
    until(lambda: not atoll.api.private("GET", "/_atoll/status")["caches"])
    if engine == "redis":
        deletions.append((time.monotonic() - begun) * 1e3)
    until(lambda: not _addresses(atoll, group_id))
    return seconds * 1e3


def _replicated(atoll: Atoll, room: Room, group_id: str) -> float:
    name = f"r{next(_numbers)}"
    begun = time.monotonic()
    _create(
        atoll, "CreateReplicationGroup", group_id, ReplicationGroupId=name, ReplicationGroupDescription="d",
        NumCacheClusters=2, Engine="valkey",
    )  # fmt: skip
    addresses = _addresses(atoll, group_id)
    until(lambda: any("master_link_status:up" in _replication(room, address) for address in addresses))
    seconds = time.monotonic() - begun
    until(lambda: _status(atoll, "DescribeReplicationGroups", "ReplicationGroupId", name) == "available")
    atoll.api.cache("DeleteReplicationGroup", ReplicationGroupId=name)
    until(lambda: not _addresses(atoll, group_id))
    return seconds * 1e3


def _sharded(atoll: Atoll, group_id: str) -> float:
    """Return the milliseconds until nine nodes are one cluster that takes writes, as the API says."""
    name = f"s{next(_numbers)}"
    begun = time.monotonic()
    _create(
        atoll, "CreateReplicationGroup", group_id, ReplicationGroupId=name, ReplicationGroupDescription="d",
        NumNodeGroups=3, ReplicasPerNodeGroup=2, ClusterMode="enabled", AutomaticFailoverEnabled="true",
        Engine="valkey",
    )  # fmt: skip
    until(lambda: _status(atoll, "DescribeReplicationGroups", "ReplicationGroupId", name) == "available")
    seconds = time.monotonic() - begun
    atoll.api.cache("DeleteReplicationGroup", ReplicationGroupId=name)
    until(lambda: not _addresses(atoll, group_id))
    time.sleep(SETTLE_SECONDS)  # nine processes end: not the next one's affair
    return seconds * 1e3


def _create(atoll: Atoll, action: str, group_id: str, **more: object) -> None:
    where = {"CacheSubnetGroupName": "g", "SecurityGroupIds.member.1": group_id}
    atoll.api.cache(action, CacheNodeType="cache.t3.micro", **where, **more)


def _addresses(atoll: Atoll, group_id: str) -> list[str]:
    found = atoll.api.ec2("DescribeNetworkInterfaces", **{"Filter.1.Name": "group-id", "Filter.1.Value.1": group_id})
    return [one(it, "privateIpAddress") for it in found.findall("./networkInterfaceSet/item")]


def _status(atoll: Atoll, action: str, key: str, name: str) -> str:
    tag = "CacheClusterStatus" if key == "CacheClusterId" else "Status"
    found = atoll.api.cache(action, **{key: name})
    return next(it.text or "" for it in found.iter(tag))


def _replication(room: Room, address: str) -> str:
    """Ask a node about its primary; does not wait for TCP to send again what was dropped while nothing was there."""
    command = room.command("timeout", "0.1", "redis-cli", "-h", address, "info", "replication")
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _forked(program: str, engine: str, bare: Probe) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if engine == "memcached":
        command = [program, "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
        if os.geteuid() == 0:
            command += ["-u", "root"]
    else:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", tempfile.gettempdir()]
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        bare.ask("127.0.0.1", port, engine)
        return (bare.answered() - begun) * 1e3
    finally:
        end([process])
