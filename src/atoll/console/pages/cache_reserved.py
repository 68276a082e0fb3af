"""Reserved nodes: what was reserved, and what can be."""

from atoll.cache.node_types import NODE_TYPES
from atoll.console.ask import Answered, Ask
from atoll.console.site import act, menu, page
from atoll.console.tables import column, table

AT = "/cache/reserved"
YEAR_SECONDS = 31_536_000

menu("cache", AT, "cache.reserved", order=80)


@page(AT)
async def reserved(ask: Ask) -> Answered:
    """List reservations, and the offers for a node type."""
    type = ask.query.get("type") if ask.query.get("type") in NODE_TYPES else next(iter(NODE_TYPES))
    found = await ask.aws_all("elasticache", "DescribeReservedCacheNodes", "ReservedCacheNodes")
    offers = await ask.aws_all(
        "elasticache", "DescribeReservedCacheNodesOfferings", "ReservedCacheNodesOfferings", CacheNodeType=type
    )
    shown = table(
        ask,
        offers,
        column("type", "cache.node_type", "CacheNodeType"),
        column("engine", "cache.engine", "ProductDescription"),
        column("offering", "cache.offering", "OfferingType"),
        column("years", "cache.years", lambda one: one["Duration"] // YEAR_SECONDS, is_number=True),
    )
    return ask.view(
        "cache/reserved.html", reserved=found, table=shown, year=YEAR_SECONDS, type=type, types=list(NODE_TYPES)
    )


@act(f"{AT}/purchase", back=AT)
async def purchase(ask: Ask) -> Answered:
    """Reserve nodes."""
    said = await ask.aws(
        "elasticache",
        "PurchaseReservedCacheNodesOffering",
        ReservedCacheNodesOfferingId=ask.form.get("offering"),
        CacheNodeCount=ask.form.get("count") or None,
    )
    return ask.go(AT, "cache.done_reserve", id=said["ReservedCacheNode"]["ReservedCacheNodeId"])
