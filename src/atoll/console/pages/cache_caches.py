"""The list of caches: what each is, how it is, and whether it is used."""

from collections.abc import Mapping
from typing import Any

from atoll.console.ask import Answered, Ask
from atoll.console.caches.numbers import Figures, figures_of
from atoll.console.caches.subject import LIVE, Cache, every_cache
from atoll.console.site import menu, page
from atoll.console.tables import column, table

ENGINES = ("valkey", "redis", "memcached")
MEASURED = ("hits", "connections")  # columns that CloudWatch knows
MEASURED_MAX = 100  # caches of which CloudWatch is asked for one page: some 150 ms
MODES = ("replicated", "sharded", "single", "nodes", "serverless")
WORDS = (*(f"engine_{name}" for name in ENGINES), *(f"mode_{name}" for name in MODES))

menu("cache", "/cache/caches", "cache.caches", order=10)


@page("/cache/caches")
async def caches(ask: Ask) -> Answered:
    """List caches, of one engine if the URL says so.

    CloudWatch is asked of those that are shown, and of all if they are sorted by what it says; of many of them it
    would cost a second, so then it is not asked.
    """
    every = await every_cache(ask)
    engine, now = ask.query.get("engine"), ask.service.backend.now()
    found = [cache for cache in every if engine in ("", cache.engine)]
    sorting = ask.query.get("sort") in MEASURED
    figures = await figures_of(ask, found, now) if sorting and len(found) <= MEASURED_MAX else {}
    names = {word: str(ask.t(f"cache.{word}")) for word in WORDS}
    shown = table(
        ask,
        [_row(names, cache, figures.get(cache.name)) for cache in found],
        column("name", "common.name", "name"),
        column("status", "cache.status", "status"),
        column("engine", "cache.engine", "engine"),
        column("mode", "cache.mode", "mode"),
        column("nodes", "cache.nodes", "nodes", is_number=True),
        column("type", "cache.node_type", "type"),
        column("hits", "cache.hit_rate", "hits", is_number=True),
        column("connections", "cache.connections", "connections", is_number=True),
        column("endpoint", "cache.endpoint", "endpoint"),
    )
    if not figures and len(shown.rows) <= MEASURED_MAX:
        figures = await figures_of(ask, [row["cache"] for row in shown.rows], now)
    is_unsorted = sorting and len(found) > MEASURED_MAX
    counts = {name: sum(cache.engine == name for cache in every) for name in ENGINES}
    return ask.view(
        "cache/caches.html",
        table=shown,
        figures=figures,
        counts=counts,
        total=len(every),
        engine=engine,
        kinds=LIVE,
        most=MEASURED_MAX if is_unsorted or len(shown.rows) > MEASURED_MAX else 0,
    )


def _row(names: Mapping[str, str], cache: Cache, figures: Figures | None) -> dict[str, Any]:
    return {
        "cache": cache,
        "name": cache.name,
        "status": cache.status,
        "engine": names[f"engine_{cache.engine}"],
        "mode": names[f"mode_{cache.mode}"],
        "nodes": cache.node_count or None,
        "type": cache.node_type,
        "endpoint": cache.address,
        "hits": figures.hit_percent if figures else None,
        "connections": figures.connections if figures else None,
    }
