"""Routes.  Every kind of target is one parameter, and exactly one is given."""

from ipaddress import IPv4Network

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2.association import BAD_STATE, SEVERAL_INTERFACES
from atoll.ec2.cidr import parse_cidr
from atoll.ec2.kinds import check_id, find
from atoll.ec2.peering import find_peering
from atoll.ec2.route_table import DIFFERENT_NETWORKS
from atoll.model.gateway import InternetGateway
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import interfaces_of
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import ENDED, Peering
from atoll.model.route import Route, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

EXISTS = Err("RouteAlreadyExists", "The route identified by {cidr} already exists.")
NO_ROUTE = Err(
    "InvalidParameterValue",
    "There is no route defined for '{cidr}' in the route table. Use CreateRoute instead.",
)
NOT_FOUND = Err("InvalidRoute.NotFound", "no route with destination-cidr-block {cidr} in route table {table}")
LOCAL = Err("InvalidParameterValue", "cannot {verb} local route {cidr} in route table {table}")
GATEWAY_NOT_FOUND = Err("InvalidGatewayID.NotFound", "The gateway ID '{id}' does not exist")
NAT_NOT_FOUND = Err("InvalidNatGatewayID.NotFound", "The natGateway ID '{id}' does not exist")
NAT_MALFORMED = Err("InvalidNatGatewayID.Malformed", errors.MALFORMED_MESSAGE)
SEVERAL_TARGETS = Err(
    "InvalidParameterCombination", "Exactly one route target may be specified, but several are: {names}"
)
TOO_SPECIFIC = Err(
    "InvalidParameterValue",
    "The destination CIDR block {cidr} is equal to or more specific than one of this VPC's CIDR blocks. This route "
    "can target only a NAT gateway, an interface or an instance.",
)
PEERING_ENDED = Err("InvalidStateTransition", "VPC peering connection {id} is {status}: it takes no route")
NO_SUBNET = Err("InvalidParameterValue", "Route destination {cidr} doesn't match any subnet CIDR blocks.")
RESERVED = Err("InvalidParameterValue", "The destination CIDR block {cidr} is reserved: it may not be routed.")

SERVICES = IPv4Network("169.254.168.0/22")  # VPC User Guide, "Route tables": may not be a destination

# Targets of which nobody has one: parameter -> prefix and errors of its ids.
ABSENT = {
    "vpc_endpoint_id": ("vpce", "InvalidVpcEndpointId.NotFound", "vpcEndpoint ID"),
    "transit_gateway_id": ("tgw", "InvalidTransitGatewayID.NotFound", "transitGateway ID"),
}


@operation("ec2", "CreateRoute", network=True)
def create_route(
    tx: Tx,
    *,
    route_table_id: str,
    destination_cidr_block: str | None = None,
    gateway_id: str | None = None,
    network_interface_id: str | None = None,
    instance_id: str | None = None,
    nat_gateway_id: str | None = None,
    vpc_peering_connection_id: str | None = None,
    vpc_endpoint_id: str | None = None,
    transit_gateway_id: str | None = None,
) -> Shape:
    """Add a route to a table."""
    table = find(tx.world, RouteTable, route_table_id)
    cidr = _destination(destination_cidr_block)
    targets = {
        "gateway_id": gateway_id,
        "network_interface_id": network_interface_id,
        "instance_id": instance_id,
        "nat_gateway_id": nat_gateway_id,
        "vpc_peering_connection_id": vpc_peering_connection_id,
        "vpc_endpoint_id": vpc_endpoint_id,
        "transit_gateway_id": transit_gateway_id,
    }
    route = _route(tx.world, table, cidr, targets)
    if any(r.destination == cidr for r in table.routes):
        raise EXISTS(cidr=cidr)
    quotas.check(len(table.routes), quotas.ROUTES_MAX, quotas.ROUTE_LIMIT)
    tx.put(table.but(routes=(*table.routes, route)))
    return {"Return": True}


@operation("ec2", "ReplaceRoute", network=True)
def replace_route(
    tx: Tx,
    *,
    route_table_id: str,
    destination_cidr_block: str | None = None,
    gateway_id: str | None = None,
    network_interface_id: str | None = None,
    instance_id: str | None = None,
    nat_gateway_id: str | None = None,
    vpc_peering_connection_id: str | None = None,
    vpc_endpoint_id: str | None = None,
    transit_gateway_id: str | None = None,
) -> None:
    """Give a route of a table another target."""
    table = find(tx.world, RouteTable, route_table_id)
    cidr = _destination(destination_cidr_block)
    old = next((r for r in table.routes if r.destination == cidr), None)
    if old is None:
        raise NO_ROUTE(cidr=cidr)
    if old.target == "local":
        raise LOCAL(verb="replace", cidr=cidr, table=table.id)
    targets = {
        "gateway_id": gateway_id,
        "network_interface_id": network_interface_id,
        "instance_id": instance_id,
        "nat_gateway_id": nat_gateway_id,
        "vpc_peering_connection_id": vpc_peering_connection_id,
        "vpc_endpoint_id": vpc_endpoint_id,
        "transit_gateway_id": transit_gateway_id,
    }
    new = _route(tx.world, table, cidr, targets)
    tx.put(table.but(routes=tuple(new if r == old else r for r in table.routes)))


