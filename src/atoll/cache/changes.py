"""Changes of engine, version, cluster mode and node type, decided: from the World, what may be done next.  Pure.

    resize all - restart the replicas, one after another - hand over - restart the former primary

A node type is a matter of limits, which a running engine is told.  An engine or a version is another process: a
replica copies everything again, and a primary becomes a replica first.  One that has no replica leaves its data to
its successor in a file.  Memcached starts empty, as on AWS.  Cluster mode is another process, too: a replica follows
its primary although one of them is in cluster mode and the other is not (cache/shards.py), until it takes over.

Each step is one transaction, or acts and then is one: whatever a crash interrupts is decided again.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias, cast

from atoll.cache.config import data_bytes, memory_bytes, server_settings
from atoll.cache.node import Settings
from atoll.cache.node_types import NODE_TYPES
from atoll.cache.tuning import places
from atoll.cache.updates import successor
from atoll.model.cache import CacheCluster, CacheNode, NodeGroup, ReplicationGroup
from atoll.model.change import Change
from atoll.model.world import World


@dataclass(frozen=True, slots=True)
class Resize:
    """Tell running engines other limits, all of a cache at once."""

    cluster_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restart:
    """Let another process take a cluster's place, without data; a replica copies them."""

    cluster_id: str


@dataclass(frozen=True, slots=True)
class HandOver:
    """Let a replica that was changed become primary."""

    group_id: str
    shard_id: str


@dataclass(frozen=True, slots=True)
class Carry:
    """Let another process take a lone node's place, with its data."""

    cluster_id: str


Step: TypeAlias = Resize | Restart | HandOver | Carry


def steps(world: World) -> list[Step]:
    """Return what may be done now, for all caches that are changing.  Costs a look-up when there is none."""
    changing = [cast(CacheCluster, c) for c in world.bucket(CacheCluster, "is_changing", True).values()]
    found: list[Step] = [step for c in changing if c.group_id is None for step in _alone(c)]
    for id in dict.fromkeys(c.group_id for c in changing if c.group_id):
        found += _of_group(world, world[ReplicationGroup, id])
    return found


def changes_engine(cluster: CacheCluster) -> bool:
    """Tell whether a cluster's change needs another process."""
    change = cluster.change
    assert change, "it is changing"
    return process_of(as_change(cluster)) != process_of(change)


def process_of(what: Change) -> tuple[str, str, bool]:
    """Return of a cluster what only another process can change."""
    return what.engine, what.engine_version, what.sharded


def changes_mode(cluster: CacheCluster) -> bool:
    """Tell whether a cluster's engine is to go into cluster mode, or to leave it."""
    return cluster.change is not None and cluster.change.sharded != cluster.sharded


def to_be_looked_at(world: World, step: Step) -> CacheCluster | None:
    """Return the primary whose databases decide whether a step may be done; None: it may.

    In cluster mode there is only database 0, and an engine with keys in others cannot be copied.
    """
    match step:
        case Restart(id):
            cluster = world[CacheCluster, id]
            shard = world[ReplicationGroup, cluster.group_id].shard_of(id) if cluster.group_id else None
        case HandOver(group_id, shard_id):
            shard = next(s for s in world[ReplicationGroup, group_id].node_groups if s.id == shard_id)
            cluster = world[CacheCluster, shard.primary_id]
        case _:
            return None
    if shard is None or not changes_mode(cluster) or cluster.sharded:
        return None
    primary = world[CacheCluster, shard.primary_id]
    return None if primary.sharded else primary


def _changes_type(cluster: CacheCluster) -> bool:
    return cluster.change is not None and cluster.change.node_type != cluster.node_type


def _alone(cluster: CacheCluster) -> list[Step]:
    if cluster.is_memcached:
        return [Restart(cluster.id)]
    if not _is_up(cluster):
        return []
    return [Resize((cluster.id,))] if _changes_type(cluster) else [Carry(cluster.id)]


def _of_group(world: World, group: ReplicationGroup) -> list[Step]:
    if group.status == "deleting":
        return []
    members = [world[CacheCluster, id] for id in group.member_ids]
    if wider := [c for c in members if c.is_changing and _changes_type(c)]:
        return [Resize(tuple(c.id for c in wider))] if all(_is_up(c) for c in wider) else []
    found = [step for shard in group.node_groups if (step := _of_shard(world, group, shard))]
    replicas, primaries = (
        [s for s in found if isinstance(s, Restart)],
        [s for s in found if not isinstance(s, Restart)],
    )
    leaders = [world[CacheCluster, id] for id in group.primary_ids]
    is_busy = any(shard.promotion for shard in group.node_groups) or not all(_is_up(leader) for leader in leaders)
    return [*replicas, *(primaries[:1] if not is_busy else ())]  # shards in parallel, but their primaries one by one


