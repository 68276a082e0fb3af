"""A cache's first page: what it is, where it is reached, and what it was asked to become."""

from atoll.console.ask import Answered, Ask
from atoll.console.caches.subject import Cache, cache_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.site import page


@page("/cache/caches/{kind}/{name}")
async def details(ask: Ask) -> Answered:
    """Show a cache."""
    cache = await cache_of(ask)
    return ask.view(
        "cache/details.html",
        cache=cache,
        tabs=tabs_of(ask, cache),
        endpoints=_endpoints(cache),
        zones=sorted({n["CustomerAvailabilityZone"] for c in cache.clusters for n in c.get("CacheNodes", ())}),
        pending=_pending(cache),
    )


def _endpoints(cache: Cache) -> list[tuple[str, str]]:
    """Return the key of each endpoint's name, and its address."""
    main = {"sharded": "endpoint_configuration", "nodes": "endpoint_configuration", "replicated": "endpoint_primary"}
    found = [(main.get(cache.mode, "endpoint"), cache.address)] if cache.address else []
    if cache.reader:
        found.append(("endpoint_reader", f"{cache.reader[0]}:{cache.reader[1]}"))
    return found


def _pending(cache: Cache) -> list[tuple[str, str]]:
    """Return what a cache is to become: AWS's member, and its value as text."""
    said = dict(cache.said.get("PendingModifiedValues", {}))
    for cluster in cache.clusters:
        said |= cluster.get("PendingModifiedValues", {})
    return [(member, _text(value)) for member, value in said.items()]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{member} {_text(one)}" for member, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value)
