"""Security groups: an interface lets through what any rule of any of its groups allows.  Stateful.

Two layers, `egress` and `ingress`.  An answer passes where its request passed the other way.  What the nodes of one
replication group send each other is AWS's own business, and is not asked about.  NAT gateways have no groups.
"""

from ipaddress import IPv4Network, IPv6Network

from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Interface
from atoll.model.ip import Ip, Net
from atoll.model.lookup import same_cache
from atoll.model.prefix_list import rule_ranges
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import ALL, TCP, UDP, Code, Packet, Verdict, protocol_name, protocol_number
from atoll.network.layers.hop import Finding, Hop, is_judged, owner, refuse
from atoll.network.layers.peering import named_member, source_member

EVERYONE: dict[int, Net] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
PORT_MAX = 65535


def egress(hop: Hop) -> Finding | None:
    """Ask the sender's groups."""
    if hop.sender is None or not is_judged(hop.sender):
        return None
    # What leads to a middlebox is not sent to the member itself; what leads nowhere is judged by its address.
    if hop.target is None:
        member = owner(hop.world, hop.sender.vpc_id, hop.packet.destination)
    else:
        member = hop.target if hop.packet.destination in hop.target.ips else None
        member = named_member(hop.world, hop.sender, member) if member else None
    return _ask(hop, hop.sender, hop.packet.destination, member, egress=True)


def ingress(hop: Hop) -> Finding | None:
    """Ask the groups of the interface that the packet comes to."""
    if hop.target is None or not is_judged(hop.target):
        return None
    sender = hop.sender
    if sender is not None and sender.vpc_id != hop.target.vpc_id:
        return _ask(hop, hop.target, hop.packet.source, source_member(hop), egress=False)
    member = sender if sender is not None and hop.packet.source in sender.ips else None
    return _ask(hop, hop.target, hop.packet.source, member, egress=False)


def _ask(hop: Hop, interface: Interface, peer: Ip, member: Interface | None, *, egress: bool) -> Finding:
    if hop.asked is not None and (interface.id, not egress, hop.packet) in hop.asked.passed:
        return Finding(interface.id, "it answers what was allowed the other way")
    if hop.sender is not None and hop.target is not None and same_cache(hop.world, hop.sender, hop.target):
        return Finding(interface.id, "nodes of one replication group need no rule")
    direction = "outbound" if egress else "inbound"
    silent = True
    for id in interface.group_ids:
        group = hop.world[SecurityGroup, id]
        for rule in group.rules:
            if rule.egress is egress:
                silent = silent and group.owner != interface.owner  # a service's own group is nobody's to see
                if matches(hop.world, group, rule, hop.packet, peer, member):
                    return Finding(interface.id, f"{rule.id} in {id}", rule=rule.id)
    own = (id for id in interface.group_ids if hop.world[SecurityGroup, id].owner == interface.owner)
    groups = " or ".join(own) or "any group"
    if silent:
        because = f"{groups} has no {direction} rules"
        return refuse(Verdict.DENIED, Code.SG_HAS_NO_RULES, interface.id, because)
    because = f"no rule of {groups} allows {what(hop.packet)} {'to' if egress else 'from'} {peer}"
    return refuse(Verdict.DENIED, Code.ENI_SG_RULES_MISMATCH, interface.id, because)


def matches(
    world: World, group: SecurityGroup, rule: Rule, packet: Packet, peer: Ip, member: Interface | None
) -> bool:
    """Tell whether a rule of a group allows a packet whose other end is `peer`, which `member` (if anybody) has."""
    if not fits(protocol_number(rule.protocol), rule.from_port, rule.to_port, packet):
        return False
    if rule.group_id is None:
        return any(peer in network for network in rule_ranges(world, group.region, rule))
    if member is None or member.vpc_id != (rule.group_vpc_id or group.vpc_id):
        return False
    return rule.group_id in member.group_ids


def is_untracked(world: World, interface: Interface, packet: Packet, *, egress: bool) -> bool:
    """Tell whether an interface's groups let a flow through without tracking it: then a revoked rule cuts it at once.

    So it is with TCP and UDP when a rule admits everyone, and another admits everyone on all ports the other way.
    A tracked flow outlives its rule.  Source: EC2 User Guide, "Untracked connections".
    """
    if packet.protocol not in (TCP, UDP):
        return False
    region, everyone = world[Vpc, interface.vpc_id].region, EVERYONE[packet.version]
    named = [r for id in interface.group_ids for r in world[SecurityGroup, id].rules]
    rules = [r for r in named if everyone in rule_ranges(world, region, r)]
    admitted = any(
        r.egress is egress and fits(protocol_number(r.protocol), r.from_port, r.to_port, packet) for r in rules
    )
    return admitted and any(
        r.egress is not egress
        and protocol_number(r.protocol) in (ALL, packet.protocol)
        and (r.from_port, r.to_port) in ((-1, -1), (0, PORT_MAX))
        for r in rules
    )


def fits(protocol: int, low: int, high: int, packet: Packet) -> bool:
    """Tell whether a protocol with its ports (for ICMP: type and code, -1 for any) covers a packet."""
    if protocol == ALL:
        return True
    if protocol != packet.protocol:
        return False
    if packet.is_icmp:
        return low < 0 or (low == packet.source_port and (high < 0 or high == packet.port))
    return protocol not in (TCP, UDP) or low < 0 or low <= packet.port <= high


def what(packet: Packet) -> str:
    """Name what a filter is asked to allow: "tcp 6379", "icmp type 8"."""
    name = protocol_name(packet.protocol)
    if packet.protocol in (TCP, UDP):
        return f"{name} {packet.port}"
    return f"{name} type {packet.source_port}" if packet.is_icmp else f"protocol {name}"
