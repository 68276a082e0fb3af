"""CreateReplicationGroup: one shard of Redis OSS or Valkey, a primary with up to five replicas.

`shard_create` makes what has cluster mode enabled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.elasticache import (
    access_control,
    backups,
    checks,
    encryption,
    errors,
    failover,
    log_delivery,
    nodes,
    restore,
)
from atoll.elasticache.find import find_cluster, owner_key
from atoll.elasticache.global_group_create import arranged as alike
from atoll.elasticache.global_group_create import join, joining
from atoll.elasticache.naming import group_name
from atoll.elasticache.order import Asked, check_name_is_free, make_cluster, order
from atoll.elasticache.replica import MEMBERS_MAX, make_replicas
from atoll.elasticache.replication_group import SHARD, render
from atoll.elasticache.shard_create import (
    NOT_MEMCACHED,
    ZONES_PER_MEMBER,
    Layout,
    is_sharded,
    make_sharded,
)
from atoll.elasticache.tags import tags_of
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx

DEFAULT_ENGINE = "redis"  # as AWS: CreateReplicationGroup without Engine

FAILOVER_MEMBERS = Err(
    "InvalidParameterCombination",
    "When using automatic failover, there must be at least 2 cache clusters in the replication group.",
)
TWO_COUNTS = Err(
    "InvalidParameterCombination", "NumCacheClusters cannot be used with NumNodeGroups or ReplicasPerNodeGroup."
)
BAD_COUNT = Err("InvalidParameterValue", "A replication group can have from 1 to {limit} cache clusters.")
PRIMARY_PARAMETERS = Err(
    "InvalidParameterCombination",
    "Cannot specify additional cache cluster parameters together with PrimaryClusterId.",
)
PRIMARY_ENGINE = Err("InvalidParameterValue", "Cache cluster {name} cannot become a primary: its engine is {engine}.")
PRIMARY_TAKEN = Err("InvalidParameterValue", "Cache cluster {name} already belongs to replication group {group}.")

ONE_SHARD = Err("InvalidParameterValue", "The number of node groups must be at least 1.")
NO_CONFIGURATION = Err(
    "InvalidParameterCombination", "NodeGroupConfiguration can only be used when cluster mode is enabled."
)


@operation("elasticache", "CreateReplicationGroup")
def create_replication_group(
    tx: Tx,
    *,
    replication_group_id: str,
    replication_group_description: str,
    global_replication_group_id: str | None = None,
    primary_cluster_id: str | None = None,
    automatic_failover_enabled: bool | None = None,
    multi_az_enabled: bool | None = None,
    num_cache_clusters: int | None = None,
    preferred_cache_cluster_azs: Sequence[str] = (),
    num_node_groups: int | None = None,
    replicas_per_node_group: int | None = None,
    node_group_configuration: Sequence[Shape] = (),
    cache_node_type: str | None = None,
    engine: str | None = None,
    engine_version: str | None = None,
    cache_parameter_group_name: str | None = None,
    cache_subnet_group_name: str | None = None,
    cache_security_group_names: Sequence[str] = (),
    security_group_ids: Sequence[str] = (),
    tags: Sequence[Shape] = (),
    preferred_maintenance_window: str | None = None,
    port: int | None = None,
    notification_topic_arn: str | None = None,
    auto_minor_version_upgrade: bool | None = None,
    snapshot_arns: Sequence[str] = (),
    snapshot_name: str | None = None,
    snapshot_retention_limit: int | None = None,
    snapshot_window: str | None = None,
    transit_encryption_enabled: bool | None = None,
    transit_encryption_mode: str | None = None,
    at_rest_encryption_enabled: bool | None = None,
    kms_key_id: str | None = None,
    data_tiering_enabled: bool | None = None,
    network_type: str | None = None,
    ip_discovery: str | None = None,
    cluster_mode: str | None = None,
    auth_token: str | None = None,
    user_group_ids: Sequence[str] = (),
    log_delivery_configurations: Sequence[Shape] = (),
) -> Shape:
    """Make a group and its member clusters; it is `creating` until all of them replicate.

    `AtRestEncryptionEnabled` and `KmsKeyId` are shown again, and nothing is encrypted: docs/snapshots.md.
    """
    tls = encryption.asked(transit_encryption_enabled, transit_encryption_mode)
    checks.only_ipv4(network_type, ip_discovery)
    checks.refuse_unless(data_tiering_enabled, False, "DataTieringEnabled", "no node here keeps data on a disk.")
    name = _free_group_name(tx, replication_group_id)
    source = restore.source_of(tx.world, snapshot_name, snapshot_arns)
    asked = Asked(
        engine=(engine or (source and source.engine) or DEFAULT_ENGINE).lower(),
        engine_version=engine_version,
        node_type=cache_node_type or "",
        parameter_group=cache_parameter_group_name,
        subnet_group=cache_subnet_group_name,
        security_group_ids=security_group_ids,
        cache_security_groups=cache_security_group_names,
        port=port,
        maintenance_window=preferred_maintenance_window,
        snapshot_window=snapshot_window,
        auto_minor_upgrade=auto_minor_version_upgrade is not False,
        notification_topic=notification_topic_arn,
        tags=tags_of(tags),
        tls=tls,
        at_rest=at_rest_encryption_enabled is True or (at_rest_encryption_enabled is None and engine == "valkey"),
    )
    layout = Layout(
        mode=cluster_mode,
        automatic_failover=automatic_failover_enabled,
        multi_az=multi_az_enabled,
        primary=primary_cluster_id,
        clusters=num_cache_clusters,
        zones=preferred_cache_cluster_azs,
        shards=num_node_groups,
        replicas=replicas_per_node_group,
        configuration=node_group_configuration,
    )
    asked, layout = restore.arranged(tx.world, asked, layout, source)
    asked, joined = joining(tx, global_replication_group_id, asked, engine, primary_cluster_id or source)
    layout = alike(tx, joined, layout)
    make = make_sharded if is_sharded(tx.world, asked, layout) else _make_single
    group = make(tx, name, replication_group_description, asked, layout)
    group = encryption.check_access(access_control.restrict(tx, group, auth_token, user_group_ids))
    restore.seed(tx, group, source)
    group = backups.begin(tx, group, snapshot_retention_limit, kms_key_id)
    group = join(tx, joined, group) if joined else group
    return {"ReplicationGroup": render(tx.world, log_delivery.begin(tx, group, log_delivery_configurations))}


def _make_single(tx: Tx, name: str, description: str, asked: Asked, layout: Layout) -> ReplicationGroup:
    """Make a group of one shard, whose cluster mode is disabled."""
    if layout.configuration:
        raise NO_CONFIGURATION()
    count = _count(layout.clusters, layout.shards, layout.replicas)
    settings = _settings(count, layout.automatic_failover, layout.multi_az)
    zones = list(layout.zones)
    if zones and len(zones) != count:
        raise ZONES_PER_MEMBER(count=count)
    if layout.primary:
        primary = _existing_primary(tx, layout.primary, asked, zones)
        nodes.check_quota(tx.world, count - 1)
    else:
        nodes.check_quota(tx.world, count)
        primary = _new_primary(tx, name, asked, zones)
    group = _make_group(tx, name, description, primary, asked.tags, count - 1, zones[1:], settings)
    if settings.multi_az == "enabled":
        failover.check_spread(tx.world, group)
    return group


def _free_group_name(tx: Tx, text: str) -> str:
    name = group_name(text)
    if tx.get(ReplicationGroup, owner_key(tx.world, name)):
        raise errors.GROUP_EXISTS()
    return name


def _count(clusters: int | None, shards: int | None, replicas: int | None) -> int:
    """Return how many clusters a group is to have, in either of the two ways of saying it."""
    if clusters is not None and (shards is not None or replicas is not None):
        raise TWO_COUNTS()
    if shards is not None and shards != 1:
        raise ONE_SHARD()
    count = clusters if clusters is not None else 1 + (replicas or 0)
    if not 1 <= count <= MEMBERS_MAX:
        raise BAD_COUNT(limit=MEMBERS_MAX)
    return count


def _settings(count: int, automatic: bool | None, multi_az: bool | None) -> failover.Settings:
    if automatic and count < 2:
        raise FAILOVER_MEMBERS()
    settings = failover.Settings.of(bool(automatic), bool(multi_az))
    failover.check(settings, count)
    return settings


def _new_primary(tx: Tx, group: str, asked: Asked, zones: Sequence[str]) -> CacheCluster:
    """Make the first member of a group."""
    if asked.engine not in ("redis", "valkey"):
        raise NOT_MEMCACHED(engine=asked.engine)
    if not asked.node_type:
        raise errors.MISSING(name="CacheNodeType")
    checked = order(tx, asked)
    nodes.check_zones(tx.world, checked.subnet_group, zones)
    first = zones[0] if zones else nodes.spread(tx.world, checked.subnet_group, 1)[0]
    return make_cluster(tx, checked, check_name_is_free(tx, f"{group}-001"), [first])


def _existing_primary(tx: Tx, name: str, asked: Asked, zones: Sequence[str]) -> CacheCluster:
    """Return a cluster that stands alone and is to become a group's primary."""
    if asked.tls:
        raise encryption.AT_CREATION()
    others = (asked.node_type, asked.engine_version, asked.parameter_group, asked.subnet_group, asked.port, zones)
    if any((*others, asked.security_group_ids, asked.maintenance_window, asked.snapshot_window)):
        raise PRIMARY_PARAMETERS()
    cluster = find_cluster(tx.world, name)
    if cluster.is_memcached:
        raise PRIMARY_ENGINE(name=cluster.name, engine=cluster.engine)
    if cluster.group_id:
        raise PRIMARY_TAKEN(name=cluster.name, group=tx.world[ReplicationGroup, cluster.group_id].name)
    if cluster.status != "available":
        raise errors.CLUSTER_NOT_AVAILABLE(name=cluster.name)
    return cluster


