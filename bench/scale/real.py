"""Cache nodes for real, step by step: what one more costs while so many run.

Calls in CPU time of the daemon, what comes about in the time until it has.
"""

import time
from collections.abc import Callable, Sequence

from bench.ground import Api, Atoll, resident_mb, running, spent, until
from bench.scale.growth import Grown
from bench.vpc import allow, build, group, permission

AT_ONCE = 5  # created together: an engine's fork is short, but a machine has few processors


def measure(steps: Sequence[int], rounds: int) -> list[Grown]:
    """Run as many nodes as each step says, and measure at each.  Needs root, namespaces and the engines."""
    with running() as atoll:
        vpc = build(atoll.api)
        carried = group(atoll.api, vpc, "cache")
        allow(atoll.api, carried, "10.0.0.0/24")
        named = {"CacheSubnetGroupName": "g", "CacheSubnetGroupDescription": "d"}
        atoll.api.cache("CreateCacheSubnetGroup", **named, **{"SubnetIds.member.1": vpc.private})
        before, have = resident_mb(atoll.pid), 0
        found: dict[str, dict[int, float]] = {}
        for step in steps:
            _reach(atoll, carried, have, step)
            have = step
            for name, milliseconds in _measure(atoll, carried, rounds).items():
                found.setdefault(name, {})[step] = milliseconds
            grown = (resident_mb(atoll.pid) - before) * 1e3
            found.setdefault("memory of the daemon, a node", {})[step] = grown / step
    return [_row(name, figures) for name, figures in found.items()]


def _row(name: str, figures: dict[int, float]) -> Grown:
    is_memory = name.startswith("memory")
    return Grown(name=name, unit="kB" if is_memory else "ms", figures=figures, answers_all=name.endswith("all"))


def _reach(atoll: Atoll, carried: str, have: int, wanted: int) -> None:
    for first in range(have, wanted, AT_ONCE):
        names = [f"c-{n:03}" for n in range(first, min(first + AT_ONCE, wanted))]
        for name in names:
            _create(atoll.api, name, carried)
        for name in names:
            until(lambda name=name: _status(atoll.api, name) == "available", 0.01)


def _measure(atoll: Atoll, carried: str, rounds: int) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, milliseconds in _round(atoll, carried).items():
            found.setdefault(name, []).append(milliseconds)
    return {name: min(times) for name, times in found.items()}


def _round(atoll: Atoll, carried: str) -> dict[str, float]:
    api, took = atoll.api, dict[str, float]()

    def cost(call: Callable[[], object]) -> float:
        return spent(atoll.pid, call)[1]

    took["DescribeCacheClusters, all"] = cost(lambda: api.text("elasticache", "DescribeCacheClusters"))
    took["DescribeCacheClusters, by name"] = cost(
        lambda: api.text("elasticache", "DescribeCacheClusters", CacheClusterId="c-000")
    )
    rule = permission("10.0.9.0/24", 6379)
    took["AuthorizeSecurityGroupIngress, on packets"] = cost(
        lambda: api.text("ec2", "AuthorizeSecurityGroupIngress", GroupId=carried, **rule)
    )
    took["RevokeSecurityGroupIngress, on packets"] = cost(
        lambda: api.text("ec2", "RevokeSecurityGroupIngress", GroupId=carried, **rule)
    )
    begun = time.perf_counter()
    _create(api, "more", carried)
    until(lambda: _status(api, "more") == "available", 0.002)
    took["CreateCacheCluster until available"] = (time.perf_counter() - begun) * 1e3
    begun = time.perf_counter()
    api.cache("DeleteCacheCluster", CacheClusterId="more")
    until(lambda: _status(api, "more") is None, 0.002)
    took["DeleteCacheCluster until it has gone"] = (time.perf_counter() - begun) * 1e3
    return took


def _create(api: Api, name: str, carried: str) -> None:
    api.cache(
        "CreateCacheCluster",
        CacheClusterId=name, Engine="redis", CacheNodeType="cache.t3.micro", NumCacheNodes=1,
        CacheSubnetGroupName="g", **{"SecurityGroupIds.member.1": carried},
    )  # fmt: skip


def _status(api: Api, name: str) -> str | None:
    try:
        told = api.cache("DescribeCacheClusters", CacheClusterId=name)
    except RuntimeError as error:
        if "CacheClusterNotFound" in str(error):
            return None
        raise
    return next(told.iter("CacheClusterStatus")).text
