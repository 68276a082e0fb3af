"""ListMetrics: what has been measured in the last three hours."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from atoll.aws.errors import AwsError
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.cloudwatch.errors import BAD_LENGTH, BAD_TOKEN
from atoll.cloudwatch.samples import Metric, kept
from atoll.model.world import World

PAGE = 500
FILTERS_MAX = 10
NODE = "CacheNodeId"


@operation("cloudwatch", "ListMetrics")
def list_metrics(
    world: World,
    *,
    namespace: str | None = None,
    metric_name: str | None = None,
    dimensions: Sequence[Shape] = (),
    recently_active: str | None = None,
    next_token: str | None = None,
) -> Shape:
    """List metrics; a filter without a value wants any; what is kept is recently active."""
    del recently_active
    if len(dimensions) > FILTERS_MAX:
        raise BAD_LENGTH(name="dimensions", limit=f"less than or equal to {FILTERS_MAX}")
    found = [
        m
        for m in offered(world)
        if namespace in (None, m.namespace) and metric_name in (None, m.name) and _has(m, dimensions)
    ]
    try:
        shown, token = page_ec2(found, _key, PAGE, next_token, low=1, high=PAGE)
    except AwsError:
        raise BAD_TOKEN() from None
    return {"Metrics": [render(m) for m in shown], "NextToken": token}


def offered(world: World) -> Iterable[Metric]:
    """Return the caller's metrics: of each node, and of each cluster, all of its nodes taken together."""
    assert world.caller, "only a caller has metrics"
    found = kept().metrics(world.caller.account, world.caller.region)
    return {_key(m): m for metric in found for m in (metric, _whole(metric))}.values()


def parts(world: World, namespace: str, name: str, dimensions: Iterable[Shape]) -> list[Metric]:
    """Return the caller's measured metrics that a question means; none: there is no such metric."""
    assert world.caller, "only a caller has metrics"
    return parts_of(world.caller.account, world.caller.region, namespace, name, dimensions)


def parts_of(account: str, region: str, namespace: str, name: str, dimensions: Iterable[Shape]) -> list[Metric]:
    """Return likewise the measured metrics of an account in a region."""
    wanted = sorted((d["Name"], d["Value"]) for d in dimensions)
    return [
        m
        for m in kept().metrics(account, region)
        if (m.namespace, m.name) == (namespace, name) and wanted in (list(m.dimensions), list(_whole(m).dimensions))
    ]


def render(metric: Metric) -> Shape:
    """Return a metric as AWS shows it."""
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}


def _whole(metric: Metric) -> Metric:
    """Return the metric of the cluster that a node's belongs to; of anything else, itself."""
    return replace(metric, dimensions=tuple(d for d in metric.dimensions if d[0] != NODE))


def _has(metric: Metric, filters: Iterable[Shape]) -> bool:
    mine = dict(metric.dimensions)
    return all(f["Name"] in mine and f.get("Value") in (None, mine[f["Name"]]) for f in filters)


def _key(metric: Metric) -> str:
    return "/".join((metric.namespace, metric.name, *(f"{name}={value}" for name, value in metric.dimensions)))
