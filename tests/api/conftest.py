"""Fixtures: an API on paper, and clients of one account, of another, and in another region."""

import pytest

from tests.api.paper import OTHER_ACCOUNT, OTHER_REGION, Paper


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
