"""Security groups of peered VPCs as the source of rules, and what becomes of such rules.

A rule may name a group of a peer only while the peering is active and in one region.  Afterwards the rule stays and
matches nothing: it is stale.  Source: VPC Peering Guide, "Update your security groups to reference peer security
groups".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import cast

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2.kinds import find
from atoll.model.group import Rule, SecurityGroup
from atoll.model.peering import Peering, peering_between, peerings_of
from atoll.model.vpc import Vpc
from atoll.model.world import World

NO_GROUP = Err("InvalidGroup.NotFound", "The security group '{id}' does not exist")
OTHER_NETWORK = Err("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")


def from_peer(world: World, group: SecurityGroup, rule: Rule, pair: Shape) -> Rule:
    """Return the rule with a group of a peered VPC as its source; raises NO_GROUP, OTHER_NETWORK."""
    id = pair["GroupId"]
    source = world.seen_by(None).get(SecurityGroup, id)
    if source is None or source.region != group.region or source.account != (pair.get("UserId") or group.account):
        raise NO_GROUP(id=id)
    peering = peering_between(world, group.vpc_id, source.vpc_id)
    if peering is None and source.account != group.account:
        raise NO_GROUP(id=id)  # whether a stranger has such a group is not told
    if peering is None or pair.get("VpcId") not in (None, "", source.vpc_id):
        raise OTHER_NETWORK()
    if pair.get("VpcPeeringConnectionId") not in (None, "", peering.id):
        raise OTHER_NETWORK()
    return replace(
        rule,
        group_id=source.id,
        group_account=source.account,
        group_vpc_id=source.vpc_id,
        peering_id=peering.id,
    )


def check_peers(world: World, rules: Iterable[Rule]) -> None:
    """Raise OTHER_NETWORK if a new rule names a group that is not behind an active peering (any more)."""
    for rule in rules:
        if rule.peering_id and is_stale(world, rule):
            raise OTHER_NETWORK()


def is_stale(world: World, rule: Rule) -> bool:
    """Tell whether a rule names a group of a VPC that is no longer peered, or one that has gone."""
    if rule.peering_id is None or rule.group_id is None:
        return False
    world = world.seen_by(None)
    peering = world.get(Peering, rule.peering_id)
    return peering is None or not peering.is_open or world.get(SecurityGroup, rule.group_id) is None


def render_pair(world: World, rule: Rule) -> Shape:
    """Return the group that a rule names as AWS shows it, with the peering through which it is known."""
    shape: Shape = {"GroupId": rule.group_id, "UserId": rule.group_account}
    if rule.peering_id:
        peering = world.seen_by(None).get(Peering, rule.peering_id)
        shape |= {
            "VpcId": rule.group_vpc_id,
            "VpcPeeringConnectionId": rule.peering_id,
            "PeeringStatus": peering.status if peering else "deleted",
        }
    return shape


@operation("ec2", "DescribeSecurityGroupReferences")
def describe_security_group_references(world: World, *, group_id: Sequence[str]) -> Shape:
    """List the peered VPCs whose groups name these groups."""
    found = [one for id in group_id for one in _references(world, find(world, SecurityGroup, id))]
    return {"SecurityGroupReferenceSet": found}


def _references(world: World, group: SecurityGroup) -> Iterator[Shape]:
    for peering in peerings_of(world, group.vpc_id):
        far = peering.beyond(group.vpc_id).vpc_id
        groups = cast("Iterable[SecurityGroup]", world.bucket(SecurityGroup, "vpc_id", far).values())
        if peering.is_open and any(r.group_id == group.id for g in groups for r in g.rules):
            yield {"GroupId": group.id, "ReferencingVpcId": far, "VpcPeeringConnectionId": peering.id}


@operation("ec2", "DescribeStaleSecurityGroups")
def describe_stale_security_groups(
    world: World, *, vpc_id: str, max_results: int | None = None, next_token: str | None = None
) -> Shape:
    """List the groups of a VPC with rules that name groups of a VPC that is no longer peered, or that have gone."""
    vpc = find(world, Vpc, vpc_id)
    stale = [g for g in world.all(SecurityGroup, vpc_id=vpc.id) if any(is_stale(world, r) for r in g.rules)]
    page, token = page_ec2(stale, lambda g: g.id, max_results, next_token)
    return {"StaleSecurityGroupSet": [_render_stale(world, g) for g in page], "NextToken": token}


def _render_stale(world: World, group: SecurityGroup) -> Shape:
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "VpcId": group.vpc_id,
        "StaleIpPermissions": list(_stale_permissions(world, group, egress=False)),
        "StaleIpPermissionsEgress": list(_stale_permissions(world, group, egress=True)),
    }


def _stale_permissions(world: World, group: SecurityGroup, *, egress: bool) -> Iterator[Shape]:
    for rule in group.rules:
        if rule.egress is egress and is_stale(world, rule):
            ports = {} if rule.protocol == "-1" else {"FromPort": rule.from_port, "ToPort": rule.to_port}
            described = {"Description": rule.description} if rule.description else {}
            pair = render_pair(world, rule) | described
            yield {"IpProtocol": rule.protocol, **ports, "UserIdGroupPairs": [pair]}
