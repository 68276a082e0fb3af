"""Backups, decided: which snapshots are due and which have had their time, and from which node one is taken.  Pure.

Source: ElastiCache User Guide, "Snapshot and restore" and "Scheduling automatic backups".
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast

from atoll.cache import windows
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.snapshot import AUTOMATED, NodeSnapshot, Snapshot
from atoll.model.world import World

SEEDS = "snapshots"  # where the files of snapshots lie, below the state directory
Backed = CacheCluster | ReplicationGroup


def opened(window: str, now: datetime) -> datetime | None:
    """Return when the snapshot window that is open now began; None: it is shut."""
    parsed = windows.snapshot(window)
    if parsed is None:
        return None
    start, length = parsed
    since = (now.hour * 60 + now.minute - start) % windows.DAY_MINUTES
    begun = (now - timedelta(minutes=since)).replace(second=0, microsecond=0)
    return begun if since < length else None


def due(world: World, now: datetime) -> list[Backed]:
    """Return what an automatic snapshot is to be taken of now: once in each window, if it is available."""
    taken = [s for s in world.seen_by(None).all(Snapshot) if s.source == AUTOMATED]
    found: list[Backed] = []
    for it in _daily(world.seen_by(None)):
        begun = opened(it.snapshot_window, now) if it.snapshot_window else None
        if begun is None or it.status != "available":
            continue
        if not any(s.created >= begun and it.id in (s.group_id, s.cluster_id) for s in taken):
            found.append(it)
    return found


def expired(world: World, now: datetime) -> list[Snapshot]:
    """Return the automatic snapshots whose days are over, or whose cache is gone."""
    whole = world.seen_by(None)
    if not any(snapshot.source == AUTOMATED for snapshot in whole.all(Snapshot)):
        return []
    alive = {it.id for it in _backed(whole)}
    return [
        snapshot
        for snapshot in whole.all(Snapshot)
        if snapshot.source == AUTOMATED
        and snapshot.status in ("available", "failed")
        and not in_use(whole, snapshot)
        and (
            now - snapshot.created >= timedelta(days=snapshot.retention)
            or not {snapshot.group_id, snapshot.cluster_id} & alive
        )
    ]


def automatic_name(name: str, now: datetime) -> str:
    """Return the name of an automatic snapshot."""
    return f"automatic.{name}-{now:%Y-%m-%d-%H-%M}"


def snapshotting(world: World, group: ReplicationGroup) -> CacheCluster | None:
    """Return the member that a group's daily snapshots are taken of: the one named, else its first replica.

    None: each shard has its own, while cluster mode is enabled.
    """
    if group.is_sharded:
        return None
    ids = group.shard.member_ids
    others = [id for id in ids if id != group.shard.primary_id]
    chosen = group.snapshotting_id if group.snapshotting_id in ids else (others or list(ids))[0]
    return world.get(CacheCluster, chosen)


def nodes_for(world: World, snapshot: Snapshot, part: NodeSnapshot) -> Iterator[CacheCluster]:
    """Yield the clusters that a part can be taken from, the best first: a replica spares the primary the work."""
    group = world.get(ReplicationGroup, snapshot.group_id) if snapshot.group_id else None
    shard = next((s for s in group.node_groups if s.id == part.shard_id), None) if group else None
    ids = _order(shard, snapshot) if shard else (snapshot.cluster_id,)
    for id in ids:
        cluster = world.get(CacheCluster, id) if id else None
        if cluster and cluster.nodes and cluster.nodes[0].status == "available":
            yield cluster


def _order(shard: NodeGroup, snapshot: Snapshot) -> list[str]:
    """Return a shard's members: the one that was named, the replicas, the primary; of a final one, that first."""
    named, last = snapshot.cluster_id, not snapshot.is_final
    return sorted(shard.member_ids, key=lambda id: (id != named, (id == shard.primary_id) == last))


def final_of(world: World, it: Backed) -> Snapshot | None:
    """Return the snapshot that is taken of something before it is deleted."""
    for found in world.bucket(Snapshot, "status", "creating").values():
        snapshot = cast(Snapshot, found)
        own = it.group_id if isinstance(it, CacheCluster) else it.id
        is_of = it.id == snapshot.cluster_id if snapshot.cluster_id else own is not None and own == snapshot.group_id
        if snapshot.is_final and is_of:
            return snapshot
    return None


def in_use(world: World, snapshot: Snapshot) -> bool:
    """Tell whether a cache is being made of a snapshot, or another snapshot: its files must stay."""
    begins = f"{SEEDS}/{snapshot.files}-"
    whole = world.seen_by(None)
    if any(s.copy_of == snapshot.files and s.status == "creating" for s in whole.all(Snapshot)):
        return True
    return any(seed.path.startswith(begins) for c in whole.all(CacheCluster) if is_new(whole, c) for seed in c.seeds)


def is_new(world: World, cluster: CacheCluster) -> bool:
    """Tell whether a cluster has not been available yet, with its group: what it was made of is loaded again."""
    group = world.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
    return (group or cluster).status == "creating"


def _daily(world: World) -> Iterator[Backed]:
    """Yield what an automatic snapshot is taken of, once a day."""
    yield from world.all(CacheCluster, is_snapshotted=True)
    yield from world.all(ReplicationGroup, is_snapshotted=True)


def _backed(world: World) -> Iterator[Backed]:
    """Yield everything that has snapshots of its own."""
    yield from (cluster for cluster in world.all(CacheCluster) if cluster.group_id is None)
    yield from world.all(ReplicationGroup)
