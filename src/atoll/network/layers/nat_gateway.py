"""NAT gateway: it puts its own address in the place of a sender's in the VPC, and takes the answers back.

Source: VPC User Guide, "NAT gateways"; Reachability Analyzer, "Explanation codes".
"""

from dataclasses import replace
from ipaddress import IPv4Address

from atoll.model.interface import Interface
from atoll.model.vpc import Vpc
from atoll.network.flow import ICMP, NAT_PORTS, TCP, UDP, Code, Packet, Verdict, protocol_name
from atoll.network.layers.hop import NAT_GATEWAY, Finding, Hop, refuse
from atoll.network.layers.sender import nobody_runs


def judge(hop: Hop) -> Finding | None:
    """Translate what leaves the VPC through a gateway; refuse what nobody behind it asked for."""
    target = hop.target
    if target is None or target.kind != NAT_GATEWAY:
        return None
    finding, missing = _carry(hop, target), nobody_runs(hop.world, target)
    if missing is None or not finding.allowed:
        return finding
    _, because, code = missing
    return replace(finding, because=because, allowed=False, code=code, verdict=Verdict.DOWN)


def _carry(hop: Hop, target: Interface) -> Finding:
    packet = hop.packet
    back = hop.asked.translated.get((target.id, packet)) if hop.asked else None
    if back is not None:
        because = f"{target.id} gives it back to {back.destination}"
        return Finding(target.id, because, then=replace(hop, packet=back), forwards=target)
    if packet.destination in target.private_ips:
        because = f"nobody behind {target.id} asked for it: a NAT gateway lets nothing in that is no answer"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    refusal = _refusal(hop, target)
    if refusal is not None:
        return refusal
    after = translated(target.private_ips, packet)
    because = f"source {packet.source} becomes {after.source}"
    return Finding(target.id, because, then=replace(hop, packet=after), forwards=target)


def _refusal(hop: Hop, target: Interface) -> Finding | None:
    packet = hop.packet
    if hop.asked is not None and packet.protocol != UDP:  # UDP has no beginning to miss
        because = f"{target.id} knows no flow that it answers: its request went another way"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    if packet.source in target.private_ips:
        because = f"{packet.source} is an address of {target.id} itself: it does not translate what it sent"
        return refuse(Verdict.LOOP, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    if not any(packet.source in network for network in hop.world[Vpc, target.vpc_id].cidrs):
        because = f"{packet.source} is not in {target.vpc_id}: {target.id} is for its own VPC only"
        return refuse(Verdict.REFUSED, Code.NGW_REQUIRES_SOURCE_IN_VPC, target.id, because)
    if packet.protocol not in (TCP, UDP, ICMP):
        because = f"a NAT gateway carries TCP, UDP and ICMP, not protocol {protocol_name(packet.protocol)}"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    return None


def translated(addresses: tuple[IPv4Address, ...], packet: Packet) -> Packet:
    """Return a packet as a gateway with these addresses sends it on.

    With several addresses AWS does not say which one a flow gets; here it is any one.  A source port that the gateway
    does not give away becomes one that it does.
    """
    source = addresses[(int(packet.source) + packet.source_port) % len(addresses)]
    if packet.protocol == ICMP or packet.source_port in NAT_PORTS:
        return packet.but(source=source)
    return packet.but(source=source, source_port=NAT_PORTS.start)
