"""The request path: through boto3 where it can, by hand where boto3 would not dare."""

import json
import random
import time
import xml.etree.ElementTree as ElementTree

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atoll.aws.http import BODY_BYTES_MAX, Request
from atoll.model.token import ClientToken
from tests.aws.conftest import client
from tests.aws.paper import Vpc, ask

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=00"


def post(body, service="ec2", **headers):
    return Request(
        "POST",
        "/",
        "",
        {
            "host": "localhost",
            "authorization": SIGNED.format(service),
            "x-amz-date": "20261120T120000Z",
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            **headers,
        },
        body if isinstance(body, bytes) else body.encode(),
    )


def refusal(backend, request):
    """Return the status, code and message of an error answer."""
    out = ask(backend, request)
    root = ElementTree.fromstring(out.body)
    texts = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    return out.status, texts["Code"], texts["Message"]


def test_a_resource_that_is_created_is_described(backend):
    ec2 = client(backend, "ec2")
    vpc = ec2.create_vpc(
        CidrBlock="10.0.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "<a&b>"}]}],
    )["Vpc"]
    assert vpc["Tags"] == [{"Key": "Name", "Value": "<a&b>"}]
    assert [v["VpcId"] for v in ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"]] == [vpc["VpcId"]]


def test_the_account_and_region_of_the_key_are_the_callers(backend):
    client(backend, "ec2", key="111122223333", region="eu-west-1").create_vpc(CidrBlock="10.0.0.0/16")
    assert client(backend, "ec2", region="eu-west-1").describe_vpcs()["Vpcs"] == []
    assert client(backend, "ec2", key="111122223333").describe_vpcs()["Vpcs"] == []
    (vpc,) = client(backend, "ec2", key="111122223333", region="eu-west-1").describe_vpcs()["Vpcs"]
    assert vpc["OwnerId"] == "111122223333"


def test_an_account_is_opened_before_each_of_its_calls(backend):
    client(backend, "ec2").describe_vpcs()
    client(backend, "sts", key="111122223333", region="eu-west-1").get_caller_identity()
    assert backend.opened == [("000000000000", "us-east-1"), ("111122223333", "eu-west-1")]


def test_every_service_answers_through_one_endpoint(backend):
    assert client(backend, "sts").get_caller_identity()["Account"] == "000000000000"
    assert client(backend, "elbv2").describe_load_balancers()["LoadBalancers"] == []
    group = client(backend, "elasticache").create_cache_subnet_group(
        CacheSubnetGroupName="g", CacheSubnetGroupDescription="d", SubnetIds=["subnet-1"]
    )
    assert group["CacheSubnetGroup"]["CacheSubnetGroupName"] == "g"
    client(backend, "elasticache").delete_cache_subnet_group(CacheSubnetGroupName="g")


def test_the_answers_request_id_is_in_its_header_and_its_body(backend):
    meta = client(backend, "ec2").describe_vpcs()["ResponseMetadata"]
    assert meta["RequestId"] == meta["HTTPHeaders"]["x-amzn-requestid"] == backend.calls[0].request_id
    assert meta["HTTPHeaders"]["content-type"] == "text/xml;charset=UTF-8"


def test_an_ec2_call_without_an_output_returns_true(backend):
    vpc = client(backend, "ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
    out = ask(backend, post(f"Action=DeleteVpc&Version=2016-11-15&VpcId={vpc['VpcId']}"))
    assert b"<return>true</return>" in out.body


def test_a_call_is_noted_with_its_error(backend):
    with pytest.raises(ClientError):
        client(backend, "ec2").delete_vpc(VpcId="vpc-1")
    (call,) = backend.calls
    assert (call.service, call.action, call.status, call.error) == ("ec2", "DeleteVpc", 400, "InvalidVpcID.NotFound")
    assert call.caller.account == "000000000000"
    assert 0 < call.milliseconds < 1000


def test_only_network_operations_wait_for_the_kernel(backend):
    client(backend, "ec2").describe_vpcs()
    assert backend.waits == 0
    client(backend, "ec2").authorize_security_group_ingress(GroupId="sg-1")
    assert backend.waits == 1


# DryRun


def test_a_dry_run_that_would_succeed_changes_nothing(backend):
    with pytest.raises(ClientError) as refused:
        client(backend, "ec2").create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    error, meta = refused.value.response["Error"], refused.value.response["ResponseMetadata"]
    assert (error["Code"], meta["HTTPStatusCode"]) == ("DryRunOperation", 412)
    assert error["Message"] == "Request would have succeeded, but DryRun flag is set."
    assert list(backend.present) == []


def test_a_dry_run_that_would_fail_says_why(backend):
    with pytest.raises(ClientError, match=r"InvalidVpcID\.NotFound"):
        client(backend, "ec2").delete_vpc(VpcId="vpc-1", DryRun=True)


def test_a_dry_run_of_a_network_call_does_not_wait(backend):
    with pytest.raises(ClientError, match="DryRunOperation"):
        client(backend, "ec2").authorize_security_group_ingress(GroupId="sg-1", DryRun=True)
    assert backend.waits == 0


# Client tokens


def nat(backend, token, subnet="subnet-1", **keys):
    return client(backend, "ec2", **keys).create_nat_gateway(SubnetId=subnet, ClientToken=token)["NatGateway"]


def test_the_same_token_returns_the_first_result(backend):
    first, again = nat(backend, "once"), nat(backend, "once")
    assert first == again
    assert nat(backend, "twice") != first


def test_a_token_with_other_parameters_is_refused(backend):
    nat(backend, "once")
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        nat(backend, "once", subnet="subnet-2")


def test_a_token_belongs_to_its_account_and_region(backend):
    first = nat(backend, "once")
    assert nat(backend, "once", key="111122223333", subnet="subnet-2") != first
    assert nat(backend, "once", region="eu-west-1", subnet="subnet-2") != first


def test_a_token_is_forgotten_after_a_day(backend):
    first = nat(backend, "once")
    backend.later(hours=23)
    assert nat(backend, "once") == first
    backend.later(hours=2)
    assert nat(backend, "once", subnet="subnet-2") != first
    assert [kept.token for kept in backend.present.all(ClientToken)] == ["once"]


def test_expired_tokens_are_swept_by_the_next(backend):
    for n in range(5):
        nat(backend, f"token-{n}")
    backend.later(hours=25)
    nat(backend, "fresh")
    assert [kept.token for kept in backend.present.all(ClientToken)] == ["fresh"]


def test_a_failed_call_leaves_no_token(backend):
    request = post("Action=CreateNatGateway&ClientToken=x")
    assert refusal(backend, request)[1] == "MissingParameter"
    assert list(backend.present) == []


def test_a_token_of_65_characters_is_refused(backend):
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        nat(backend, "x" * 65)


# Refusals


@pytest.mark.parametrize(
    ("service", "body", "status", "code", "message"),
    [
        ("ec2", "Action=Nonsense", 400, "InvalidAction", "The action Nonsense is not valid for this web service."),
        (
            "elasticache", "Action=Nonsense", 400, "InvalidAction",
            "Could not find operation Nonsense for version 2015-02-02",
        ),
        ("ec2", "Version=2016-11-15", 400, "MissingAction", "The request is missing an action"),
        ("ec2", "Action=CreateFleet", 400, "UnsupportedOperation", "not support the operation CreateFleet."),
        ("elasticache", "Action=StartMigration", 400, "InvalidAction", "does not support the operation StartMig"),
        ("ec2", "Action=CreateVpc", 400, "MissingParameter", "The request must contain the parameter CidrBlock"),
        (
            "elasticache", "Action=DeleteCacheSubnetGroup", 400, "InvalidParameterValue",
            "The parameter CacheSubnetGroupName must be provided and must not be null.",
        ),
        ("ec2", "Action=DeleteVpc&VpcId=a&Foo=b", 400, "UnknownParameter", "The parameter Foo is not recognized"),
        (
            "ec2", "Action=DescribeVpcs&Filter.1.Nmae=b", 400, "UnknownParameter",
            "The parameter Filter.1.Nmae is not recognized",
        ),
        ("ec2", "Action=DescribeVpcs&VpcId=a", 400, "UnknownParameter", "The parameter VpcId is not recognized"),
        ("ec2", "Action=DeleteVpc&VpcId.1=a", 400, "UnknownParameter", "The parameter VpcId.1 is not recognized"),
        ("elasticloadbalancing", "Action=DescribeLoadBalancers&Foo=b", 400, "ValidationError", "Foo is not rec"),
        (
            "elasticloadbalancing", "Action=DescribeLoadBalancers&Names.1=b", 400, "ValidationError",
            "The parameter Names.1 is not recognized",
        ),
        (
            "ec2", "Action=CreateVpc&CidrBlock=x&InstanceTenancy=dedicated", 400, "UnsupportedOperation",
            "Atoll does not support the parameter InstanceTenancy of CreateVpc.",
        ),
        (
            "elasticloadbalancing", "Action=DescribeLoadBalancers&PageSize=3", 400, "ValidationError",
            "Atoll does not support the parameter PageSize of DescribeLoadBalancers.",
        ),
        ("ec2", "Action=DescribeVpcs&DryRun=maybe", 400, "InvalidParameterValue", "(maybe) for parameter DryRun"),
        ("ec2", "Action=DescribeVpcs&MaxResults=ten", 400, "InvalidParameterValue", "Must be an integer"),
        ("ec2", "Action=DescribeVpcs&MaxResults=9999999999", 400, "InvalidParameterValue", "Must be between"),
        ("ec2", "Action=DescribeVpcs&MaxResults=%D9%A1", 400, "InvalidParameterValue", "Must be an integer"),
        (
            "ec2", "Action=CreateVpc&CidrBlock=x&InstanceTenancy=mine", 400, "InvalidParameterValue",
            "Valid values: default, dedicated, host",
        ),
        ("ec2", "Action=DeleteVpc&VpcId=%00", 400, "InvalidParameterValue", "characters that are not allowed"),
        ("ec2", "Action=DescribeVpcs&VpcId.x=a", 400, "UnknownParameter", "The parameter VpcId.x is not recognized"),
        ("ec2", "Action=DescribeVpcs&VpcId.-1=a", 400, "UnknownParameter", "VpcId.-1"),
        ("ec2", "Action=DescribeVpcs&VpcId.1=a&VpcId.01=b", 400, "MalformedQueryString", "more than once"),
        ("ec2", "Action=DescribeVpcs&VpcId.1=a&VpcId.1=b", 400, "MalformedQueryString", "VpcId.1 is given more than"),
        ("ec2", "Action=DescribeVpcs&VpcId=a&VpcId.1=b", 400, "MalformedQueryString", "both a value and a structure"),
        ("ec2", "Action=DescribeVpcs&VpcId.1=a&VpcId=b", 400, "MalformedQueryString", "both a value and a structure"),
        ("ec2", "Action=DescribeVpcs&" + "a." * 40 + "b=1", 400, "MalformedQueryString", "nested too deep"),
        ("ec2", "Action=DescribeVpcs" + "&a=1" * 20_000, 400, "MalformedQueryString", "more than 10000 fields"),
        ("ec2", b"Action=DescribeVpcs&VpcId.1=\xff\xfe", 400, "MalformedQueryString", "not UTF-8"),
        ("ec2", "Action=DescribeVpcs&VpcId.1=%ff%fe", 400, "MalformedQueryString", "not UTF-8"),
        ("ec2", b"a" * (BODY_BYTES_MAX + 1), 413, "RequestEntityTooLarge", "larger than 1048576 bytes"),
    ],
)  # fmt: skip
def test_a_bad_request_is_refused_by_name(backend, service, body, status, code, message):
    got = refusal(backend, post(body, service))
    assert got[:2] == (status, code)
    assert message in got[2]
    assert list(backend.present) == []


def test_the_highest_index_of_a_list_costs_nothing(backend):
    out = ask(backend, post("Action=DescribeVpcs&VpcId.999999999=vpc-b&VpcId.7=vpc-a"))
    assert out.status == 200


def test_a_query_list_may_be_written_with_member(backend):
    body = (
        "Action=CreateCacheSubnetGroup&CacheSubnetGroupName=g&CacheSubnetGroupDescription=d"
        "&SubnetIds.member.1=subnet-1&SubnetIds.member.2=subnet-2"
    )
    assert ask(backend, post(body, "elasticache")).status == 200


def test_a_mistake_of_ours_is_a_500_and_commits_nothing(backend, caplog):
    assert refusal(backend, post("Action=DescribeRegions")) == (
        500, "InternalError", "An internal error has occurred",
    )  # fmt: skip
    assert "Region has no member Nonsense" in caplog.text
    assert caplog.records[0].request_id == backend.calls[0].request_id


def test_get_with_a_query_string_is_a_request_too(backend):
    request = post("")
    query = "Action=DescribeVpcs&Version=2016-11-15"
    out = ask(backend, Request("GET", "/", query, request.headers, b""))
    assert out.status == 200
    assert b"DescribeVpcsResponse" in out.body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_visitor_is_told_what_is_served(backend, method):
    out = ask(backend, Request(method, "/", "", {}, b""))
    assert out.status == 200
    assert b"ec2, elasticache, elasticloadbalancing, sts" in out.body


# Choosing the service


@pytest.mark.parametrize(
    ("body", "service"),
    [
        ("Action=DescribeVpcs&Version=2016-11-15", "ec2"),
        ("Action=DescribeCacheClusters&Version=2015-02-02", "elasticache"),
        ("Action=DescribeCacheClusters", "elasticache"),
        ("Action=DescribeTargetGroups", "elbv2"),
        ("Action=GetCallerIdentity", "sts"),
        ("Action=Nonsense", "ec2"),
    ],
)
def test_an_unsigned_request_is_refused_in_the_words_of_its_service(backend, body, service):
    ask(backend, Request("POST", "/", "", {}, body.encode()))
    assert backend.calls[0].service == service


@pytest.mark.parametrize(
    ("name", "call", "code"),
    [
        ("s3", lambda c: c.list_buckets(), "NotImplemented"),
        ("sqs", lambda c: c.list_queues(), "UnknownOperationException"),
        ("dynamodb", lambda c: c.list_tables(), "UnknownOperationException"),
        ("workspaces", lambda c: c.describe_workspaces(), "UnknownOperationException"),
        ("lambda", lambda c: c.list_functions(), "UnknownOperationException"),
        ("iam", lambda c: c.list_users(), "InvalidAction"),
        ("sns", lambda c: c.list_topics(), "InvalidAction"),
        ("rds", lambda c: c.describe_db_instances(), "InvalidAction"),
        ("elb", lambda c: c.describe_load_balancers(), "InvalidAction"),
    ],
)
def test_a_service_that_is_not_served_is_refused_so_that_its_sdk_understands(backend, name, call, code):
    with pytest.raises(ClientError) as refused:
        call(client(backend, name))
    error, meta = refused.value.response["Error"], refused.value.response["ResponseMetadata"]
    assert (error["Code"], meta["HTTPStatusCode"]) == (code, 400)
    assert "Atoll serves ec2, elasticache, elasticloadbalancing, sts" in error["Message"]


# Hostility


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(body=st.binary(max_size=200), signed=st.booleans(), service=st.sampled_from(["ec2", "elasticache", "s3", "x"]))
def test_random_bytes_are_the_callers_fault(backend, body, signed, service):
    request = post(body, service) if signed else Request("POST", "/", "", {}, body)
    out = ask(backend, request)
    assert 400 <= out.status < 500


FIELD = st.text(alphabet="aA1.%&=+é\x00\ud7ff-_", max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(
    st.sampled_from(["DescribeVpcs", "CreateVpc", "AuthorizeSecurityGroupIngress", "CreateNatGateway"]),
    st.lists(st.tuples(st.sampled_from(["VpcId", "Filter", "IpPermissions", "TagSpecification", ""]), FIELD, FIELD)),
)
def test_random_fields_are_the_callers_fault(backend, action, fields):
    body = f"Action={action}" + "".join(f"&{name}{rest}={value}" for name, rest, value in fields)
    assert ask(backend, post(body.encode("utf-8", "replace"))).status < 500


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=80))
def test_random_headers_and_queries_are_the_callers_fault(backend, authorization, stamp, query):
    headers = {"authorization": authorization, "x-amz-date": stamp, "x-amz-target": stamp}
    headers = {name: value for name, value in headers.items() if value}
    assert ask(backend, Request("GET", "/", f"X-Amz-Credential={query}", headers, b"")).status < 500
    claim = f"AWS4-HMAC-SHA256 Credential={authorization}, SignedHeaders={stamp}, Signature={query}"
    assert ask(backend, post("Action=DescribeVpcs", authorization=claim)).status < 500


@pytest.mark.parametrize(
    "body",
    [
        b"&" * BODY_BYTES_MAX,
        b"=" * BODY_BYTES_MAX,
        b"%" * BODY_BYTES_MAX,
        b"Action=DescribeVpcs&" + b"a." * 500_000,
        b"Action=DescribeVpcs&VpcId.1=" + b"x" * 1_000_000,
        b"Action=DescribeVpcs&" + b"&".join(b"VpcId.%d=a" % n for n in range(100_000)),
        b"Action=DescribeVpcs&" + b"&".join(b"Filter.%d.Value.1=a" % n for n in range(9_000)),
        b"Action=DescribeVpcs&MaxResults=" + b"9" * 1_000_000,
        b"Action=DescribeVpcs" + b"&Filter.1.Name.%s=1" % b".".join([b"1"] * 9) * 5_000,
        b"Action=" + b"x" * 1_000_000,
        random.Random(0).randbytes(BODY_BYTES_MAX),
    ],
    ids=range(11),
)
def test_a_large_hostile_body_is_answered_quickly(backend, body):
    begun = time.thread_time()
    out = ask(backend, post(body))
    assert out.status < 500
    assert len(out.body) < 20_000
    assert time.thread_time() - begun < 1.0  # ms in truth; of our own time, because a shared machine may stall


def test_a_cbor_error_is_cbor(backend):
    out = ask(backend, post(b"\xa0", "workspaces", **{"smithy-protocol": "rpc-v2-cbor"}))
    response = {"status_code": out.status, "headers": {}, "body": out.body}
    error = create_parser("smithy-rpc-v2-cbor").parse(response, None)["Error"]
    assert error["Code"] == "UnknownOperationException"
    assert "it does not serve workspaces" in error["Message"]


def test_a_json_error_is_json(backend):
    request = Request("POST", "/", "", {"x-amz-target": "AmazonSQS.ListQueues"}, b"{}")
    assert json.loads(ask(backend, request).body)["__type"] == "UnknownOperationException"
    assert Vpc not in backend.present.kinds()
