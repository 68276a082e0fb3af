"""A call written as Terraform: what is said, and that the provider knows each argument."""

import json
import subprocess

import pytest
from botocore import xform_name

from atoll.aws.operation import OPERATIONS
from atoll.recipe import hcl, terraform
from atoll.recipe.terraform import ROWS
from atoll.recipe.terraform_rows import Many
from tests.api.test_terraform import Terraform
from tests.recipe.calls import generated, model, supported

SAID = (
    ("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16", "TagSpecifications": [
        {"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "My VPC"}]}]},
     'resource "aws_vpc" "my_vpc" {\n  cidr_block = "10.0.0.0/16"\n  tags = {\n    Name = "My VPC"\n  }\n}\n'),
    ("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1", "IpPermissions": [
        {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "UserIdGroupPairs": [{"GroupId": "sg-2"}]}]},
     'resource "aws_vpc_security_group_ingress_rule" "this" {\n  security_group_id            = "sg-1"\n'
     '  referenced_security_group_id = "sg-2"\n  ip_protocol                  = "tcp"\n'
     "  from_port                    = 6379\n  to_port                      = 6379\n}\n"),
    ("ec2", "ModifySubnetAttribute", {"SubnetId": "subnet-1", "MapPublicIpOnLaunch": {"Value": True}},
     "# ModifySubnetAttribute changes an argument of the resource that describes subnet-1:\n\n"
     'resource "aws_subnet" "subnet_1" {\n  # ...\n  map_public_ip_on_launch = true\n}\n'),
    ("ec2", "RebootInstances", {"InstanceIds": ["i-1"]},
     "# Terraform has no resource for RebootInstances: use the AWS CLI.\n"),
    ("ec2", "DescribeVpcs", {}, "# DescribeVpcs only reads: it describes no resource.\n"),
)  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "parameters", "text"), SAID, ids=[row[1] for row in SAID])
def test_a_call_is_the_resource_that_it_makes(service, operation, parameters, text):
    assert terraform.text(service, operation, parameters) == text


def test_a_secret_is_a_variable_when_asked():
    text = terraform.text("elasticache", "CreateUser", {"UserId": "app", "Passwords": ["s3cret"]}, secrets=False)

    assert "passwords = [var.password]" in text
    assert "s3cret" not in text


def test_what_terraform_cannot_say_is_told():
    text = terraform.text("ec2", "CreateRoute", {"RouteTableId": "rtb-1", "InstanceId": "i-1"})

    assert "# not here: Terraform has no argument for InstanceId" in text


def test_every_supported_parameter_of_what_makes_something_is_an_argument_or_told_apart():
    supported()
    for (service, operation), row in ROWS.items():
        if isinstance(row, Many) or (service, operation) not in OPERATIONS:
            continue
        known = set(row.members) | (set(row.gather[1]) if row.gather else set()) | {getattr(row, "subject", "")}
        members = {xform_name(m): m for m in model(service).operation_model(operation).input_shape.members}
        missing = {members[p] for p in OPERATIONS[service, operation].parameters} - known
        assert not missing, f"{operation}: {missing}"


@pytest.mark.timeout(300)
def test_the_provider_knows_each_argument(tmp_path):
    run = Terraform(tmp_path, "http://127.0.0.1:9")
    blocks, names = [], set()
    for service, operation in ROWS:
        for seed in range(2):
            for block in terraform.resources(service, operation, generated(service, operation, seed)):
                blocks.append(hcl.Block(block.name, (block.labels[0], f"r{len(blocks)}"), block.body))
                names.add(block.labels[0])
    (tmp_path / "main.tf").write_text(
        'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n' + hcl.document(blocks)
    )

    run("init")
    done = subprocess.run(
        [run.program, "validate", "-json"], cwd=tmp_path, env=run.environment, capture_output=True, timeout=200,
        check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)

    unknown = [
        f"{it['summary']}: {it['detail']} {it.get('snippet', {}).get('code', '')}"
        for it in found["diagnostics"]
        if it["summary"] in ("Unsupported argument", "Unsupported block type", "Invalid resource type")
    ]
    assert len(names) > 40
    assert not unknown
