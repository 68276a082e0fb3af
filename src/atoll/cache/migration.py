"""An online migration, step by step: what is asked of the source, and what was seen, written into the World.

    test      testing -> (nothing)
    migrate   starting -> copying -> completing -> promoting -> (nothing)

To a serverless cache (elasticache/serverless_migration.py) it begins and ends with a change of cluster mode:

    prepare   preparing -> leaving -> prepared
    start     starting -> copying -> completing -> promoting -> returning -> (nothing)
    stop      stopping -> prepared

Like all observations these take a transaction without a caller and do nothing when things have moved on.
"""

from dataclasses import replace

from atoll.cache import serverless
from atoll.cache.changed import begin_mode
from atoll.cache.families import numbers
from atoll.cache.history import GROUP, record
from atoll.cache.replicated import Said
from atoll.cache.transitions import settle
from atoll.model.cache import CacheCluster, Migration, ReplicationGroup
from atoll.model.world import Tx, World

# A Valkey began as Redis OSS 7.2: it reads what that one writes, and nothing newer.  Redis OSS reads no Valkey's.
REDIS_TO_VALKEY_MAX = (7, 2)


def fields(info: str) -> Said:
    """Read what a source answers to INFO."""
    return dict(line.split(":", 1) for line in info.splitlines() if ":" in line and not line.startswith("#"))


def trouble_with(source: Said, cluster: CacheCluster, data_bytes: int, *, sharded: bool = False) -> str | None:
    """Say why a source cannot be copied to a cluster whose data may fill so many bytes; None: it can.

    `sharded`: the cluster's group is in cluster mode, and so must the source be.
    """
    if "role" not in source:
        return "it does not say what it is"
    if source.get("cluster_enabled") == "1" and not sharded:
        return "its cluster mode is enabled, and that of the replication group is disabled"
    if source.get("cluster_enabled") != "1" and sharded:
        return "its cluster mode is disabled, and that of the replication group is enabled"
    engine, version = (
        ("valkey", source["valkey_version"])
        if "valkey_version" in source
        else ("redis", source.get("redis_version", "0"))
    )
    newest = numbers(cluster.engine_version)[:2] if engine == cluster.engine else REDIS_TO_VALKEY_MAX
    if (engine == "valkey" and cluster.engine == "redis") or numbers(version)[:2] > newest:
        return f"{cluster.engine} {cluster.engine_version} cannot read the data of {engine} {version}"
    if (used := int(source.get("used_memory_dataset", "0"))) > data_bytes:
        return f"it holds {used} bytes of data, and the node type has room for {data_bytes}"
    return None


def has_further_databases(said: Said) -> bool:
    """Tell whether an engine has keys in others than database 0: one in cluster mode has no others."""
    return any(name.startswith("db") and name[2:].isdigit() and name != "db0" for name in said)


def has_keys(said: Said) -> bool:
    """Tell whether an engine has any keys."""
    return "db0" in said or has_further_databases(said)


def trouble_of_serverless(source: Said, target: Said, migration: Migration) -> str | None:
    """Say what is wrong, beside `trouble_with`, with a migration to a serverless cache; None: nothing."""
    if has_further_databases(source):
        return "it has keys in other databases than 0; a serverless cache has no others"
    if source.get("role") != "master":
        return "it is a replica: name its primary"
    if migration.stage == "starting" and not migration.clears and has_keys(target):
        return "the serverless cache has data of its own: start with ClearTargetCacheData to have them deleted"
    return None


def tested(tx: Tx, group_id: str, shard_id: str, trouble: str | None) -> None:
    """Tell how a test of the source has ended."""
    said = f"Migration test failed: {trouble}" if trouble else "Migration test succeeded"
    _end(tx, group_id, shard_id, "testing", said)


def begun(tx: Tx, group_id: str, shard_id: str, trouble: str | None) -> None:
    """Tell that the source can be copied, and is; or why it cannot."""
    if not trouble:
        _move(tx, group_id, shard_id, "starting", "copying", "Data migration started")
    elif _is_serverless(tx, group_id):
        _move(tx, group_id, shard_id, "starting", "prepared", f"Migration failed: {trouble};")
    else:
        _end(tx, group_id, shard_id, "starting", f"Migration failed: {trouble}")


def copied(tx: Tx, group_id: str, shard_id: str, *, in_step: bool) -> None:
    """Tell that all data have been copied, or that the link to the source is down."""
    group, migration = _find(tx, group_id, shard_id)
    if group is None or migration is None or not migration.follows or migration.in_step == in_step:
        return
    now = replace(migration, in_step=in_step)
    if in_step and now.cuts_over and now.stage == "copying":
        now = replace(now, stage="completing")
    _put(tx, group, shard_id, now)
    state = "in sync with its source" if in_step else "no longer in sync with its source"
    named = _named(tx, group)
    _tell(tx, group, f"{named[0].upper()}{named[1:]} is {state}")


def caught_up(tx: Tx, group_id: str, shard_id: str) -> None:
    """Tell that the leader has all that its source had: it may be a primary."""
    _move(tx, group_id, shard_id, "completing", "promoting", "")


