"""PrepareMigration and StopMigration, and what StartMigration and CompleteMigration do to a serverless cache.

Source: ElastiCache API Reference; User Guide, "Online migration to ElastiCache Serverless".
"""

from collections.abc import Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.history import record
from atoll.cache.serverless import SOURCE, behind
from atoll.elasticache import checks, errors
from atoll.elasticache.migration_source import source_of
from atoll.elasticache.serverless import STAGES, find, render
from atoll.model.cache import Migration, ReplicationGroup
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.serverless import ServerlessCache
from atoll.model.world import Tx

ALREADY = Err(
    "ServerlessCacheAlreadyUnderMigrationFault",
    "A migration is already in progress for serverless cache {name}. You cannot start another migration until the "
    "current one completes.",
)
NOT_UNDER = Err("ServerlessCacheNotUnderMigrationFault", "Serverless cache {name} is not currently under migration.")
STATE = Err("InvalidServerlessCacheStateFault", "{what} is not allowed for serverless cache {name}: it is {status}.")
UNHEALTHY = Err(
    "MigrationHealthFault",
    "The migration is not healthy: serverless cache {name} is not in sync with its source. Check the events for this "
    "serverless cache for more details. For CompleteMigration, set Force to true to bypass this check.",
)
MUST_CLEAR = Err(
    "InvalidParameterCombination",
    "The data sync of serverless cache {name} was started before: ClearTargetCacheData is required to restart it.",
)
ONLY_VALKEY = Err(
    "InvalidParameterValue", "Only a serverless cache for Valkey can be migrated to; {name} is one for {engine}."
)
ENDPOINTS = "the endpoint of a serverless migration is the one that PrepareMigration was given."
NO_SECRETS = (
    "there is no Secrets Manager here. Turn the source's password off for the migration (CONFIG SET requirepass ''), "
    "and let its security group admit the cache alone."
)
NO_TLS = "an engine here copies in plain text only. Open a plain port of the source for the migration, and name that."


@operation("elasticache", "PrepareMigration")
def prepare_migration(
    tx: Tx,
    *,
    serverless_cache_name: str,
    customer_node_endpoint_list: Sequence[Shape],
    source_authentication_configuration: Shape | None = None,
    source_tls_configuration: Shape | None = None,
) -> Shape:
    """Look at a source, and make a serverless cache ready to copy from it; events tell the result."""
    tls = source_tls_configuration or {}
    checks.refuse_unless(tls.get("SourceTlsMode"), "none", "SourceTlsMode", NO_TLS)
    if tls.get("SourceTlsCertificate"):
        raise errors.UNSUPPORTED(what="SourceTlsCertificate", because=NO_TLS)
    if source_authentication_configuration:
        raise errors.UNSUPPORTED(what="SourceAuthenticationConfiguration", because=NO_SECRETS)
    cache = find(tx.world, serverless_cache_name)
    if cache.engine != "valkey":
        raise ONLY_VALKEY(name=cache.name, engine=cache.engine)
    group = _group(tx, cache)
    if group.shard.migration:
        raise ALREADY(name=cache.name)
    if group.status != "available":
        raise STATE(what="PrepareMigration", name=cache.name, status=group.status)
    address, port = source_of(customer_node_endpoint_list, cache.region)
    group = group.but(status=REPLICATION_GROUP.after(group.status, "modify"))
    return _put(tx, cache, group, Migration(address=address, port=port, stage="preparing"))


@operation("elasticache", "StopMigration")
def stop_migration(tx: Tx, *, serverless_cache_name: str) -> Shape:
    """End the sync of a serverless cache with its source; the migration stays open."""
    cache, group, migration = _found(tx, serverless_cache_name)
    if migration.stage not in ("starting", "copying"):
        raise STATE(what="StopMigration", name=cache.name, status=STAGES[migration.stage])
    return _put(tx, cache, group, replace(migration, stage="stopping"))


def start(tx: Tx, name: str, endpoints: Sequence[Shape], *, auto_cutover: bool | None, clear: bool | None) -> Shape:
    """Have a serverless cache that was prepared copy from its source."""
    cache, group, migration = _found(tx, name)
    if endpoints:
        raise errors.UNSUPPORTED(what="CustomerNodeEndpointList with ServerlessCacheName", because=ENDPOINTS)
    if migration.stage != "prepared":
        raise STATE(what="StartMigration", name=cache.name, status=STAGES[migration.stage])
    if migration.was_started and not clear:
        raise MUST_CLEAR(name=cache.name)
    begun = replace(migration, stage="starting", was_started=True, clears=bool(clear), cuts_over=bool(auto_cutover))
    return _put(tx, cache, group, begun)


def complete(tx: Tx, name: str, *, force: bool) -> Shape:
    """Lead a serverless cache's clients to it once it has all that its source had; `Force`: now, whatever it has."""
    cache, group, migration = _found(tx, name)
    if migration.stage in ("preparing", "leaving", "stopping") or (migration.stage == "prepared" and not force):
        raise STATE(what="CompleteMigration", name=cache.name, status=STAGES[migration.stage])
    if migration.stage in ("promoting", "returning"):
        return {"ServerlessCache": render(tx.world, cache)}
    if not force and not migration.in_step:
        raise UNHEALTHY(name=cache.name)
    record(tx, cache, SOURCE, cache.name, f"Complete Migration API called for serverless cache {cache.name}")
    return _put(tx, cache, group, replace(migration, stage="promoting" if force else "completing"))


def _found(tx: Tx, name: str) -> tuple[ServerlessCache, ReplicationGroup, Migration]:
    cache = find(tx.world, name)
    group = behind(tx.world, cache).group
    if group is None or group.shard.migration is None:
        raise NOT_UNDER(name=cache.name)
    if group.status == "deleting":
        raise STATE(what="A migration", name=cache.name, status="deleting")
    return cache, group, group.shard.migration


def _group(tx: Tx, cache: ServerlessCache) -> ReplicationGroup:
    group = behind(tx.world, cache).group
    assert group, "Memcached has no migrations"
    return group


def _put(tx: Tx, cache: ServerlessCache, group: ReplicationGroup, migration: Migration) -> Shape:
    tx.put(group.with_shard(replace(group.shard, migration=migration)))
    return {"ServerlessCache": render(tx.world, cache)}