def _of_shard(world: World, group: ReplicationGroup, shard: NodeGroup) -> Step | None:
    """The replicas first, one at a time; the primary when it is one no more."""
    if shard.promotion or shard.source_id:
        return None  # who is primary is not decided
    members = [c for id in shard.member_ids if (c := world[CacheCluster, id]).status != "deleting"]
    primary = world[CacheCluster, shard.primary_id]
    replicas = [c for c in members if c.id != primary.id]
    due = sorted((c for c in replicas if c.is_changing), key=_is_up)  # one that is down is the first to be replaced
    others_up = all(_is_up(c) for c in replicas if not c.is_changing)
    if due:
        return Restart(due[0].id) if others_up else None
    if not primary.is_changing or not _is_up(primary):
        return None
    if not replicas:
        return Carry(primary.id)
    return HandOver(group.id, shard.id) if others_up else None


def _is_up(cluster: CacheCluster) -> bool:
    return all(node.status == "available" for node in cluster.nodes)


def resized(cluster: CacheCluster) -> tuple[Settings, int]:
    """Return the settings that a change of node type alters in a running engine, and the memory of its process."""
    change = cluster.change
    assert change, "it is changing"
    node = cluster.nodes[0]
    new = places(_settings(cluster.but(node_type=change.node_type), node))
    old = places(_settings(cluster, node))
    orders = tuple((place[0], value) for place, value in new.items() if value != old[place])
    return orders, memory_bytes(NODE_TYPES[change.node_type], memcached=False)


def room(cluster: CacheCluster) -> int:
    """Return how many bytes of data a cluster may hold after its change."""
    change = cluster.change
    assert change, "it is changing"
    return data_bytes(NODE_TYPES[change.node_type], dict(cluster.nodes[0].parameters))


def _settings(cluster: CacheCluster, node: CacheNode) -> Settings:
    type_ = NODE_TYPES[cluster.node_type]
    values = dict(node.parameters)
    return server_settings(
        cluster.engine, cluster.engine_version, type_, cluster.port, values, sharded=cluster.sharded
    )


def pending(cluster: CacheCluster) -> dict[str, str]:
    """Return what a cluster is to become, as AWS's PendingModifiedValues has it."""
    change, found = cluster.change, {}
    if change is None:
        return {}
    if change.engine_version != cluster.engine_version:
        found["EngineVersion"] = change.engine_version
    if change.node_type != cluster.node_type:
        found["CacheNodeType"] = change.node_type
    return found


def as_change(cluster: CacheCluster) -> Change:
    """Return what a cluster is, as a change that would lead there."""
    return Change(
        engine=cluster.engine,
        engine_version=cluster.engine_version,
        requested_version=cluster.requested_version,
        node_type=cluster.node_type,
        parameter_group=cluster.parameter_group,
        sharded=cluster.sharded,
    )


def become(cluster: CacheCluster, what: Change) -> CacheCluster:
    """Return a cluster as a change says that it is."""
    return cluster.but(
        engine=what.engine,
        engine_version=what.engine_version,
        requested_version=what.requested_version,
        node_type=what.node_type,
        parameter_group=what.parameter_group,
        sharded=what.sharded,
    )


def after_failure(world: World, cluster: CacheCluster) -> CacheCluster:
    """Return a cluster as its next process is to be, when the one before has died with all data.

    What waits for the maintenance window of a lone node comes now, as on AWS; a version that is gone from the machine
    is followed by its next patch.
    """
    waits = cluster.change is not None and not cluster.change.begun
    if waits and cluster.change and cluster.group_id is None and len(cluster.nodes) == 1:
        return become(cluster, cluster.change).but(change=None)
    return cluster.but(engine_version=successor(world, cluster))


def begun(cluster: CacheCluster) -> CacheCluster:
    """Return a cluster whose change is under way."""
    assert cluster.change, "there is something to do"
    return cluster.but(change=replace(cluster.change, begun=True))
