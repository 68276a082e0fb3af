"""What CloudWatch has of a cache: the charts of its page, and the few figures of a list."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from atoll.console.ask import Ask
from atoll.console.caches.subject import Cache
from atoll.console.draw.chart import Line

NAMESPACE = "AWS/ElastiCache"
QUERIES_MAX = 500  # of one GetMetricData
LIST_MINUTES = 15  # of which a list's figures tell
NODES_MAX = 24  # lines of a chart: more than that nobody can tell apart


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that is drawn: its name at AWS, and which statistic."""

    name: str
    statistic: str  # "Sum" of what is counted, "Average" of what is
    unit: str  # CloudWatch's


COUNT, BYTES, PERCENT, SECONDS = "Count", "Bytes", "Percent", "Seconds"
SERVER = (
    Metric("EngineCPUUtilization", "Average", PERCENT),
    Metric("CPUUtilization", "Average", PERCENT),
    Metric("CacheHitRate", "Average", PERCENT),
    Metric("CacheHits", "Sum", COUNT),
    Metric("CacheMisses", "Sum", COUNT),
    Metric("CurrConnections", "Average", COUNT),
    Metric("NewConnections", "Sum", COUNT),
    Metric("CurrItems", "Average", COUNT),
    Metric("DatabaseMemoryUsagePercentage", "Average", PERCENT),
    Metric("BytesUsedForCache", "Average", BYTES),
    Metric("Evictions", "Sum", COUNT),
    Metric("GetTypeCmds", "Sum", COUNT),
    Metric("SetTypeCmds", "Sum", COUNT),
    Metric("ReplicationLag", "Average", SECONDS),
    Metric("NetworkBytesIn", "Sum", BYTES),
    Metric("NetworkBytesOut", "Sum", BYTES),
)
MEMCACHED = (
    Metric("CPUUtilization", "Average", PERCENT),
    Metric("GetHits", "Sum", COUNT),
    Metric("GetMisses", "Sum", COUNT),
    Metric("CmdGet", "Sum", COUNT),
    Metric("CmdSet", "Sum", COUNT),
    Metric("CurrConnections", "Average", COUNT),
    Metric("NewConnections", "Sum", COUNT),
    Metric("CurrItems", "Average", COUNT),
    Metric("BytesUsedForCacheItems", "Average", BYTES),
    Metric("UnusedMemory", "Average", BYTES),
    Metric("Evictions", "Sum", COUNT),
    Metric("Reclaimed", "Sum", COUNT),
    Metric("NetworkBytesIn", "Sum", BYTES),
    Metric("NetworkBytesOut", "Sum", BYTES),
)


@dataclass(frozen=True, slots=True)
class Node:
    """A node as CloudWatch names it."""

    cluster: str
    id: str

    @property
    def dimensions(self) -> list[dict[str, str]]:
        """Return CloudWatch's dimensions."""
        return [{"Name": "CacheClusterId", "Value": self.cluster}, {"Name": "CacheNodeId", "Value": self.id}]


def metrics_of(cache: Cache) -> Sequence[Metric]:
    """Return what is drawn of a cache's engine."""
    return MEMCACHED if cache.engine == "memcached" else SERVER


def nodes_of(cache: Cache) -> list[Node]:
    """Return the nodes of a cache's clusters, the first NODES_MAX."""
    found = [
        Node(str(cluster["CacheClusterId"]), str(node["CacheNodeId"]))
        for cluster in cache.clusters
        for node in cluster.get("CacheNodes", ())
    ]
    return found[:NODES_MAX]


async def lines_of(
    ask: Ask, cache: Cache, metrics: Sequence[Metric], start: datetime, end: datetime, period_seconds: int
) -> dict[str, list[Line]]:
    """Return the lines of each metric: one for each node that has values."""
    nodes = nodes_of(cache)
    is_memcached = cache.kind == "cluster" and len(nodes) > 1
    names = [f"{node.cluster} {node.id}" if is_memcached else node.cluster for node in nodes]
    asked = [
        _query(f"m{m}n{n}", metric, node, period_seconds)
        for m, metric in enumerate(metrics)
        for n, node in enumerate(nodes)
    ]
    values = await _ask(ask, asked, start, end)
    return {
        metric.name: [Line(name, points) for n, name in enumerate(names) if (points := values.get(f"m{m}n{n}", ()))]
        for m, metric in enumerate(metrics)
    }


@dataclass(frozen=True, slots=True)
class Figures:
    """What a list says of a cache; None: nothing was measured."""

    hit_percent: float | None = None
    connections: float | None = None


async def figures_of(ask: Ask, caches: Sequence[Cache], now: datetime) -> dict[str, Figures]:
    """Return the figures of caches by their names, of the last minutes.

    The call is not among those that the page shows: with hundreds of queries it would help nobody.
    """
    start, period = now - timedelta(minutes=LIST_MINUTES), LIST_MINUTES * 60
    asked: list[Mapping[str, Any]] = []
    places = []
    for cache in caches:
        hits, misses = ("GetHits", "GetMisses") if cache.engine == "memcached" else ("CacheHits", "CacheMisses")
        for cluster in cache.member_names:
            for metric in (
                Metric(hits, "Sum", COUNT), Metric(misses, "Sum", COUNT), Metric("CurrConnections", "Average", COUNT)
            ):  # fmt: skip
                asked.append(_query(f"q{len(asked)}", metric, cluster, period))
                places.append((cache.name, metric.name))
    first = len(ask.calls)
    values = await _ask(ask, asked, start, now)
    del ask.calls[first:]
    sums: dict[tuple[str, str], float] = {}
    for n, place in enumerate(places):
        if points := values.get(f"q{n}"):
            sums[place] = sums.get(place, 0.0) + points[-1][1]
    return {cache.name: _figures(cache, sums) for cache in caches}


def _figures(cache: Cache, sums: Mapping[tuple[str, str], float]) -> Figures:
    hits, misses = ("GetHits", "GetMisses") if cache.engine == "memcached" else ("CacheHits", "CacheMisses")
    found, lost = sums.get((cache.name, hits), 0.0), sums.get((cache.name, misses), 0.0)
    percent = 100 * found / (found + lost) if found + lost else None
    return Figures(percent, sums.get((cache.name, "CurrConnections")))


def _query(id: str, metric: Metric, of: Node | str, period_seconds: int) -> dict[str, Any]:
    dimensions = of.dimensions if isinstance(of, Node) else [{"Name": "CacheClusterId", "Value": of}]
    about = {"Namespace": NAMESPACE, "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": about, "Period": period_seconds, "Stat": metric.statistic}}


async def _ask(
    ask: Ask, queries: Sequence[Mapping[str, Any]], start: datetime, end: datetime
) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return the points of each query, by its id, oldest first."""
    found: dict[str, tuple[tuple[float, float], ...]] = {}
    for part in _parts(queries):
        results = await ask.aws_all(
            "cloudwatch",
            "GetMetricData",
            "MetricDataResults",
            MetricDataQueries=part,
            StartTime=start,
            EndTime=end,
            ScanBy="TimestampAscending",
        )
        for one in results:
            points = tuple(
                (at.timestamp(), float(value)) for at, value in zip(one["Timestamps"], one["Values"], strict=True)
            )
            found[one["Id"]] = found.get(one["Id"], ()) + points
    return found


def _parts(queries: Sequence[Mapping[str, Any]]) -> Iterable[Sequence[Mapping[str, Any]]]:
    for first in range(0, len(queries), QUERIES_MAX):
        yield queries[first : first + QUERIES_MAX]
