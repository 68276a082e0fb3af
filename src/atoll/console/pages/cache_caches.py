"""The list of caches: what each is, how it is, and whether it is used."""

from typing import Any

from atoll.console.ask import Answered, Ask
from atoll.console.caches.numbers import Figures, figures_of
from atoll.console.caches.subject import LIVE, Cache, every_cache
from atoll.console.site import menu, page
from atoll.console.tables import column, table

ENGINES = ("valkey", "redis", "memcached")
MEASURED = ("hits", "connections")  # columns that CloudWatch knows

menu("cache", "/cache/caches", "cache.caches", order=10)


@page("/cache/caches")
async def caches(ask: Ask) -> Answered:
    """List caches, of one engine if the URL says so.

    CloudWatch is asked of those that are shown, and of all if they are sorted by what it says.
    """
    every = await every_cache(ask)
    engine, now = ask.query.get("engine"), ask.service.backend.now()
    found = [cache for cache in every if engine in ("", cache.engine)]
    sorting = ask.query.get("sort") in MEASURED
    figures = await figures_of(ask, found, now) if sorting else {}
    shown = table(
        ask,
        [_row(ask, cache, figures.get(cache.name)) for cache in found],
        column("name", "common.name", "name"),
        column("status", "cache.status", "status"),
        column("engine", "cache.engine", "engine"),
        column("mode", "cache.mode", "mode"),
        column("nodes", "cache.nodes", "nodes", is_number=True),
        column("type", "cache.node_type", "type"),
        column("endpoint", "cache.endpoint", "endpoint"),
        column("hits", "cache.hit_rate", "hits", is_number=True),
        column("connections", "cache.connections", "connections", is_number=True),
    )
    if not sorting:
        figures = await figures_of(ask, [row["cache"] for row in shown.rows], now)
    counts = {name: sum(cache.engine == name for cache in every) for name in ENGINES}
    return ask.view(
        "cache/caches.html", table=shown, figures=figures, counts=counts, total=len(every), engine=engine, kinds=LIVE
    )


def _row(ask: Ask, cache: Cache, figures: Figures | None) -> dict[str, Any]:
    return {
        "cache": cache,
        "name": cache.name,
        "status": cache.status,
        "engine": ask.t(f"cache.engine_{cache.engine}"),
        "mode": ask.t(f"cache.mode_{cache.mode}"),
        "nodes": cache.node_count or None,
        "type": cache.node_type,
        "endpoint": cache.address,
        "hits": figures.hit_percent if figures else None,
        "connections": figures.connections if figures else None,
    }
