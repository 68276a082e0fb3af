"""PutMetricAlarm, DeleteAlarms, SetAlarmState, and alarms whose actions are switched on and off.

Actions are kept and shown.  There is nothing here that could be told of an alarm: its history says so, each time.
"""

import json
from collections.abc import Sequence
from typing import TypeVar

from atoll.aws.dialect import clip
from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cloudwatch.alarm import dimensions_of, find, id_of, one_of, render
from atoll.cloudwatch.evaluate import COMPARISONS, TREATMENTS, Verdict
from atoll.cloudwatch.statistics import STATISTICS
from atoll.model.alarm import ACTION, CONFIGURATION, STATE, STATES, MetricAlarm, remember
from atoll.model.world import Tx

T = TypeVar("T")
ALARMS_MAX, NAMES_MAX, NAME_MAX, ACTIONS_MAX, DIMENSIONS_MAX = 5_000, 100, 255, 5, 30
SHORT_PERIODS = (10, 20, 30)  # seconds
HOUR, DAY, WEEK = 3_600, 86_400, 7 * 86_400

REQUIRED = Err("ValidationError", "The parameter {name} is required of an alarm over one metric.")
BAD_NAME = Err("ValidationError", "AlarmName must have from 1 to {limit} characters.")
BAD_PERIOD = Err("ValidationError", "Period must be 10, 20, 30 or any multiple of 60, and is {got}.")
TOO_LONG = Err(
    "ValidationError", "EvaluationPeriods times Period must not exceed {limit} seconds, and is {got} seconds."
)
BAD_COUNT = Err("ValidationError", "{name} must be from 1 to {limit}, and is {got}.")
BAD_ACTION = Err("ValidationError", "Invalid arn syntax: {got}")
TOO_MANY_ACTIONS = Err("ValidationError", "An alarm can have {limit} actions for each state.")
TOO_MANY = Err("LimitExceeded", "The account has {limit} alarms in the region, the most that it can have.")
BAD_JSON = Err("InvalidFormat", "StateReasonData must be JSON.")
TOO_MANY_NAMES = Err("ValidationError", "At most {limit} alarms can be named at once.")
NOBODY = "Failed to execute action {action}: Atoll sends nothing, there is no topic and no function here"


@operation("cloudwatch", "PutMetricAlarm")
def put_metric_alarm(
    tx: Tx,
    *,
    alarm_name: str,
    alarm_description: str | None = None,
    actions_enabled: bool = True,
    ok_actions: Sequence[str] = (),
    alarm_actions: Sequence[str] = (),
    insufficient_data_actions: Sequence[str] = (),
    metric_name: str | None = None,
    namespace: str | None = None,
    statistic: str | None = None,
    dimensions: Sequence[Shape] = (),
    period: int | None = None,
    unit: str | None = None,
    evaluation_periods: int | None = None,
    datapoints_to_alarm: int | None = None,
    threshold: float | None = None,
    comparison_operator: str | None = None,
    treat_missing_data: str | None = None,
    tags: Sequence[Shape] = (),
) -> None:
    """Make an alarm, or give one another configuration; that one keeps its state until it is evaluated again."""
    configuration = {
        "name": alarm_name,
        "namespace": _given("Namespace", namespace),
        "metric": _given("MetricName", metric_name),
        "statistic": _given("Statistic", statistic),
        "dimensions": dimensions_of(dimensions),
        "period": _given("Period", period),
        "evaluation_periods": _given("EvaluationPeriods", evaluation_periods),
        "datapoints_to_alarm": datapoints_to_alarm,
        "threshold": _given("Threshold", threshold),
        "comparison": _given("ComparisonOperator", comparison_operator),
        "missing": treat_missing_data,
        "unit": unit,
        "description": alarm_description,
        "actions_enabled": actions_enabled,
        "ok_actions": _actions(ok_actions),
        "alarm_actions": _actions(alarm_actions),
        "insufficient_actions": _actions(insufficient_data_actions),
        "configured": tx.now,
    }
    id = id_of(tx.world, alarm_name)
    was = tx.get(MetricAlarm, id)
    if was:  # its tags are left alone: CloudWatch API Reference
        alarm, what = was.but(**configuration), "updated"
    else:
        own = {tag["Key"]: tag["Value"] for tag in tags}
        alarm = tx.make(MetricAlarm, id, updated=tx.now, transitioned=tx.now, tags=own, **configuration)
        what = "created"
    _check(alarm)
    if sum(1 for _ in tx.world.all(MetricAlarm)) > ALARMS_MAX:
        raise TOO_MANY(limit=ALARMS_MAX)
    tx.put(alarm)
    remember(tx, alarm, CONFIGURATION, f'Alarm "{alarm.name}" {what}', _configured(alarm, what.capitalize()))


@operation("cloudwatch", "DeleteAlarms")
def delete_alarms(tx: Tx, *, alarm_names: Sequence[str]) -> None:
    """Delete alarms: all of them, or, if one is unknown, none."""
    for alarm in _named(tx, alarm_names):
        tx.delete(alarm)
        remember(tx, alarm, CONFIGURATION, f'Alarm "{alarm.name}" deleted', _configured(alarm, "Deleted"))


