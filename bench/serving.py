"""(i) What caches give their clients, and what they cost the daemon.

The throughput of a group's primary through its VPC stands beside the same engine bare on loopback: client and engine
share a processor, so that throughput is what all the work of a request costs.  The memory of the daemon with a
hundred nodes stands beside that without one.
"""

import subprocess
import time

from bench.carrying import CLIENTS, PROCESSOR
from bench.ground import Api, Atoll, Room, cpu_seconds, end, resident_mb, running, until
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import PORT, allow, build, group, instance

CLUSTER_NODES = 40
IDLE_SECONDS = 3.0


def measure(rounds: int, requests: int, nodes: int) -> list[Row]:
    """Send `requests` requests `rounds` times, then have `nodes` nodes."""
    return _throughput(rounds, requests) + _weight(nodes)


def _throughput(rounds: int, requests: int) -> list[Row]:
    with running() as atoll:
        api, vpc = atoll.api, build(atoll.api)
        groups = group(api, vpc, "cache")
        allow(api, groups, "10.0.0.0/16")
        client = atoll.room(instance(api, vpc.public, group(api, vpc, "client")))
        _subnets(api, vpc.private)
        found = {}
        for engine in ("valkey", "redis"):
            api.cache(
                "CreateReplicationGroup", ReplicationGroupId=engine, ReplicationGroupDescription="bench",
                Engine=engine, CacheNodeType="cache.m5.large", NumCacheClusters=2, CacheSubnetGroupName="bench",
                **{"SecurityGroupIds.SecurityGroupId.1": groups},
            )  # fmt: skip
            until(lambda engine=engine: _status(api, engine) == "available")
            node = api.private("GET", f"/_atoll/machines/{engine}-001?region=us-east-1")
            subprocess.run(["taskset", "-apc", PROCESSOR, str(node["pid"])], check=True, stdout=subprocess.DEVNULL)
            found[f"{engine}: a primary with a replica"] = lambda a=node["address"]: _load(client, a, PORT, requests)
        bare, ports = [], {}
        try:
            for n, engine in enumerate(("valkey", "redis")):
                ports[engine] = 17_000 + n
                options = ("--port", str(ports[engine]), "--bind", "127.0.0.1", "--save", "")
                command = ["taskset", "-c", PROCESSOR, atoll.engine(engine), *options]
                bare.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd="/tmp", text=True))
            loopback = Room(f"/proc/{bare[0].pid}/ns/net", "127.0.0.1")
            for engine, port in ports.items():
                found[f"{engine}: bare, on loopback"] = lambda p=port: _load(loopback, "127.0.0.1", p, requests)
            time.sleep(0.2)
            interleave(found, 1)
            series = interleave(found, rounds)
        finally:
            end(bare)
    asked = [
        Asked(series=f"{e}: a primary with a replica", unit="requests/s", baseline=f"{e}: bare, on loopback")
        for e in ("valkey", "redis")
    ]
    return rows("clients", series, asked)


def _load(client: Room, address: str, port: int, requests: int) -> float:
    """Return requests per second."""
    where = ("-h", address, "-p", str(port), "-t", "get", "--csv", "-c", str(CLIENTS), "-n", str(requests))
    process = client.start(
        "timeout", "120", "taskset", "-c", PROCESSOR, "redis-benchmark", *where, stdout=subprocess.PIPE
    )
    said, _ = process.communicate()
    return float(said.strip().splitlines()[-1].replace('"', "").split(",")[1])


def _weight(nodes: int) -> list[Row]:
    """Measure the daemon when nothing happens, without nodes and with many."""
    with running() as atoll:
        api, vpc = atoll.api, build(atoll.api)
        _subnets(api, vpc.private)
        empty, idle = resident_mb(atoll.pid), _cpu_percent(atoll)
        for n, first in enumerate(range(0, nodes, CLUSTER_NODES)):
            api.cache(
                "CreateCacheCluster", CacheClusterId=f"m{n}", Engine="memcached", CacheNodeType="cache.t3.micro",
                NumCacheNodes=min(CLUSTER_NODES, nodes - first), CacheSubnetGroupName="bench",
            )  # fmt: skip
        until(lambda: _statuses(api) == {"available"}, every_seconds=0.05)
        full, busy = resident_mb(atoll.pid), _cpu_percent(atoll)
    series = {
        f"memory of the daemon, {nodes} nodes": [full],
        "without nodes": [empty],
        f"CPU of the idle daemon, {nodes} nodes": [busy],
        "CPU without nodes": [idle],
    }
    asked = [
        Asked(series=f"memory of the daemon, {nodes} nodes", unit="MB", baseline="without nodes"),
        Asked(series=f"CPU of the idle daemon, {nodes} nodes", unit="%", baseline="CPU without nodes"),
    ]
    return rows("many nodes", series, asked)


def _cpu_percent(atoll: Atoll) -> float:
    before = cpu_seconds(atoll.pid)
    time.sleep(IDLE_SECONDS)
    return (cpu_seconds(atoll.pid) - before) / IDLE_SECONDS * 100


def _subnets(api: Api, subnet: str) -> None:
    api.cache(
        "CreateCacheSubnetGroup", CacheSubnetGroupName="bench", CacheSubnetGroupDescription="bench",
        **{"SubnetIds.SubnetIdentifier.1": subnet},
    )  # fmt: skip


def _status(api: Api, name: str) -> str:
    told = api.cache("DescribeReplicationGroups", ReplicationGroupId=name)
    return next((status.text or "" for status in told.iter("Status")), "")


def _statuses(api: Api) -> set[str]:
    return {status.text or "" for status in api.cache("DescribeCacheClusters").iter("CacheClusterStatus")}
