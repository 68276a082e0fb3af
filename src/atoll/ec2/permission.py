"""Permissions, as callers write them and as AWS shows them, and the rules they stand for.

One IpPermission may name many sources; each source is a rule of its own.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.ec2 import errors
from atoll.ec2.cidr import read_cidr, read_cidr6
from atoll.ec2.kinds import find
from atoll.ec2.peer_group import NO_GROUP, OTHER_NETWORK, from_peer, render_pair
from atoll.ec2.prefix_list_use import find_list
from atoll.model.group import Rule, SecurityGroup
from atoll.model.names import arn
from atoll.model.world import World

PORT_MAX = 65535
ICMP_MAX = 255
DESCRIPTION_CHARS_MAX = 255

UNKNOWN_PROTOCOL = Err("InvalidParameterValue", "Invalid value '{protocol}' for IP protocol. Unknown protocol.")
NO_PORTS = Err(
    "InvalidParameterValue", "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."
)
BAD_PORTS = Err("InvalidParameterValue", "Invalid TCP/UDP port range ({low}:{high})")
BAD_ICMP = Err("InvalidParameterValue", "Invalid ICMP type and code ({low}:{high})")
BAD_BLOCK = Err("InvalidParameterValue", "CIDR block {cidr} is malformed")
BAD_DESCRIPTION = Err(
    "InvalidParameterValue",
    "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  "
    "a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*",
)
NO_NAMED_GROUP = Err("InvalidGroup.NotFound", "The security group '{name}' does not exist in VPC '{vpc}'")
REPEATED = Err("InvalidParameterValue", "The same permission must not appear multiple times")

PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}
NAMES = ("tcp", "udp", "icmp", "icmpv6", "-1")
CHARACTERS = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*")


class Identity(NamedTuple):
    """What makes two rules of a group the same: everything but description, tags and id."""

    egress: bool
    protocol: str
    from_port: int
    to_port: int
    source: IPv4Network | IPv6Network | str | None


def identity(r: Rule) -> Identity:
    """Return what tells a rule from the others of its group."""
    return Identity(r.egress, r.protocol, r.from_port, r.to_port, r.cidr or r.group_id or r.prefix_list_id)


def read(world: World, group: SecurityGroup, permissions: Sequence[Shape], *, egress: bool) -> list[Rule]:
    """Return the rules that permissions stand for, without ids; raises the error of the first that is wrong.

    A group that the group's rules name already may be named again, also when it is no longer peered, or has gone:
    whoever revokes a stale rule must.
    """
    rules = [rule for p in permissions for rule in _sources(world, group, p, egress)]
    if len({identity(r) for r in rules}) < len(rules):
        raise REPEATED()
    return rules


def _sources(world: World, group: SecurityGroup, p: Shape, egress: bool) -> Iterator[Rule]:
    protocol = read_protocol(p.get("IpProtocol"))
    low, high = read_ports(protocol, p.get("FromPort"), p.get("ToPort"))
    rule = Rule(id="", egress=egress, protocol=protocol, from_port=low, to_port=high)
    rules = [
        *((s, replace(rule, cidr=read_block(s.get("CidrIp")))) for s in p.get("IpRanges", ())),
        *((s, replace(rule, cidr=read_block6(s.get("CidrIpv6")))) for s in p.get("Ipv6Ranges", ())),
        *((s, _from_list(world, rule, s)) for s in p.get("PrefixListIds", ())),
        *((s, _from_group(world, group, rule, s)) for s in p.get("UserIdGroupPairs", ())),
    ]
    if not rules:
        raise errors.MISSING(name="ipRanges, ipv6Ranges, prefixListIds or groups")
    for source, found in rules:
        description = read_description(source.get("Description"))
        yield replace(found, description=description) if description != found.description else found


def _from_list(world: World, rule: Rule, source: Shape) -> Rule:
    return replace(rule, prefix_list_id=find_list(world, source.get("PrefixListId") or "null").id)


def _from_group(world: World, group: SecurityGroup, rule: Rule, pair: Shape) -> Rule:
    id, owner = pair.get("GroupId"), pair.get("UserId")
    known = next((r for r in group.rules if id and r.group_id == id and r.peering_id), None)
    if known is not None:
        return replace(
            rule,
            group_id=id,
            group_account=known.group_account,
            group_vpc_id=known.group_vpc_id,
            peering_id=known.peering_id,
        )
    found = world.get(SecurityGroup, id) if id else None
    if (found and found.vpc_id != group.vpc_id) or (id and owner not in (None, "", group.account)):
        return from_peer(world, group, rule, pair)
    source = _group_of(world, group, pair)
    return replace(rule, group_id=source.id, group_account=source.account)


def read_protocol(text: str | None) -> str:
    """Return a protocol as EC2 writes it; raises UNKNOWN_PROTOCOL."""
    name = (text or "null").lower()
    if name.isdecimal() and name.isascii() and len(name) <= 3 and int(name) <= 255:
        return PROTOCOLS.get(str(int(name)), str(int(name)))
    name = PROTOCOLS.get(name, name)
    if name not in NAMES:
        raise UNKNOWN_PROTOCOL(protocol=text or "null")
    return name


def read_ports(protocol: str, low: int | None, high: int | None) -> tuple[int, int]:
    """Return a range of ports, or an ICMP type and code; -1, -1 for what has none."""
    if protocol in ("tcp", "udp"):
        if low is None or high is None:
            raise NO_PORTS()
        if not 0 <= low <= high <= PORT_MAX:
            raise BAD_PORTS(low=low, high=high)
        return low, high
    if protocol in ("icmp", "icmpv6"):
        kind, code = -1 if low is None else low, -1 if high is None else high
        if not (-1 <= kind <= ICMP_MAX and -1 <= code <= ICMP_MAX) or (kind == -1 and code != -1):
            raise BAD_ICMP(low=kind, high=code)
        return kind, code
    return -1, -1  # AWS ignores them


def read_block(text: str | None) -> IPv4Network:
    """Return an IPv4 source; raises BAD_BLOCK."""
    cidr = read_cidr(text or "")
    if cidr is None:
        raise BAD_BLOCK(cidr=text or "null")
    return cidr


def read_block6(text: str | None) -> IPv6Network:
    """Return an IPv6 source; raises BAD_BLOCK."""
    cidr = read_cidr6(text or "")
    if cidr is None:
        raise BAD_BLOCK(cidr=text or "null")
    return cidr


def read_description(text: str | None) -> str | None:
    """Return a rule's description, or `None` for an empty one; raises BAD_DESCRIPTION."""
    if text is not None and (len(text) > DESCRIPTION_CHARS_MAX or not CHARACTERS.fullmatch(text)):
        raise BAD_DESCRIPTION()
    return text or None


