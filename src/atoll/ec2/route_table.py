"""Route tables, and the subnets that use them.  Their routes are in `route.py`."""

from collections.abc import Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2.endpoint_route import forget_table
from atoll.ec2.filters import Table, absent, listing
from atoll.ec2.kinds import check_id, find
from atoll.ec2.route_target import DIFFERENT_NETWORKS, check_edge, find_gateway
from atoll.ec2.tags import render_tags, tags_for
from atoll.model import quota
from atoll.model.interface import Interface
from atoll.model.ip import Net
from atoll.model.lookup import route_state
from atoll.model.quota import allowed
from atoll.model.route import Route, RouteAssociation, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

ASSOCIATION_NOT_FOUND = Err("InvalidAssociationID.NotFound", "The association ID '{id}' does not exist")
TAKEN = Err(
    "Resource.AlreadyAssociated",
    "the specified association for route table {table} conflicts with an existing association",
)
MAIN = Err(
    "InvalidParameterValue",
    "cannot disassociate the main route table association {id}",
)
IN_USE = Err("DependencyViolation", "The routeTable '{id}' has dependencies and cannot be deleted.")

FILTERS: Table = {
    "association.gateway-id": "associations.gateway_id",
    "association.main": "associations.main",
    "association.route-table-association-id": "associations.id",
    "association.route-table-id": lambda _w, t: t.id if t.associations else None,
    "association.subnet-id": "associations.subnet_id",
    "owner-id": "account",
    "route-table-id": "id",
    "route.destination-cidr-block": lambda w, t: _shown(w, t, "DestinationCidrBlock"),
    "route.destination-ipv6-cidr-block": lambda w, t: _shown(w, t, "DestinationIpv6CidrBlock"),
    "route.destination-prefix-list-id": "routes.prefix_list_id",
    "route.egress-only-internet-gateway-id": lambda w, t: _shown(w, t, "EgressOnlyInternetGatewayId"),
    "route.gateway-id": lambda w, t: _shown(w, t, "GatewayId"),
    "route.instance-id": lambda w, t: _shown(w, t, "InstanceId"),
    "route.nat-gateway-id": lambda _w, t: [r.target for r in t.routes if r.target.startswith("nat-")],
    "route.network-interface-id": lambda w, t: _shown(w, t, "NetworkInterfaceId"),
    "route.origin": "routes.origin",
    "route.state": lambda w, t: _shown(w, t, "State"),
    "route.transit-gateway-id": absent,
    "route.vpc-peering-connection-id": lambda w, t: _shown(w, t, "VpcPeeringConnectionId"),
    "vpc-id": "vpc_id",
}


@operation("ec2", "CreateRouteTable")
def create_route_table(tx: Tx, *, vpc_id: str, tag_specifications: Sequence[Shape] = ()) -> Shape:
    """Create a route table with a local route for each range of its VPC."""
    vpc = find(tx.world, Vpc, vpc_id)
    tags = tags_for("route-table", tag_specifications)
    others = len(tx.all(RouteTable, vpc_id=vpc.id))
    quotas.check(others, allowed(tx.world, quota.ROUTE_TABLES), quotas.ROUTE_TABLE_LIMIT)
    ranges: tuple[Net, ...] = (*vpc.cidrs, *vpc.cidrs6)
    routes = tuple(Route(destination=cidr, target="local", origin="CreateRouteTable") for cidr in ranges)
    table = tx.make(RouteTable, tx.new_id("rtb"), vpc_id=vpc.id, routes=routes, tags=tags)
    return {"RouteTable": render(tx.world, table)}


