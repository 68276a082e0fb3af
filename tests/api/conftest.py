"""Fixtures: an API on paper, and clients of one account, of another, and in another region."""

import pytest

from tests.api import caches
from tests.api.paper import OTHER_ACCOUNT, OTHER_REGION, Paper
from tests.api.peerings import ask


@pytest.fixture
def paper():
    return Paper()


@pytest.fixture
def ec2(paper):
    return paper.client()


@pytest.fixture
def stranger(paper):
    """The same region in another account."""
    return paper.client(account=OTHER_ACCOUNT)


@pytest.fixture
def abroad(paper):
    """The same account in another region."""
    return paper.client(region=OTHER_REGION)


@pytest.fixture
def vpc(ec2):
    """The id of a VPC, 10.0.0.0/16."""
    return ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def subnet(ec2, vpc):
    """The id of a subnet of that VPC, 10.0.1.0/24 in us-east-1a."""
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1a")
    return made["Subnet"]["SubnetId"]


@pytest.fixture
def cache(paper):
    """An ElastiCache client on a machine that has the engines of `caches.BUILDS`."""
    caches.install(paper)
    return caches.Caches(paper.client("elasticache"))


@pytest.fixture
def private(ec2, cache, vpc, subnet):
    """The name of a cache subnet group of the VPC, with that subnet and another in us-east-1b."""
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="private", CacheSubnetGroupDescription="nodes", SubnetIds=[subnet, other]
    )
    return "private"


@pytest.fixture
def near(ec2):
    return ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def far(ec2):
    return ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def theirs(stranger):
    return stranger.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def overseas(abroad):
    return abroad.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def peered(paper, ec2, near, far):
    """An active connection between two VPCs of one account."""
    id = ask(ec2, near, far)
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=id)
    paper.settle()
    return id


@pytest.fixture
def abroad_peered(paper, ec2, stranger, near, theirs):
    """An active connection with a VPC of another account."""
    id = ask(ec2, near, theirs, PeerOwnerId=OTHER_ACCOUNT)
    stranger.accept_vpc_peering_connection(VpcPeeringConnectionId=id)
    paper.settle()
    return id
