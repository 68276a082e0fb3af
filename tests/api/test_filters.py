"""Filters: every one that AWS documents, for every listing; and what their values mean."""

import re

import pytest

from atoll.ec2 import (
    acl,
    address,
    dhcp,
    filters,
    gateway,
    group,
    interface,
    route_table,
    rule_changes,
    subnet,
    tagging,
    vpc,
    zone,
)
from tests.api.paper import session

TABLES = {
    "DescribeVpcs": vpc.FILTERS,
    "DescribeDhcpOptions": dhcp.FILTERS,
    "DescribeSubnets": subnet.FILTERS,
    "DescribeRouteTables": route_table.FILTERS,
    "DescribeInternetGateways": gateway.FILTERS,
    "DescribeAddresses": address.FILTERS,
    "DescribeNetworkInterfaces": interface.FILTERS,
    "DescribeSecurityGroups": group.FILTERS,
    "DescribeSecurityGroupRules": rule_changes.FILTERS,
    "DescribeNetworkAcls": acl.FILTERS,
    "DescribeAvailabilityZones": zone.ZONE_FILTERS,
    "DescribeRegions": zone.REGION_FILTERS,
    "DescribeTags": tagging.FILTERS,
    "GetSecurityGroupsForVpc": group.FOR_VPC_FILTERS,
}
FOR_ALL = {"tag", "tag-key"}


@pytest.mark.parametrize("operation", TABLES)
def test_every_filter_that_aws_documents_is_there(operation):
    model = session.client("ec2", region_name="us-east-1").meta.service_model.operation_model(operation)
    documented = re.findall(r"<li> <p> ?<code>([^<]+)</code>", model.input_shape.members["Filters"].documentation)

    assert len(documented) > 2
    assert set(documented) - TABLES[operation].keys() - FOR_ALL == set()


@pytest.mark.parametrize(
    ("pattern", "text", "admitted"),
    [
        ("10.0.0.0/16", "10.0.0.0/16", True),
        ("10.*", "10.0.0.0/16", True),
        ("*", "", True),
        ("?", "", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("abc", "ABC", False),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("\\\\", "\\", True),
        ("a\\", "a\\", True),
        ("*end", "the\nend", True),
    ],
)
def test_a_value_may_have_wildcards(pattern, text, admitted):
    assert filters.matches(pattern, text) is admitted


def test_every_value_of_every_filter_may_match(ec2):
    ids = [ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in range(4)]

    found = ec2.describe_vpcs(
        Filters=[
            {"Name": "vpc-id", "Values": ids[:3]},
            {"Name": "cidr", "Values": ["10.1.*", "10.2.*", "10.3.*"]},
        ]
    )["Vpcs"]

    assert [v["VpcId"] for v in found] == ids[1:3]
