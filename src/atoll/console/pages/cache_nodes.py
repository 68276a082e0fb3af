"""The nodes of a cache, shard by shard: who leads, where they are, how far they lag; and changes of their number."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from markupsafe import Markup

from atoll.console.ask import Answered, Ask
from atoll.console.caches.numbers import SECONDS, Metric, lines_of
from atoll.console.caches.subject import Cache, Said, cache_of, path_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.draw.slots_bar import Share, bar, ranges_of
from atoll.console.site import act, page
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.digits import is_number
from atoll.model.names import key

AT = "/cache/caches/{kind}/{name}/nodes"
RECENT = timedelta(minutes=3)  # of the measurements that say who lags
LAG = Metric("ReplicationLag", "Maximum", SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A node in the table."""

    cluster: str
    node: str
    role: str  # "primary", "replica" or "": there are no roles
    status: str
    zone: str
    endpoint: str
    lag_seconds: float | None  # None: not measured
    needs_reboot: bool


@page(AT)
async def nodes(ask: Ask) -> Answered:
    """Show a cache's nodes."""
    cache = await cache_of(ask)
    shares = [Share(str(s["NodeGroupId"]), ranges_of(str(s.get("Slots") or ""))) for s in cache.shards]
    has_slots = cache.is_sharded and any(share.ranges for share in shares)
    return ask.view(
        "cache/nodes.html",
        cache=cache,
        tabs=tabs_of(ask, cache),
        shards=_shards(cache, _leaders(ask, cache), await _lags(ask, cache)),
        slots=Markup(bar(shares, ask.t("cache.slots"))) if has_slots else "",
        replicas=_replicas(cache),
        choices=[(share.name, share.name) for share in shares],
        moving=_moving(cache),
    )


@act(f"{AT}/reboot", back=AT)
async def reboot(ask: Ask) -> Answered:
    """Start a node anew."""
    cluster, node = ask.form.get("cluster"), ask.form.get("node")
    await ask.aws("elasticache", "RebootCacheCluster", CacheClusterId=cluster, CacheNodeIdsToReboot=[node])
    return _back(ask, "cache.done_reboot", cluster)


@act(f"{AT}/promote", back=AT)
async def promote(ask: Ask) -> Answered:
    """Make a replica the primary."""
    cluster = ask.form.get("cluster")
    await ask.aws(
        "elasticache",
        "ModifyReplicationGroup",
        ReplicationGroupId=ask.parts["name"],
        PrimaryClusterId=cluster,
        ApplyImmediately=True,
    )
    return _back(ask, "cache.done_promote", cluster)


@act(f"{AT}/remove", back=AT)
async def remove(ask: Ask) -> Answered:
    """Remove a replica, or a node of Memcached."""
    cluster, node = ask.form.get("cluster"), ask.form.get("node")
    if ask.parts["kind"] == "group":
        await ask.aws(
            "elasticache",
            "DecreaseReplicaCount",
            ReplicationGroupId=ask.parts["name"],
            ReplicasToRemove=[cluster],
            ApplyImmediately=True,
        )
        return _back(ask, "cache.done_remove", cluster)
    cache = await cache_of(ask)
    await ask.aws(
        "elasticache",
        "ModifyCacheCluster",
        CacheClusterId=cluster,
        NumCacheNodes=cache.node_count - 1,
        CacheNodeIdsToRemove=[node],
        ApplyImmediately=True,
    )
    return _back(ask, "cache.done_remove", node)


@act(f"{AT}/count", back=AT)
async def count(ask: Ask) -> Answered:
    """Have another number of replicas in each shard, or of nodes of Memcached."""
    name, wanted = ask.parts["name"], ask.form.get("count")
    if ask.parts["kind"] == "cluster":
        await ask.aws(
            "elasticache", "ModifyCacheCluster", CacheClusterId=name, NumCacheNodes=wanted, ApplyImmediately=True
        )
        return _back(ask, "cache.done_count", wanted)
    cache = await cache_of(ask, members=False)
    fewer = is_number(wanted, 99) and int(wanted) < _replicas(cache)
    await ask.aws(
        "elasticache",
        "DecreaseReplicaCount" if fewer else "IncreaseReplicaCount",
        ReplicationGroupId=name,
        NewReplicaCount=wanted,
        ApplyImmediately=True,
    )
    return _back(ask, "cache.done_count", wanted)


