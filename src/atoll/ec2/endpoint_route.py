"""Routes of gateway endpoints: each table of an endpoint's list has one, from its service's prefix list to it.

They come and go with the endpoint and its list; nobody else makes, changes or deletes them.
Source: AWS PrivateLink guide, "Gateway endpoints", "Routing".
"""

from collections.abc import Iterable

from atoll.aws.errors import Err
from atoll.ec2.route_target import EDGE_LIST
from atoll.model.endpoint import VpcEndpoint
from atoll.model.prefix_list import managed
from atoll.model.route import Route, RouteTable
from atoll.model.world import Tx

TAKEN = Err("RouteAlreadyExists", "route table {table} already has a route with destination-prefix-list-id {towards}")
OF_ENDPOINT = Err(
    "InvalidParameterValue", "cannot {verb} VPC endpoint route {towards} in route table {table}: modify {target}"
)


def lead(tx: Tx, endpoint: VpcEndpoint, table_ids: Iterable[str]) -> None:
    """Add the route of an endpoint to tables."""
    towards = next(one.id for one in managed(endpoint.region) if one.name == endpoint.service_name)
    for id in table_ids:
        table = tx.world[RouteTable, id]
        if table.is_of_gateway:
            raise EDGE_LIST(table=id)
        if any(route.towards == towards for route in table.routes):
            raise TAKEN(table=id, towards=towards)
        tx.put(table.but(routes=(*table.routes, Route(prefix_list_id=towards, target=endpoint.id))))


def mislead(tx: Tx, endpoint: VpcEndpoint, table_ids: Iterable[str]) -> None:
    """Take the route of an endpoint out of tables."""
    for id in table_ids:
        table = tx.world[RouteTable, id]
        tx.put(table.but(routes=tuple(route for route in table.routes if route.target != endpoint.id)))


def check_free(table: RouteTable, route: Route, verb: str) -> None:
    """Refuse to change a route that is an endpoint's."""
    if route.target.startswith("vpce-"):
        raise OF_ENDPOINT(verb=verb, towards=route.towards, table=table.id, target=route.target)


def forget_table(tx: Tx, table: RouteTable) -> None:
    """Take a table that is deleted out of the lists of endpoints."""
    for endpoint in tx.all(VpcEndpoint, vpc_id=table.vpc_id):
        if table.id in endpoint.table_ids:
            tx.put(endpoint.but(table_ids=tuple(id for id in endpoint.table_ids if id != table.id)))
