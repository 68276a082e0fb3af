"""What the codec does with values that botocore would never send, and results that no operation should give."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from ipaddress import IPv4Address

import pytest
from botocore.parsers import create_parser

from atoll.aws.dialect import clip
from atoll.aws.errors import AwsError, Err
from atoll.aws.http import DEPTH_MAX, NOT_PARAMETERS
from atoll.aws.models import BY_VERSION, Shape, protocol, service
from atoll.aws.parse import parse, wire_name
from atoll.aws.scalars import reader
from atoll.aws.serialize import envelope, serialize, serialize_error
from tests.aws.shapes import OPERATIONS, SERVICES, SESSION


class State(StrEnum):
    AVAILABLE = "available"


def scalar(type, text, **shape):
    return reader("A", Shape(type=type, **shape))(text)


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        ("boolean", "True", True),
        ("boolean", "false", False),
        ("integer", "+7", 7),
        ("integer", "-2147483648", -(2**31)),
        ("long", "9223372036854775807", 2**63 - 1),
        ("double", "1e3", 1000.0),
        ("double", ".5", 0.5),
        ("blob", "aGk=", b"hi"),
        ("blob", "", b""),
        ("timestamp", "2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("timestamp", "2026-11-20T12:00Z", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("timestamp", "2026-11-20T12:00:00", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("timestamp", "2026-11-20T12:00:00+0900", datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("timestamp", "2026-11-20T12:00:00.123456789Z", datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_a_scalar_may_be_written_in_several_ways(type, text, value):
    assert scalar(type, text) == value


@pytest.mark.parametrize(
    ("type", "text"),
    [
        ("boolean", ""), ("boolean", "1"), ("boolean", "yes"),
        ("integer", ""), ("integer", "1.0"), ("integer", "1_000"), ("integer", " 1"), ("integer", "2147483648"),
        ("integer", "٣"), ("integer", "9" * 5000), ("long", "9223372036854775808"),
        ("double", "nan"), ("double", "inf"), ("double", "1e999"), ("double", "0x1p3"), ("double", ""),
        ("blob", "a"), ("blob", "a\nGk="), ("blob", "é"),
        ("timestamp", ""), ("timestamp", "now"), ("timestamp", "2026-13-01"), ("timestamp", "20261120"),
        ("timestamp", "2026-11-20T25:00:00Z"), ("timestamp", "0001-01-01T00:00:00+23:00"), ("timestamp", "1700000"),
        ("string", "a\x00b"), ("string", "\x1b[31m"), ("string", "\ufffe"),
    ],
)  # fmt: skip
def test_what_is_not_of_its_type_is_refused(type, text):
    with pytest.raises(ValueError, match=r"\."):
        scalar(type, text)


def test_a_value_outside_a_closed_set_is_refused():
    with pytest.raises(ValueError, match="Valid values: a, b"):
        scalar("string", "c", enum=("a", "b"))


def test_a_list_with_gaps_keeps_its_order():
    form = {"VpcId.10": "c", "VpcId.2": "b", "VpcId.1": "a"}
    assert parse("ec2", "DescribeVpcs", form) == {"VpcIds": ["a", "b", "c"]}


@pytest.mark.parametrize("element", ["SubnetIdentifier", "member"])
def test_a_query_list_is_written_with_its_own_name_or_with_member(element):
    form = {f"SubnetIds.{element}.1": "subnet-1"}
    assert parse("elasticache", "ModifyCacheSubnetGroup", form) == {"SubnetIds": ["subnet-1"]}


def test_a_query_name_goes_before_a_location_name():
    form = {
        "NetworkInterface.1.Ipv6Addresses.1.Ipv6Address": "::1",
        "NetworkInterface.1.PrivateIpAddresses.1.PrivateIpAddress": "10.0.0.4",
    }
    (interface,) = parse("ec2", "RunInstances", form)["NetworkInterfaces"]
    assert interface["Ipv6Addresses"] == [{"Ipv6Address": "::1"}]
    assert interface["PrivateIpAddresses"] == [{"PrivateIpAddress": "10.0.0.4"}]


def test_an_empty_query_list_is_a_list():
    assert parse("elasticache", "CreateCacheCluster", {"Tags": ""}) == {"Tags": []}


def test_a_member_that_a_nested_structure_requires_must_be_there():
    with pytest.raises(AwsError) as refusal:
        parse("elbv2", "AddTags", {"ResourceArns.member.1": "a", "Tags.member.1.Value": "v"})
    assert refusal.value.code == "ValidationError"
    assert "Tags.member.1.Key" in refusal.value.message


@pytest.mark.parametrize(
    "form",
    [
        {"SubnetIds": "subnet-1"},
        {"SubnetIds.1": "subnet-1"},
        {"SubnetIds.SubnetId.1": "subnet-1"},
        {"SubnetIds.SubnetIdentifier": "subnet-1"},
        {"SubnetIds.SubnetIdentifier.1.X": "subnet-1"},
        {"SubnetIds.SubnetIdentifier.1": "a", "SubnetIds.member.2": "b"},
    ],
    ids=lambda form: "+".join(form),
)
def test_a_query_list_in_another_form_is_refused_by_its_whole_name(form):
    with pytest.raises(AwsError, match="is not recognized") as refusal:
        parse("elasticache", "ModifyCacheSubnetGroup", form)
    assert refusal.value.code == "InvalidParameterValue"
    assert any(name in refusal.value.message for name in form)


def test_a_map_is_parsed_and_refused():
    action = "CreateRule"
    path = "Actions.member.1.AuthenticateOidcConfig.AuthenticationRequestExtraParams"
    base = {
        "Actions.member.1.Type": "authenticate-oidc",
        **{f"Actions.member.1.AuthenticateOidcConfig.{name}": "x" for name in (
            "Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint", "ClientId")},
    }  # fmt: skip
    good = parse("elbv2", action, {**base, f"{path}.entry.1.key": "a", f"{path}.entry.1.value": "b"})
    assert good["Actions"][0]["AuthenticateOidcConfig"]["AuthenticationRequestExtraParams"] == {"a": "b"}
    for bad in ({path: "x"}, {f"{path}.entry": "x"}, {f"{path}.entry.1": "x"}, {f"{path}.entry.1.key": "x"}):
        with pytest.raises(AwsError, match="is not recognized"):
            parse("elbv2", action, {**base, **bad})


def test_what_a_caller_sent_is_said_back_shortened():
    assert len(clip("x" * 10_000)) < 200


# Results


def instance(**members):
    return serialize("ec2", "DescribeInstances", {"Reservations": [{"Instances": [members]}]})


def test_values_are_printed_as_aws_prints_them():
    text = instance(
        PrivateIpAddress=IPv4Address("10.0.0.1"),
        State={"Code": 16, "Name": State.AVAILABLE},
        LaunchTime=datetime(2026, 11, 20, 21, 0, tzinfo=timezone(timedelta(hours=9))),
        EbsOptimized=False,
        KeyName=None,
        SecurityGroups=(),
        SubnetId="",
    )
    assert text == (
        "<reservationSet><item><instancesSet><item><privateIpAddress>10.0.0.1</privateIpAddress>"
        "<instanceState><code>16</code><name>available</name></instanceState>"
        "<launchTime>2026-11-20T12:00:00.000Z</launchTime><ebsOptimized>false</ebsOptimized>"
        "<groupSet></groupSet><subnetId></subnetId></item></instancesSet></item></reservationSet>"
    )


def test_a_date_that_the_model_calls_a_string_is_printed_as_a_date():
    image = {"CreationDate": datetime(2026, 11, 20, tzinfo=UTC)}
    assert "2026-11-20T00:00:00.000Z" in serialize("ec2", "DescribeImages", {"Images": [image]})


@pytest.mark.parametrize("text", ["\x00", "a\x1fb", "\ud800", "\uffff"])
def test_what_xml_cannot_carry_is_replaced(text):
    assert "\ufffd" in instance(KeyName=text)


def test_a_carriage_return_survives():
    model = SESSION.get_service_model("ec2").operation_model("DescribeInstances")
    body = envelope("ec2", "DescribeInstances", instance(KeyName="a\r\nb"), "id").encode()
    out = create_parser("ec2").parse({"body": body, "headers": {}, "status_code": 200}, model.output_shape)
    assert out["Reservations"][0]["Instances"][0]["KeyName"] == "a\r\nb"


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"VpcID": "vpc-1"}, "has no member VpcID"),
        ({"VpcID": None}, "has no member VpcID"),
        ({"VpcId": ["vpc-1"]}, "VpcId: String"),
        ({"VpcId": True}, "True is not a string"),
        ({"VpcId": b"vpc"}, "is not a string"),
        ({"AmiLaunchIndex": "1"}, "'1' is not a integer"),
        ({"AmiLaunchIndex": True}, "True is not a integer"),
        ({"EbsOptimized": "true"}, "'true' is not a boolean"),
        ({"LaunchTime": "2026-11-20"}, "is not a timestamp"),
        ({"LaunchTime": datetime(2026, 11, 20)}, "is not a timestamp"),  # noqa: DTZ001
        ({"State": "running"}, "'running' is not a structure"),
        ({"SecurityGroups": "sg-1"}, "'sg-1' is not a list"),
        ({"SecurityGroups": {"GroupId": "sg-1"}}, "is not a list"),
        ({"SecurityGroups": [None]}, "None is not a structure"),
    ],
)
def test_a_result_that_is_not_of_its_shape_is_a_mistake_of_ours(members, says):
    with pytest.raises(TypeError) as mistake:
        instance(**members)
    assert says in str(mistake.value)
    assert str(mistake.value).startswith("DescribeInstancesResult.Reservations")


def test_an_operation_without_an_output_may_not_answer_anything():
    assert serialize("ec2", "DeleteVpc", None) == "<return>true</return>"
    assert serialize("elasticache", "DeleteCacheSubnetGroup", None) == ""
    with pytest.raises(TypeError, match="DeleteVpc answers nothing"):
        serialize("ec2", "DeleteVpc", {"Return": True})


def test_the_envelopes_are_those_of_aws():
    assert envelope("elasticache", "DeleteCacheSubnetGroup", "", "id") == (
        '<DeleteCacheSubnetGroupResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/">'
        "<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DeleteCacheSubnetGroupResponse>"
    )
    assert envelope("ec2", "DeleteVpc", "<return>true</return>", "id") == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<DeleteVpcResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        "<requestId>id</requestId><return>true</return></DeleteVpcResponse>"
    )
    assert serialize("sts", "GetCallerIdentity", {}) == "<GetCallerIdentityResult></GetCallerIdentityResult>"


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize(("status", "type"), [(404, "Sender"), (500, "Receiver")])
def test_botocore_reads_our_errors(name, status, type):
    error = Err("SomeFault", "<{what}> & \x01 was not found", status)(what="it")
    body = serialize_error(name, error, "a-request").encode()
    out = create_parser(protocol(name)).parse({"body": body, "headers": {}, "status_code": status}, None)
    assert (out["Error"]["Code"], out["Error"]["Message"]) == ("SomeFault", "<it> & \ufffd was not found")
    assert out["ResponseMetadata"]["RequestId"] == "a-request"
    assert name == "ec2" or out["Error"]["Type"] == type


# What the codec takes for granted about the models


@pytest.mark.parametrize("name", SERVICES)
def test_the_models_are_those_that_botocore_loads(name):
    theirs, ours = SESSION.get_service_model(name), service(name)
    assert list(ours) == list(theirs.operation_names)
    assert (ours.version, ours.protocol) == (theirs.api_version, theirs.protocol)
    assert (ours.protocol, BY_VERSION[ours.version]) == (protocol(name), name)
    assert ours.namespace.rstrip("/") == theirs.metadata["xmlNamespace"].rstrip("/")


def shapes_below(shape, depth=1, seen=()):
    assert shape.name not in seen, f"{shape.name} contains itself"
    yield shape, depth
    members = {"structure": lambda: shape.members.values(), "list": lambda: [shape.member]}
    parts = {"structure": 1, "list": 2, "map": 3}.get(shape.type_name, 0)
    for member in members.get(shape.type_name, list)():
        yield from shapes_below(member, depth + parts, (*seen, shape.name))


def test_no_input_is_recursive_flattened_or_deeper_than_a_form_may_be():
    for name, action in OPERATIONS:
        shape = SESSION.get_service_model(name).operation_model(action).input_shape
        for part, depth in shapes_below(shape):
            assert not part.serialization.get("flattened"), (action, part)
            assert depth < DEPTH_MAX, (action, part)


def test_no_parameter_hides_behind_the_fields_that_are_not_parameters():
    for name, action in OPERATIONS:
        members = service(name).input(action).members
        wires = [wire_name(name, action, member) for member in members]
        assert len(set(wires)) == len(wires), action
        assert not NOT_PARAMETERS & set(wires), action
        assert not [wire for wire in wires if wire.lower().startswith("x-amz-")], action
