"""Reserved nodes: offers, purchases and what was bought.  All prices are zero.

A reservation is only about money, on AWS too: it keeps no capacity, and nodes need none.

Source: ElastiCache API Reference, PurchaseReservedCacheNodesOffering and its siblings.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache.offerings import TERMS, YEAR_SECONDS, Offering, offerings
from atoll.elasticache import errors
from atoll.elasticache.find import arn_of, owner_key
from atoll.elasticache.tags import tags_of
from atoll.model.reserved import ReservedNode
from atoll.model.world import Tx, World

COUNT_MAX = 300  # nodes, in an account and region
FREE: list[Shape] = [{"RecurringChargeAmount": 0.0, "RecurringChargeFrequency": "Hourly"}]
DURATIONS = {f"{before}{years * unit}{after}": years * YEAR_SECONDS
             for before, unit, after in (("", 1, ""), ("", YEAR_SECONDS, ""), ("P", 1, "Y"))
             for years in TERMS}  # fmt: skip

EXISTS = Err("ReservedCacheNodeAlreadyExists", "You already have a reservation with the identifier {name}.", 404)
TOO_MANY = Err("ReservedCacheNodeQuotaExceeded", "You can have at most {limit} reserved cache nodes.")

T = TypeVar("T", Offering, ReservedNode)


@operation("elasticache", "DescribeReservedCacheNodesOfferings")
def describe_reserved_cache_nodes_offerings(
    world: World,  # noqa: ARG001 - the offers are the same in every World
    *,
    reserved_cache_nodes_offering_id: str | None = None,
    cache_node_type: str | None = None,
    duration: str | None = None,
    product_description: str | None = None,
    offering_type: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List what can be reserved."""
    found = list(offerings().values())
    if reserved_cache_nodes_offering_id:
        found = [_offering(reserved_cache_nodes_offering_id)]
    wanted = {"node_type": cache_node_type, "product": product_description, "payment": offering_type}
    found = _matching(found, wanted | {"seconds": _seconds(duration)})
    page, marker = page_query(found, lambda offering: offering.id, max_records, marker)
    return {"ReservedCacheNodesOfferings": [_render_offering(offering) for offering in page], "Marker": marker}


@operation("elasticache", "PurchaseReservedCacheNodesOffering")
def purchase_reserved_cache_nodes_offering(
    tx: Tx,
    *,
    reserved_cache_nodes_offering_id: str,
    reserved_cache_node_id: str | None = None,
    cache_node_count: int | None = None,
    tags: Sequence[Shape] = (),
) -> Shape:
    """Reserve nodes; the reservation is `payment-pending` for up to a minute, and then `active`."""
    offering = _offering(reserved_cache_nodes_offering_id)
    count = 1 if cache_node_count is None else cache_node_count
    if count < 1:
        raise errors.BAD_VALUE(got=count, name="CacheNodeCount", why="Must be at least 1.")
    name = reserved_cache_node_id or f"ri-{tx.now:%Y-%m-%d-%H-%M-%S}-{tx.new_hex(3)}"
    if tx.get(ReservedNode, owner_key(tx.world, name)):
        raise EXISTS(name=name)
    held = sum(node.count for node in tx.all(ReservedNode) if node.state != "retired")
    if held + count > COUNT_MAX:
        raise TOO_MANY(limit=COUNT_MAX)
    node = tx.make(
        ReservedNode,
        owner_key(tx.world, name),
        name=name,
        offering_id=offering.id,
        node_type=offering.node_type,
        product=offering.product,
        offering_type=offering.payment,
        seconds=offering.seconds,
        count=count,
        start=tx.now,
        tags=tags_of(tags),
    )
    return {"ReservedCacheNode": _render(node)}


@operation("elasticache", "DescribeReservedCacheNodes")
def describe_reserved_cache_nodes(
    world: World,
    *,
    reserved_cache_node_id: str | None = None,
    reserved_cache_nodes_offering_id: str | None = None,
    cache_node_type: str | None = None,
    duration: str | None = None,
    product_description: str | None = None,
    offering_type: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List reservations."""
    found = [find(world, reserved_cache_node_id)] if reserved_cache_node_id else list(world.all(ReservedNode))
    wanted = {"offering_id": reserved_cache_nodes_offering_id, "node_type": cache_node_type}
    more = {"product": product_description, "offering_type": offering_type, "seconds": _seconds(duration)}
    found = _matching(found, wanted | more)
    page, marker = page_query(found, lambda node: node.name, max_records, marker)
    return {"ReservedCacheNodes": [_render(node) for node in page], "Marker": marker}


def find(world: World, name: str) -> ReservedNode:
    """Return a reservation of the caller's.  Raises RESERVED_NODE_NOT_FOUND."""
    node = world.get(ReservedNode, owner_key(world, name))
    if node is None:
        raise errors.RESERVED_NODE_NOT_FOUND(name=name)
    return node


def settle(tx: Tx) -> None:
    """Let what was bought begin, and what has lasted end.  For the control loop."""
    for node in tx.all(ReservedNode):
        if node.state != node.state_at(tx.now):
            tx.put(node.but(state=node.state_at(tx.now)))


def _offering(id: str) -> Offering:
    if id not in offerings():
        raise errors.OFFERING_NOT_FOUND(name=id)
    return offerings()[id]


def _seconds(duration: str | None) -> int | None:
    """Return a duration in seconds; AWS takes years, seconds and, as Terraform writes it, P1Y."""
    if not duration:
        return None
    if duration not in DURATIONS:
        raise errors.BAD_VALUE(got=duration, name="Duration", why=f"Must be one of {', '.join(DURATIONS)}.")
    return DURATIONS[duration]


def _matching(found: Sequence[T], wanted: dict[str, Any]) -> list[T]:
    return [one for one in found if all(v in (None, "", getattr(one, name)) for name, v in wanted.items())]


def _render_offering(offering: Offering) -> Shape:
    return {
        "ReservedCacheNodesOfferingId": offering.id,
        "CacheNodeType": offering.node_type,
        "Duration": offering.seconds,
        "FixedPrice": 0.0,
        "UsagePrice": 0.0,
        "ProductDescription": offering.product,
        "OfferingType": offering.payment,
        "RecurringCharges": FREE,
    }


def _render(node: ReservedNode) -> Shape:
    return {
        "ReservedCacheNodeId": node.name,
        "ReservedCacheNodesOfferingId": node.offering_id,
        "CacheNodeType": node.node_type,
        "StartTime": node.start,
        "Duration": node.seconds,
        "FixedPrice": 0.0,
        "UsagePrice": 0.0,
        "CacheNodeCount": node.count,
        "ProductDescription": node.product,
        "OfferingType": node.offering_type,
        "State": node.state,
        "RecurringCharges": FREE,
        "ReservationARN": arn_of(node, "reserved-instance", node.name),
    }
