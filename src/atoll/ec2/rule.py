"""The rules of security groups: authorize, revoke, modify, describe."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, permission, quotas
from atoll.ec2.group import choose, named, refuse_classic
from atoll.ec2.kinds import find
from atoll.ec2.peer_group import check_peers
from atoll.ec2.permission import identity
from atoll.ec2.prefix_list_use import rule_weight
from atoll.ec2.tags import tags_for
from atoll.model import quota
from atoll.model.group import Rule, SecurityGroup
from atoll.model.quota import allowed
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

DUPLICATE = Err("InvalidPermission.Duplicate", 'the specified rule "{rule}" already exists')
NOT_FOUND = Err("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
RULE_NOT_FOUND = Err("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '{id}' does not exist")
BOTH_FORMS = Err("InvalidParameterCombination", "The parameters {one} and {other} may not be used together.")

# Without a protocol, a source group given by name is let in with all of these.  Source: EC2 API Reference.
EVERYTHING = (("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1))


@operation("ec2", "AuthorizeSecurityGroupIngress", network=True)
def authorize_security_group_ingress(
    tx: Tx,
    *,
    group_id: str | None = None,
    group_name: str | None = None,
    ip_permissions: Sequence[Shape] = (),
    ip_protocol: str | None = None,
    from_port: int | None = None,
    to_port: int | None = None,
    cidr_ip: str | None = None,
    source_security_group_name: str | None = None,
    source_security_group_owner_id: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Let packets in."""
    group = choose(tx.world, group_id, group_name)
    flat = _flat(
        tx.world,
        group,
        (ip_protocol, from_port, to_port),
        cidr_ip,
        (source_security_group_name, source_security_group_owner_id),
    )
    return _authorize(tx, group, _one_form(ip_permissions, flat), tag_specifications, egress=False)


@operation("ec2", "AuthorizeSecurityGroupEgress", network=True)
def authorize_security_group_egress(
    tx: Tx, *, group_id: str, ip_permissions: Sequence[Shape] = (), tag_specifications: Sequence[Shape] = ()
) -> Shape:
    """Let packets out."""
    group = find(tx.world, SecurityGroup, group_id)
    refuse_classic(tx.world, group)
    return _authorize(tx, group, _one_form(ip_permissions, []), tag_specifications, egress=True)


def _flat(
    world: World,
    group: SecurityGroup,
    what: tuple[str | None, int | None, int | None],
    cidr_ip: str | None,
    source: tuple[str | None, str | None],
) -> list[Shape]:
    """Return the permissions of the flat parameters, which are older than IpPermissions."""
    protocol, low, high = what
    name, owner = source
    if name:
        if cidr_ip or protocol:
            raise BOTH_FORMS(one="sourceSecurityGroupName", other="cidrIp, ipProtocol")
        pair = {"GroupName": name, "UserId": owner} if owner else {"GroupName": name}
        if named(world, group.vpc_id, name) is None:
            raise permission.NO_NAMED_GROUP(name=name, vpc=group.vpc_id)
        return [{"IpProtocol": p, "FromPort": a, "ToPort": b, "UserIdGroupPairs": [pair]} for p, a, b in EVERYTHING]
    if owner:
        raise errors.MISSING(name="sourceSecurityGroupName")
    if protocol is None and cidr_ip is None and low is None and high is None:
        return []
    ranges = [{"CidrIp": cidr_ip}] if cidr_ip else []
    return [{"IpProtocol": protocol, "FromPort": low, "ToPort": high, "IpRanges": ranges}]


def _one_form(permissions: Sequence[Shape], flat: list[Shape]) -> Sequence[Shape]:
    if permissions and flat:
        raise BOTH_FORMS(one="ipPermissions", other="ipProtocol")
    if not permissions and not flat:
        raise errors.MISSING(name="ipPermissions")
    return permissions or flat


def _authorize(
    tx: Tx, group: SecurityGroup, permissions: Sequence[Shape], specifications: Sequence[Shape], *, egress: bool
) -> Shape:
    tags = tags_for("security-group-rule", specifications)
    wanted = permission.read(tx.world, group, permissions, egress=egress)
    check_peers(tx.world, wanted)
    known = {identity(r) for r in group.rules}
    for rule in wanted:
        if identity(rule) in known:
            raise DUPLICATE(rule=permission.spell(rule))
    check_count(tx.world, group, (*group.rules, *wanted))
    rules = [replace(rule, id=tx.new_id("sgr"), tags=tags) for rule in wanted]
    tx.put(group.but(rules=(*group.rules, *rules)))
    return {"Return": True, "SecurityGroupRules": [permission.render_rule(tx.world, group, r) for r in rules]}


