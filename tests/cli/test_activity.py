"""`atoll activity`, against a daemon: every call is noted, nobody's secret is."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from atoll.admin.activity import Activity
from atoll.aws.answer import Call
from tests.daemon.atoll import running, until


@pytest.fixture(scope="module")
def paper():
    with running("paper") as atoll:
        yield atoll


def calls(paper, *options):
    return json.loads(paper.cli("activity", "--json", *options))


def test_a_call_is_told_with_its_parameters_its_result_and_its_command(paper):
    ec2 = paper.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    with pytest.raises(ClientError):
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.0.0/24")

    found = {call["action"]: call for call in calls(paper, "--writes")}

    assert found["CreateVpc"]["parameters"] == {"CidrBlock": "10.7.0.0/16"}
    assert [found["CreateVpc"][name] for name in ("status", "error", "writes")] == [200, None, True]
    assert found["CreateVpc"]["command"] == "aws ec2 create-vpc --cidr-block 10.7.0.0/16 --region us-east-1"
    assert found["CreateVpc"]["who"] == "arn:aws:iam::000000000000:root"
    assert found["CreateSubnet"]["error"] == "InvalidSubnet.Range"
    assert "CreateVpc" not in {call["action"] for call in calls(paper, "--failed")}
    assert "DescribeVpcs" not in found


def test_no_secret_is_kept_or_shown(paper):
    paper.client("elasticache").create_user(
        UserId="ann", UserName="ann", Engine="valkey", AccessString="on ~* +@all", Passwords=["hunter2-hunter2-1"]
    )
    with pytest.raises(ClientError):
        paper.client("elasticache").create_replication_group(
            ReplicationGroupId="g", ReplicationGroupDescription="g", AuthToken="hunter2-hunter2-2"
        )
    with pytest.raises(ClientError):
        paper.client("ec2").run_instances(ImageId="ami-0", MinCount=1, MaxCount=1, UserData="hunter2-hunter2-3")

    said = paper.cli("activity", "--json") + paper.cli("activity")

    assert "hunter2" not in said
    user = next(call for call in calls(paper) if call["action"] == "CreateUser")
    assert user["parameters"]["Passwords"] == ["$PASSWORD"]
    assert user["secrets"] is True
    assert user["command"].endswith('--passwords "$PASSWORD" --region us-east-1')


def test_a_call_that_is_too_large_is_told_without_its_parameters(paper):
    paper.client("ec2").create_security_group(GroupName="many", Description="x")
    rules = [{"CidrIp": f"10.0.{n // 256}.{n % 256}/32", "Description": "x" * 200} for n in range(200)]
    with pytest.raises(ClientError):
        paper.client("ec2").authorize_security_group_ingress(
            GroupId="sg-1", IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": rules}]
        )

    call = calls(paper)[-1]

    assert (call["action"], call["whole"], call["parameters"]) == ("AuthorizeSecurityGroupIngress", False, {})
    assert call["command"] is None


def test_what_is_kept_of_a_call_is_json():
    activity = Activity()
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = {"At": at, "Raw": b"12345", "Text": "a\0b", "Many": [1, 2.5, True, None, {"UserData": "secret"}]}
    call = Call(
        service="ec2", action="NoSuchAction", caller=None, status=400, error="InvalidAction", milliseconds=1.0,
        request_id="r", parameters=given,
    )  # fmt: skip

    activity.note(call, at)

    [kept] = activity
    assert kept.call.parameters == {
        "At": "2026-01-02T03:04:05+00:00",
        "Raw": "5 bytes",
        "Text": "a\ufffdb",
        "Many": [1, 2.5, True, None, {"UserData": "$USER_DATA"}],
    }
    assert kept.is_whole
    assert kept.has_secrets
    assert json.loads(json.dumps(kept.to_json()))["parameters"] == kept.call.parameters


def test_following_prints_what_comes_until_ctrl_c(paper):
    follower = paper.start_process(
        [sys.executable, "-m", "atoll.cli", "activity", "--follow", "--json"], stdout=subprocess.PIPE
    )
    try:
        paper.client("ec2").create_vpc(CidrBlock="10.66.0.0/16")
        until(lambda: "10.66.0.0/16" in follower.stdout.readline().decode(), 20, "the call")
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) in (0, 130, -signal.SIGINT)
    finally:
        follower.kill()
        follower.communicate()
