"""The rules of security groups: list them one by one, and change them in place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2 import errors, permission
from atoll.ec2.filters import Table, select
from atoll.ec2.group import choose
from atoll.ec2.kinds import check_id, find
from atoll.ec2.peer_group import check_peers
from atoll.ec2.permission import identity
from atoll.ec2.rule import BOTH_FORMS, DUPLICATE, NOT_FOUND, RULE_NOT_FOUND, check_count, find_rule
from atoll.model.classic import is_classic
from atoll.model.group import Rule, SecurityGroup
from atoll.model.world import Tx, World

RULE_MALFORMED = Err("InvalidSecurityGroupRuleId.Malformed", errors.MALFORMED_MESSAGE)
ONE_SOURCE = Err(
    "InvalidParameterValue",
    "Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId is required for the rule {id}.",
)
REPEATED = Err("InvalidParameterValue", "The security group rule ID '{id}' is specified more than once.")

SOURCES = {
    "CidrIpv4": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "PrefixListId": ("PrefixListIds", "PrefixListId"),
    "ReferencedGroupId": ("UserIdGroupPairs", "GroupId"),
}


@dataclass(frozen=True, slots=True)
class RuleOf:
    """A rule and its group."""

    group: SecurityGroup
    rule: Rule


FILTERS: Table = {"group-id": "group.id", "security-group-rule-id": "rule.id"}


@operation("ec2", "DescribeSecurityGroupRules", pure=True)
def describe_security_group_rules(
    world: World,
    *,
    security_group_rule_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List rules, each with its id."""
    if security_group_rule_ids and max_results is not None:
        raise errors.BOTH(one="securityGroupRuleIds", other="maxResults")
    groups = list(world.all(SecurityGroup))
    rules = [RuleOf(g, r) for g in groups for r in g.rules if not (r.egress and is_classic(world, g.vpc_id))]
    if security_group_rule_ids:
        known = {of.rule.id: of for of in rules}
        rules = [_found(known, id) for id in dict.fromkeys(security_group_rule_ids)]
    chosen = select(world, rules, filters, FILTERS, tags=lambda of: of.rule.tags)
    page, token = page_ec2(chosen, lambda of: of.rule.id, max_results, next_token)
    shown = [told(world, permission.render_rule, of.group, of.rule) for of in page]
    return {"SecurityGroupRules": shown, "NextToken": token}


def _found(known: dict[str, RuleOf], id: str) -> RuleOf:
    if id not in known:
        check_id(id, "sgr", RULE_MALFORMED)
        raise RULE_NOT_FOUND(id=id)
    return known[id]


@operation("ec2", "ModifySecurityGroupRules", network=True)
def modify_security_group_rules(tx: Tx, *, group_id: str, security_group_rules: Sequence[Shape]) -> Shape:
    """Say anew what rules allow; their ids and tags stay."""
    group = find(tx.world, SecurityGroup, group_id)
    if not security_group_rules:
        raise errors.MISSING(name="securityGroupRule")
    new: dict[str, Rule] = {}
    for update in security_group_rules:
        old = find_rule(group, update["SecurityGroupRuleId"])
        if old.id in new:
            raise REPEATED(id=old.id)
        if not update.get("SecurityGroupRule"):
            raise errors.MISSING(name="securityGroupRule.securityGroupRule")
        new[old.id] = _changed(tx.world, group, old, update["SecurityGroupRule"])
    rules = tuple(new.get(r.id, r) for r in group.rules)
    seen: set[permission.Identity] = set()
    for rule in rules:
        if identity(rule) in seen:
            raise DUPLICATE(rule=permission.spell(rule))
        seen.add(identity(rule))
    check_count(tx.world, group, rules)
    tx.put(group.but(rules=rules))
    return {"Return": True}


def _changed(world: World, group: SecurityGroup, old: Rule, request: Shape) -> Rule:
    sources = [member for member in SOURCES if request.get(member)]
    if len(sources) != 1:
        raise ONE_SOURCE(id=old.id)
    members, member = SOURCES[sources[0]]
    source: Shape = {member: request[sources[0]], "Description": request.get("Description")}
    wanted = {name: request.get(name) for name in ("IpProtocol", "FromPort", "ToPort")} | {members: [source]}
    if member == "GroupId" and (named := world.seen_by(None).get(SecurityGroup, source[member])):
        source["UserId"] = named.account  # this form has no member for it
    (rule,) = permission.read(world, group, [wanted], egress=old.egress)
    check_peers(world, [rule])
    return replace(rule, id=old.id, tags=old.tags)


@operation("ec2", "UpdateSecurityGroupRuleDescriptionsIngress")
def update_security_group_rule_descriptions_ingress(
    tx: Tx,
    *,
    group_id: str | None = None,
    group_name: str | None = None,
    ip_permissions: Sequence[Shape] = (),
    security_group_rule_descriptions: Sequence[Shape] = (),
) -> Shape:
    """Describe rules that let packets in; without a description, an old one is removed."""
    group = choose(tx.world, group_id, group_name)
    return _describe(tx, group, ip_permissions, security_group_rule_descriptions, egress=False)


@operation("ec2", "UpdateSecurityGroupRuleDescriptionsEgress")
def update_security_group_rule_descriptions_egress(
    tx: Tx,
    *,
    group_id: str | None = None,
    group_name: str | None = None,
    ip_permissions: Sequence[Shape] = (),
    security_group_rule_descriptions: Sequence[Shape] = (),
) -> Shape:
    """Describe rules that let packets out; without a description, an old one is removed."""
    group = choose(tx.world, group_id, group_name)
    return _describe(tx, group, ip_permissions, security_group_rule_descriptions, egress=True)


def _describe(
    tx: Tx, group: SecurityGroup, permissions: Sequence[Shape], descriptions: Sequence[Shape], *, egress: bool
) -> Shape:
    if permissions and descriptions:
        raise BOTH_FORMS(one="ipPermissions", other="securityGroupRuleDescriptions")
    if not permissions and not descriptions:
        raise errors.MISSING(name="ipPermissions or securityGroupRuleDescriptions")
    texts: dict[str, str | None] = {}
    for d in descriptions:
        rule = find_rule(group, d.get("SecurityGroupRuleId", ""), egress=egress)
        texts[rule.id] = permission.read_description(d.get("Description"))
    known = {identity(r): r for r in group.rules}
    for wanted in permission.read(tx.world, group, permissions, egress=egress):
        if identity(wanted) not in known:
            raise NOT_FOUND()
        texts[known[identity(wanted)].id] = wanted.description
    tx.put(group.but(rules=tuple(replace(r, description=texts[r.id]) if r.id in texts else r for r in group.rules)))
    return {"Return": True}
