"""A call written as a command is that call: the AWS CLI itself reads each command back, as bash hands it over."""

import base64
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl

import pytest

from atoll.recipe import cli
from tests.recipe.calls import generated, supported
from tests.recipe.conftest import parsed

SEEDS = 3
OPERATIONS = supported()
SERVICES = sorted({service for service, _ in OPERATIONS})


def on_the_wire(given):
    """Return the parameters as JSON says them; the SDK encodes user data."""
    given = {name: value for name, value in given.items() if name != "ClientToken"}
    wire = json.loads(json.dumps(given, default=bytes.decode))
    if isinstance(data := wire.get("UserData"), str):
        wire["UserData"] = base64.b64encode(data.encode()).decode()
    return wire


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(300)
def test_the_aws_cli_reads_each_command_as_the_call(service, sends):
    calls = [
        (operation, generated(service, operation, seed))
        for owner, operation in OPERATIONS
        if owner == service
        for seed in range(SEEDS)
    ]
    commands = [cli.command(service, operation, given) for operation, given in calls]
    words = parsed(commands)

    wrong = []
    for (operation, given), command, heard in zip(calls, commands, words, strict=True):
        expected = on_the_wire(given)
        try:
            sent = sends(heard)
        except (Exception, SystemExit) as error:
            sent = repr(error)
        if sent != expected:
            wrong.append(f"{operation}\n  {command!r}\n  want {expected}\n  sent {sent}")
    assert not wrong, f"{len(wrong)} of {len(calls)}:\n" + "\n".join(wrong[:20])


# What a person would type.
TYPED = (
    ("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16", "TagSpecifications": [
        {"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "main"}]}]},
     "aws ec2 create-vpc --cidr-block 10.0.0.0/16 "
     "--tag-specifications 'ResourceType=vpc,Tags=[{Key=Name,Value=main}]'"),
    ("ec2", "DescribeImages", {"Owners": ["amazon"], "Filters": [{"Name": "name", "Values": ["al2023", "al2"]}]},
     "aws ec2 describe-images --owners amazon --filters Name=name,Values=al2023,al2"),
    ("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1", "IpPermissions": [
        {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6381, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]},
     "aws ec2 authorize-security-group-ingress --protocol tcp --port 6379-6381 --cidr 10.0.0.0/16 --group-id sg-1"),
    ("ec2", "ModifyVpcAttribute", {"VpcId": "vpc-1", "EnableDnsHostnames": {"Value": False}},
     "aws ec2 modify-vpc-attribute --vpc-id vpc-1 --no-enable-dns-hostnames"),
    ("ec2", "CreateNetworkAclEntry", {"NetworkAclId": "acl-1", "Egress": False, "RuleNumber": 100, "Protocol": "6",
        "RuleAction": "allow", "CidrBlock": "0.0.0.0/0", "PortRange": {"From": 1024, "To": 65535}},
     "aws ec2 create-network-acl-entry --network-acl-id acl-1 --ingress --rule-number 100 --protocol tcp "
     "--rule-action allow --cidr-block 0.0.0.0/0 --port-range From=1024,To=65535"),
    ("ec2", "RunInstances", {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 2, "SecurityGroupIds": ["sg-1", "sg-2"]},
     "aws ec2 run-instances --count 1:2 --image-id ami-1 --security-group-ids sg-1 sg-2"),
    ("elasticache", "DescribeCacheClusters", {"CacheClusterId": "demo", "ShowCacheNodeInfo": True},
     "aws elasticache describe-cache-clusters --cache-cluster-id demo --show-cache-node-info"),
    ("elasticache", "CreateUser", {"UserId": "it's", "UserName": "-x", "Engine": "valkey"},
     "aws elasticache create-user --user-id 'it'\"'\"'s' --user-name=-x --engine valkey"),
)  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "parameters", "typed"), TYPED, ids=[row[3][:45] for row in TYPED])
def test_a_command_is_what_a_person_would_type(service, operation, parameters, typed):
    assert cli.command(service, operation, parameters) == typed


def test_secrets_are_variables_when_asked():
    parameters = {"UserId": "app", "Passwords": ["first-secret", "second-secret"], "AuthenticationMode": {
        "Type": "password", "Passwords": ["third-secret"]}}  # fmt: skip

    shown = cli.command("elasticache", "CreateUser", parameters, secrets=False)

    assert "secret" not in shown
    assert '--passwords "$PASSWORD" "$PASSWORD_2"' in shown


def test_a_long_command_is_wrapped_and_means_the_same():
    parameters = {"ReplicationGroupId": "sessions", "ReplicationGroupDescription": "a\n b \\", "Engine": "valkey",
        "SecurityGroupIds": ["sg-1", "sg-2"], "NumCacheClusters": 3}  # fmt: skip

    wide = cli.command("elasticache", "CreateReplicationGroup", parameters)
    narrow = cli.wrapped("elasticache", "CreateReplicationGroup", parameters)

    assert " \\\n  --engine valkey \\\n" in narrow
    assert parsed([wide]) == parsed([narrow])


def test_a_waiter_is_a_command_too():
    typed = cli.command("ec2", "instance_running", {"InstanceIds": ["i-1", "i-2"]}, waiter=True)

    assert typed == "aws ec2 wait instance-running --instance-ids i-1 i-2"


def test_nothing_that_a_terminal_would_obey_is_printed():
    shown = cli.command("ec2", "CreateSecurityGroup", {"GroupName": "\x1b[31mred", "Description": "\u202eabc"})

    assert shown.isprintable()
    assert "\\u001b[31mred" in shown


@pytest.mark.parametrize("source", ["\0", "", "10.0.0.0/8\x1b[2J", ["10.0.0.0/8"]])
def test_a_source_that_is_none_does_not_break_the_command(source):
    permissions = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": source}]}]

    shown = cli.command("ec2", "AuthorizeSecurityGroupIngress", {"IpPermissions": permissions})

    assert shown.isprintable()
    assert "--ip-permissions" in shown


class Recorder(BaseHTTPRequestHandler):
    """What an endpoint was sent."""

    heard: ClassVar[list[dict[str, str]]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.heard.append(dict(parse_qsl(body, keep_blank_values=True)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<Response/>")

    def log_message(self, *_):
        """Stay quiet."""


def test_a_command_run_in_bash_reaches_an_endpoint_as_the_call():
    material = "ssh-ed25519 AAAA it's $(me)"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_DEFAULT_REGION": "us-east-1"}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = cli.command("ec2", "ImportKeyPair", {"KeyName": "a b", "PublicKeyMaterial": material.encode()})

    done = subprocess.run(
        ["bash", "-c", command], env={**where, **keys, "PATH": path}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    server.shutdown()
    server.server_close()

    assert done.returncode == 0, done.stderr
    (heard,) = Recorder.heard
    assert heard["KeyName"] == "a b"
    assert base64.b64decode(heard["PublicKeyMaterial"]).decode() == material