def not_completed(tx: Tx, group_id: str, shard_id: str, because: str) -> None:
    """Tell that the leader did not catch up: it goes on copying, until somebody completes it."""
    group, migration = _find(tx, group_id, shard_id)
    if group and migration and migration.stage == "completing" and migration.cuts_over:
        _put(tx, group, shard_id, replace(migration, cuts_over=False))
    _move(tx, group_id, shard_id, "completing", "copying", f"Data migration was not completed: {because}")


def looked_at(tx: Tx, group_id: str, shard_id: str, trouble: str | None) -> None:
    """Tell that a serverless cache can be migrated to from a source: its engines leave cluster mode; or why not."""
    if trouble:
        _end(tx, group_id, shard_id, "preparing", f"Migration preparation failed: {trouble}")
        return
    group, migration = _find(tx, group_id, shard_id)
    if group and migration and migration.stage == "preparing" and _all_available(tx, group):
        _put(tx, group, shard_id, replace(migration, stage="leaving"))
        begin_mode(tx, tx.world[ReplicationGroup, group_id], sharded=False)


def left(tx: Tx, group_id: str, shard_id: str) -> None:
    """Tell that the engines of a serverless cache are out of cluster mode, or that they would not leave it."""
    group, migration = _find(tx, group_id, shard_id)
    if group is None or migration is None or migration.stage != "leaving" or not has_changed(tx.world, group):
        return
    if group.is_sharded:
        _end(tx, group_id, shard_id, "leaving", "Migration preparation failed: its engines did not start anew")
    else:
        _move(tx, group_id, shard_id, "leaving", "prepared", "Migration prepared")


def stopped(tx: Tx, group_id: str, shard_id: str) -> None:
    """Tell that the leader is a primary again, but its migration is not over."""
    _move(tx, group_id, shard_id, "stopping", "prepared", "Data sync stopped")


def returned(tx: Tx, group_id: str, shard_id: str) -> None:
    """Have engines go into cluster mode that are out of it, and end the migration if they are in it."""
    group, migration = _find(tx, group_id, shard_id)
    if group is None or migration is None or migration.stage != "returning" or not has_changed(tx.world, group):
        return
    if group.is_sharded:
        _end(tx, group_id, shard_id, "returning", "Data migration completed")
    else:
        begin_mode(tx, group, sharded=True)


def has_changed(world: World, group: ReplicationGroup) -> bool:
    """Tell whether a group's cluster mode is not about to change, and all members are well."""
    return group.becoming is None and _all_available(world, group)


def _all_available(world: Tx | World, group: ReplicationGroup) -> bool:
    members = [world.get(CacheCluster, id) for id in group.member_ids]
    return all(member is not None and member.status == "available" for member in members)


def _is_serverless(tx: Tx, group_id: str) -> bool:
    group = tx.get(ReplicationGroup, group_id)
    return group is not None and serverless.in_front_of(tx.world, group) is not None


def _named(tx: Tx, group: ReplicationGroup) -> str:
    front = serverless.in_front_of(tx.world, group)
    return f"serverless cache {front.name}" if front else f"replication group {group.name}"


def _tell(tx: Tx, group: ReplicationGroup, said: str) -> None:
    """Write a line into the history of a group, or of the serverless cache that it is behind."""
    if front := serverless.in_front_of(tx.world, group):
        record(tx, front, serverless.SOURCE, front.name, said)
    else:
        record(tx, group, GROUP, group.name, said)


def completed(tx: Tx, group_id: str, shard_id: str) -> None:
    """Tell that the leader is a primary again."""
    if _is_serverless(tx, group_id):
        _move(tx, group_id, shard_id, "promoting", "returning", "Cutover completed")
    else:
        _end(tx, group_id, shard_id, "promoting", "Data migration completed")


def _find(tx: Tx, group_id: str, shard_id: str) -> tuple[ReplicationGroup | None, Migration | None]:
    group = tx.get(ReplicationGroup, group_id)
    if group is None or group.status == "deleting":
        return None, None
    return group, next((shard.migration for shard in group.node_groups if shard.id == shard_id), None)


def _put(tx: Tx, group: ReplicationGroup, shard_id: str, migration: Migration | None) -> ReplicationGroup:
    shard = next(shard for shard in group.node_groups if shard.id == shard_id)
    return tx.put(group.with_shard(replace(shard, migration=migration)))


def _move(tx: Tx, group_id: str, shard_id: str, stage: str, to: str, said: str) -> None:
    group, migration = _find(tx, group_id, shard_id)
    if group is None or migration is None or migration.stage != stage:
        return
    in_step = migration.in_step and to != "prepared"
    _put(tx, group, shard_id, replace(migration, stage=to, in_step=in_step))
    if said:
        _tell(tx, group, f"{said} for {_named(tx, group)}")


def _end(tx: Tx, group_id: str, shard_id: str, stage: str, said: str) -> None:
    group, migration = _find(tx, group_id, shard_id)
    if group is None or migration is None or migration.stage != stage:
        return
    group = _put(tx, group, shard_id, None)
    _tell(tx, group, said)
    settle(tx, group.shard.primary_id)