@operation("ec2", "DeleteRoute", network=True)
def delete_route(tx: Tx, *, route_table_id: str, destination_cidr_block: str | None = None) -> None:
    """Remove a route from a table; the local ones stay."""
    table = find(tx.world, RouteTable, route_table_id)
    cidr = _destination(destination_cidr_block)
    old = next((r for r in table.routes if r.destination == cidr), None)
    if old is None:
        raise NOT_FOUND(cidr=cidr, table=table.id)
    if old.target == "local":
        raise LOCAL(verb="remove", cidr=cidr, table=table.id)
    tx.put(table.but(routes=tuple(r for r in table.routes if r != old)))


def _destination(text: str | None) -> IPv4Network:
    if text is None:
        raise errors.MISSING(name="destinationCidrBlock")
    cidr = parse_cidr(text, "destinationCidrBlock")
    if cidr.subnet_of(SERVICES):
        raise RESERVED(cidr=cidr)
    return cidr


def _route(world: World, table: RouteTable, cidr: IPv4Network, targets: dict[str, str | None]) -> Route:
    """Return the route asked for, if its target may have it."""
    given = {name: id for name, id in targets.items() if id}
    if not given:
        raise errors.MISSING(name="gatewayId, instanceId or networkInterfaceId")
    if len(given) > 1:
        raise SEVERAL_TARGETS(names=", ".join(given))
    ((name, id),) = given.items()
    if name in ABSENT:
        prefix, code, called = ABSENT[name]
        check_id(id, prefix, Err(f"{code.removesuffix('.NotFound')}.Malformed", errors.MALFORMED_MESSAGE))
        raise Err(code, "The {called} '{id}' does not exist")(called=called, id=id)
    if name in ("gateway_id", "vpc_peering_connection_id"):
        if any(cidr.subnet_of(block) for block in world[Vpc, table.vpc_id].cidrs):
            raise TOO_SPECIFIC(cidr=cidr)
        target = _gateway(world, table, id) if name == "gateway_id" else _peering(world, table, id)
        return Route(destination=cidr, target=target.id)
    if name == "nat_gateway_id":
        return _to_nat_gateway(world, table, cidr, id)
    return _to_interface(world, table, cidr, name, id)


def _gateway(world: World, table: RouteTable, id: str) -> InternetGateway:
    gateway = world.get(InternetGateway, id)
    if gateway is None:
        raise GATEWAY_NOT_FOUND(id=id)
    if gateway.vpc_id != table.vpc_id:
        raise DIFFERENT_NETWORKS(table=table.id, what="network gateway", id=id)
    return gateway


def _peering(world: World, table: RouteTable, id: str) -> Peering:
    """Return a connection of the table's VPC; the route is a blackhole until it is accepted."""
    peering = find_peering(world, id)
    if not peering.has(table.vpc_id):
        raise DIFFERENT_NETWORKS(table=table.id, what="vpc peering connection", id=id)
    if peering.status in ENDED:
        raise PEERING_ENDED(id=id, status=peering.status)
    return peering


def _to_nat_gateway(world: World, table: RouteTable, cidr: IPv4Network, id: str) -> Route:
    gateway = world.get(NatGateway, id)
    if gateway is None or not gateway.stands:
        check_id(id, "nat", NAT_MALFORMED)
        raise NAT_NOT_FOUND(id=id)
    if gateway.vpc_id != table.vpc_id:
        raise DIFFERENT_NETWORKS(table=table.id, what="nat gateway", id=gateway.id)
    _check_inside(world, table, cidr)
    return Route(destination=cidr, target=gateway.id)


def _to_interface(world: World, table: RouteTable, cidr: IPv4Network, name: str, id: str) -> Route:
    if name == "instance_id":
        instance = find(world, Instance, id)
        interfaces = interfaces_of(world, instance.id)
        if not interfaces:
            raise BAD_STATE(state=instance.state, id=instance.id)
        if len(interfaces) > 1:
            raise SEVERAL_INTERFACES(id=instance.id)
        interface = interfaces[0]
    else:
        interface = find(world, Interface, id)
    if interface.vpc_id != table.vpc_id:
        raise DIFFERENT_NETWORKS(table=table.id, what="interface", id=interface.id)
    _check_inside(world, table, cidr)
    return Route(destination=cidr, target=interface.id, instance_id=interface.instance_id)


def _check_inside(world: World, table: RouteTable, cidr: IPv4Network) -> None:
    """A destination inside the VPC must be a whole subnet.  Source: VPC User Guide, "Route priority"."""
    inside = any(cidr.subnet_of(block) for block in world[Vpc, table.vpc_id].cidrs)
    if inside and not any(s.cidr == cidr for s in world.all(Subnet, vpc_id=table.vpc_id)):
        raise NO_SUBNET(cidr=cidr)
