"""The tabs of a cache's pages: which there are depends on what it is."""

from collections.abc import Sequence

from atoll.console.ask import Ask
from atoll.console.caches.subject import Cache

# Tab -> the kinds of cache that have it.  The first one is at the cache's own path.
TABS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("details", ("group", "cluster", "serverless")),
    ("nodes", ("group", "cluster")),
    ("metrics", ("group", "cluster")),
    ("connect", ("group", "cluster", "serverless")),
    ("network", ("group", "cluster", "serverless")),
    ("backups", ("group", "cluster", "serverless")),
    ("parameters", ("group", "cluster")),
    ("logs", ("group", "cluster")),
    ("events", ("group", "cluster", "serverless")),
    ("tags", ("group", "cluster", "serverless")),
)
WITHOUT_MEMCACHED = ("backups", "logs")


def tabs_of(ask: Ask, cache: Cache) -> Sequence[tuple[str, str, str]]:
    """Return name, text and address of each tab."""
    return [
        (name, ask.t(f"cache.tab_{name}"), ask.url(cache.path if name == "details" else f"{cache.path}/{name}"))
        for name, kinds in TABS
        if cache.kind in kinds and not (cache.engine == "memcached" and name in WITHOUT_MEMCACHED)
    ]
