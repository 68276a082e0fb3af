"""Survey security groups and network ACLs: all groups first, then their rules, which may name each other."""

from collections.abc import Iterator
from ipaddress import IPv6Network

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.group import Rule, SecurityGroup
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.recipe.step import Made, Parameters, Step
from atoll.recipe.survey_vpc import called, finding, tagged

ICMP = ("icmp", "icmpv6")
ANYWHERE = ("0.0.0.0/0", "::/0")


def steps(world: World) -> Iterator[Step]:
    """Yield the steps of all groups and ACLs."""
    for group in world.all(SecurityGroup):
        yield _group(world, group)
    for group in world.all(SecurityGroup):
        yield from _rules(group)
    for acl in world.all(NetworkAcl):
        yield from _acl(world, acl)


def _group(world: World, group: SecurityGroup) -> Step:
    vpc = world.get(Vpc, group.vpc_id)
    if group.name == "default":
        name = f"{called(vpc.tags, 'vpc') if vpc else 'vpc'}-default"
        filters = {"vpc-id": group.vpc_id, "group-name": "default"}
        if vpc is not None and vpc.is_default:
            source = ("aws_security_group", (("name", "default"), ("vpc_id", group.vpc_id)))
            return finding("DescribeSecurityGroups", "SecurityGroups[0].GroupId", group.id, "default", "sg", filters,
                source=source)  # fmt: skip
        return finding("DescribeSecurityGroups", "SecurityGroups[0].GroupId", group.id, name, "sg", filters,
            of=group.vpc_id, terraform="default_security_group_id")  # fmt: skip
    return Step(service="ec2", operation="CreateSecurityGroup",
        parameters={"GroupName": group.name, "Description": group.description, "VpcId": group.vpc_id,
            **tagged("security-group", group.tags)},
        made=(Made(id=group.id, path="GroupId", name=group.name, kind="sg"),))  # fmt: skip


def _rules(group: SecurityGroup) -> Iterator[Step]:
    """Yield a call for each rule, and take away what a new group has and this one has not."""
    given = [rule for rule in group.rules if _is_given(group, rule)]
    for rule in group.rules:
        if rule not in given:
            way = "Egress" if rule.egress else "Ingress"
            yield Step(service="ec2", operation=f"AuthorizeSecurityGroup{way}", imports=rule.id,
                parameters={"GroupId": group.id, "IpPermissions": [permission(rule)],
                    **tagged("security-group-rule", rule.tags)},
                made=(Made(id=rule.id, path="SecurityGroupRules[0].SecurityGroupRuleId", name=group.name,
                    kind="sgr"),))  # fmt: skip
    if not any(rule.egress and str(rule.cidr) == "0.0.0.0/0" for rule in given):
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        yield Step(service="ec2", operation="RevokeSecurityGroupEgress", changes=group.id,
            parameters={"GroupId": group.id, "IpPermissions": [everything]})  # fmt: skip
    if group.name == "default" and not any(rule.group_id == group.id for rule in given):
        itself = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group.id}]}
        yield Step(service="ec2", operation="RevokeSecurityGroupIngress", changes=group.id,
            parameters={"GroupId": group.id, "IpPermissions": [itself]})  # fmt: skip


def _is_given(group: SecurityGroup, rule: Rule) -> bool:
    """Tell whether a new group has the rule by itself."""
    if rule.protocol != "-1" or rule.description or rule.tags:
        return False
    if rule.egress:
        return str(rule.cidr) == "0.0.0.0/0"
    return group.name == "default" and rule.group_id == group.id


def permission(rule: Rule) -> Parameters:
    """Return a rule as the API takes it."""
    said: Parameters = {"Description": rule.description} if rule.description else {}
    found: Parameters = {"IpProtocol": rule.protocol}
    if rule.protocol != "-1" and (rule.protocol in ("tcp", "udp", *ICMP)):
        found |= {"FromPort": rule.from_port, "ToPort": rule.to_port}
    if rule.cidr is not None:
        six = isinstance(rule.cidr, IPv6Network)
        key, member = ("Ipv6Ranges", "CidrIpv6") if six else ("IpRanges", "CidrIp")
        return {**found, key: [{member: str(rule.cidr), **said}]}
    if rule.prefix_list_id is not None:
        return {**found, "PrefixListIds": [{"PrefixListId": rule.prefix_list_id, **said}]}
    peer: Parameters = {"GroupId": rule.group_id, **said}
    if rule.peering_id and rule.group_account:
        peer["UserId"] = rule.group_account
    return {**found, "UserIdGroupPairs": [peer]}


