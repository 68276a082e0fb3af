"""The egress-only gateway: IPv6 flows pass it that begin inside, and their answers.

Two layers, `outward` and `inward`.  In a VPC that has an internet gateway beside it, the internet leads answers to
that one.  Source: VPC User Guide, "Egress-only internet gateways".
"""

from dataclasses import replace

from atoll.model.lookup import egress_only_gateway_of, internet_gateway_of
from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, owner, refuse
from atoll.network.layers.internet_gateway import departing, is_private, stays_private


def outward(hop: Hop) -> Finding | None:
    """Let a flow out that began inside."""
    sender, route, packet = hop.sender, hop.route, hop.packet
    if sender is None or route is None or not route.target.startswith("eigw-"):
        return None
    if hop.asked is not None:
        because = f"{route.target} did not let the request in: it lets no answer to it out"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, route.target, because)
    if refusal := stays_private(hop, route.target):
        return refusal
    if owner(hop.world, sender.vpc_id, packet.source) is None:
        because = f"{packet.source} is no address of {sender.vpc_id}"
        return refuse(Verdict.REFUSED, Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS, route.target, because)
    return departing(hop, route.target, packet.source)


def inward(hop: Hop) -> Finding | None:
    """Let answers in, and nothing else."""
    if not hop.abroad or hop.target is None or internet_gateway_of(hop.world, hop.target.vpc_id):
        return None
    gateway = egress_only_gateway_of(hop.world, hop.target.vpc_id)
    assert gateway, "no global address is in force without a gateway"
    if hop.asked is None:
        because = f"{gateway.id} is egress-only: it lets nothing in that is no answer"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, gateway.id, because)
    if is_private(hop.packet.source):
        because = f"{hop.packet.source} is a private address: it cannot come from the internet"
        return refuse(Verdict.REFUSED, Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS, gateway.id, because)
    return Finding(gateway.id, "it answers what began inside", then=replace(hop, abroad=False))
