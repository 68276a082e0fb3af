"""Where a route may lead: every kind of target is one parameter, exactly one is given, and not each fits everywhere.

                      outside the VPC          a whole subnet                  a range of the VPC (`local`, replaced)
    a subnet's table  any target               interface, NAT gateway          interface, NAT gateway
    a gateway's       nothing                  interface                       interface

Source: VPC User Guide, "Route tables", "Gateway route tables", "Route priority".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from atoll.aws.errors import Err
from atoll.ec2 import errors
from atoll.ec2.association import BAD_STATE, SEVERAL_INTERFACES
from atoll.ec2.kinds import check_id, find
from atoll.ec2.peering import find_peering
from atoll.model.endpoint import VpcEndpoint
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Net, lies_in
from atoll.model.lookup import interfaces_of
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import ENDED
from atoll.model.route import LOCAL, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World

DIFFERENT_NETWORKS = Err("InvalidParameterValue", "route table {table} and {what} {id} belong to different networks")
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
EDGE_OUTSIDE = Err(
    "InvalidParameterValue",
    "The destination CIDR block {cidr} is outside the CIDR blocks of {vpc}. Route table {table} is a gateway route "
    "table.",
)
EDGE_LIST = Err(
    "InvalidParameterValue", "A prefix list cannot be the destination of a route in the gateway route table {table}."
)
EDGE_TARGET = Err(
    "InvalidParameterValue",
    "The target {target} is not supported in the gateway route table {table}: only local, a network interface or a "
    "Gateway Load Balancer endpoint is.",
)

ONLY_IPV6 = Err(
    "InvalidParameterValue",
    "The destination CIDR block {cidr} is not IPv6: an egress-only internet gateway takes no other.",
)
NO_IPV6_NAT = Err("UnsupportedOperation", "A route for IPv6 to a NAT gateway (NAT64) is not supported by Atoll.")
EGRESS_ONLY_NOT_FOUND = Err("InvalidGatewayID.NotFound", "The eigw ID '{id}' does not exist")

# VPC User Guide, "Route tables": may not be a destination.
SERVICES: tuple[Net, ...] = (IPv4Network("169.254.168.0/22"), IPv6Network("fd00:ec2::/32"))

V6 = 6

# Targets of which nobody has one: parameter -> prefix and errors of its ids.
ABSENT = {
    "vpc_endpoint_id": ("vpce", "InvalidVpcEndpointId.NotFound", "vpcEndpoint ID"),
    "transit_gateway_id": ("tgw", "InvalidTransitGatewayID.NotFound", "transitGateway ID"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A target of the caller's, in the VPC of the table."""

    id: str
    instance_id: str | None = None  # that has the interface


def find_target(world: World, table: RouteTable, targets: Mapping[str, str | None]) -> Target:
    """Return the one target that is given, as parameter name -> id; raises the error of what it cannot be."""
    given = {name: id for name, id in targets.items() if id}
    if not given:
        raise errors.MISSING(name="gatewayId, instanceId or networkInterfaceId")
    if len(given) > 1:
        raise SEVERAL_TARGETS(names=", ".join(given))
    ((name, id),) = given.items()
    if name in ABSENT:
        prefix, code, called = ABSENT[name]
        if name == "vpc_endpoint_id" and world.get(VpcEndpoint, id):
            raise errors.UNSUPPORTED(what="A route to a VPC endpoint that is no Gateway Load Balancer's")
        check_id(id, prefix, Err(f"{code.removesuffix('.NotFound')}.Malformed", errors.MALFORMED_MESSAGE))
        raise Err(code, "The {called} '{id}' does not exist")(called=called, id=id)
    if name == "local_target":
        return Target(LOCAL)
    if name == "gateway_id":
        return Target(find_gateway(world, table, id).id)
    if name == "egress_only_internet_gateway_id":
        return _egress_only(world, table, id)
    if name == "vpc_peering_connection_id":
        return _peering(world, table, id)
    if name == "nat_gateway_id":
        return _nat_gateway(world, table, id)
    return _interface(world, table, name, id)


def check_destination(world: World, table: RouteTable, cidr: Net, target: str) -> None:
    """Raise the error of a destination that may not have such a target in this table."""
    if any(lies_in(cidr, reserved) for reserved in SERVICES):
        raise RESERVED(cidr=cidr)
    if target.startswith("eigw-") and cidr.version != V6:
        raise ONLY_IPV6(cidr=cidr)
    if target.startswith("nat-") and cidr.version == V6:
        raise NO_IPV6_NAT()
    vpc = world[Vpc, table.vpc_id]
    blocks: tuple[Net, ...] = (*vpc.cidrs, *vpc.cidrs6)
    inside = any(lies_in(cidr, block) for block in blocks)
    if table.is_of_gateway:
        if not inside:
            raise EDGE_OUTSIDE(cidr=cidr, vpc=vpc.id, table=table.id)
        if target != LOCAL and not target.startswith("eni-"):
            raise EDGE_TARGET(target=target, table=table.id)
    if not inside or target == LOCAL:
        return
    if not target.startswith(("eni-", "nat-")):
        raise TOO_SPECIFIC(cidr=cidr)
    if cidr not in blocks and not any(cidr in (s.cidr, s.cidr6) for s in world.all(Subnet, vpc_id=vpc.id)):
        raise NO_SUBNET(cidr=cidr)


def check_edge(world: World, table: RouteTable) -> None:
    """Raise the error of a route that a gateway's table may not have."""
    for route in table.routes:
        if route.destination is None:
            raise EDGE_LIST(table=table.id)
        check_destination(world, table, route.destination, route.target)


def find_gateway(world: World, table: RouteTable, id: str) -> InternetGateway:
    """Return the caller's internet gateway that is attached to a table's VPC."""
    gateway = world.get(InternetGateway, id)
    if gateway is None:
        raise GATEWAY_NOT_FOUND(id=id)
    if gateway.vpc_id != table.vpc_id:
        raise DIFFERENT_NETWORKS(table=table.id, what="network gateway", id=id)
    return gateway


def _egress_only(world: World, table: RouteTable, id: str) -> Target:
    gateway = world.get(EgressOnlyGateway, id)
    if gateway is None:
        raise EGRESS_ONLY_NOT_FOUND(id=id)
    if gateway.vpc_id != table.vpc_id:
        raise DIFFERENT_NETWORKS(table=table.id, what="egress only internet gateway", id=id)
    return Target(gateway.id)


def _peering(world: World, table: RouteTable, id: str) -> Target:
    """Return a connection of the table's VPC; the route is a blackhole until it is accepted."""
    peering = find_peering(world, id)
    if not peering.has(table.vpc_id):
        raise DIFFERENT_NETWORKS(table=table.id, what="vpc peering connection", id=id)
    if peering.status in ENDED:
        raise PEERING_ENDED(id=id, status=peering.status)
    return Target(peering.id)


def _nat_gateway(world: World, table: RouteTable, id: str) -> Target:
    gateway = world.get(NatGateway, id)
    if gateway is None or not gateway.stands:
        check_id(id, "nat", NAT_MALFORMED)
        raise NAT_NOT_FOUND(id=id)
    if gateway.vpc_id != table.vpc_id:
        raise DIFFERENT_NETWORKS(table=table.id, what="nat gateway", id=gateway.id)
    return Target(gateway.id)


def _interface(world: World, table: RouteTable, name: str, id: str) -> Target:
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
    return Target(interface.id, interface.instance_id)