def _acl(world: World, acl: NetworkAcl) -> Iterator[Step]:
    vpc = world[Vpc, acl.vpc_id]
    name = called(acl.tags, f"{called(vpc.tags, 'vpc')}-acl")
    if acl.is_default:
        yield finding("DescribeNetworkAcls", "NetworkAcls[0].NetworkAclId", acl.id,
            f"{called(vpc.tags, 'vpc')}-default", "acl", {"vpc-id": vpc.id, "default": "true"},
            of=vpc.id, terraform="default_network_acl_id")  # fmt: skip
    else:
        yield Step(service="ec2", operation="CreateNetworkAcl",
            parameters={"VpcId": vpc.id, **tagged("network-acl", acl.tags)},
            made=(Made(id=acl.id, path="NetworkAcl.NetworkAclId", name=name, kind="acl"),))  # fmt: skip
    given = [e for e in acl.entries if acl.is_default and _is_default(e)]
    ways = {(e.egress, e.cidr.version) for e in given}
    for egress in (False, True):
        if acl.is_default and (egress, 4) not in ways:
            yield Step(service="ec2", operation="DeleteNetworkAclEntry", changes=acl.id,
                parameters={"NetworkAclId": acl.id, "Egress": egress, "RuleNumber": 100})  # fmt: skip
    for entry in acl.entries:
        if entry not in given:
            yield _entry(acl, entry, name)
    if not acl.is_default:
        for subnet in world.all(Subnet):
            if subnet.acl_id == acl.id:
                yield from _association(acl, subnet)


def _is_default(entry: AclEntry) -> bool:
    number = 100 if entry.cidr.version == 4 else 101
    return entry.number == number and entry.allow and entry.protocol == -1 and str(entry.cidr) in ANYWHERE


def _entry(acl: NetworkAcl, entry: AclEntry, name: str) -> Step:
    asked: Parameters = {"NetworkAclId": acl.id, "Egress": entry.egress, "RuleNumber": entry.number,
        "Protocol": str(entry.protocol), "RuleAction": "allow" if entry.allow else "deny",
        "CidrBlock" if entry.cidr.version == 4 else "Ipv6CidrBlock": str(entry.cidr)}  # fmt: skip
    if entry.protocol in (6, 17):
        asked["PortRange"] = {"From": entry.from_port, "To": entry.to_port}
    elif entry.protocol in (1, 58):
        asked["IcmpTypeCode"] = {"Type": entry.from_port, "Code": entry.to_port}
    return Step(service="ec2", operation="CreateNetworkAclEntry", parameters=asked,
        made=(Made(id=f"{acl.id} {entry.egress} {entry.number}", path="", name=f"{name}-{entry.number}",
            kind="entry"),),
        imports=f"{acl.id}:{entry.number}:{entry.protocol}:{str(entry.egress).lower()}")  # fmt: skip


def _association(acl: NetworkAcl, subnet: Subnet) -> Iterator[Step]:
    """Give a subnet another ACL: by the association that it has from the beginning."""
    id = f"association of {subnet.id}"
    path = f"NetworkAcls[0].Associations[?SubnetId=='{subnet.id}'].NetworkAclAssociationId | [0]"
    yield finding("DescribeNetworkAcls", path, id, f"{called(subnet.tags, 'subnet')}-acl", "assoc",
        {"association.subnet-id": subnet.id}, of=subnet.id)  # fmt: skip
    yield Step(service="ec2", operation="ReplaceNetworkAclAssociation",
        parameters={"AssociationId": id, "NetworkAclId": acl.id}, changes=subnet.id)  # fmt: skip
