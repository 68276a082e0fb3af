"""Events of a cache, and of all."""

from typing import Any

from atoll.console.ask import Answered, Ask
from atoll.console.caches.subject import Cache, cache_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.site import menu, page
from atoll.console.tables import column, table

# What is shown -> minutes; AWS keeps two weeks.
SPANS = {"1h": 60, "1d": 1440, "14d": 20160}
USUAL = "1d"
SOURCES = {"group": "replication-group", "cluster": "cache-cluster", "serverless": "serverless-cache"}

menu("cache", "/cache/events", "cache.events", order=90)


@page("/cache/events")
async def every(ask: Ask) -> Answered:
    """Show the events of all resources."""
    return ask.view("cache/events.html", cache=None, tabs=[], **await _shown(ask, await _events(ask)))


@page("/cache/caches/{kind}/{name}/events")
async def events(ask: Ask) -> Answered:
    """Show the events of a cache and its members."""
    cache = await cache_of(ask, members=False)
    found = await _events(ask, cache)
    return ask.view("cache/events.html", cache=cache, tabs=tabs_of(ask, cache), **await _shown(ask, found))


async def _events(ask: Ask, cache: Cache | None = None) -> list[dict[str, Any]]:
    duration = SPANS.get(ask.query.get("span"), SPANS[USUAL])
    found = await ask.aws_all("elasticache", "DescribeEvents", "Events", Duration=duration)
    if cache is not None:
        mine = {(SOURCES[cache.kind], cache.name), *(("cache-cluster", name) for name in cache.member_names)}
        found = [event for event in found if (event["SourceType"], event["SourceIdentifier"]) in mine]
    return found[::-1]


async def _shown(ask: Ask, found: list[dict[str, Any]]) -> dict[str, Any]:
    span = ask.query.get("span") if ask.query.get("span") in SPANS else USUAL
    shown = table(
        ask,
        found,
        column("date", "cache.time_utc", "Date"),
        column("source", "cache.source", "SourceIdentifier"),
        column("kind", "cache.source_type", "SourceType"),
        column("message", "cache.message", "Message"),
    )
    spans = [(name, ask.t(f"cache.span_{name}"), ask.url(ask.path, span=name)) for name in SPANS]
    return {"table": shown, "span": span, "spans": spans}
