"""VPC peering: from one VPC straight to an interface of the other, and to nothing behind it.

Source: VPC Peering Guide, "VPC peering limitations": no transitive peering, no edge-to-edge routing through gateways.
"""

from atoll.model.interface import Interface
from atoll.model.peering import Peering, peering_between
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, owner, refuse


def judge(hop: Hop) -> Finding | None:
    """Let a packet through from an address of our VPC to an interface of the peer."""
    sender, route, packet = hop.sender, hop.route, hop.packet
    if sender is None or route is None or not route.target.startswith("pcx-"):
        return None
    far = hop.world[Vpc, hop.world[Peering, route.target].beyond(sender.vpc_id).vpc_id]
    near = hop.world[Vpc, sender.vpc_id]
    for what, address, vpc in (("destination", packet.destination, far), ("source", packet.source, near)):
        if not vpc.holds(address):
            because = f"the {what} {address} is in no range of {vpc.id}: a peering leads no further"
            return refuse(Verdict.REFUSED, Code.PCX_REQUIRES_ADDRESS_IN_VPC_CIDR, route.target, because)
    if hop.target is None:
        because = f"no interface of {far.id} has {packet.destination}"
        return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, far.id, because)
    return Finding(route.target, f"{sender.vpc_id} -> {far.id}")


def named_member(world: World, asked: Interface, peer: Interface) -> Interface | None:
    """Return the interface at the other end of a peering, if a rule of ours may name its groups: in our region."""
    if peer.vpc_id == asked.vpc_id:
        return peer
    is_open = peering_between(world, asked.vpc_id, peer.vpc_id) is not None
    return peer if is_open and world[Vpc, peer.vpc_id].region == world[Vpc, asked.vpc_id].region else None


def source_member(hop: Hop) -> Interface | None:
    """Return the interface that owns the source of what comes through a peering; whoever of its VPC sent it."""
    assert hop.sender, "a packet between two VPCs has a sender"
    assert hop.target, "and comes to an interface"
    member = owner(hop.world, hop.sender.vpc_id, hop.packet.source)
    return named_member(hop.world, hop.target, member) if member else None