@operation("ec2", "DescribeRouteTables", pure=True)
def describe_route_tables(
    world: World,
    *,
    route_table_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List route tables."""
    found, token = listing(
        world,
        RouteTable,
        FILTERS,
        ids=route_table_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="routeTableIds",
    )
    return {"RouteTables": [told(world, render, t) for t in found], "NextToken": token}


@operation("ec2", "DeleteRouteTable")
def delete_route_table(tx: Tx, *, route_table_id: str) -> None:
    """Delete a route table that nothing uses; the main one stays."""
    table = find(tx.world, RouteTable, route_table_id)
    if table.associations:
        raise IN_USE(id=table.id)
    forget_table(tx, table)
    tx.delete(table)


@operation("ec2", "AssociateRouteTable", network=True)
def associate_route_table(
    tx: Tx, *, route_table_id: str, subnet_id: str | None = None, gateway_id: str | None = None
) -> Shape:
    """Let a subnet, or a gateway, use a table of its own; with the table that it has already, nothing changes."""
    table = find(tx.world, RouteTable, route_table_id)
    user = _user(tx.world, table, subnet_id, gateway_id)
    for other in tx.all(RouteTable, vpc_id=table.vpc_id):
        for association in other.associations:
            if user in (association.subnet_id, association.gateway_id):
                if other.id != table.id:
                    raise TAKEN(table=table.id)
                return _associated(association, "AssociationId")
    association = RouteAssociation(
        id=tx.new_id("rtbassoc"), subnet_id=user if subnet_id else None, gateway_id=user if gateway_id else None
    )
    _put_with(tx, table, association)
    return _associated(association, "AssociationId")


def _user(world: World, table: RouteTable, subnet_id: str | None, gateway_id: str | None) -> str:
    """Return the subnet or the gateway that is to use a table."""
    if subnet_id and gateway_id:
        raise errors.BOTH(one="subnetId", other="gatewayId")
    if gateway_id:
        return find_gateway(world, table, gateway_id).id
    if subnet_id is None:
        raise errors.MISSING(name="subnetId or gatewayId")
    subnet = find(world, Subnet, subnet_id)
    if subnet.vpc_id != table.vpc_id:
        raise DIFFERENT_NETWORKS(table=table.id, what="subnet", id=subnet.id)
    return subnet.id


def _put_with(tx: Tx, table: RouteTable, association: RouteAssociation) -> None:
    """Put a table with one more association; raises the error of a route that a gateway's table may not have."""
    table = tx.put(table.but(associations=(*table.associations, association)))
    if association.gateway_id:
        check_edge(tx.world, table)


@operation("ec2", "DisassociateRouteTable", network=True)
def disassociate_route_table(tx: Tx, *, association_id: str) -> None:
    """Let a subnet use the main table again."""
    table, association = _find_association(tx.world, association_id)
    if association.main:
        raise MAIN(id=association.id)
    tx.put(_without(table, association))


@operation("ec2", "ReplaceRouteTableAssociation", network=True)
def replace_route_table_association(tx: Tx, *, association_id: str, route_table_id: str) -> Shape:
    """Let what uses one table use another: a subnet, or (the main association) all subnets without their own."""
    old, association = _find_association(tx.world, association_id)
    table = find(tx.world, RouteTable, route_table_id)
    if old.vpc_id != table.vpc_id:
        raise DIFFERENT_NETWORKS(table=table.id, what="association", id=association.id)
    moved = replace(association, id=tx.new_id("rtbassoc"))
    tx.put(_without(old, association))
    _put_with(tx, find(tx.world, RouteTable, table.id), moved)  # it may be the same table
    return _associated(moved, "NewAssociationId")


def _associated(association: RouteAssociation, member: str) -> Shape:
    return {member: association.id, "AssociationState": {"State": "associated"}}


def _without(table: RouteTable, association: RouteAssociation) -> RouteTable:
    return table.but(associations=tuple(a for a in table.associations if a != association))


def _find_association(world: World, id: str) -> tuple[RouteTable, RouteAssociation]:
    for table in world.all(RouteTable):
        for association in table.associations:
            if association.id == id:
                return table, association
    check_id(id, "rtbassoc", ASSOCIATION_NOT_FOUND)
    raise ASSOCIATION_NOT_FOUND(id=id)


def _shown(world: World, table: RouteTable, member: str) -> list[object]:
    return [render_route(world, table, r).get(member) for r in table.routes]


def render(world: World, t: RouteTable) -> Shape:
    """Return a route table as AWS shows it."""
    return {
        "RouteTableId": t.id,
        "VpcId": t.vpc_id,
        "OwnerId": t.account,
        "Associations": [
            {
                "Main": a.main,
                "RouteTableAssociationId": a.id,
                "RouteTableId": t.id,
                "SubnetId": a.subnet_id,
                "GatewayId": a.gateway_id,
                "AssociationState": {"State": "associated"},
            }
            for a in t.associations
        ],
        "PropagatingVgws": [],
        "Routes": [render_route(world, t, r) for r in t.routes],
        "Tags": render_tags(t),
    }


def _destination_member(r: Route) -> str:
    if r.destination is None:
        return "DestinationPrefixListId"
    return "DestinationCidrBlock" if r.destination.version == 4 else "DestinationIpv6CidrBlock"


def render_route(world: World, t: RouteTable, r: Route) -> Shape:
    """Return a route as AWS shows it: one to an interface also names the instance that has the interface."""
    shape: Shape = {
        _destination_member(r): r.towards,
        "Origin": r.origin,
        "State": route_state(world, t.vpc_id, r.target),
    }
    if r.target.startswith("pcx-"):
        return shape | {"VpcPeeringConnectionId": r.target}
    if r.target.startswith("eigw-"):
        return shape | {"EgressOnlyInternetGatewayId": r.target}
    if r.target.startswith("nat-"):
        return shape | {"NatGatewayId": r.target}
    if not r.target.startswith("eni-"):
        return shape | {"GatewayId": r.target}
    interface = world.seen_by(None).get(Interface, r.target)
    instance_id = (interface.instance_id if interface else None) or r.instance_id
    shape["NetworkInterfaceId"] = r.target
    if instance_id:
        shape |= {"InstanceId": instance_id, "InstanceOwnerId": t.account}
    return shape
