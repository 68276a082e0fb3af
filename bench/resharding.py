"""(m) Two shards become three under load: keys that move in a second, and how slow clients are meanwhile.

All is told by `atoll drill reshard`, whose clients run in an instance of the VPC; the keys that move lie there
before.  Clients are held against themselves just before, in the same run; keys that move against those that the
clients write before.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from bench.failing import available, make_group
from bench.ground import Atoll, running
from bench.rows import Asked, Row, rows
from bench.vpc import allow, build, group, instance

ENGINES = ("valkey", "redis")
MOVED = 1 / 3  # of all slots, from two shards to three
LOAD = """
import sys
from redis.cluster import RedisCluster
client = RedisCluster(host=sys.argv[1], port=6379)
for first in range(0, int(sys.argv[2]), 5000):
    pipe = client.pipeline()
    for n in range(first, first + 5000):
        pipe.set(f"key:{n}", "x" * 100)
    pipe.execute()
"""


def measure(rounds: int, keys: int, engines: Sequence[str] = ENGINES) -> list[Row]:
    """Reshard a group with so many keys, `rounds` times with each engine."""
    series: dict[str, list[float]] = {}
    with running() as atoll:
        vpc = build(atoll.api)
        cache_group = group(atoll.api, vpc, "cache")
        allow(atoll.api, cache_group, "10.0.0.0/24")
        client = instance(atoll.api, vpc.public, group(atoll.api, vpc, "client"))
        named = {"CacheSubnetGroupName": "g", "CacheSubnetGroupDescription": "d"}
        atoll.api.cache("CreateCacheSubnetGroup", **named, **{"SubnetIds.member.1": vpc.private})
        for engine in engines:
            more = {"Engine": engine, "ClusterMode": "enabled", "NumNodeGroups": 2, "ReplicasPerNodeGroup": 1}
            make_group(atoll, engine, cache_group, **more)
            for n in range(rounds):
                found = _drill(atoll, engine, client, keys if n == 0 else 0)
                for name, value in _figures(engine, found, keys).items():
                    series.setdefault(name, []).append(value)
    asked = [
        part
        for engine in engines
        for part in (
            Asked(series=f"{engine}: keys moved", unit="keys/s", baseline=f"{engine}: keys written before"),
            Asked(series=f"{engine}: p99 during", unit="ms", baseline=f"{engine}: p99 before"),
        )
    ]
    return rows("resharding", series, asked)


def _figures(engine: str, found: dict[str, dict[str, float]], keys: int) -> dict[str, float]:
    seconds = max(float(str(found["moving_seconds"])), 0.01)
    return {
        f"{engine}: keys moved": keys * MOVED / seconds,
        f"{engine}: keys written before": found["writes_per_second"]["before"],
        f"{engine}: p99 during": found["p99_ms"]["during"],
        f"{engine}: p99 before": found["p99_ms"]["before"],
    }


def _drill(atoll: Atoll, name: str, client: str, keys: int) -> dict[str, dict[str, float]]:
    """Return what the drill says of two shards that become three; back to two afterwards."""
    run = partial(_cli, atoll)
    if keys:
        run("run", "--in", client, "--", sys.executable, "-c", LOAD, _endpoint(atoll, name), str(keys))
    found: dict[str, dict[str, float]] = json.loads(run("drill", "reshard", name, "--shards", "3", "--json"))
    run("drill", "reshard", name, "--shards", "2", "--json")
    available(atoll, name)
    return found


def _endpoint(atoll: Atoll, name: str) -> str:
    told = atoll.api.cache("DescribeReplicationGroups", ReplicationGroupId=name)
    for found in told.iter("ConfigurationEndpoint"):
        return str(found.findtext("Address"))
    raise RuntimeError(f"{name} has no configuration endpoint")


def _cli(atoll: Atoll, *words: str) -> str:
    environment = os.environ | {"ATOLL_ENDPOINT": f"http://127.0.0.1:{atoll.api.port}"}
    command = [sys.executable, "-m", "atoll.cli", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[:3]}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return done.stdout
