"""The path that a packet takes from an interface, as the field `traffic-path` of flow logs numbers it.

Source: VPC User Guide, "Flow log records", traffic-path.
"""

from atoll.model.endpoint import VpcEndpoint
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import route_table_of
from atoll.model.peering import Peering
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.layers.hop import best_route

SAME_VPC, GATEWAY, REGIONAL_PEERING, OTHER_REGION, GATEWAY_ENDPOINT, NITRO_GATEWAY = 1, 2, 4, 5, 7, 8


def traffic_path(world: World, interface: Interface, destination: Ip, *, is_nitro: bool) -> int | None:
    """Return the number of the path to a destination by the routes of now; `None`: none of AWS's values applies."""
    world = world.seen_by(None)
    subnet = world[Subnet, interface.subnet_id]
    if destination in subnet.cidr:
        return SAME_VPC
    route = best_route(world, route_table_of(world, subnet), destination)
    if route is None:
        return None
    match route.target.split("-")[0]:
        case "local" | "eni" | "nat":
            return SAME_VPC
        case "igw" | "eigw":
            return NITRO_GATEWAY if is_nitro else GATEWAY
        case "pcx":
            peering = world.get(Peering, route.target)
            if peering is None:
                return None
            return REGIONAL_PEERING if peering.requester.region == peering.accepter.region else OTHER_REGION
        case "vpce":
            endpoint = world.get(VpcEndpoint, route.target)
            if endpoint is not None and endpoint.type == "Gateway":
                return GATEWAY_ENDPOINT if is_nitro else GATEWAY
            return SAME_VPC
    return None
