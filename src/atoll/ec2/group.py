"""Security groups.  Their rules are in `rule.py`."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import cast

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2 import errors, permission, quotas
from atoll.ec2.filters import Table, listing, select
from atoll.ec2.ipv6 import everywhere_rule
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.ec2.vpc import ANYWHERE
from atoll.model import quota
from atoll.model.classic import is_classic, network_of
from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Interface
from atoll.model.names import arn
from atoll.model.quota import allowed
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

DUPLICATE = Err("InvalidGroup.Duplicate", "The security group '{name}' already exists for VPC '{vpc}'")
DUPLICATE_IN_CLASSIC = Err("InvalidGroup.Duplicate", "The security group '{name}' already exists")
RESERVED = Err("InvalidParameterValue", "Cannot use reserved security group name: {name}")
BAD_NAME = Err(
    "InvalidParameterValue",
    "Value ({value}) for parameter {name} is invalid. It takes at most 255 of the characters a-zA-Z0-9. _-:/()#,@[]"
    "+=&;{{}}!$*",
)
LIKE_AN_ID = Err(
    "InvalidParameterValue",
    "Value ({value}) for parameter GroupName is invalid. Group names may not be in the format sg-*.",
)
NO_DEFAULT_VPC = Err("VPCIdNotSpecified", "No default VPC for this user")
NO_NAMED_GROUP = Err("InvalidGroup.NotFound", "The security group '{name}' does not exist in default VPC '{vpc}'")
CANNOT_DELETE = Err("CannotDelete", 'the specified group: "{id}" name: "{name}" cannot be deleted by a user')
IN_USE = Err("DependencyViolation", "resource {id} has a dependent object")
IN_USE_IN_CLASSIC = Err("InvalidGroup.InUse", "There are active instances or caches using security group '{id}'")
VPC_GROUPS_ONLY = Err("InvalidParameterValue", "Only Amazon VPC security groups may be used with this operation.")
NO_GROUP_IN_CLASSIC = Err("InvalidGroup.NotFound", "The security group '{name}' does not exist")
OTHER_NETWORK = Err("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")

NAME_CHARS_MAX = 255
NAME = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]+")


def _rules(egress: bool) -> Table:
    """Return the filters on the rules of one direction."""
    prefix = "egress.ip-permission." if egress else "ip-permission."

    def mine(g: SecurityGroup) -> list[Rule]:
        return [r for r in g.rules if r.egress is egress]

    def names(w: World, g: SecurityGroup) -> list[str]:
        named = (w.get(SecurityGroup, r.group_id) for r in mine(g) if r.group_id)  # a peer's may have gone
        return [group.name for group in named if group]

    return {
        prefix + "cidr": lambda _w, g: [r.cidr for r in mine(g) if isinstance(r.cidr, IPv4Network)],
        prefix + "from-port": lambda _w, g: [r.from_port for r in mine(g)],
        prefix + "group-id": lambda _w, g: [r.group_id for r in mine(g)],
        prefix + "group-name": names,
        prefix + "ipv6-cidr": lambda _w, g: [r.cidr for r in mine(g) if isinstance(r.cidr, IPv6Network)],
        prefix + "prefix-list-id": lambda _w, g: [r.prefix_list_id for r in mine(g)],
        prefix + "protocol": lambda _w, g: [r.protocol for r in mine(g)],
        prefix + "to-port": lambda _w, g: [r.to_port for r in mine(g)],
        prefix + "user-id": lambda _w, g: [r.group_account for r in mine(g)],
    }


FILTERS: Table = {
    "description": "description",
    "group-id": "id",
    "group-name": "name",
    "owner-id": "account",
    "vpc-id": lambda w, g: None if is_classic(w, g.vpc_id) else g.vpc_id,
    **_rules(egress=False),
    **_rules(egress=True),
}
FOR_VPC_FILTERS: Table = {
    "description": "description",
    "group-id": "id",
    "group-name": "name",
    "owner-id": "account",
    "primary-vpc-id": "vpc_id",
}


@operation("ec2", "CreateSecurityGroup")
def create_security_group(
    tx: Tx,
    *,
    group_name: str,
    description: str,
    vpc_id: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Create a group that lets everything out and nothing in."""
    _check_name(group_name, "GroupName")
    if group_name == "default":
        raise RESERVED(name=group_name)
    if group_name.lower().startswith("sg-"):
        raise LIKE_AN_ID(value=group_name)
    if not description:
        raise errors.MISSING(name="GroupDescription")
    _check_name(description, "GroupDescription")
    vpc = find(tx.world, Vpc, vpc_id) if vpc_id else home(tx.world)
    tags = tags_for("security-group", tag_specifications)
    if named(tx.world, vpc.id, group_name):
        raise (
            DUPLICATE_IN_CLASSIC(name=group_name)
            if is_classic(tx.world, vpc.id)
            else DUPLICATE(name=group_name, vpc=vpc.id)
        )
    quotas.check(tx.world.count(SecurityGroup), allowed(tx.world, quota.GROUPS), quotas.GROUP_LIMIT)
    rules: tuple[Rule, ...] = (Rule(id=tx.new_id("sgr"), egress=True, protocol="-1", cidr=ANYWHERE),)
    if vpc.ranges6:
        rules = (*rules, everywhere_rule(tx))
    group = tx.make(
        SecurityGroup,
        tx.new_id("sg"),
        vpc_id=vpc.id,
        name=group_name,
        description=description,
        rules=rules,
        tags=tags,
    )
    return {"GroupId": group.id, "SecurityGroupArn": _arn(group), "Tags": render_tags(group)}


