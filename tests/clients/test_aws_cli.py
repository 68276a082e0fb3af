"""The AWS CLI (version 1) with AWS_ENDPOINT_URL alone: commands, waiters, queries, tables, pages, exit codes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def aws(stage):
    """Return a function that runs `aws ...` and returns its exit code and output."""
    program = shutil.which("aws", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("NO AWS CLI: it is not installed beside Python; bin/setup installs it")

    def run(*words, code=0):
        done = stage.atoll.start_process([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = done.communicate(timeout=60)[0].decode()
        assert done.returncode == code, f"aws {' '.join(words)} -> {done.returncode}: {said}"
        return said.strip()

    return run


def test_the_walk_of_the_documentation_is_made_with_the_cli(stage, aws):
    text = ("--output", "text")
    vpc = aws("ec2", "create-vpc", "--cidr-block", "10.0.0.0/16", "--query", "Vpc.VpcId", *text)
    subnet = aws(
        *("ec2", "create-subnet", "--vpc-id", vpc, "--cidr-block", "10.0.1.0/24"),
        *("--tag-specifications", "ResourceType=subnet,Tags=[{Key=Name,Value=private}]"),
        *("--query", "Subnet.SubnetId", *text),
    )
    group = aws(
        *("ec2", "create-security-group", "--group-name", "cache", "--description", "cache", "--vpc-id", vpc),
        *("--query", "GroupId", *text),
    )
    aws(
        *("ec2", "authorize-security-group-ingress", "--group-id", group),
        *("--protocol", "tcp", "--port", "6379", "--cidr", "0.0.0.0/0"),
    )
    aws(
        *("elasticache", "create-cache-subnet-group", "--cache-subnet-group-name", "walk"),
        *("--cache-subnet-group-description", "walk", "--subnet-ids", subnet),
    )
    aws(
        *("elasticache", "create-cache-cluster", "--cache-cluster-id", "walk", "--engine", "redis"),
        *("--cache-node-type", "cache.t3.micro", "--num-cache-nodes", "1"),
        *("--cache-subnet-group-name", "walk", "--security-group-ids", group),
    )
    aws("elasticache", "wait", "cache-cluster-available", "--cache-cluster-id", "walk")
    image = aws(
        *("ec2", "describe-images", "--owners", "amazon", "--filters", "Name=name,Values=amzn2-ami-hvm-*-x86_64-gp2"),
        *("--query", "Images[0].ImageId", *text),
    )
    instance = aws(
        *("ec2", "run-instances", "--image-id", image, "--instance-type", "t3.micro", "--subnet-id", subnet),
        *("--query", "Instances[0].InstanceId", *text),
    )
    aws("ec2", "wait", "instance-running", "--instance-ids", instance)
    endpoint = aws(
        *("elasticache", "describe-cache-clusters", "--cache-cluster-id", "walk", "--show-cache-node-info"),
        *("--query", "CacheClusters[0].CacheNodes[0].Endpoint.Address", *text),
    )

    assert stage.atoll.cli("exec", instance, "--", "redis-cli", "-h", endpoint, "PING").strip() == "PONG"


def test_it_pages_and_shows_tables(aws):
    all_zones = json.loads(aws("ec2", "describe-availability-zones"))["AvailabilityZones"]
    assert len(all_zones) >= 3
    first = json.loads(aws("ec2", "describe-instance-types", "--max-items", "2"))
    assert len(first["InstanceTypes"]) == 2
    second = json.loads(
        aws("ec2", "describe-instance-types", "--max-items", "2", "--starting-token", first["NextToken"])
    )
    names = [t["InstanceType"] for page in (first, second) for t in page["InstanceTypes"]]
    assert len(set(names)) == 4
    assert "DescribeVpcs" in aws("ec2", "describe-vpcs", "--output", "table")


def test_refusals_are_told_by_their_code_at_once(aws):
    said = aws("elasticache", "describe-cache-clusters", "--cache-cluster-id", "nobody", code=255)
    assert "(CacheClusterNotFound)" in said
    said = aws("ec2", "create-vpc", "--cidr-block", "10.0.0.0/16", "--dry-run", code=255)
    assert "(DryRunOperation)" in said
    said = aws("ec2", "describe-transit-gateways", code=255)  # a call that Atoll does not know
    assert "(UnsupportedOperation)" in said


def test_the_caller_is_the_account_of_the_key(aws):
    assert json.loads(aws("sts", "get-caller-identity"))["Account"] == "000000000000"


def test_the_help_s_own_examples_of_prefix_lists_work(aws):
    made = json.loads(
        aws(
            *("ec2", "create-managed-prefix-list", "--address-family", "IPv4", "--max-entries", "10"),
            *("--entries", "Cidr=10.0.0.0/16,Description=vpc-a", "Cidr=10.2.0.0/16,Description=vpc-b"),
            *("--prefix-list-name", "vpc-cidrs", "--output", "json"),
        )
    )["PrefixList"]
    id = made["PrefixListId"]
    assert made["State"] == "create-in-progress"
    changed = ("--add-entries", "Cidr=10.1.0.0/16,Description=vpc-c", "--current-version", "1")
    aws("ec2", "modify-managed-prefix-list", "--prefix-list-id", id, *changed)
    asked = ("ec2", "get-managed-prefix-list-entries", "--prefix-list-id", id, "--output", "text", "--query")
    assert aws(*asked, "Entries[].Cidr").split() == ["10.0.0.0/16", "10.2.0.0/16", "10.1.0.0/16"]
    restored = ("--current-version", "2", "--previous-version", "1")
    aws("ec2", "restore-managed-prefix-list-version", "--prefix-list-id", id, *restored)
    assert aws(*asked, "length(Entries)") == "2"
    owner = ("--filters", "Name=owner-id,Values=AWS", "--query", "length(PrefixLists)", "--output", "text")
    assert aws("ec2", "describe-managed-prefix-lists", *owner) == "2"
    aws("ec2", "delete-managed-prefix-list", "--prefix-list-id", id)
    assert "InvalidPrefixListID.NotFound" in aws(*asked, "Entries", code=255)


def test_quotas_are_asked_for_over_the_json_protocol(aws):
    quota = ("--service-code", "vpc", "--quota-code", "L-F678F1CE")
    value = ("--query", "Quota.Value", "--output", "text")
    assert aws("service-quotas", "get-aws-default-service-quota", *quota, *value) == "5.0"
    before = float(aws("service-quotas", "get-service-quota", *quota, *value))
    wanted = ("--desired-value", str(before + 1), "--query", "RequestedQuota.Status", "--output", "text")
    assert aws("service-quotas", "request-service-quota-increase", *quota, *wanted) == "APPROVED"
    assert float(aws("service-quotas", "get-service-quota", *quota, *value)) == before + 1
    said = aws("service-quotas", "get-service-quota", "--service-code", "vpc", "--quota-code", "L-NONE", code=255)
    assert "NoSuchResourceException" in said
