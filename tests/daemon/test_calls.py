"""Many AWS calls in one private request: as on the wire, each on what those before it answered."""

import json
import urllib.error
import urllib.request

import pytest

from tests.daemon.atoll import running

VPC = {"service": "ec2", "action": "CreateVpc", "parameters": {"CidrBlock": "10.0.0.0/16"}}


@pytest.fixture(scope="module")
def paper():
    with running("paper") as daemon:
        yield daemon


def _made(atoll, calls, **whose):
    request = urllib.request.Request(f"{atoll.url}/_atoll/calls", json.dumps({"calls": calls, **whose}).encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def _subnet(cidr, call=0, path=("Vpc", "VpcId")):
    given = {"CidrBlock": cidr, "VpcId": {"call": call, "path": list(path)}}
    return {"service": "ec2", "action": "CreateSubnet", "parameters": given}


def test_a_call_takes_what_an_earlier_one_answered(paper):
    tag = {"service": "ec2", "action": "CreateTags", "parameters": {
        "Resources": [{"call": 1, "path": ["Subnet", "SubnetId"]}], "Tags": [{"Key": "Name", "Value": "x"}],
    }}  # fmt: skip
    look = {"service": "ec2", "action": "DescribeSubnets", "parameters": {"Filters": [
        {"Name": "vpc-id", "Values": [{"call": 0, "path": ["Vpc", "VpcId"]}]},
    ]}}  # fmt: skip
    where = {"account": "123456789012", "region": "eu-west-1"}

    status, said = _made(paper, [VPC, _subnet("10.0.1.0/24"), tag, look], **where)

    assert status == 200
    (seen,) = said["results"][3]["Subnets"]
    assert seen["VpcId"] == said["results"][0]["Vpc"]["VpcId"]
    assert (seen["Tags"], seen["OwnerId"]) == ([{"Key": "Name", "Value": "x"}], where["account"])
    assert seen["AvailabilityZone"].startswith("eu-west-1")


@pytest.mark.parametrize(
    ("call", "whose", "expected"),
    [
        ({"service": "moon"}, {}, (400, "no service 'moon'")),
        ({"parameters": "abc"}, {}, (400, "not an object")),
        ({"action": "RunInstances", "parameters": {"ClientToken": "x"}}, {}, (400, "ClientToken")),
        ({"action": "ModifyVpcAttribute", "parameters": {"EnableDnsSupport": 1}}, {}, (409, "must be a structure")),
        ({"action": "DescribeVpcs", "parameters": {"VpcIds": 5}}, {}, (409, "must be a list")),
        ({"action": "DescribeVpcs", "parameters": {"VpcIds": "vpc-1"}}, {}, (409, "must be a list")),
        ({}, {"region": "x"}, (400, "region")),
        ({}, {"account": "1/2"}, (400, "account")),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_done(paper, call, whose, expected):
    before = _made(paper, [{"service": "ec2", "action": "DescribeVpcs"}])

    status, said = _made(paper, [VPC | call], **whose)

    assert (status, expected[1] in said["error"]) == (expected[0], True), said
    assert _made(paper, [{"service": "ec2", "action": "DescribeVpcs"}]) == before


def test_the_first_refusal_ends_it_and_what_was_done_stays(paper):
    where = {"account": "210987654321"}
    calls = [VPC, _subnet("10.9.0.0/24"), {"service": "ec2", "action": "CreateInternetGateway"}]

    status, said = _made(paper, calls, **where)
    looks = [{"service": "ec2", "action": action} for action in ("DescribeVpcs", "DescribeInternetGateways")]
    _, seen = _made(paper, looks, **where)

    assert status == 409
    assert said["error"].startswith("call 1, CreateSubnet: InvalidSubnet.Range: ")
    assert len(seen["results"][0]["Vpcs"]) == 2
    assert len(seen["results"][1]["InternetGateways"]) == 1  # the default VPC's


@pytest.mark.parametrize(
    ("calls", "because"),
    [
        ({}, "calls is not a list of calls"),
        (["CreateVpc"], "calls is not a list of calls"),
        ([VPC] * 201, "these are 201 calls: make 200 at most in a request"),
        ([{"service": "moon", "action": "Land"}], "call 0: there is no service 'moon'"),
        ([_subnet("10.0.0.0/24")], "call 0 has not answered ['Vpc', 'VpcId']"),
        ([VPC, _subnet("10.0.0.0/24", 0, ["Vpc", "Moon"])], "call 0 has not answered ['Vpc', 'Moon']"),
        ([{"service": "ec2", "action": "Land"}], "call 0, Land: InvalidAction: "),
    ],
)
def test_what_is_no_list_of_calls_is_refused(paper, calls, because):
    status, said = _made(paper, calls, account="999999999999")

    assert status in (400, 409)
    assert said["error"].startswith(because)


def test_where_keys_are_required_nothing_is_done_without_one():
    with running("paper", started=False) as atoll:
        atoll.up("--keys", "required")

        status, said = _made(atoll, [VPC])

    assert status == 403
    assert "where keys are required" in said["error"]
