"""Cache subnet groups through boto3."""

import pytest

from tests.api.caches import settle
from tests.api.paper import ACCOUNT, code, refusal

GONE = "subnet-0123456789abcdef0"


@pytest.fixture
def make(cache):
    def make(name, *subnet_ids, **more):
        made = cache.create_cache_subnet_group(
            CacheSubnetGroupName=name, CacheSubnetGroupDescription="nodes", SubnetIds=list(subnet_ids), **more
        )
        return made["CacheSubnetGroup"]

    return make


def test_a_new_group_shows_its_vpc_and_the_zones_of_its_subnets(cache, make, vpc, subnet):
    made = make("Private", subnet, subnet)

    assert made == {
        "CacheSubnetGroupName": "private",
        "CacheSubnetGroupDescription": "nodes",
        "VpcId": vpc,
        "Subnets": [
            {
                "SubnetIdentifier": subnet,
                "SubnetAvailabilityZone": {"Name": "us-east-1a"},
                "SupportedNetworkTypes": ["ipv4"],
            }
        ],
        "ARN": f"arn:aws:elasticache:us-east-1:{ACCOUNT}:subnetgroup:private",
        "SupportedNetworkTypes": ["ipv4"],
    }
    assert cache.describe_cache_subnet_groups(CacheSubnetGroupName="PRIVATE")["CacheSubnetGroups"] == [made]


def test_the_group_default_holds_the_default_vpcs_subnets(cache, ec2):
    (default,) = cache.describe_cache_subnet_groups()["CacheSubnetGroups"]

    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    assert (default["CacheSubnetGroupName"], default["VpcId"]) == ("default", vpc)
    assert len(default["Subnets"]) == 6


def test_the_group_default_goes_and_comes_back_with_the_default_vpc(cache, ec2):
    (default,) = cache.describe_cache_subnet_groups()["CacheSubnetGroups"]
    for subnet in default["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetIdentifier"])

    assert cache.describe_cache_subnet_groups()["CacheSubnetGroups"] == []
    assert code(cache.redis) == "CacheSubnetGroupNotFoundFault"
    ec2.create_default_subnet(AvailabilityZone="us-east-1b")
    assert cache.redis()["CacheSubnetGroupName"] == "default"


@pytest.mark.parametrize("name", ["a_b", "1a", "a-", "a" * 256], ids=lambda n: n[:4])
def test_a_name_that_aws_would_not_take_is_refused(make, subnet, name):
    with pytest.raises(Exception, match="The parameter CacheSubnetGroupName"):
        make(name, subnet)


def test_a_name_is_taken_once(cache, make, subnet):
    make("private", subnet)

    assert refusal(
        cache.create_cache_subnet_group,
        CacheSubnetGroupName="PRIVATE",
        CacheSubnetGroupDescription="",
        SubnetIds=[subnet],
    ) == ("CacheSubnetGroupAlreadyExists", "Cache subnet group private already exists.")
    assert (
        code(
            cache.create_cache_subnet_group,
            CacheSubnetGroupName="default",
            CacheSubnetGroupDescription="",
            SubnetIds=[subnet],
        )
        == "InvalidParameterValue"
    )


def test_the_subnets_exist_and_share_a_vpc(cache, ec2, stranger, subnet):
    other_vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    elsewhere = ec2.create_subnet(VpcId=other_vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
    foreign = stranger.describe_subnets()["Subnets"][0]["SubnetId"]

    def refused(*ids):
        return refusal(
            cache.create_cache_subnet_group,
            CacheSubnetGroupName="x",
            CacheSubnetGroupDescription="",
            SubnetIds=list(ids),
        )

    assert refused(subnet, GONE) == (
        "InvalidParameterValue",
        f"Some input subnets in :[{subnet}, {GONE}] are invalid.",
    )
    assert refused(foreign) == ("InvalidParameterValue", f"Some input subnets in :[{foreign}] are invalid.")
    assert refused(subnet, elsewhere) == (
        "InvalidSubnet",
        f"Subnets {subnet} and {elsewhere} are not in the same VPC.",
    )


def test_a_group_has_at_most_20_subnets(cache, ec2, vpc):
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in range(100, 121)
    ]

    assert (
        code(
            cache.create_cache_subnet_group,
            CacheSubnetGroupName="x",
            CacheSubnetGroupDescription="",
            SubnetIds=subnets,
        )
        == "CacheSubnetQuotaExceededFault"
    )


def test_subnets_come_and_go_but_not_those_in_use(cache, paper, ec2, vpc, private):
    cache.redis(CacheSubnetGroupName=private, PreferredAvailabilityZone="us-east-1b")
    settle(paper)
    new = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.3.0/24")["Subnet"]["SubnetId"]
    first, second = (
        s["SubnetIdentifier"]
        for s in cache.describe_cache_subnet_groups(CacheSubnetGroupName=private)["CacheSubnetGroups"][0]["Subnets"]
    )

    assert (
        code(cache.modify_cache_subnet_group, CacheSubnetGroupName=private, SubnetIds=[first, new]) == "SubnetInUse"
    )
    changed = cache.modify_cache_subnet_group(
        CacheSubnetGroupName=private, CacheSubnetGroupDescription="other", SubnetIds=[second, new]
    )["CacheSubnetGroup"]
    assert [s["SubnetIdentifier"] for s in changed["Subnets"]] == [second, new]
    assert changed["CacheSubnetGroupDescription"] == "other"


def test_a_group_stays_in_its_vpc(cache, ec2, private):
    other_vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    elsewhere = ec2.create_subnet(VpcId=other_vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]

    assert (
        code(cache.modify_cache_subnet_group, CacheSubnetGroupName=private, SubnetIds=[elsewhere]) == "InvalidSubnet"
    )


def test_a_group_in_use_is_not_deleted(cache, paper, private):
    cache.redis(CacheSubnetGroupName=private)

    assert refusal(cache.delete_cache_subnet_group, CacheSubnetGroupName=private) == (
        "CacheSubnetGroupInUse",
        "Cache subnet group private is currently in use by a cache cluster.",
    )
    settle(paper)
    cache.delete_cache_cluster(CacheClusterId="one")
    settle(paper)
    cache.delete_cache_subnet_group(CacheSubnetGroupName=private)
    assert refusal(cache.describe_cache_subnet_groups, CacheSubnetGroupName=private) == (
        "CacheSubnetGroupNotFoundFault",
        "Cache Subnet Group private does not exist.",
    )


def test_the_group_default_is_not_deleted(cache):
    assert code(cache.delete_cache_subnet_group, CacheSubnetGroupName="default") == "InvalidParameterValue"


def test_a_subnet_with_a_node_is_not_deleted(cache, ec2, subnet, private):
    cache.redis(CacheSubnetGroupName=private, PreferredAvailabilityZone="us-east-1a")

    assert code(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"


def test_groups_belong_to_an_account_and_are_listed_in_pages(cache, paper, make, subnet):
    for n in range(20):
        make(f"g{n:02d}", subnet)
    other = paper.client("elasticache", account="222222222222")

    pages = list(cache.get_paginator("describe_cache_subnet_groups").paginate(PaginationConfig={"PageSize": 20}))

    assert [len(page["CacheSubnetGroups"]) for page in pages] == [20, 1]
    assert [g["CacheSubnetGroupName"] for g in other.describe_cache_subnet_groups()["CacheSubnetGroups"]] == [
        "default"
    ]
    assert code(other.describe_cache_subnet_groups, CacheSubnetGroupName="g00") == "CacheSubnetGroupNotFoundFault"
