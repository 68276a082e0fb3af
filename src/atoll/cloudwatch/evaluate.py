"""An alarm, judged: from the values of its newest periods, its state, with CloudWatch's reason.  Pure.

Source: CloudWatch User Guide, "Evaluating an alarm" and "Configuring how alarms treat missing data": two periods more
than asked for are looked at; what is there comes first, and only what then lacks is filled in.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from atoll.cloudwatch.listing import parts_of
from atoll.cloudwatch.statistics import STATISTICS, in_periods
from atoll.model.alarm import ALARM, INSUFFICIENT, OK, MetricAlarm

MORE_PERIODS = 2
COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (lambda value, limit: value >= limit, "greater than or equal to"),
    "GreaterThanThreshold": (lambda value, limit: value > limit, "greater than"),
    "LessThanThreshold": (lambda value, limit: value < limit, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, limit: value <= limit, "less than or equal to"),
}
MISSING, IGNORE, BREACHING, NOT_BREACHING = "missing", "ignore", "breaching", "notBreaching"
TREATMENTS = (BREACHING, NOT_BREACHING, IGNORE, MISSING)

Points = Sequence[float | None]  # of one period after the other, the oldest first; None: no sample


class Verdict(NamedTuple):
    """What an alarm's state is to be, and why."""

    state: str
    reason: str
    data: str  # JSON


def points_of(alarm: MetricAlarm, now: float) -> tuple[float, Points]:
    """Return when the newest whole periods began, in seconds since 1970, and their values."""
    count, period = alarm.evaluation_periods + MORE_PERIODS, alarm.period
    end = now // period * period
    begin = end - count * period
    shapes = [{"Name": name, "Value": value} for name, value in alarm.dimensions]
    found = parts_of(alarm.account, alarm.region, alarm.namespace, alarm.metric, shapes)
    metrics = [m for m in found if alarm.unit in (None, m.unit)]
    statistic = STATISTICS[alarm.statistic]
    values = {at: statistic(found) for at, found in in_periods(metrics, begin, end, period)}
    return begin, [values.get(begin + n * period) for n in range(count)]


def judge(alarm: MetricAlarm, points: Points) -> str:
    """Return the state that an alarm is to have."""
    breaches = COMPARISONS[alarm.comparison][0]
    real = [value for value in points if value is not None][-alarm.evaluation_periods :]
    lacking, bad = alarm.evaluation_periods - len(real), sum(breaches(v, alarm.threshold) for v in real)
    treatment = alarm.missing or MISSING
    if bad + (lacking if treatment == BREACHING else 0) >= alarm.needed:
        return ALARM
    if not lacking or treatment in (BREACHING, NOT_BREACHING) or bad < len(real):
        return OK
    if treatment == IGNORE:
        return alarm.state
    if not real:
        return INSUFFICIENT
    oldest = next(n for n, value in enumerate(points) if value is not None)
    return ALARM if len(points) - oldest >= alarm.needed else alarm.state  # nothing but breaches, and for long enough


def verdict(alarm: MetricAlarm, now: float, begin: float, points: Points) -> Verdict:
    """Return the state that an alarm is to have, with CloudWatch's words."""
    state = judge(alarm, points)
    shown = [(begin + n * alarm.period, value) for n, value in enumerate(points) if value is not None]
    shown = shown[-alarm.evaluation_periods :]
    data = {
        "version": "1.0",
        "queryDate": _stamp(now),
        "statistic": alarm.statistic,
        "period": alarm.period,
        "recentDatapoints": [value for _, value in shown],
        "threshold": alarm.threshold,
        "evaluatedDatapoints": [{"timestamp": _stamp(at), "value": value} for at, value in reversed(shown)],
    }
    if shown:
        data["startDate"] = _stamp(shown[0][0])
    return Verdict(state, _reason(alarm, state, points, shown), json.dumps(data))


def _reason(alarm: MetricAlarm, state: str, points: Points, shown: Sequence[tuple[float, float]]) -> str:
    lacking = alarm.evaluation_periods - len(shown)
    if state == INSUFFICIENT or not shown:
        were = "datapoint was" if lacking == 1 else "datapoints were"
        if state == INSUFFICIENT:
            return f"Insufficient Data: {lacking} {were} unknown."
        filled = {BREACHING: "Breaching", NOT_BREACHING: "NonBreaching"}.get(alarm.missing or "", "Missing")
        periods = "period" if lacking == 1 else "periods"
        return (
            f"Threshold Crossed: no datapoints were received for {lacking} {periods} and {lacking} missing {were} "
            f"treated as [{filled}]."
        )
    breaches, words = COMPARISONS[alarm.comparison]
    agree = [(at, value) for at, value in shown if breaches(value, alarm.threshold) == (state == ALARM)]
    values = ", ".join(f"{value} ({_day(at)})" for at, value in reversed(agree))
    count, were = len(agree), "datapoint" if len(agree) == 1 else "datapoints"
    verb = ("was" if count == 1 else "were") + ("" if state == ALARM else " not")
    least = alarm.needed if state == ALARM else max(alarm.evaluation_periods - alarm.needed + 1, 1)
    change = f"minimum {least} datapoint{'' if least == 1 else 's'} for {alarm.state} -> {state} transition"
    total = len(points) - MORE_PERIODS
    return (
        f"Threshold Crossed: {count} out of the last {total} {were} [{values}] {verb} {words} the threshold "
        f"({alarm.threshold}) ({change})."
    )


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d/%m/%y %H:%M:%S")