def read_group(world: World, group: SecurityGroup, id: str) -> SecurityGroup:
    """Return the group that is a source for `group`: one of the same VPC.

    Raises the NotFound errors, OTHER_NETWORK.
    """
    source = find(world, SecurityGroup, id)
    if source.vpc_id != group.vpc_id:
        raise OTHER_NETWORK()
    return source


def _group_of(world: World, group: SecurityGroup, pair: Shape) -> SecurityGroup:
    if pair.get("VpcPeeringConnectionId"):
        raise OTHER_NETWORK()  # a group of the same VPC needs none
    id, name = pair.get("GroupId"), pair.get("GroupName")
    if not id and not name:
        raise errors.MISSING(name="groupName or groupId")
    if pair.get("UserId") not in (None, "", group.account):
        raise NO_GROUP(id=id or name)
    if pair.get("VpcId") not in (None, "", group.vpc_id):
        raise OTHER_NETWORK()
    named = list(world.all(SecurityGroup, place=(group.vpc_id, name)))
    if not id:
        if not named:
            raise NO_NAMED_GROUP(name=name, vpc=group.vpc_id)
        return named[0]
    source = read_group(world, group, id)
    if name and source not in named:
        raise NO_NAMED_GROUP(name=name, vpc=group.vpc_id)
    return source


def render(world: World, rules: Iterable[Rule], *, egress: bool) -> list[Shape]:
    """Return rules as IpPermissions: those of one protocol and port range together."""
    out: dict[tuple[str, int, int], Shape] = {}
    for r in rules:
        if r.egress is not egress:
            continue
        p = out.setdefault((r.protocol, r.from_port, r.to_port), _empty(r))
        source: Shape = {"Description": r.description} if r.description else {}
        if isinstance(r.cidr, IPv4Network):
            p["IpRanges"].append(source | {"CidrIp": str(r.cidr)})
        elif r.cidr:
            p["Ipv6Ranges"].append(source | {"CidrIpv6": str(r.cidr)})
        elif r.group_id:
            p["UserIdGroupPairs"].append(source | render_pair(world, r))
        else:
            p["PrefixListIds"].append(source | {"PrefixListId": r.prefix_list_id})
    return list(out.values())


def _empty(r: Rule) -> Shape:
    ports = {"FromPort": r.from_port, "ToPort": r.to_port} if r.protocol in NAMES[:-1] else {}
    return {
        "IpProtocol": r.protocol,
        **ports,
        "IpRanges": [],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
        "UserIdGroupPairs": [],
    }


def render_rule(world: World, group: SecurityGroup, r: Rule) -> Shape:
    """Return a rule as a SecurityGroupRule."""
    shape: Shape = {
        "SecurityGroupRuleId": r.id,
        "SecurityGroupRuleArn": arn("ec2", group.region, group.account, f"security-group-rule/{r.id}"),
        "GroupId": group.id,
        "GroupOwnerId": group.account,
        "IsEgress": r.egress,
        "IpProtocol": r.protocol,
        "FromPort": r.from_port,
        "ToPort": r.to_port,
        "Description": r.description,
        "Tags": [{"Key": key, "Value": value} for key, value in r.tags.items()],
    }
    if isinstance(r.cidr, IPv4Network):
        shape["CidrIpv4"] = str(r.cidr)
    elif r.cidr:
        shape["CidrIpv6"] = str(r.cidr)
    elif r.group_id:
        shape["ReferencedGroupInfo"] = {"VpcId": group.vpc_id} | render_pair(world, r)
    else:
        shape["PrefixListId"] = r.prefix_list_id
    return shape


def spell(r: Rule) -> str:
    """Return a rule as AWS's messages spell it: `peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW`."""
    peer = r.cidr or r.group_id or r.prefix_list_id
    if r.protocol in ("tcp", "udp"):
        what = f"{r.protocol.upper()}, from port: {r.from_port}, to port: {r.to_port}"
    elif r.protocol in ("icmp", "icmpv6"):
        kind, code = ("ALL" if n == -1 else n for n in (r.from_port, r.to_port))
        what = f"{r.protocol.upper()}, type: {kind}, code: {code}"
    else:
        what = "ALL" if r.protocol == "-1" else f"protocol: {r.protocol}"
    return f"peer: {peer}, {what}, ALLOW"
