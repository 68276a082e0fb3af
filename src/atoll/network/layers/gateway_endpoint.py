"""Gateway endpoint: a route of a service's prefix list leads to it, and it leads to the service.

Source: AWS PrivateLink guide, "Gateway endpoints"; Reachability Analyzer, "Explanation codes".
"""

from atoll.model.endpoint import S3_ADDRESS, VpcEndpoint
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import TCP, Code, Packet, Verdict
from atoll.network.layers.groups import what
from atoll.network.layers.hop import Asked, Finding, Hop, owner, refuse

PORTS = (80, 443)


def judge(hop: Hop) -> Finding | None:
    """Let a packet through from an address of the VPC to the service; say whom an answer does not find."""
    sender, route, packet = hop.sender, hop.route, hop.packet
    if sender is None:
        return _nobody(hop) if hop.from_endpoint and hop.target is None else None
    if route is None or not route.target.startswith("vpce-"):
        return None
    endpoint = hop.world[VpcEndpoint, route.target]
    if not any(packet.source in cidr for cidr in hop.world[Vpc, sender.vpc_id].cidrs):
        because = f"{packet.source} is not in {sender.vpc_id}: {endpoint.id} is for its own VPC only"
        code = Code.VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION
        return refuse(Verdict.REFUSED, code, endpoint.id, because)
    if packet.protocol != TCP or packet.port not in PORTS:
        because = f"a gateway endpoint carries tcp 80 and 443, not {what(packet)}"
        return refuse(Verdict.REFUSED, Code.VPCE_GATEWAY_PROTOCOL_RESTRICTION, endpoint.id, because)
    if not endpoint.serves_objects or packet.destination != S3_ADDRESS:
        because = f"nothing of {endpoint.service_name} answers at {packet.destination} here"
        return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, endpoint.id, because)
    return Finding(endpoint.id, f"{endpoint.service_name} answers at {endpoint.id}", receiver=endpoint.id)


def comes_back(world: World, endpoint_id: str, packet: Packet, asked: Asked) -> Hop:
    """Return the hop of an answer from a service behind a gateway endpoint."""
    vpc_id = world[VpcEndpoint, endpoint_id].vpc_id
    target = owner(world, vpc_id, packet.destination)
    return Hop(world, packet, target=target, asked=asked, from_endpoint=True)


def _nobody(hop: Hop) -> Finding:
    because = f"no interface has {hop.packet.destination}"
    return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, str(hop.packet.source), because)
