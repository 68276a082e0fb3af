"""GetMetricStatistics: one metric, in periods that are counted from StartTime."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from atoll.aws.operation import Shape, operation
from atoll.cloudwatch.errors import BAD_PERIOD, BAD_TIMES, NO_STATISTICS, TOO_MANY_POINTS
from atoll.cloudwatch.listing import parts
from atoll.cloudwatch.samples import Metric, kept
from atoll.model.world import World

POINTS_MAX = 1_440  # of one answer
SHORT_PERIODS = (1, 5, 10, 30)  # seconds
STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Minimum": min,
    "SampleCount": lambda values: float(len(values)),
    "Sum": sum,
}


@operation("cloudwatch", "GetMetricStatistics")
def get_metric_statistics(
    world: World,
    *,
    namespace: str,
    metric_name: str,
    start_time: datetime,
    end_time: datetime,
    period: int,
    dimensions: Sequence[Shape] = (),
    statistics: Sequence[str] = (),
    unit: str | None = None,
) -> Shape:
    """Return statistics of each period that has a sample."""
    if not statistics:
        raise NO_STATISTICS()
    if start_time >= end_time:
        raise BAD_TIMES()
    check_period(period)
    begin, end = floor(start_time, min(period, 60)), end_time.timestamp()
    if (asked := -int((begin - end) // period)) > POINTS_MAX:
        raise TOO_MANY_POINTS(asked=f"{asked:,}", limit=f"{POINTS_MAX:,}")
    metrics = [m for m in parts(world, namespace, metric_name, dimensions) if unit in (None, m.unit)]
    points = [
        {"Timestamp": moment(at), "Unit": metrics[0].unit} | {name: STATISTICS[name](v) for name in statistics}
        for at, v in in_periods(metrics, begin, end, period)
    ]
    return {"Label": metric_name, "Datapoints": points}


def check_period(period: int) -> None:
    """Refuse a period that CloudWatch does not have."""
    if period not in SHORT_PERIODS and (period < 1 or period % 60):
        raise BAD_PERIOD(got=period)


def floor(time: datetime, seconds: int) -> float:
    """Return a time, in seconds since 1970, rounded down to a multiple of `seconds`."""
    return time.timestamp() // seconds * seconds


def moment(at: float) -> datetime:
    """Return a time in seconds since 1970 as one of UTC."""
    return datetime.fromtimestamp(at, UTC)


def in_periods(metrics: Iterable[Metric], begin: float, end: float, period: int) -> list[tuple[float, list[float]]]:
    """Return the begin and the values of each period that has any, the oldest first."""
    found: dict[float, list[float]] = {}
    for metric in metrics:
        for at, value in kept().points(metric, begin, end):
            found.setdefault(begin + (at - begin) // period * period, []).append(value)
    return sorted(found.items())
