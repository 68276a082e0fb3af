"""Modify a cache: its node type, engine and version, failover; and delete it."""

from typing import Any

from atoll.aws.errors import AwsError
from atoll.console.ask import Answered, Ask
from atoll.console.caches.change import modify
from atoll.console.caches.engines import versions_of
from atoll.console.caches.subject import Cache, cache_of
from atoll.console.site import act, page

AT = "/cache/caches/{kind}/{name}"


@page(f"{AT}/modify")
async def form(ask: Ask) -> Answered:
    """Show what may be changed, and to what."""
    cache = await cache_of(ask)
    return ask.view(
        "cache/modify.html",
        cache=cache,
        types=await _types(ask, cache),
        engines=_engines(ask, cache),
        versions=await versions_of(ask),
        limits=_limits(cache),
    )


@act(f"{AT}/modify", back=f"{AT}/modify")
async def change(ask: Ask) -> Answered:
    """Ask for what differs from what is."""
    cache = await cache_of(ask)
    changes = _serverless_changes(ask, cache) if cache.kind == "serverless" else _changes(ask, cache)
    if changes:
        await modify(ask, cache, **changes)
    return ask.go(cache.path, "cache.done_modify" if changes else "cache.done_nothing", id=cache.name)


@page(f"{AT}/delete")
async def leave(ask: Ask) -> Answered:
    """Ask whether a cache is to go, and whether its data is to stay."""
    cache = await cache_of(ask, members=False)
    return ask.view("cache/delete.html", cache=cache)


@act(f"{AT}/delete", back=f"{AT}/delete")
async def delete(ask: Ask) -> Answered:
    """Delete a cache, with a final snapshot if one is named."""
    cache = await cache_of(ask, members=False)
    final = ask.form.get("final") or None
    match cache.kind:
        case "serverless":
            names: dict[str, Any] = {"ServerlessCacheName": cache.name, "FinalSnapshotName": final}
            await ask.aws("elasticache", "DeleteServerlessCache", **names)
        case "cluster":
            names = {"CacheClusterId": cache.name, "FinalSnapshotIdentifier": final}
            await ask.aws("elasticache", "DeleteCacheCluster", **names)
        case "group":
            names = {"ReplicationGroupId": cache.name, "FinalSnapshotIdentifier": final}
            if "retain" in ask.form:
                names["RetainPrimaryCluster"] = True
            await ask.aws("elasticache", "DeleteReplicationGroup", **names)
    return ask.go("/cache/caches", "cache.done_delete", id=cache.name)


def _changes(ask: Ask, cache: Cache) -> dict[str, Any]:
    """Return AWS's members of what a person wants otherwise."""
    form, said = ask.form, cache.said
    now = {
        "CacheNodeType": ("node_type", cache.node_type),
        "Engine": ("engine", cache.engine),
        "EngineVersion": ("version", cache.version),
        "ReplicationGroupDescription": ("description", str(said.get("Description", ""))),
    }
    if cache.kind != "group":
        del now["ReplicationGroupDescription"]
    changes: dict[str, Any] = {
        member: form.get(field)
        for member, (field, value) in now.items()
        if form.get(field) and form.get(field) != value
    }
    if cache.kind == "group":
        for member, field, value in (
            ("AutomaticFailoverEnabled", "automatic_failover", said.get("AutomaticFailover") == "enabled"),
            ("MultiAZEnabled", "multi_az", said.get("MultiAZ") == "enabled"),
        ):
            if (field in form) != value:
                changes[member] = field in form
    return changes


def _serverless_changes(ask: Ask, cache: Cache) -> dict[str, Any]:
    form, said = ask.form, cache.said
    changes: dict[str, Any] = {}
    if form.get("description") != said.get("Description", ""):
        changes["Description"] = form.get("description")
    if form.get("engine") not in ("", cache.engine):
        changes["Engine"] = form.get("engine")
    if form.get("version") and not cache.version.startswith(form.get("version")):
        changes["MajorEngineVersion"] = form.get("version")
    limits = limits_given(ask)
    if limits and limits != said.get("CacheUsageLimits"):
        changes["CacheUsageLimits"] = limits
    return changes


def limits_given(ask: Ask) -> dict[str, Any] | None:
    """Return CacheUsageLimits as a form has them; None: nothing was written."""
    form = ask.form if ask.form.pairs() else ask.query
    limits: dict[str, Any] = {}
    if data := form.given(Minimum="data_min", Maximum="data_max"):
        limits["DataStorage"] = {**data, "Unit": "GB"}
    if units := form.given(Minimum="ecpu_min", Maximum="ecpu_max"):
        limits["ECPUPerSecond"] = units
    return limits or None


def _limits(cache: Cache) -> dict[str, Any]:
    limits = cache.said.get("CacheUsageLimits", {})
    data, units = limits.get("DataStorage", {}), limits.get("ECPUPerSecond", {})
    return {
        "data_min": data.get("Minimum", ""), "data_max": data.get("Maximum", ""),
        "ecpu_min": units.get("Minimum", ""), "ecpu_max": units.get("Maximum", ""),
    }  # fmt: skip


async def _types(ask: Ask, cache: Cache) -> list[tuple[str, str]]:
    """Return the node types that a cache may change to, by AWS's word, and its own."""
    if cache.kind == "serverless":
        return []
    member = "ReplicationGroupId" if cache.kind == "group" else "CacheClusterId"
    try:
        said = await ask.aws("elasticache", "ListAllowedNodeTypeModifications", **{member: cache.name})
    except AwsError:  # of a cache that is going
        said = {}
    up, down = said.get("ScaleUpModifications", []), said.get("ScaleDownModifications", [])
    found = [(cache.node_type, ask.t("cache.type_now", type=cache.node_type))]
    found += [(name, ask.t("cache.type_up", type=name)) for name in up]
    return found + [(name, ask.t("cache.type_down", type=name)) for name in down]


def _engines(ask: Ask, cache: Cache) -> list[tuple[str, str]]:
    names = ("valkey", "redis") if cache.engine == "redis" else (cache.engine,)
    return [(name, str(ask.t(f"cache.engine_{name}"))) for name in names]
