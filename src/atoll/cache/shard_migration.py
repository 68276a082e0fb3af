"""An online migration to a group in cluster mode, step by step: each shard copies from the one with the same slots.

    test      testing -> (nothing)
    migrate   starting -> copying -> completing -> joining -> (nothing)
    force     ... -> promoting -> returning -> (nothing)

An engine in cluster mode copies from outside its cluster only as it was started (cache/shards.py), and a source's
primaries change while it runs.  So all engines leave cluster mode when copying begins, empty, and go back into it at
the end, as those of a group do that is modified to it: replicas first, which copy from their leaders and take over.
Until then leaders follow the source, so that nobody takes writes who does not know whose the slots are, and a leader
that is lost in the middle copies all again.

Like all observations these take a transaction without a caller and do nothing when things have moved on.
"""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from atoll.cache.changed import enter_cluster, leave_cluster
from atoll.cache.history import GROUP, record
from atoll.cache.migration import has_changed
from atoll.cache.source_cluster import Owner
from atoll.cache.transitions import settle
from atoll.model.cache import CacheCluster, Migration, NodeGroup, ReplicationGroup
from atoll.model.serverless import SERVICE
from atoll.model.world import Tx, World


def is_under_way(group: ReplicationGroup) -> bool:
    """Tell whether a group in cluster mode is migrated to; one behind a serverless cache is another matter."""
    return group.cluster_mode == "enabled" and group.account != SERVICE and group.shard.migration is not None


def stage_of(group: ReplicationGroup) -> str:
    """Return the stage, which is that of all its shards."""
    return group.shard.migration.stage if group.shard.migration else ""


def with_migrations(group: ReplicationGroup, **changes: object) -> ReplicationGroup:
    """Return a group in which something is other about the migrations of all shards."""
    for shard in group.node_groups:
        if shard.migration:
            changed = replace(shard.migration, **changes)  # type: ignore[arg-type]  # the names are Migration's
            group = group.with_shard(replace(shard, migration=changed))
    return group


def tested(tx: Tx, group_id: str, trouble: str | None) -> None:
    """Tell how a test of the source has ended."""
    if group := _at(tx, group_id, "testing"):
        _end(tx, group, f"Migration test failed: {trouble}" if trouble else "Migration test succeeded")


def begun(tx: Tx, group_id: str, owners: Mapping[str, Owner], trouble: str | None) -> None:
    """Tell from whom each shard copies, for which engines leave cluster mode; or why the source cannot be copied."""
    group = _at(tx, group_id, "starting")
    if group is None:
        return
    if trouble or owners.keys() != {shard.id for shard in group.node_groups}:
        _end(tx, group, f"Migration failed: {trouble or 'its shards have changed'}")
        return
    if not has_changed(tx.world, group) or any(s.promotion or s.source_id for s in group.node_groups):
        return  # a node is being replaced: the source is looked at again
    for shard in group.node_groups:
        owner = owners[shard.id]
        copying = Migration(address=owner.address, port=owner.port, stage="copying")
        group = group.with_shard(replace(shard, slots=owner.slots, migration=copying))
    leave_cluster(tx, tx.put(group))
    record(tx, group, GROUP, group.name, f"Data migration started for replication group {group.name}")


def followed(tx: Tx, group_id: str, shard_id: str, address: IPv4Address, port: int) -> None:
    """Tell that another node leads a shard of the source: it is copied from that one."""
    group = tx.get(ReplicationGroup, group_id)
    shard = next((s for s in group.node_groups if s.id == shard_id), None) if group else None
    if group is None or shard is None or shard.migration is None or not shard.migration.follows:
        return
    if (shard.migration.address, shard.migration.port) != (address, port):
        now = replace(shard.migration, address=address, port=port)
        tx.put(group.with_shard(replace(shard, migration=now)))
        told = f"Shard {shard_id} of replication group {group.name} copies from the new primary {address}:{port}"
        record(tx, group, GROUP, group.name, told)


