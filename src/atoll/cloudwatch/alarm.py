"""Alarms as DescribeAlarms shows them, and their history."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from atoll.aws.dialect import clip
from atoll.aws.errors import AwsError, Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.cloudwatch.errors import BAD_DATA_TOKEN
from atoll.model.alarm import ACTION, CONFIGURATION, STATE, STATES, AlarmEvent, MetricAlarm
from atoll.model.names import key
from atoll.model.world import World

T = TypeVar("T")
PAGE = 100
TYPES, METRIC_ALARM = ("CompositeAlarm", "MetricAlarm", "LogAlarm"), "MetricAlarm"
KINDS = (CONFIGURATION, STATE, ACTION)

BAD_VALUE = Err("ValidationError", "Invalid value {got} for {name}. Must be one of {known}.")
BAD_RECORDS = Err("ValidationError", "MaxRecords must be from 1 to 100, and is {got}.")
NAMES_AND_PREFIX = Err(
    "InvalidParameterCombination", "AlarmNames and AlarmNamePrefix cannot be used in the same request."
)
NOT_FOUND = Err("ResourceNotFound", "Unknown alarm: {name}", 404)


def id_of(world: World, name: str) -> str:
    """Return the World id of one of the caller's alarms."""
    assert world.caller, "an operation has a caller"
    return key(world.caller.account, world.caller.region, name)


def find(world: World, name: str) -> MetricAlarm:
    """Return an alarm of the caller's.  Raises NOT_FOUND."""
    alarm = world.get(MetricAlarm, id_of(world, name))
    if alarm is None:
        raise NOT_FOUND(name=clip(name))
    return alarm


@operation("cloudwatch", "DescribeAlarms")
def describe_alarms(
    world: World,
    *,
    alarm_names: Sequence[str] = (),
    alarm_name_prefix: str | None = None,
    alarm_types: Sequence[str] = (),
    state_value: str | None = None,
    action_prefix: str | None = None,
    max_records: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List alarms; there are no composite ones."""
    if alarm_names and alarm_name_prefix:
        raise NAMES_AND_PREFIX()
    one_of("StateValue", state_value, STATES)
    for kind in alarm_types:
        one_of("AlarmTypes", kind, TYPES)
    found = [
        alarm
        for alarm in world.all(MetricAlarm)
        if (not alarm_names or alarm.name in alarm_names)
        and alarm.name.startswith(alarm_name_prefix or "")
        and state_value in (None, alarm.state)
        and (not alarm_types or METRIC_ALARM in alarm_types)
        and (not action_prefix or any(action.startswith(action_prefix) for action in _all_actions(alarm)))
    ]
    page, token = paged(found, lambda alarm: alarm.name, max_records, next_token)
    return {"MetricAlarms": [render(alarm) for alarm in page], "CompositeAlarms": [], "NextToken": token}


@operation("cloudwatch", "DescribeAlarmsForMetric")
def describe_alarms_for_metric(
    world: World,
    *,
    metric_name: str,
    namespace: str,
    statistic: str | None = None,
    dimensions: Sequence[Shape] = (),
    period: int | None = None,
    unit: str | None = None,
) -> Shape:
    """List the alarms of one metric, with these dimensions and no others."""
    wanted = (namespace, metric_name, dimensions_of(dimensions))
    found = [
        alarm
        for alarm in world.all(MetricAlarm)
        if (alarm.namespace, alarm.metric, alarm.dimensions) == wanted
        and statistic in (None, alarm.statistic)
        and period in (None, alarm.period)
        and unit in (None, alarm.unit)
    ]
    return {"MetricAlarms": [render(alarm) for alarm in found]}


@operation("cloudwatch", "DescribeAlarmHistory")
def describe_alarm_history(
    world: World,
    *,
    alarm_name: str | None = None,
    alarm_types: Sequence[str] = (),
    history_item_type: str | None = None,
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    max_records: int | None = None,
    next_token: str | None = None,
    scan_by: str = "TimestampDescending",
) -> Shape:
    """List what happened to alarms in the last 30 days, also to those that are gone."""
    one_of("HistoryItemType", history_item_type, KINDS)
    one_of("ScanBy", scan_by, ("TimestampDescending", "TimestampAscending"))
    found = [
        event
        for event in world.all(AlarmEvent)
        if alarm_name in (None, event.alarm)
        and (not alarm_types or METRIC_ALARM in alarm_types)
        and history_item_type in (None, event.kind)
        and (start_date is None or event.at >= start_date)
        and (end_date is None or event.at <= end_date)
    ]
    is_forward = scan_by == "TimestampAscending"
    page, token = paged(found, lambda event: event.id if is_forward else _backward(event.id), max_records, next_token)
    return {"AlarmHistoryItems": [_render_event(event) for event in page], "NextToken": token}


def paged(
    found: Sequence[T], key: Callable[[T], str], max_records: int | None, token: str | None
) -> tuple[list[T], str | None]:
    """Return a page of a listing, in order of its keys, and the token of the next one."""
    if max_records is not None and not 1 <= max_records <= PAGE:
        raise BAD_RECORDS(got=max_records)
    try:
        return page_ec2(found, key, max_records or PAGE, token, low=1, high=PAGE)
    except AwsError:
        raise BAD_DATA_TOKEN() from None


def one_of(name: str, got: str | None, known: Sequence[str]) -> None:
    """Refuse a value that CloudWatch does not have; None was not given."""
    if got is not None and got not in known:
        raise BAD_VALUE(got=clip(got), name=name, known=", ".join(known))


def dimensions_of(shapes: Sequence[Shape]) -> tuple[tuple[str, str], ...]:
    """Return dimensions in order of their names."""
    return tuple(sorted((shape["Name"], shape["Value"]) for shape in shapes))


def render(alarm: MetricAlarm) -> Shape:
    """Return an alarm as AWS's MetricAlarm."""
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "AlarmDescription": alarm.description,
        "AlarmConfigurationUpdatedTimestamp": alarm.configured,
        "ActionsEnabled": alarm.actions_enabled,
        "OKActions": list(alarm.ok_actions),
        "AlarmActions": list(alarm.alarm_actions),
        "InsufficientDataActions": list(alarm.insufficient_actions),
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateReasonData": alarm.reason_data,
        "StateUpdatedTimestamp": alarm.updated,
        "StateTransitionedTimestamp": alarm.transitioned,
        "MetricName": alarm.metric,
        "Namespace": alarm.namespace,
        "Statistic": alarm.statistic,
        "Dimensions": [{"Name": name, "Value": value} for name, value in alarm.dimensions],
        "Period": alarm.period,
        "Unit": alarm.unit,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "Threshold": alarm.threshold,
        "ComparisonOperator": alarm.comparison,
        "TreatMissingData": alarm.missing,
    }


def _render_event(event: AlarmEvent) -> Shape:
    return {
        "AlarmName": event.alarm,
        "AlarmType": METRIC_ALARM,
        "Timestamp": event.at,
        "HistoryItemType": event.kind,
        "HistorySummary": event.summary,
        "HistoryData": event.body,
    }


def _all_actions(alarm: MetricAlarm) -> tuple[str, ...]:
    return (*alarm.ok_actions, *alarm.alarm_actions, *alarm.insufficient_actions)


def _backward(id: str) -> str:
    """Return a key that sorts the newest first."""
    return "".join(chr(0x7E - ord(c) + 0x20) for c in id.rpartition("/")[2])
