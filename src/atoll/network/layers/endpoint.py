"""Interface endpoint: what is sent to it goes to the service behind it, and only the answers come back.

Two layers: `request` before the load balancer's, `answer` behind it.
Source: AWS PrivateLink guide, "AWS PrivateLink concepts", "Access AWS services through AWS PrivateLink".
"""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from typing import cast

from atoll.model.balancer import LoadBalancer
from atoll.model.endpoint import KIND, EndpointService, VpcEndpoint
from atoll.model.interface import Interface
from atoll.model.world import World
from atoll.network.flow import TCP, UDP, Code, Verdict
from atoll.network.layers.groups import what
from atoll.network.layers.hop import Finding, Hop, refuse
from atoll.network.layers.load_balancer import DOOR
from atoll.network.layers.sender import nobody_runs

API_PORTS = (80, 443)
FIRST = IPv4Address("169.254.128.0")  # + an endpoint's number: as a balancer knows it


def request(hop: Hop) -> Finding | None:
    """Lead a request through the wire, or to Atoll's own API."""
    target, packet = hop.target, hop.packet
    if target is None or target.kind != KIND or packet.source == DOOR:
        return None
    if missing := nobody_runs(hop.world, target):
        at, because, code = missing
        return Finding(at, because, False, code, Verdict.DOWN, receiver=target.id)
    endpoint = endpoint_of(hop.world, target)
    if hop.asked is not None:
        because = f"{endpoint.id} carries no flow that it answers: a provider opens nothing"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    if endpoint.service_id is None:
        if packet.protocol == TCP and packet.port in API_PORTS:
            return Finding(target.id, f"{endpoint.service_name} answers at {endpoint.id}", receiver=target.id)
        because = f"{endpoint.service_name} listens on tcp 80 and 443, not on {what(packet)}"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    node = node_behind(hop.world, endpoint, target.zone)
    if node is None:
        return _leads_nowhere(endpoint, target)
    if packet.protocol not in (TCP, UDP):
        because = f"an endpoint carries TCP and UDP, not {what(packet)}"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    after = packet.but(source=FIRST + endpoint.number, destination=DOOR)
    then = replace(hop, packet=after, sender=None, subnet=None, table=None, route=None, target=node)
    because = f"{endpoint.id} leads to {endpoint.service_id} in {node.vpc_id}, through {node.id}"
    return Finding(target.id, because, then=then, translator=target)


def answer(hop: Hop) -> Finding | None:
    """Give an answer that came through the wire back to who asked."""
    target = hop.target
    if target is None or target.kind != KIND:
        return None
    back = hop.asked.translated.get((target.id, hop.packet)) if hop.asked else None
    if back is None:  # of a trace that went on behind a refusal
        because = f"{target.id} knows no flow that this answers"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    return Finding(
        target.id, f"{target.id} gives it back to {back.destination}", then=replace(hop, packet=back), forwards=target
    )


def endpoint_of(world: World, interface: Interface) -> VpcEndpoint:
    """Return the endpoint that an interface belongs to."""
    found = cast("Iterator[VpcEndpoint]", world.bucket(VpcEndpoint, "vpc_id", interface.vpc_id).values())
    return next(e for e in found if any(foot.interface_id == interface.id for foot in e.feet))


def node_behind(world: World, endpoint: VpcEndpoint, zone: str) -> Interface | None:
    """Return the interface of the provider's balancer in a zone; None if the endpoint does not lead there (yet)."""
    service = world.get(EndpointService, endpoint.service_id or "")
    if service is None or not endpoint.stands:
        return None
    for id in reversed(service.balancer_ids):
        balancer = world.get(LoadBalancer, id)
        for node in balancer.nodes if balancer else ():
            if node.zone == zone:
                return world[Interface, node.interface_id]
    return None


def _leads_nowhere(endpoint: VpcEndpoint, target: Interface) -> Finding:
    if endpoint.stands:
        because = f"{endpoint.service_id} has no load balancer in {target.zone}"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    because = f"{endpoint.id} is {endpoint.state}: it does not lead to {endpoint.service_id}"
    return refuse(Verdict.REFUSED, Code.BAD_STATE, endpoint.id, because)