def _make_group(
    tx: Tx,
    name: str,
    description: str,
    primary: CacheCluster,
    tags: Mapping[str, str],
    replicas: int,
    zones: Sequence[str],
    settings: failover.Settings,
) -> ReplicationGroup:
    """Make the group of a primary, and its replicas; without replicas an available primary makes it available."""
    group = tx.make(
        ReplicationGroup,
        owner_key(tx.world, name),
        name=name,
        description=description,
        status=REPLICATION_GROUP.initial,
        engine=primary.engine,
        node_type=primary.node_type,
        node_groups=(NodeGroup(id=SHARD, member_ids=(primary.id,), primary_id=primary.id),),
        created=tx.now,
        port=primary.port,
        snapshot_window=primary.snapshot_window,
        tls=primary.tls,
        tls_mode=primary.tls_mode,
        at_rest=primary.at_rest,
        auto_minor_upgrade=primary.auto_minor_upgrade,
        automatic_failover=settings.automatic_failover,
        multi_az=settings.multi_az,
        tags=tags,
    )
    tx.put(primary.but(group_id=group.id))
    names = [f"{name}-{n:03d}" for n in range(1, MEMBERS_MAX + 2) if f"{name}-{n:03d}" != primary.name]
    made = make_replicas(tx, group, primary, [check_name_is_free(tx, n) for n in names[:replicas]], zones, {})
    members = sorted((primary, *made), key=lambda cluster: cluster.name)
    ready = primary.status == "available" and not made
    status = REPLICATION_GROUP.after(group.status, "nodes-ready") if ready else group.status
    shard = replace(group.shard, member_ids=tuple(cluster.id for cluster in members))
    return tx.put(group.but(status=status, node_groups=(shard,)))
