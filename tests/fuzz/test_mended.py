"""What fuzzing found, one row each: the request, and the refusal in AWS's words that it has now."""

import json

import pytest

from atoll.cache.families import numbers
from atoll.model.digits import is_number
from tests.api.paper import Paper, refusal
from tests.fuzz.stage import Stage
from tests.fuzz.wire import request

ALARM = {
    "AlarmName": "busy", "Namespace": "Shop", "MetricName": "Load", "Statistic": "Average", "Period": 60,
    "EvaluationPeriods": 1, "Threshold": 1.5, "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip
NINES = "9" * 5_000  # Python reads no number of more than 4,300 digits


def asked(name, action, given):
    answer = Stage().ask(request(name, action, given, "000000000000", "us-east-1", speech="json"))
    said = json.loads(answer.body)
    return answer.status, answer.headers["x-amzn-ErrorType"], said["message"]


@pytest.mark.parametrize(
    ("changed", "place", "why"),
    [
        ({"AlarmName": "\ud800"}, "AlarmName", "It contains characters that are not allowed."),
        ({"AlarmDescription": "a\0b"}, "AlarmDescription", "It contains characters that are not allowed."),
        ({"Tags": [{"Key": "\ud800", "Value": ""}]}, "Tags.1.Key", "It contains characters that are not allowed."),
        ({"Period": 1 << 31}, "Period", "Must be between -2147483648 and 2147483647."),
        ({"Period": 10**400}, "Period", "Must be between -2147483648 and 2147483647."),
    ],
    ids=[
        "half a pair of surrogates",
        "a control character",
        "in a list",
        "a number of 32 bits",
        "a very large number",
    ],
)
def test_json_brings_nothing_that_xml_could_not_say_back(changed, place, why):
    status, code, message = asked("cloudwatch", "PutMetricAlarm", ALARM | changed)

    assert (status, code) == (400, "ValidationError")
    assert place in message
    assert why in message


def test_keys_of_a_map_in_json_are_text_that_can_be_kept():
    status, code, _ = asked("logs", "CreateLogGroup", {"logGroupName": "/shop", "tags": {"\ud800": "x"}})

    assert (status, code) == (400, "InvalidParameterException")


def test_reasons_for_a_state_that_are_nested_too_deep_are_no_json():
    watch = Paper().client("cloudwatch")
    watch.put_metric_alarm(**ALARM)
    code, message = refusal(
        watch.set_alarm_state, AlarmName="busy", StateValue="OK", StateReason="x", StateReasonData="[" * 50_000
    )

    assert code == "InvalidFormat"
    assert "JSON" in message


def test_a_policy_that_is_nested_too_deep_is_no_json(ec2, vpc):
    code, message = refusal(
        ec2.create_vpc_endpoint, VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", PolicyDocument="[" * 20_000
    )

    assert code == "InvalidPolicyDocument"
    assert "it is not JSON" in message


@pytest.mark.parametrize("port", ["²", NINES, "0"])
def test_a_health_check_has_a_port_that_is_a_number(paper, vpc, port):
    code, message = refusal(
        paper.client("elbv2").create_target_group,
        Name="apps",
        Protocol="TCP",
        Port=80,
        VpcId=vpc,
        HealthCheckPort=port,
    )

    assert code == "ValidationError"
    assert "Health check port must be 'traffic-port' or a number between 1 and 65535" in message


@pytest.mark.parametrize("delay", ["²", NINES, "3601"])
def test_a_deregistration_delay_is_a_number(paper, vpc, delay):
    elb = paper.client("elbv2")
    made = elb.create_target_group(Name="apps", Protocol="TCP", Port=80, VpcId=vpc)["TargetGroups"][0]
    attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": delay}
    code, _ = refusal(
        elb.modify_target_group_attributes, TargetGroupArn=made["TargetGroupArn"], Attributes=[attribute]
    )

    assert code == "InvalidConfigurationRequest"


@pytest.mark.parametrize("seconds", ["²", NINES, "٣٣٣٣"])
def test_a_lease_time_is_a_number(ec2, seconds):
    option = {"Key": "ipv6-address-preferred-lease-time", "Values": [seconds]}
    code, message = refusal(ec2.create_dhcp_options, DhcpConfigurations=[option])

    assert code == "InvalidParameterValue"
    assert "Expecting a number of seconds." in message


def test_a_version_may_be_anything():
    assert numbers(f"7.²x.{NINES}") == (7, 0, 0)


@pytest.mark.parametrize("text", ["", "²", "٣", "-1", "+1", "1_0", " 1", NINES, "101"])
def test_what_is_no_number(text):
    assert not is_number(text, 100)


def test_a_number():
    assert is_number("007", 100)
    assert is_number("100", 100)
