"""An online migration, step by step: what is asked of the source, and what was seen, written into the World.

    test      testing -> (nothing)
    migrate   starting -> copying -> completing -> promoting -> (nothing)

Like all observations these take a transaction without a caller and do nothing when things have moved on.
"""

from collections.abc import Mapping
from dataclasses import replace

from atoll.cache.families import numbers
from atoll.cache.history import GROUP, record
from atoll.cache.transitions import settle
from atoll.model.cache import CacheCluster, Migration, ReplicationGroup
from atoll.model.world import Tx

# A Valkey began as Redis OSS 7.2: it reads what that one writes, and nothing newer.  Redis OSS reads no Valkey's.
REDIS_TO_VALKEY_MAX = (7, 2)
Said = Mapping[str, str]  # the fields of INFO


def trouble_with(source: Said, cluster: CacheCluster, data_bytes: int) -> str | None:
    """Say why a source cannot be copied to a cluster whose data may fill so many bytes; None: it can."""
    if "role" not in source:
        return "it does not say what it is"
    if source.get("cluster_enabled") == "1":
        return "its cluster mode is enabled, and that of the replication group is disabled"
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


def is_in_step(leader: Said) -> bool:
    """Tell whether a leader has copied all data of its source and hears of every change."""
    return leader.get("role") == "slave" and leader.get("master_link_status") == "up"


def has_reached(leader: Said, history: str, offset: int) -> bool:
    """Tell whether a leader has all of a source's history up to an offset."""
    return (
        is_in_step(leader)
        and leader.get("master_replid") == history
        and int(leader.get("slave_repl_offset", "-1")) >= offset
    )


def tested(tx: Tx, group_id: str, shard_id: str, trouble: str | None) -> None:
    """Tell how a test of the source has ended."""
    said = f"Migration test failed: {trouble}" if trouble else "Migration test succeeded"
    _end(tx, group_id, shard_id, "testing", said)


def begun(tx: Tx, group_id: str, shard_id: str, trouble: str | None) -> None:
    """Tell that the source can be copied, and is; or why it cannot."""
    if trouble:
        _end(tx, group_id, shard_id, "starting", f"Migration failed: {trouble}")
    else:
        _move(tx, group_id, shard_id, "starting", "copying", "Data migration started")


def copied(tx: Tx, group_id: str, shard_id: str, *, in_step: bool) -> None:
    """Tell that all data have been copied, or that the link to the source is down."""
    group, migration = _find(tx, group_id, shard_id)
    if group is None or migration is None or not migration.follows or migration.in_step == in_step:
        return
    _put(tx, group, shard_id, replace(migration, in_step=in_step))
    state = "in sync with its source" if in_step else "no longer in sync with its source"
    record(tx, group, GROUP, group.name, f"Replication group {group.name} is {state}")


def caught_up(tx: Tx, group_id: str, shard_id: str) -> None:
    """Tell that the leader has all that its source had: it may be a primary."""
    _move(tx, group_id, shard_id, "completing", "promoting", "")


def not_completed(tx: Tx, group_id: str, shard_id: str, because: str) -> None:
    """Tell that the leader did not catch up: it goes on copying."""
    _move(tx, group_id, shard_id, "completing", "copying", f"Data migration was not completed: {because}")


def completed(tx: Tx, group_id: str, shard_id: str) -> None:
    """Tell that the leader is a primary again."""
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
    _put(tx, group, shard_id, replace(migration, stage=to))
    if said:
        record(tx, group, GROUP, group.name, f"{said} for replication group {group.name}")


def _end(tx: Tx, group_id: str, shard_id: str, stage: str, said: str) -> None:
    group, migration = _find(tx, group_id, shard_id)
    if group is None or migration is None or migration.stage != stage:
        return
    group = _put(tx, group, shard_id, None)
    record(tx, group, GROUP, group.name, said)
    settle(tx, group.shard.primary_id)
