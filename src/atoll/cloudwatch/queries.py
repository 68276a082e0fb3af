"""GetMetricData: many metrics at once, in periods of the clock, and in pages."""

import re
from collections.abc import Sequence
from datetime import datetime

from atoll.aws.dialect import clip
from atoll.aws.operation import Shape, operation
from atoll.cloudwatch.errors import (
    BAD_DATA_TIMES,
    BAD_DATA_TOKEN,
    BAD_ID,
    BAD_MAXIMUM,
    NO_METRIC,
    NO_QUERY,
    NO_STAT,
    NOT_SUPPORTED,
    NOTHING_RETURNED,
    SAME_ID,
)
from atoll.cloudwatch.listing import parts
from atoll.cloudwatch.statistics import STATISTICS, check_period, floor, in_periods, moment
from atoll.model.world import World

QUERIES_MAX = 500
POINTS_MAX = 100_800  # of one answer
ASCENDING = "TimestampAscending"
REFUSED = {"Expression": "metric math (Expression)", "AccountId": "AccountId", "Period": "a Period beside MetricStat"}
_ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}")
_TOKEN = re.compile(r"(\d{1,6})-(\d{1,9})")


@operation("cloudwatch", "GetMetricData")
def get_metric_data(
    world: World,
    *,
    metric_data_queries: Sequence[Shape],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampDescending",
    max_datapoints: int = POINTS_MAX,
    next_token: str | None = None,
) -> Shape:
    """Return the values of each query, in as many pages as MaxDatapoints makes of them."""
    if start_time >= end_time:
        raise BAD_DATA_TIMES()
    if not 1 <= max_datapoints <= POINTS_MAX:
        raise BAD_MAXIMUM(limit=f"{POINTS_MAX:,}", got=max_datapoints)
    queries = _checked(metric_data_queries)
    first, offset = _place(next_token, len(queries))
    results, room = [], max_datapoints
    for number in range(first, len(queries)):
        query = queries[number]
        points = _points(world, query["MetricStat"], start_time, end_time)
        if scan_by != ASCENDING:
            points.reverse()
        shown = points[offset : offset + room]
        room -= len(shown)
        rest = len(points) - offset - len(shown)
        results.append(_result(query, shown, is_whole=not rest))
        offset = offset + len(shown) if rest else 0
        more = number if rest else number + 1
        if not room and more < len(queries):
            return {"MetricDataResults": results, "Messages": [], "NextToken": f"{more}-{offset}"}
    return {"MetricDataResults": results, "Messages": []}


def _checked(queries: Sequence[Shape]) -> list[Shape]:
    """Return the queries whose answer is wanted, after a look at all of them."""
    if not 1 <= len(queries) <= QUERIES_MAX:
        raise NO_QUERY(limit=QUERIES_MAX, got=len(queries))
    seen = set()
    for query in queries:
        id = query["Id"]
        if not _ID.fullmatch(id):
            raise BAD_ID(id=clip(id))
        if id in seen:
            raise SAME_ID(id=id)
        seen.add(id)
        _check(id, query)
    wanted = [query for query in queries if query.get("ReturnData", True)]
    if not wanted:
        raise NOTHING_RETURNED()
    return wanted


def _check(id: str, query: Shape) -> None:
    for member, what in REFUSED.items():
        if member in query:
            raise NOT_SUPPORTED(what=what, id=id)
    if "${" in query.get("Label", ""):
        raise NOT_SUPPORTED(what="a dynamic Label", id=id)
    stat = query.get("MetricStat")
    if stat is None or not {"Namespace", "MetricName"} <= stat["Metric"].keys():
        raise NO_METRIC(id=id)
    if stat["Stat"] not in STATISTICS:
        raise NO_STAT(got=clip(stat["Stat"]), id=id, known=", ".join(STATISTICS))
    check_period(stat["Period"])


def _place(token: str | None, count: int) -> tuple[int, int]:
    """Return the query with which a page begins, and how many of its points were shown before."""
    if not token:
        return 0, 0
    found = _TOKEN.fullmatch(token)
    if found is None or int(found[1]) >= count:
        raise BAD_DATA_TOKEN()
    return int(found[1]), int(found[2])


def _points(world: World, stat: Shape, start: datetime, end: datetime) -> list[tuple[float, float]]:
    asked, period = stat["Metric"], stat["Period"]
    found = parts(world, asked["Namespace"], asked["MetricName"], asked.get("Dimensions", ()))
    metrics = [m for m in found if stat.get("Unit") in (None, m.unit)]
    count = STATISTICS[stat["Stat"]]
    return [(at, count(v)) for at, v in in_periods(metrics, floor(start, period), end.timestamp(), period)]


def _result(query: Shape, points: Sequence[tuple[float, float]], *, is_whole: bool) -> Shape:
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or query["MetricStat"]["Metric"]["MetricName"],
        "Timestamps": [moment(at) for at, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete" if is_whole else "PartialData",
    }
