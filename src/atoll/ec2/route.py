"""Routes: a destination, a range or a prefix list, and the target that `route_target.py` finds."""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2.cidr import parse_cidr, parse_cidr6
from atoll.ec2.endpoint_route import check_free
from atoll.ec2.kinds import find
from atoll.ec2.prefix_list_use import check_list, find_list, route_weight
from atoll.ec2.route_target import EDGE_LIST, Target, check_destination, find_target
from atoll.model import quota
from atoll.model.ip import Net
from atoll.model.prefix_list import PrefixList
from atoll.model.quota import allowed
from atoll.model.route import LOCAL, Route, RouteTable
from atoll.model.world import Tx, World

EXISTS = Err("RouteAlreadyExists", "The route identified by {towards} already exists.")
NO_ROUTE = Err(
    "InvalidParameterValue",
    "There is no route defined for '{towards}' in the route table. Use CreateRoute instead.",
)
NOT_FOUND = Err("InvalidRoute.NotFound", "no route with destination-{what} {towards} in route table {table}")
IS_LOCAL = Err("InvalidParameterValue", "cannot remove local route {towards} in route table {table}")
NOT_LOCAL = Err(
    "InvalidParameterValue", "The route {towards} of {table} is no local route: it has no default target to restore."
)
BOTH_DESTINATIONS = Err(
    "InvalidParameterCombination",
    "Exactly one of destinationCidrBlock, destinationIpv6CidrBlock and destinationPrefixListId may be specified.",
)


@operation("ec2", "CreateRoute", network=True)
def create_route(
    tx: Tx,
    *,
    route_table_id: str,
    destination_cidr_block: str | None = None,
    destination_ipv6_cidr_block: str | None = None,
    destination_prefix_list_id: str | None = None,
    gateway_id: str | None = None,
    egress_only_internet_gateway_id: str | None = None,
    network_interface_id: str | None = None,
    instance_id: str | None = None,
    nat_gateway_id: str | None = None,
    vpc_peering_connection_id: str | None = None,
    vpc_endpoint_id: str | None = None,
    transit_gateway_id: str | None = None,
) -> Shape:
    """Add a route to a table."""
    table = find(tx.world, RouteTable, route_table_id)
    destination = _destination(
        tx.world, destination_cidr_block, destination_ipv6_cidr_block, destination_prefix_list_id
    )
    targets = {
        "gateway_id": gateway_id,
        "egress_only_internet_gateway_id": egress_only_internet_gateway_id,
        "network_interface_id": network_interface_id,
        "instance_id": instance_id,
        "nat_gateway_id": nat_gateway_id,
        "vpc_peering_connection_id": vpc_peering_connection_id,
        "vpc_endpoint_id": vpc_endpoint_id,
        "transit_gateway_id": transit_gateway_id,
    }
    route = _route(tx.world, table, destination, find_target(tx.world, table, targets))
    if any(r.towards == route.towards for r in table.routes):
        raise EXISTS(towards=route.towards)
    routes = (*table.routes, route)
    if route_weight(tx.world, table.region, routes) > allowed(tx.world, quota.ROUTES):
        raise quotas.ROUTE_LIMIT()
    tx.put(table.but(routes=routes))
    return {"Return": True}


@operation("ec2", "ReplaceRoute", network=True)
def replace_route(
    tx: Tx,
    *,
    route_table_id: str,
    destination_cidr_block: str | None = None,
    destination_ipv6_cidr_block: str | None = None,
    destination_prefix_list_id: str | None = None,
    local_target: bool = False,
    gateway_id: str | None = None,
    egress_only_internet_gateway_id: str | None = None,
    network_interface_id: str | None = None,
    instance_id: str | None = None,
    nat_gateway_id: str | None = None,
    vpc_peering_connection_id: str | None = None,
    vpc_endpoint_id: str | None = None,
    transit_gateway_id: str | None = None,
) -> None:
    """Give a route of a table another target; a local route may have one too, and get its own back."""
    table = find(tx.world, RouteTable, route_table_id)
    destination = _destination(
        tx.world, destination_cidr_block, destination_ipv6_cidr_block, destination_prefix_list_id
    )
    towards = _spell(destination)
    old = next((r for r in table.routes if r.towards == towards), None)
    if old is None:
        raise NO_ROUTE(towards=towards)
    check_free(table, old, "replace")
    targets = {
        "local_target": LOCAL if local_target else None,
        "gateway_id": gateway_id,
        "egress_only_internet_gateway_id": egress_only_internet_gateway_id,
        "network_interface_id": network_interface_id,
        "instance_id": instance_id,
        "nat_gateway_id": nat_gateway_id,
        "vpc_peering_connection_id": vpc_peering_connection_id,
        "vpc_endpoint_id": vpc_endpoint_id,
        "transit_gateway_id": transit_gateway_id,
    }
    if local_target and not old.is_local:
        raise NOT_LOCAL(towards=towards, table=table.id)
    new = _route(tx.world, table, destination, find_target(tx.world, table, targets), origin=old.origin)
    tx.put(table.but(routes=tuple(new if r == old else r for r in table.routes)))


@operation("ec2", "DeleteRoute", network=True)
def delete_route(
    tx: Tx,
    *,
    route_table_id: str,
    destination_cidr_block: str | None = None,
    destination_ipv6_cidr_block: str | None = None,
    destination_prefix_list_id: str | None = None,
) -> None:
    """Remove a route from a table; the local ones stay."""
    table = find(tx.world, RouteTable, route_table_id)
    towards = _spell(
        _destination(tx.world, destination_cidr_block, destination_ipv6_cidr_block, destination_prefix_list_id)
    )
    old = next((r for r in table.routes if r.towards == towards), None)
    if old is None:
        what = "prefix-list-id" if destination_prefix_list_id else "cidr-block"
        what = "ipv6-cidr-block" if destination_ipv6_cidr_block else what
        raise NOT_FOUND(what=what, towards=towards, table=table.id)
    if old.is_local:
        raise IS_LOCAL(towards=towards, table=table.id)
    check_free(table, old, "remove")
    tx.put(table.but(routes=tuple(r for r in table.routes if r != old)))


def _destination(world: World, cidr: str | None, cidr6: str | None, prefix_list_id: str | None) -> Net | PrefixList:
    given = [one for one in (cidr, cidr6, prefix_list_id) if one is not None]
    if not given:
        raise errors.MISSING(name="destinationCidrBlock")
    if len(given) > 1:
        raise BOTH_DESTINATIONS()
    if prefix_list_id is not None:
        return find_list(world, prefix_list_id)
    if cidr6 is not None:
        return parse_cidr6(cidr6, "destinationIpv6CidrBlock")
    assert cidr is not None, "one of the three is given"
    return parse_cidr(cidr, "destinationCidrBlock")


def _spell(destination: Net | PrefixList) -> str:
    return destination.id if isinstance(destination, PrefixList) else str(destination)


def _route(
    world: World,
    table: RouteTable,
    destination: Net | PrefixList,
    target: Target,
    *,
    origin: str = "CreateRoute",
) -> Route:
    """Return the route asked for, if its target may have it."""
    if not isinstance(destination, PrefixList):
        check_destination(world, table, destination, target.id)
        return Route(destination=destination, target=target.id, instance_id=target.instance_id, origin=origin)
    if table.is_of_gateway:
        raise EDGE_LIST(table=table.id)
    check_list(world, table, destination, target.id)
    return Route(prefix_list_id=destination.id, target=target.id, instance_id=target.instance_id, origin=origin)
