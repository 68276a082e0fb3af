"""The metrics of a cache as charts, a line for each node."""

from datetime import timedelta

from markupsafe import Markup

from atoll.console.ask import Answered, Ask
from atoll.console.caches.numbers import NODES_MAX, lines_of, metrics_of
from atoll.console.caches.subject import cache_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.draw.chart import Frame, chart
from atoll.console.site import page

# What is shown -> how much time, and the period of each point in seconds.
SPANS = {"15m": (timedelta(minutes=15), 60), "1h": (timedelta(hours=1), 60), "3h": (timedelta(hours=3), 300)}
USUAL = "1h"
EVERY_SECONDS = 15  # the charts are fetched anew; the daemon measures once a minute, unless it was told otherwise


@page("/cache/caches/{kind}/{name}/metrics")
async def metrics(ask: Ask) -> Answered:
    """Show a cache's charts."""
    cache = await cache_of(ask)
    span = ask.query.get("span") if ask.query.get("span") in SPANS else USUAL
    length, period = SPANS[span]
    end = ask.service.backend.now()
    start = end - length
    asked = metrics_of(cache)
    lines = await lines_of(ask, cache, asked, start, end, period)
    frame = Frame(
        start=start.timestamp(),
        end=end.timestamp(),
        period_seconds=period,
        empty=ask.t("cache.no_values"),
        time=ask.t("cache.time_utc"),
        table=ask.t("cache.as_table"),
    )
    titles = {metric.name: ask.t(f"cache.metric_{metric.name}") for metric in asked}
    charts = [Markup(chart(titles[m.name], lines[m.name], m.unit, frame)) for m in asked]
    return ask.view(
        "cache/metrics.html",
        cache=cache,
        tabs=tabs_of(ask, cache),
        charts=charts,
        span=span,
        spans=[(name, ask.t(f"cache.span_{name}"), ask.url(ask.path, span=name)) for name in SPANS],
        every=EVERY_SECONDS,
        is_paper=ask.service.where()["mode"] == "paper",
        cut=NODES_MAX if cache.node_count > NODES_MAX else 0,
    )