def copied(tx: Tx, group_id: str, in_step: Mapping[str, bool]) -> None:
    """Tell which shards have copied all data and hear of every change."""
    group = tx.get(ReplicationGroup, group_id)
    if group is None or group.status == "deleting" or not _follows(group):
        return
    was, now = is_in_step(group), group
    for shard in group.node_groups:
        if shard.migration and shard.id in in_step:
            now = now.with_shard(replace(shard, migration=replace(shard.migration, in_step=in_step[shard.id])))
    tx.put(now)
    if is_in_step(now) != was:
        state = "no longer in sync with its source" if was else "in sync with its source"
        record(tx, group, GROUP, group.name, f"Replication group {group.name} is {state}")


def is_in_step(group: ReplicationGroup) -> bool:
    """Tell whether every shard has copied all data of its source."""
    return all(shard.migration is not None and shard.migration.in_step for shard in group.node_groups)


def caught_up(tx: Tx, group_id: str, goals: Mapping[str, tuple[str, int]]) -> None:
    """Tell that the leaders have all that their source had: the engines go back into cluster mode.

    Not while a node is being replaced: it is told again.
    """
    group = _at(tx, group_id, "completing")
    if group and has_changed(tx.world, group):
        for shard in group.node_groups:
            if shard.migration:
                joining = replace(shard.migration, stage="joining", goal=goals.get(shard.id))
                group = group.with_shard(replace(shard, migration=joining))
        enter_cluster(tx, tx.put(group))


def not_completed(tx: Tx, group_id: str, because: str) -> None:
    """Tell that the leaders did not catch up: they go on copying, until somebody completes it."""
    if group := _at(tx, group_id, "completing"):
        tx.put(with_migrations(group, stage="copying"))
        told = f"Data migration was not completed: {because} for replication group {group.name}"
        record(tx, group, GROUP, group.name, told)


def detached(tx: Tx, group_id: str) -> None:
    """Tell that the source is gone while the engines go into cluster mode: leaders need it no more, having all of it.

    A leader without it feeds no replica.
    """
    if group := _at(tx, group_id, "joining"):
        tx.put(with_migrations(group, stage="returning"))


def promoted(tx: Tx, group_id: str) -> None:
    """Tell that all leaders are primaries, whatever they have copied."""
    group = _at(tx, group_id, "promoting")
    if group:
        group = tx.put(with_migrations(group, stage="returning"))
        returned(tx, group.id)


def returned(tx: Tx, group_id: str) -> None:
    """Have engines go into cluster mode that are out of it, and end the migration if all are in it."""
    group = _at(tx, group_id, "joining", "returning")
    if group is None or not has_changed(tx.world, group):
        return
    if all(tx.world[CacheCluster, id].sharded for id in group.member_ids):
        _end(tx, group, "Data migration completed")
    else:
        enter_cluster(tx, group)


def led_outside(world: World, group: ReplicationGroup) -> tuple[NodeGroup, ...]:
    """Return the shards whose leaders are out of cluster mode."""
    return tuple(s for s in group.node_groups if (c := world.get(CacheCluster, s.leader_id)) and not c.sharded)


def _follows(group: ReplicationGroup) -> bool:
    return group.shard.migration is not None and group.shard.migration.follows


def _at(tx: Tx, group_id: str, *stages: str) -> ReplicationGroup | None:
    """Return a group if its migration is in one of these stages."""
    group = tx.get(ReplicationGroup, group_id)
    if group is None or group.status == "deleting" or not is_under_way(group):
        return None
    return group if stage_of(group) in stages else None


def _end(tx: Tx, group: ReplicationGroup, said: str) -> None:
    for shard in group.node_groups:
        group = group.with_shard(replace(shard, migration=None))
    tx.put(group)
    record(tx, group, GROUP, group.name, said)
    settle(tx, group.shard.primary_id)
