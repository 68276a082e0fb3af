"""A hop: all that a layer may know of a packet between two interfaces, and what a layer answers.

Look-ups follow references and indexes, never a pass over the World.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from atoll.model.balancer import KIND as BALANCER
from atoll.model.endpoint import KIND as ENDPOINT
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import nat_interface, route_state, route_table_of
from atoll.model.peering import Peering
from atoll.model.prefix_list import prefix_list
from atoll.model.route import Route, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.flow import At, Code, Packet, Verdict
from atoll.network.inside.seen import Inside

NAT_GATEWAY = "nat_gateway"  # the kind of its interfaces
APPLIANCES = (NAT_GATEWAY, BALANCER, ENDPOINT)  # kinds behind which AWS's own machinery forwards


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request left behind, for its answer."""

    asker: At
    passed: frozenset[tuple[str, bool, Packet | None]] = frozenset()
    """(interface id, egress, answer): whose groups let it through, and which answer belongs to that flow."""
    translated: Mapping[tuple[str, Packet], Packet] = field(default_factory=dict)
    """(interface id, answer as it comes to a machine that translated) -> answer as the machine sends it on."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A packet on its way from one interface, or from the internet, to the next interface."""

    world: World
    packet: Packet
    sender: Interface | None = None  # that puts it on the wire; `None`: it comes from the internet
    subnet: Subnet | None = None  # of the sender
    table: RouteTable | None = None  # that routes it; `None`: its destination is in the sender's subnet
    route: Route | None = None  # that fits best; `None`: none does
    state: str = "active"  # of the route
    target: Interface | None = None  # the next interface; `None`: a gateway, or nobody
    abroad: bool = False  # on the internet, between gateways
    from_endpoint: bool = False  # it comes from a gateway endpoint, not from the internet
    asked: Asked | None = None  # the request that this packet answers; `None`: it is itself a request
    inside: Mapping[str, Inside] = field(default_factory=dict)  # machines that somebody looked into, by interface

    @property
    def is_local(self) -> bool:
        """Tell whether the destination is in the sender's own subnet."""
        return self.sender is not None and self.table is None

    @property
    def stays_in_subnet(self) -> bool:
        """Tell whether the packet never crosses the edge of a subnet: then no ACL sees it."""
        if self.is_local or self.sender is None or self.target is None:
            return self.is_local
        return self.sender.subnet_id == self.target.subnet_id


@dataclass(frozen=True, slots=True)
class Finding:
    """What a layer says of a hop."""

    at: str
    because: str
    allowed: bool = True
    code: Code | None = None
    verdict: Verdict | None = None  # of the whole flow, when refused
    then: Hop | None = None  # the hop as the next layers see it; `None`: as before
    receiver: At | None = None  # it has arrived
    forwards: Interface | None = None  # whose machine sends it on
    rule: str | None = None  # of the resource: see `flow.Step`
    translator: Interface | None = None  # who translated it, if it goes on by another way than its own link


def is_judged(interface: Interface) -> bool:
    """Tell whether an interface has groups that judge: a NAT gateway has none, and a balancer may have none."""
    return bool(interface.group_ids) or interface.kind not in APPLIANCES


def refuse(verdict: Verdict, code: Code, at: str, because: str, *, rule: str | None = None) -> Finding:
    """Make the finding that ends a packet's way."""
    return Finding(at, because, allowed=False, code=code, verdict=verdict, rule=rule)


def owner(world: World, vpc_id: str, address: Ip) -> Interface | None:
    """Return the interface that has an address in a VPC.

    One look-up for primary addresses; for others a pass over the interfaces of the address's subnet.
    """
    for found in world.bucket(Interface, "address" if address.version == 4 else "ipv6_address", address).values():
        interface = cast(Interface, found)
        if interface.vpc_id == vpc_id:
            return interface
    subnet = subnet_at(world, vpc_id, address)
    if subnet is not None:
        for found in world.bucket(Interface, "subnet_id", subnet.id).values():
            interface = cast(Interface, found)
            if address in interface.ips:
                return interface
    return None


def subnet_at(world: World, vpc_id: str, address: Ip) -> Subnet | None:
    """Return the subnet of a VPC whose range holds an address.  Costs a pass over the VPC's subnets."""
    for subnet in world.bucket(Subnet, "vpc_id", vpc_id).values():
        if cast(Subnet, subnet).holds(address):
            return cast(Subnet, subnet)
    return None


def best_route(world: World, table: RouteTable, destination: Ip) -> Route | None:
    """Return the route with the longest prefix that holds the destination.

    Of equal prefixes one that is written in the table comes before one of a prefix list, and then the older route.
    Source: VPC User Guide, "Route priority".
    """
    best, rank = None, (-1, False)
    for route in table.routes:
        length = _fit(world, table, route, destination)
        if length is not None and (length, route.destination is not None) > rank:
            best, rank = route, (length, route.destination is not None)
    return best


def _fit(world: World, table: RouteTable, route: Route, destination: Ip) -> int | None:
    """Return the length of the longest prefix of a route that holds an address; `None`: none does."""
    if route.destination is not None:
        return route.destination.prefixlen if destination in route.destination else None
    listed = prefix_list(world, table.region, route.prefix_list_id or "")
    lengths = (n.prefixlen for n in listed.networks if destination in n) if listed else ()
    return max(lengths, default=None)


def leave(world: World, sender: Interface, packet: Packet, asked: Asked | None = None) -> Hop:
    """Return the hop of a packet that an interface puts on the wire."""
    subnet = world[Subnet, sender.subnet_id]
    if subnet.holds(packet.destination):
        target = owner(world, sender.vpc_id, packet.destination)
        return Hop(world, packet, sender, subnet, target=target, asked=asked)
    table = route_table_of(world, subnet)
    route = best_route(world, table, packet.destination)
    state, target = "active", None
    if route is not None:
        state = route_state(world, sender.vpc_id, route.target)
        if route.target == "local":
            target = owner(world, sender.vpc_id, packet.destination)
        elif route.target.startswith("eni-") and state == "active":
            target = world[Interface, route.target]
        elif route.target.startswith("nat-"):
            target = nat_interface(world, route.target)
        elif route.target.startswith("pcx-") and state == "active":
            far = world[Peering, route.target].beyond(sender.vpc_id)
            target = owner(world, far.vpc_id, packet.destination)
    return Hop(world, packet, sender, subnet, table, route, state, target, asked=asked)
