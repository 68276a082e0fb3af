"""CloudWatch alarms: what they are made of, how they are judged, and what their history tells."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from atoll.cloudwatch import samples
from atoll.cloudwatch.evaluate import judge, points_of, verdict
from atoll.cloudwatch.samples import Metric, Samples
from atoll.control.alarms import Alarms
from atoll.model.alarm import MetricAlarm
from tests.api.paper import ACCOUNT, OTHER_ACCOUNT, REGION, code, now, refusal

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
OF = [{"Name": "CacheClusterId", "Value": "mem"}]
TOPIC = "arn:aws:sns:us-east-1:000000000000:told"
FULL = {
    "AlarmName": "full", "Namespace": "AWS/ElastiCache", "MetricName": "CurrItems", "Dimensions": OF,
    "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}  # fmt: skip


@pytest.fixture
def cw(paper):
    return paper.client("cloudwatch")


@pytest.fixture
def kept():
    found = Samples()
    samples.read_from(found)
    yield found
    samples.read_from(Samples())


def add(kept, minute, value, second=20):
    metric = Metric(ACCOUNT, REGION, "AWS/ElastiCache", "CurrItems", (("CacheClusterId", "mem"),), "Count")
    kept.add((NOON + timedelta(minutes=minute, seconds=second)).timestamp(), {metric: value})


def shown(cw, name="full"):
    (found,) = cw.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return found


def history(cw, **more):
    items = cw.describe_alarm_history(ScanBy="TimestampAscending", **more)["AlarmHistoryItems"]
    return [item["HistorySummary"] for item in items]


class Clock:
    """A loop that looks at times of our choice."""

    def __init__(self, paper):
        self.minute = 0.0
        self.alarms = Alarms(paper.store, lambda: NOON + timedelta(minutes=self.minute))

    def look(self, minute):
        self.minute = minute
        now(self.alarms.look())


@pytest.fixture
def clock(paper, kept):  # noqa: ARG001 - what is looked at
    return Clock(paper)


# What they are


def test_an_alarm_is_shown_as_it_was_made(cw):
    cw.put_metric_alarm(
        **FULL, AlarmDescription="too much", AlarmActions=[TOPIC], DatapointsToAlarm=1, TreatMissingData="ignore",
        Unit="Count", Tags=[{"Key": "a", "Value": "b"}],
    )  # fmt: skip

    found = shown(cw)

    assert {name: found[name] for name in FULL} == FULL
    assert (found["StateValue"], found["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
    assert found["AlarmArn"] == "arn:aws:cloudwatch:us-east-1:000000000000:alarm:full"
    assert (found["ActionsEnabled"], found["AlarmActions"], found["OKActions"]) == (True, [TOPIC], [])
    assert (found["TreatMissingData"], found["DatapointsToAlarm"], found["Unit"]) == ("ignore", 1, "Count")
    assert cw.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert history(cw) == ['Alarm "full" created']


def test_alarms_are_found_by_name_prefix_state_action_and_metric(cw, paper):
    for name in ("full", "fuller", "other"):
        cw.put_metric_alarm(**FULL | {"AlarmName": name}, AlarmActions=[TOPIC] if name == "full" else [])
    cw.put_metric_alarm(**FULL | {"AlarmName": "idle", "Dimensions": []})
    cw.set_alarm_state(AlarmName="other", StateValue="OK", StateReason="so")

    def names(**asked):
        return [alarm["AlarmName"] for alarm in cw.describe_alarms(**asked)["MetricAlarms"]]

    assert names() == ["full", "fuller", "idle", "other"]
    assert names(AlarmNamePrefix="full") == ["full", "fuller"]
    assert names(AlarmNames=["idle", "none"]) == ["idle"]
    assert names(StateValue="OK") == ["other"]
    assert names(ActionPrefix="arn:aws:sns") == ["full"]
    assert names(AlarmTypes=["CompositeAlarm"]) == []
    paged = cw.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 1}).build_full_result()
    assert [alarm["AlarmName"] for alarm in paged["MetricAlarms"]] == ["full", "fuller", "idle", "other"]
    of = cw.describe_alarms_for_metric(MetricName="CurrItems", Namespace="AWS/ElastiCache", Dimensions=OF)
    assert [alarm["AlarmName"] for alarm in of["MetricAlarms"]] == ["full", "fuller", "other"]
    for more in ({"account": OTHER_ACCOUNT}, {"region": "eu-west-1"}):
        assert paper.client("cloudwatch", **more).describe_alarms()["MetricAlarms"] == []


def test_alarms_are_deleted_together_or_not_at_all(cw):
    cw.put_metric_alarm(**FULL)

    assert code(cw.delete_alarms, AlarmNames=["full", "none"]) == "ResourceNotFound"
    assert shown(cw)
    cw.delete_alarms(AlarmNames=["full"])

    assert cw.describe_alarms()["MetricAlarms"] == []
    assert history(cw, AlarmName="full") == ['Alarm "full" created', 'Alarm "full" deleted']


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"Period": 15}, "Period must be 10, 20, 30 or any multiple of 60"),
        ({"EvaluationPeriods": 0}, "EvaluationPeriods"),
        ({"EvaluationPeriods": 1441}, "must not exceed 86400 seconds"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm must be from 1 to 1"),
        ({"Statistic": "p99"}, "Value 'p99' at 'Statistic' failed"),
        ({"ComparisonOperator": "LessThanLowerThreshold"}, "Invalid value LessThanLowerThreshold"),
        ({"TreatMissingData": "breach"}, "Invalid value breach for TreatMissingData"),
        ({"AlarmActions": ["mail@example.com"]}, "Invalid arn syntax"),
        ({"OKActions": [TOPIC] * 6}, "5 actions"),
        ({"ExtendedStatistic": "p99"}, "Atoll does not support the parameter ExtendedStatistic"),
        ({"Metrics": [{"Id": "m"}]}, "Atoll does not support the parameter Metrics"),
        ({"Threshold": None}, "The parameter Threshold is required"),
    ],
)
def test_what_an_alarm_cannot_be_is_refused(cw, more, says):
    asked = {name: value for name, value in (FULL | more).items() if value is not None}

    assert says in refusal(cw.put_metric_alarm, **asked)[1]
    assert cw.describe_alarms()["MetricAlarms"] == []


# How they are judged: CloudWatch User Guide, "How alarm state is evaluated when data is missing"


def points(text):
    return [{"0": 0.0, "X": 9.0, "-": None}[sign] for sign in text.split()]


RETAIN = "retain"


@pytest.mark.parametrize(
    ("needed", "text", "missing", "ignore", "breaching", "not_breaching"),
    [
        (3, "0 - X - X", "OK", "OK", "OK", "OK"),
        (3, "0 - - - -", "OK", "OK", "OK", "OK"),
        (3, "- - - - -", "INSUFFICIENT_DATA", RETAIN, "ALARM", "OK"),
        (3, "0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (3, "- - X - -", "ALARM", RETAIN, "ALARM", "OK"),
        (2, "0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, "0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, "0 - X - -", "OK", "OK", "ALARM", "OK"),
        (2, "- - - - 0", "OK", "OK", "ALARM", "OK"),
        (2, "- - - X -", "ALARM", RETAIN, "ALARM", "OK"),
        (3, "- - - - X", RETAIN, RETAIN, "ALARM", "OK"),
    ],
)
def test_missing_data_are_treated_as_cloudwatch_does(
    cw, paper, needed, text, missing, ignore, breaching, not_breaching
):
    cw.put_metric_alarm(**FULL | {"EvaluationPeriods": 3, "DatapointsToAlarm": needed})
    (alarm,) = paper.world.all(MetricAlarm)
    expected = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}

    for before in ("OK", "ALARM"):
        for treatment, state in expected.items():
            one = alarm.but(missing=treatment, state=before)
            assert judge(one, points(text)) == (before if state == RETAIN else state), treatment


@pytest.mark.parametrize(
    ("operator", "states"),
    [
        ("GreaterThanThreshold", ("OK", "OK", "ALARM")),
        ("GreaterThanOrEqualToThreshold", ("OK", "ALARM", "ALARM")),
        ("LessThanThreshold", ("ALARM", "OK", "OK")),
        ("LessThanOrEqualToThreshold", ("ALARM", "ALARM", "OK")),
    ],
)
def test_a_value_is_compared_with_the_threshold(cw, paper, operator, states):
    cw.put_metric_alarm(**FULL | {"ComparisonOperator": operator})
    (alarm,) = paper.world.all(MetricAlarm)

    assert tuple(judge(alarm, [None, None, value]) for value in (4.0, 5.0, 6.0)) == states


def test_the_reason_names_the_values_and_the_threshold(cw, paper, kept):
    cw.put_metric_alarm(**FULL | {"EvaluationPeriods": 2})
    (alarm,) = paper.world.all(MetricAlarm)
    add(kept, 0, 7.0)
    add(kept, 1, 8.0)
    at = (NOON + timedelta(minutes=2, seconds=5)).timestamp()

    found = verdict(alarm, at, *points_of(alarm, at))

    assert found.state == "ALARM"
    assert found.reason == (
        "Threshold Crossed: 2 out of the last 2 datapoints [8.0 (20/11/26 12:01:00), 7.0 (20/11/26 12:00:00)] were "
        "greater than or equal to the threshold (5.0) (minimum 2 datapoints for INSUFFICIENT_DATA -> ALARM "
        "transition)."
    )
    data = json.loads(found.data)
    assert (data["recentDatapoints"], data["threshold"], data["period"]) == ([7.0, 8.0], 5.0, 60)


# The loop


def test_an_alarm_follows_its_metric_and_tells_what_nobody_heard(cw, kept, clock):
    cw.put_metric_alarm(**FULL, AlarmActions=[TOPIC])
    add(kept, 0, 1.0)
    clock.look(1.1)
    assert shown(cw)["StateValue"] == "OK"
    add(kept, 1, 6.0)
    clock.look(1.9)
    assert shown(cw)["StateValue"] == "OK", "the period is not over"

    clock.look(2.1)

    found = shown(cw)
    assert found["StateValue"] == "ALARM"
    assert "1 out of the last 1 datapoint [6.0 (20/11/26 12:01:00)] was greater than or equal" in found["StateReason"]
    assert history(cw, AlarmName="full") == [
        'Alarm "full" created',
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
        f"Failed to execute action {TOPIC}: Atoll sends nothing, there is no topic and no function here",
    ]
    assert len(history(cw, HistoryItemType="StateUpdate")) == 2
    clock.look(9.0)
    assert shown(cw)["StateValue"] == "INSUFFICIENT_DATA", "three periods without a sample"


def test_a_daemon_that_was_just_started_knows_nothing_and_says_nothing(cw, kept, paper):
    cw.put_metric_alarm(**FULL | {"TreatMissingData": "breaching"})
    cw.set_alarm_state(AlarmName="full", StateValue="OK", StateReason="before")
    clock = Clock(paper)

    clock.look(1.0)
    assert shown(cw)["StateReason"] == "before"
    clock.look(4.0)

    assert shown(cw)["StateValue"] == "ALARM"
    del kept


def test_a_state_that_was_set_lasts_until_the_next_period(cw, kept, clock):
    cw.put_metric_alarm(**FULL)
    add(kept, 0, 1.0)
    clock.look(1.1)

    cw.set_alarm_state(AlarmName="full", StateValue="ALARM", StateReason="a rehearsal")
    clock.look(1.5)
    assert (shown(cw)["StateValue"], shown(cw)["StateReason"]) == ("ALARM", "a rehearsal")
    add(kept, 1, 1.0)
    clock.look(2.1)

    assert shown(cw)["StateValue"] == "OK"
    assert code(cw.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="x") == "ResourceNotFound"
    bad = {"AlarmName": "full", "StateValue": "OK", "StateReason": "x", "StateReasonData": "{"}
    assert code(cw.set_alarm_state, **bad) == "InvalidFormat"


def test_actions_are_switched_off_and_on_and_configuration_keeps_the_state(cw):
    cw.put_metric_alarm(**FULL, AlarmActions=[TOPIC])
    cw.disable_alarm_actions(AlarmNames=["full"])
    assert shown(cw)["ActionsEnabled"] is False
    cw.set_alarm_state(AlarmName="full", StateValue="ALARM", StateReason="x")
    assert history(cw, HistoryItemType="Action") == []

    cw.put_metric_alarm(**FULL | {"Threshold": 6.0})
    cw.enable_alarm_actions(AlarmNames=["full"])

    found = shown(cw)
    assert (found["StateValue"], found["Threshold"], found["AlarmActions"]) == ("ALARM", 6.0, [])


def test_tags_of_an_alarm_change(cw):
    cw.put_metric_alarm(**FULL)
    arn = shown(cw)["AlarmArn"]

    cw.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    cw.untag_resource(ResourceARN=arn, TagKeys=["a"])

    assert cw.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    assert code(cw.list_tags_for_resource, ResourceARN=arn + "x") == "ResourceNotFoundException"
