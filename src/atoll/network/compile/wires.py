"""Wires of PrivateLink: which interface of a consumer's leads to which node of a provider's load balancer.

    client -> eni of the endpoint (consumer's VPC) == wire == eni of the balancer's node (provider's VPC) -> target

The two ends know each other by link-local addresses only, so the ranges of the two VPCs may overlap.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

from atoll.model.balancer import LoadBalancer
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.fault import dead
from atoll.model.interface import Interface
from atoll.model.names import digest
from atoll.model.world import World

DOOR = IPv4Address("169.254.255.1")  # a balancer's node, as endpoints know it
FIRST = IPv4Address("169.254.128.0")  # an endpoint is known by this + its number
NUMBERS_MAX = 0x7EFF  # below DOOR's last 256 addresses


class Wire(NamedTuple):
    """A pair of links between an endpoint's interface and a balancer's."""

    near_id: str  # the endpoint's interface
    far_id: str  # the balancer's interface
    number: int  # of the endpoint, among those of its service

    @property
    def link(self) -> str:
        """The name of both links: at most 15 characters, as Linux asks."""
        return "n" + digest(f"{self.near_id} {self.far_id}", 12)

    @property
    def source(self) -> IPv4Address:
        """The endpoint's address, as the balancer knows it."""
        return FIRST + self.number


def wires_of(world: World) -> Mapping[str, tuple[Wire, ...]]:
    """Return every wire, by the interfaces at its two ends.  Costs nothing where nobody has an endpoint."""
    found: dict[str, list[Wire]] = {}
    for endpoint in world.all(VpcEndpoint):
        service = world.get(EndpointService, endpoint.service_id) if endpoint.service_id else None
        if service is None or not endpoint.stands:
            continue
        nodes = {n.zone: n for id in service.balancer_ids if (b := world.get(LoadBalancer, id)) for n in b.nodes}
        for foot in endpoint.feet:
            if foot.zone in nodes:
                wire = Wire(foot.interface_id, nodes[foot.zone].interface_id, endpoint.number)
                if any(dead(world, world[Interface, id]) for id in (wire.near_id, wire.far_id)):
                    continue
                for id in (wire.near_id, wire.far_id):
                    found.setdefault(id, []).append(wire)
    return {id: tuple(wires) for id, wires in found.items()}