def check_count(world: World, group: SecurityGroup, rules: Sequence[Rule]) -> None:
    """Raise RULE_LIMIT if these are too many rules for a group, in one direction and of one IP version.

    A group that has too many, since the quota was larger once, may keep as many.
    """
    limit = allowed(world, quota.RULES)
    if len(rules) <= limit and not any(r.prefix_list_id for r in rules):
        return  # only a prefix list counts as more than one
    for egress, version in product((False, True), (4, 6)):
        before, after = (
            rule_weight(world, group.region, [r for r in some if r.egress is egress], version=version)
            for some in (group.rules, rules)
        )
        if after > max(before, limit):
            raise quotas.RULE_LIMIT()


@operation("ec2", "RevokeSecurityGroupIngress", network=True)
def revoke_security_group_ingress(
    tx: Tx,
    *,
    group_id: str | None = None,
    group_name: str | None = None,
    ip_permissions: Sequence[Shape] = (),
    security_group_rule_ids: Sequence[str] = (),
    ip_protocol: str | None = None,
    from_port: int | None = None,
    to_port: int | None = None,
    cidr_ip: str | None = None,
    source_security_group_name: str | None = None,
    source_security_group_owner_id: str | None = None,
) -> Shape:
    """Take rules away that let packets in."""
    group = choose(tx.world, group_id, group_name)
    flat = _flat(
        tx.world,
        group,
        (ip_protocol, from_port, to_port),
        cidr_ip,
        (source_security_group_name, source_security_group_owner_id),
    )
    return _revoke(tx, group, [*ip_permissions, *flat], security_group_rule_ids, egress=False)


@operation("ec2", "RevokeSecurityGroupEgress", network=True)
def revoke_security_group_egress(
    tx: Tx,
    *,
    group_id: str,
    ip_permissions: Sequence[Shape] = (),
    security_group_rule_ids: Sequence[str] = (),
) -> Shape:
    """Take rules away that let packets out."""
    group = find(tx.world, SecurityGroup, group_id)
    refuse_classic(tx.world, group)
    return _revoke(tx, group, ip_permissions, security_group_rule_ids, egress=True)


def _revoke(tx: Tx, group: SecurityGroup, permissions: Sequence[Shape], ids: Sequence[str], *, egress: bool) -> Shape:
    if permissions and ids:
        raise BOTH_FORMS(one="ipPermissions", other="securityGroupRuleIds")
    if not permissions and not ids:
        raise errors.MISSING(name="ipPermissions or securityGroupRuleIds")
    unknown: list[Rule] = []
    if ids:
        gone = [find_rule(group, id, egress=egress) for id in dict.fromkeys(ids)]
    else:
        wanted = permission.read(tx.world, group, permissions, egress=egress)
        known = {identity(r): r for r in group.rules}
        gone = [known[identity(r)] for r in wanted if identity(r) in known]
        unknown = [r for r in wanted if identity(r) not in known]
        if unknown and not tx.world[Vpc, group.vpc_id].is_default:
            raise NOT_FOUND()
    tx.put(group.but(rules=tuple(r for r in group.rules if r not in gone)))
    return {
        "Return": True,
        "UnknownIpPermissions": permission.render(tx.world, unknown, egress=egress),
        "RevokedSecurityGroupRules": [_render_revoked(tx.world, group, r) for r in gone],
    }


def _render_revoked(world: World, group: SecurityGroup, rule: Rule) -> Shape:
    shape = permission.render_rule(world, group, rule)
    for member in ("GroupOwnerId", "SecurityGroupRuleArn", "Tags"):
        del shape[member]
    if source := shape.pop("ReferencedGroupInfo", None):
        shape["ReferencedGroupId"] = source["GroupId"]
    return shape


def find_rule(group: SecurityGroup, id: str, *, egress: bool | None = None) -> Rule:
    """Return a rule of a group, in one direction if that is given; raises RULE_NOT_FOUND."""
    for rule in group.rules:
        if rule.id == id and egress in (None, rule.egress):
            return rule
    raise RULE_NOT_FOUND(id=id)
