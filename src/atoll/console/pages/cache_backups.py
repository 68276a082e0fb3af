"""The maintenance and the backups of a cache: its windows, and the snapshots that there are of it."""

from typing import Any

from atoll.console.ask import Answered, Ask
from atoll.console.caches.change import modify
from atoll.console.caches.snapshots import snapshots_of, table_of
from atoll.console.caches.subject import Cache, cache_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.site import act, page

AT = "/cache/caches/{kind}/{name}/backups"


@page(AT)
async def backups(ask: Ask) -> Answered:
    """Show a cache's windows and snapshots."""
    cache = await cache_of(ask)
    found = await snapshots_of(ask, cache)
    return ask.view(
        "cache/backups.html",
        cache=cache,
        tabs=tabs_of(ask, cache),
        table=table_of(ask, found),
        retention=cache.said.get("SnapshotRetentionLimit") or 0,
        window=cache.said.get("SnapshotWindow") or cache.said.get("DailySnapshotTime") or "",
        maintenance=_maintenance(cache),
        auto_minor=bool(cache.said.get("AutoMinorVersionUpgrade")),
    )


@act(f"{AT}/take", back=AT)
async def take(ask: Ask) -> Answered:
    """Take a snapshot."""
    cache = await cache_of(ask, members=False)
    name = ask.form.get("snapshot")
    if cache.kind == "serverless":
        names = {"ServerlessCacheSnapshotName": name, "ServerlessCacheName": cache.name}
        await ask.aws("elasticache", "CreateServerlessCacheSnapshot", **names)
    else:
        member = "ReplicationGroupId" if cache.kind == "group" else "CacheClusterId"
        await ask.aws("elasticache", "CreateSnapshot", SnapshotName=name, **{member: cache.name})
    return ask.go(f"{cache.path}/backups", "cache.done_snapshot", id=name)


@act(f"{AT}/windows", back=AT)
async def windows(ask: Ask) -> Answered:
    """Change when a cache is backed up and maintained."""
    cache = await cache_of(ask, members=False)
    form = ask.form
    retention, window = form.get("retention"), form.get("window")
    change: dict[str, Any] = {"SnapshotRetentionLimit": retention} if retention else {}
    if cache.kind == "serverless":
        change |= {"DailySnapshotTime": window or None}
    else:
        change |= {
            "SnapshotWindow": window or None,
            "PreferredMaintenanceWindow": form.get("maintenance") or None,
            "AutoMinorVersionUpgrade": "auto_minor" in form,
        }
    await modify(ask, cache, **change)
    return ask.go(f"{cache.path}/backups", "cache.done_windows", id=cache.name)


def _maintenance(cache: Cache) -> str:
    first = cache.said if cache.kind == "cluster" else next(iter(cache.clusters), {})
    return str(first.get("PreferredMaintenanceWindow", ""))