@operation("cloudwatch", "SetAlarmState")
def set_alarm_state(
    tx: Tx, *, alarm_name: str, state_value: str, state_reason: str, state_reason_data: str | None = None
) -> None:
    """Give an alarm a state, for a rehearsal; the next evaluation gives it its own again."""
    one_of("StateValue", state_value, STATES)
    if state_reason_data:
        try:
            json.loads(state_reason_data)
        except (ValueError, RecursionError):
            raise BAD_JSON() from None
    come_into(tx, find(tx.world, alarm_name).id, Verdict(state_value, state_reason, state_reason_data or ""))


@operation("cloudwatch", "EnableAlarmActions")
def enable_alarm_actions(tx: Tx, *, alarm_names: Sequence[str]) -> None:
    """Let alarms act."""
    _switch(tx, alarm_names, enabled=True)


@operation("cloudwatch", "DisableAlarmActions")
def disable_alarm_actions(tx: Tx, *, alarm_names: Sequence[str]) -> None:
    """Keep alarms from acting; their states change all the same."""
    _switch(tx, alarm_names, enabled=False)


def come_into(tx: Tx, id: str, verdict: Verdict) -> None:
    """Give an alarm a state, and tell of what it would have done; works without a caller."""
    alarm = tx.get(MetricAlarm, id)
    if alarm is None:
        return
    state, reason, reason_data = verdict
    body = {
        "version": "1.0",
        "oldState": {"stateValue": alarm.state, "stateReason": alarm.reason},
        "newState": {"stateValue": state, "stateReason": reason},
    }
    has_changed = state != alarm.state
    changed = tx.put(
        alarm.but(
            state=state,
            reason=reason,
            reason_data=reason_data or None,
            updated=tx.now,
            transitioned=tx.now if has_changed else alarm.transitioned,
        )
    )
    if not has_changed:
        return
    remember(tx, changed, STATE, f"Alarm updated from {alarm.state} to {state}", json.dumps(body))
    for action in changed.actions(state):
        told = {"actionState": "Failed", "stateUpdateTimestamp": int(tx.now.timestamp() * 1000),
                "notificationResource": action, "error": NOBODY.format(action=action)}  # fmt: skip
        remember(tx, changed, ACTION, NOBODY.format(action=action), json.dumps(told))


def _given(name: str, value: T | None) -> T:
    if value is None:
        raise REQUIRED(name=name)
    return value


def _check(alarm: MetricAlarm) -> None:
    """Refuse what CloudWatch does not have.  Raises the error of the first thing that is wrong."""
    if not 1 <= len(alarm.name) <= NAME_MAX:
        raise BAD_NAME(limit=NAME_MAX)
    one_of("Statistic", alarm.statistic, tuple(STATISTICS))
    one_of("ComparisonOperator", alarm.comparison, tuple(COMPARISONS))
    one_of("TreatMissingData", alarm.missing, TREATMENTS)
    period, periods, needed = alarm.period, alarm.evaluation_periods, alarm.datapoints_to_alarm
    if period not in SHORT_PERIODS and (period < 60 or period % 60):
        raise BAD_PERIOD(got=period)
    limit = WEEK if period >= HOUR else DAY
    if periods < 1:
        raise BAD_COUNT(name="EvaluationPeriods", limit=limit // period, got=periods)
    if period * periods > limit:
        raise TOO_LONG(limit=limit, got=period * periods)
    if needed is not None and not 1 <= needed <= periods:
        raise BAD_COUNT(name="DatapointsToAlarm", limit=periods, got=needed)
    if len(alarm.dimensions) > DIMENSIONS_MAX:
        raise BAD_COUNT(name="the number of Dimensions", limit=DIMENSIONS_MAX, got=len(alarm.dimensions))


def _actions(arns: Sequence[str]) -> tuple[str, ...]:
    if len(arns) > ACTIONS_MAX:
        raise TOO_MANY_ACTIONS(limit=ACTIONS_MAX)
    for action in arns:
        if not action.startswith("arn:aws") or action.count(":") < 5:
            raise BAD_ACTION(got=clip(action))
    return tuple(arns)


def _named(tx: Tx, names: Sequence[str]) -> list[MetricAlarm]:
    if len(names) > NAMES_MAX:
        raise TOO_MANY_NAMES(limit=NAMES_MAX)
    return [find(tx.world, name) for name in dict.fromkeys(names)]


def _switch(tx: Tx, names: Sequence[str], *, enabled: bool) -> None:
    for alarm in _named(tx, names):
        if alarm.actions_enabled != enabled:
            changed = tx.put(alarm.but(actions_enabled=enabled, configured=tx.now))
            remember(tx, changed, CONFIGURATION, f'Alarm "{alarm.name}" updated', _configured(changed, "Updated"))


def _configured(alarm: MetricAlarm, what: str) -> str:
    shape = {name: value for name, value in render(alarm).items() if value is not None and "Timestamp" not in name}
    return json.dumps({"version": "1.0", "type": what, f"{what.lower()}Alarm": shape}, default=str)
