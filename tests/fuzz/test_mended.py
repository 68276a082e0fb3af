"""What fuzzing found, one row each: the request, and the refusal in AWS's words that it has now."""

import json
from io import BytesIO

import pytest

from atoll import front
from atoll.admin.twin_routes import _files
from atoll.apply import document
from atoll.aws import answer as answering
from atoll.aws.errors import AwsError
from atoll.aws.http import Request, read_form
from atoll.cache import rdb
from atoll.cache.families import numbers
from atoll.guest import dns
from atoll.model.digits import is_number
from atoll.model.world import World
from atoll.network.inside import seen
from atoll.twin.row import BadRecording
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
        ({"Threshold": 10**400}, "Threshold", "Must be a number."),
    ],
    ids=[
        "half a pair of surrogates",
        "a control character",
        "in a list",
        "a number of 32 bits",
        "a very large number",
        "a number that is no float",
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


@pytest.mark.parametrize("count", [2**31 - 1, -1])
def test_a_nat_gateway_has_as_many_addresses_as_aws_allows(ec2, subnet, count):
    code, _ = refusal(
        ec2.create_nat_gateway, SubnetId=subnet, ConnectivityType="private", SecondaryPrivateIpAddressCount=count
    )

    assert code == "PrivateIpAddressLimitExceeded"


def test_a_version_may_be_anything():
    assert numbers(f"7.²x.{NINES}") == (7, 0, 0)


@pytest.mark.parametrize("text", ["", "²", "٣", "-1", "+1", "1_0", " 1", NINES, "101"])
def test_what_is_no_number(text):
    assert not is_number(text, 100)


def test_a_number():
    assert is_number("007", 100)
    assert is_number("100", 100)


def test_aliases_of_yaml_repeat_no_million_values():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    with pytest.raises(document.Wrong, match="more than 100000 values"):
        document.read("\n".join(lines))


@pytest.mark.parametrize("value", [NINES, "!!int x", "!!bool x"])
def test_a_value_of_yaml_is_of_its_type(value):
    with pytest.raises(document.Wrong, match="this is not of type"):
        document.read(f"vpcs: {value}")


@pytest.mark.parametrize("key", ["{a: b}", "[a]", "? " * 100 + "x"])
def test_a_name_in_yaml_is_a_text(key):
    with pytest.raises(document.Wrong, match="a name must be a text"):
        document.read(f"? {key}\n: x\n")


@pytest.mark.parametrize(
    "raw", [b"REDIS0011\xfa\x09red", b"REDIS0011\xfa", b"VALKEY080\xf5\xc3\x02", b"REDIS0011\xfa\x81" + b"\xff" * 8]
)
def test_an_rdb_file_that_ends_early_is_none(raw):
    with pytest.raises(ValueError, match="it ends within a string"):
        rdb.pass_preamble(BytesIO(raw).read)


def test_a_name_that_dnslib_reads_and_does_not_write_has_no_answer():
    label = b"\x3f" + b"a" * 63
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0" + label * 4 + b"\0\0\1\0\1"

    assert dns.answer(World(), None, query) is None


@pytest.mark.parametrize("packed", [b'{"a": "\xc3\xa9"}', b"[" * 5_000, b"\xff"])
def test_what_is_brought_as_a_twin_is_a_recording(packed):
    with pytest.raises(BadRecording, match="no recording"):
        _files(packed)


def test_a_machine_is_described_by_an_object():
    with pytest.raises(TypeError, match="not an object"):
        seen.read(0)


@pytest.mark.parametrize("scope", [front._SCOPE, answering._SCOPE], ids=["front", "answer"])
@pytest.mark.parametrize("told", ["Credential=" * 50_000, "Credential=/" * 50_000, "Credential=a/" * 50_000])
def test_what_looks_like_many_credentials_is_read_once(scope, told):
    """To the end from each of them, of 64 KB, took three seconds, in which nobody else was answered."""
    ours = "/20260101/us-east-1/ec2/aws4_request"

    assert scope.search(told) is None
    assert scope.search(f"Credential={'a' * 128}{ours}")
    assert scope.search(f"Credential={'a' * 1_000}{ours}") is None


def test_one_field_in_many_that_is_there_twice_is_named():
    form = "&".join(f"Filter.{number}=1" for number in range(9_000))

    with pytest.raises(AwsError, match=r"Filter\.8999 is given more than once"):
        read_form(Request("POST", "/", "", {}, f"{form}&Filter.8999=2".encode()))
