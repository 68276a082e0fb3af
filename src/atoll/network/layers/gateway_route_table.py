"""Gateway route table: where a packet goes that came in through an internet gateway; without one, to its destination.

Source: VPC User Guide, "Gateway route tables", and "Middlebox routing": traffic through an internet gateway needs a
middlebox whose interface has a public address.
"""

from dataclasses import replace

from atoll.model.interface import Interface
from atoll.model.lookup import elastic_ip_of, gateway_route_table, internet_gateway_of, route_state
from atoll.model.route import LOCAL
from atoll.model.world import World
from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, best_route, refuse


def judge(hop: Hop) -> Finding | None:
    """Lead a packet from the internet by the table of its gateway."""
    if hop.sender is not None or hop.abroad or hop.from_endpoint or hop.target is None:
        return None
    gateway = internet_gateway_of(hop.world, hop.target.vpc_id)
    table = gateway_route_table(hop.world, gateway) if gateway else None  # an egress-only one has none
    if table is None:
        return None
    route = best_route(hop.world, table, hop.packet.destination)
    if route is None or route.target == LOCAL:  # an address outside of all routes is local, too
        towards = route.towards if route else None
        return Finding(table.id, f"{towards or hop.packet.destination} -> {LOCAL}", rule=towards)
    says = f"{route.towards} -> {route.target}"
    if route_state(hop.world, table.vpc_id, route.target) != "active":
        because = f"{says} of {table.id} is a blackhole"
        return refuse(Verdict.BLACKHOLE, Code.BAD_STATE_ROUTE, table.id, because, rule=route.towards)
    box = hop.world[Interface, route.target]
    if hop.packet.version == 6 and not box.ipv6_addresses:
        because = f"{says} of {table.id}: {box.id} has no IPv6 address: its machine knows no IPv6"
        return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, box.id, because)
    if hop.packet.version == 4 and not has_public_address(hop.world, box):
        assert gateway, "it has the table"
        because = f"{says} of {table.id}: {box.id} has no public address, so {gateway.id} sends it nothing"
        return refuse(Verdict.REFUSED, Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS, box.id, because)
    return Finding(table.id, says, then=replace(hop, target=box), rule=route.towards)


def has_public_address(world: World, interface: Interface) -> bool:
    """Tell whether one of an interface's addresses has a public one."""
    return interface.public_ip is not None or elastic_ip_of(world, interface.id) is not None