def _check_name(text: str, parameter: str) -> None:
    if len(text) > NAME_CHARS_MAX or not NAME.fullmatch(text):
        raise BAD_NAME(value=text, name=parameter)


@operation("ec2", "DescribeSecurityGroups", pure=True)
def describe_security_groups(
    world: World,
    *,
    group_ids: Sequence[str] = (),
    group_names: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List security groups; names are those of the default VPC."""
    if group_names:
        if max_results is not None:
            raise errors.BOTH(one="groupNames", other="maxResults")
        group_ids = [*group_ids, *(choose(world, None, name).id for name in group_names)]
    found, token = listing(
        world,
        SecurityGroup,
        FILTERS,
        ids=group_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="groupIds",
    )
    return {"SecurityGroups": [told(world, render, g) for g in found], "NextToken": token}


@operation("ec2", "DeleteSecurityGroup")
def delete_security_group(tx: Tx, *, group_id: str | None = None, group_name: str | None = None) -> Shape:
    """Delete a group that no interface carries and no other group names."""
    group = choose(tx.world, group_id, group_name)
    if group.name == "default":
        raise CANNOT_DELETE(id=group.id, name=group.name)
    in_use = IN_USE_IN_CLASSIC if is_classic(tx.world, group.vpc_id) else IN_USE
    carriers = tx.world.bucket(Interface, "vpc_id", group.vpc_id).values()
    if any(group.id in cast(Interface, i).group_ids for i in carriers):
        raise in_use(id=group.id)
    for other in cast("Iterable[SecurityGroup]", tx.world.bucket(SecurityGroup, "vpc_id", group.vpc_id).values()):
        if other.id != group.id and any(r.group_id == group.id for r in other.rules):
            raise in_use(id=group.id)
    tx.delete(group)
    return {"Return": True, "GroupId": group.id}


@operation("ec2", "GetSecurityGroupsForVpc", pure=True)
def get_security_groups_for_vpc(
    world: World,
    *,
    vpc_id: str,
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the groups that interfaces of a VPC may carry: its own."""
    vpc = find(world, Vpc, vpc_id)
    groups = select(world, world.all(SecurityGroup, vpc_id=vpc.id), filters, FOR_VPC_FILTERS)
    page, token = page_ec2(groups, lambda g: g.id, max_results, next_token)
    shown = [
        {
            "GroupId": g.id,
            "GroupName": g.name,
            "Description": g.description,
            "OwnerId": g.account,
            "PrimaryVpcId": g.vpc_id,
            "Tags": render_tags(g),
        }
        for g in page
    ]
    return {"SecurityGroupForVpcs": shown, "NextToken": token}


def choose(world: World, group_id: str | None, group_name: str | None) -> SecurityGroup:
    """Return the caller's group by its id, or, in the default VPC or EC2-Classic, by its name."""
    if group_id:
        return find(world, SecurityGroup, group_id)
    if not group_name:
        raise errors.MISSING(name="groupName or groupId")
    vpc = home(world)
    if group := named(world, vpc.id, group_name):
        return group
    if is_classic(world, vpc.id):
        raise NO_GROUP_IN_CLASSIC(name=group_name)
    raise NO_NAMED_GROUP(name=group_name, vpc=vpc.id)


def named(world: World, vpc_id: str, name: str) -> SecurityGroup | None:
    """Return the group of a VPC with a name."""
    return next(world.all(SecurityGroup, place=(vpc_id, name)), None)


def groups_for(world: World, vpc_id: str, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the groups that a new interface of a VPC carries: those asked for, else the default one.

    Raises the NotFound errors, OTHER_NETWORK for a group of another VPC, quotas.GROUPS_PER_INTERFACE.
    """
    if not ids:
        default = named(world, vpc_id, "default")
        assert default, "every VPC has a default group"
        return (default.id,)
    groups = [find(world, SecurityGroup, id) for id in dict.fromkeys(ids)]
    if any(g.vpc_id != vpc_id for g in groups):
        raise OTHER_NETWORK()
    if len(groups) > allowed(world, quota.GROUPS_PER_INTERFACE):
        raise quotas.GROUPS_PER_INTERFACE()
    return tuple(g.id for g in groups)


def home(world: World) -> Vpc:
    """Return where a group is that is named without a VPC: the default one, or else EC2-Classic."""
    for vpc in world.all(Vpc):
        if vpc.is_default:
            return vpc
    if network := network_of(world):
        return network
    raise NO_DEFAULT_VPC()


def refuse_classic(world: World, group: SecurityGroup) -> None:
    """Raise VPC_GROUPS_ONLY for a group of EC2-Classic: it has no rules for what goes out."""
    if is_classic(world, group.vpc_id):
        raise VPC_GROUPS_ONLY()


def render(world: World, g: SecurityGroup) -> Shape:
    """Return a group as AWS shows it; one of EC2-Classic has neither a VPC nor rules for what goes out."""
    shape: Shape = {
        "GroupId": g.id,
        "GroupName": g.name,
        "Description": g.description,
        "OwnerId": g.account,
        "VpcId": g.vpc_id,
        "SecurityGroupArn": _arn(g),
        "IpPermissions": permission.render(world, g.rules, egress=False),
        "IpPermissionsEgress": permission.render(world, g.rules, egress=True),
        "Tags": render_tags(g),
    }
    if is_classic(world, g.vpc_id):
        del shape["VpcId"]
        shape["IpPermissionsEgress"] = []
    return shape


def _arn(g: SecurityGroup) -> str:
    return arn("ec2", g.region, g.account, f"security-group/{g.id}")
