"""The nodes of a replication group reach each other, whatever the user's security groups say; nobody else gains."""

import pytest

from atoll.model.interface import Interface
from atoll.network.flow import Verdict
from atoll.network.trace import trace
from tests.api.caches import settle


@pytest.fixture
def closed(ec2, vpc):
    """The id of a security group that lets nothing in."""
    return ec2.create_security_group(GroupName="closed", Description="no rules", VpcId=vpc)["GroupId"]


@pytest.fixture
def group(cache, paper, private, closed):
    cache.group("rg", 3, CacheSubnetGroupName=private, SecurityGroupIds=[closed])
    settle(paper)
    return "rg"


def nodes(paper):
    return [i for i in paper.world.all(Interface) if i.description.startswith("ElastiCache")]


def verdicts(paper, protocol="tcp", port=6379):
    members = nodes(paper)
    pairs = [(a, b) for a in members for b in members if a is not b]
    return {trace(paper.world, a.id, b.address, protocol, port).verdict for a, b in pairs}


@pytest.mark.usefixtures("group")
def test_members_reach_each_other_through_a_group_without_rules(paper):
    assert verdicts(paper) == {Verdict.DELIVERED}


def test_they_still_do_when_the_user_changes_the_groups(cache, ec2, paper, vpc, group):
    other = ec2.create_security_group(GroupName="other", Description="none", VpcId=vpc)["GroupId"]

    cache.modify_replication_group(ReplicationGroupId=group, SecurityGroupIds=[other], ApplyImmediately=True)

    assert verdicts(paper) == {Verdict.DELIVERED}
    assert all(i.group_ids[0] == other for i in nodes(paper))


@pytest.mark.usefixtures("group")
def test_nobody_else_reaches_them(cache, paper, private, closed):
    members = nodes(paper)
    cache.memcached(CacheSubnetGroupName=private, SecurityGroupIds=[closed])
    (other,) = [node for node in nodes(paper) if node not in members]

    found = {trace(paper.world, other.id, node.address, "tcp", 6379).verdict for node in members}

    assert found == {Verdict.DENIED}


@pytest.mark.usefixtures("group")
def test_two_groups_do_not_reach_each_other(cache, paper, private, closed):
    cache.group("other", 2, CacheSubnetGroupName=private, SecurityGroupIds=[closed])

    assert Verdict.DENIED in verdicts(paper)


@pytest.mark.usefixtures("group")
def test_a_primary_that_left_its_group_is_no_longer_reached(cache, paper, group):
    cache.delete_replication_group(ReplicationGroupId=group, RetainPrimaryCluster=True)
    kept = next(i for i in nodes(paper) if i.description == "ElastiCache rg-001")

    found = {trace(paper.world, n.id, kept.address, "tcp", 6379).verdict for n in nodes(paper) if n is not kept}

    assert found == {Verdict.DENIED}