@act(f"{AT}/shards", back=AT)
async def shards(ask: Ask) -> Answered:
    """Have another number of shards, without those that are ticked; with as many as now the slots are balanced."""
    going = ask.form.all("remove")
    cache = await cache_of(ask, members=False)
    wanted = ask.form.get("shards") or str(len(cache.shards) - len(going))
    await ask.aws(
        "elasticache",
        "ModifyReplicationGroupShardConfiguration",
        ReplicationGroupId=cache.name,
        NodeGroupCount=wanted,
        NodeGroupsToRemove=going or None,
        ApplyImmediately=True,
    )
    return _back(ask, "cache.done_shards", wanted)


def _back(ask: Ask, done: str, about: str) -> Answered:
    kind, name = ask.parts["kind"], ask.parts["name"]
    at = path_of("group" if kind == "group" else "cluster", name)
    return ask.go(f"{at}/nodes", done, id=about)


async def _lags(ask: Ask, cache: Cache) -> dict[str, float]:
    """Return how many seconds each replica lags, by its cluster, as far as it was measured."""
    if cache.kind != "group":
        return {}
    now = ask.service.backend.now()
    lines = await lines_of(ask, cache, (LAG,), now - RECENT, now, 60)
    return {line.name: line.points[-1][1] for line in lines[LAG.name]}


def _leaders(ask: Ask, cache: Cache) -> set[str]:
    """Return the clusters that lead the shards.

    In cluster mode AWS's API does not say it (clients ask the cluster); the World does.
    """
    world = ask.service.backend.world(ask.caller)
    group = world.get(ReplicationGroup, key(ask.account, ask.region, cache.name)) if cache.kind == "group" else None
    leaders = [world.get(CacheCluster, shard.primary_id) for shard in group.node_groups] if group else []
    return {cluster.name for cluster in leaders if cluster}


def _shards(cache: Cache, leaders: set[str], lags: dict[str, float]) -> list[tuple[Said, list[Row]]]:
    """Return the rows of each shard; a cluster of its own is one."""
    clusters = {str(cluster["CacheClusterId"]): cluster for cluster in cache.clusters}
    if cache.kind == "cluster":
        return [({}, [_row(cache.said, node, "", {}) for node in cache.said.get("CacheNodes", ())])]
    return [
        (
            shard,
            [
                _row(clusters[name], node, "primary" if name in leaders else "replica", lags)
                for member in shard.get("NodeGroupMembers", ())
                if (name := member["CacheClusterId"]) in clusters
                for node in clusters[name].get("CacheNodes", ())
            ],
        )
        for shard in cache.shards
    ]


def _row(cluster: Said, node: Said, role: str, lags: dict[str, float]) -> Row:
    name = str(cluster["CacheClusterId"])
    place: dict[str, Any] = node.get("Endpoint", {})
    return Row(
        cluster=name,
        node=str(node["CacheNodeId"]),
        role=role,
        status=str(node["CacheNodeStatus"]),
        zone=str(node["CustomerAvailabilityZone"]),
        endpoint=f"{place['Address']}:{place['Port']}" if place else "",
        lag_seconds=lags.get(name) if role == "replica" else None,
        needs_reboot=node.get("ParameterGroupStatus") == "pending-reboot",
    )


def _replicas(cache: Cache) -> int:
    """Return how many replicas each shard has: that of the first one."""
    return max(len(cache.shards[0].get("NodeGroupMembers", ())) - 1, 0) if cache.shards else 0


def _moving(cache: Cache) -> int | None:
    """Return how much of the slots that move have moved, in percent; None: none move."""
    moving = cache.said.get("PendingModifiedValues", {}).get("Resharding")
    return int(moving["SlotMigration"]["ProgressPercentage"]) if moving else None
