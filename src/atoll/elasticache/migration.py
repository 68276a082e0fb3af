"""StartMigration, TestMigration and CompleteMigration: a group copies from an engine outside, and then goes on alone.

Source: ElastiCache API Reference, the three operations; User Guide, "Online migration to ElastiCache".
"""

from collections.abc import Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.history import GROUP, record
from atoll.cache.shard_migration import is_in_step, with_migrations
from atoll.elasticache import checks, cluster_mode, errors, serverless_migration
from atoll.elasticache.find import find_group
from atoll.elasticache.migration_source import source_of
from atoll.elasticache.replication_group import render
from atoll.model.cache import CacheCluster, Migration, ReplicationGroup
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx

ALREADY = Err("ReplicationGroupAlreadyUnderMigrationFault", "Replication group {name} is already under migration.")
NOT_UNDER = Err("ReplicationGroupNotUnderMigrationFault", "Replication group {name} is not under migration.")
NOT_IN_STEP = Err(
    "InvalidReplicationGroupState",
    "Replication group {name} is not in sync with its source. Wait until it is, or use Force to stop the migration.",
)
TLS = Err("InvalidParameterCombination", "A replication group with in-transit encryption cannot be migrated to.")
LONE = Err(
    "InvalidParameterCombination",
    "Each shard of a replication group with cluster mode enabled must have a replica to be migrated to, and shard "
    "{shard} of {name} has none.",
)
PENDING = Err("InvalidReplicationGroupState", "Replication group {name} has modifications that are pending.")
GLOBAL = Err("InvalidReplicationGroupState", "Replication group {name} is part of a global datastore.")
AGAIN = "a group's data always give way to those of its source."


@operation("elasticache", "TestMigration")
def test_migration(tx: Tx, *, replication_group_id: str, customer_node_endpoint_list: Sequence[Shape]) -> Shape:
    """Look at a source as StartMigration would; the group is `modifying` meanwhile, and an event tells the result."""
    group, migration = _checked(tx, replication_group_id, customer_node_endpoint_list)
    return {"ReplicationGroup": render(tx.world, _put(tx, group, "modify", replace(migration, stage="testing")))}


@operation("elasticache", "StartMigration")
def start_migration(
    tx: Tx,
    *,
    replication_group_id: str | None = None,
    customer_node_endpoint_list: Sequence[Shape] = (),
    serverless_cache_name: str | None = None,
    auto_cutover: bool | None = None,
    clear_target_cache_data: bool | None = None,
) -> Shape:
    """Have a group's primary, or a serverless cache, copy from a source; a group is `migrating`, and read only."""
    if _is_serverless(replication_group_id, serverless_cache_name):
        return serverless_migration.start(
            tx,
            serverless_cache_name or "",
            customer_node_endpoint_list,
            auto_cutover=auto_cutover,
            clear=clear_target_cache_data,
        )
    checks.refuse_unless(auto_cutover, False, "AutoCutover", "CompleteMigration says when.")
    checks.refuse_unless(clear_target_cache_data, True, "ClearTargetCacheData", AGAIN)
    group, migration = _checked(tx, replication_group_id or "", customer_node_endpoint_list)
    group = _put(tx, group, "migrate", migration)
    return {"ReplicationGroup": render(tx.world, group)}


@operation("elasticache", "CompleteMigration")
def complete_migration(
    tx: Tx,
    *,
    replication_group_id: str | None = None,
    serverless_cache_name: str | None = None,
    force: bool = False,
) -> Shape:
    """Promote the group's primary once it has all that its source had; `Force`: now, whatever it has."""
    if _is_serverless(replication_group_id, serverless_cache_name):
        return serverless_migration.complete(tx, serverless_cache_name or "", force=force)
    group = find_group(tx.world, replication_group_id or "")
    migration = group.shard.migration
    if migration is None or migration.stage == "testing":
        raise NOT_UNDER(name=group.name)
    if not force and not is_in_step(group):
        raise NOT_IN_STEP(name=group.name)
    if stage := _next(migration.stage, force=force):
        group = tx.put(with_migrations(group, stage=stage))
        record(tx, group, GROUP, group.name, f"Complete Migration API called for replication group {group.name}")
    return {"ReplicationGroup": render(tx.world, group)}


def _next(stage: str, *, force: bool) -> str | None:
    """Return the stage that CompleteMigration leads to; None: it is called once more."""
    if stage in ("promoting", "returning"):
        return None
    if stage == "joining":
        return "returning" if force else None
    return "promoting" if force else "completing"


def _is_serverless(group: str | None, cache: str | None) -> bool:
    """Tell whether a request is about a serverless cache.  Raises BAD_COMBINATION: about both; MISSING: neither."""
    if group and cache:
        raise errors.BAD_COMBINATION(why="ReplicationGroupId and ServerlessCacheName exclude each other.")
    if not group and not cache:
        raise errors.MISSING(name="ReplicationGroupId")
    return bool(cache)


def _checked(tx: Tx, name: str, endpoints: Sequence[Shape]) -> tuple[ReplicationGroup, Migration]:
    if not name:
        raise errors.MISSING(name="ReplicationGroupId")
    group = find_group(tx.world, name)
    if group.shard.migration:
        raise ALREADY(name=group.name)
    if group.status != "available":
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    if group.tls:
        raise TLS()
    if group.global_id:
        raise GLOBAL(name=group.name)
    if group.is_sharded:
        _check_sharded(tx, group)
    address, port = source_of(endpoints, group.region)
    return group, Migration(address=address, port=port, stage="starting")


def _put(tx: Tx, group: ReplicationGroup, event: str, migration: Migration) -> ReplicationGroup:
    shards = tuple(replace(shard, migration=migration) for shard in group.node_groups)
    return tx.put(group.but(status=REPLICATION_GROUP.after(group.status, event), node_groups=shards))


def _check_sharded(tx: Tx, group: ReplicationGroup) -> None:
    """Refuse a group whose engines cannot leave cluster mode and come back, one of them leading all the time."""
    cluster_mode.refuse(group, "A migration")
    if lone := next((shard for shard in group.node_groups if len(shard.member_ids) < 2), None):
        raise LONE(shard=lone.id, name=group.name)
    if any(tx.world[CacheCluster, id].change for id in group.member_ids):
        raise PENDING(name=group.name)
