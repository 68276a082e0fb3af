"""ModifyCacheCluster, RebootCacheCluster and DeleteCacheCluster."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.families import Build
from atoll.cache.history import CLUSTER, record
from atoll.elasticache import changes, checks, errors, log_delivery, scaling
from atoll.elasticache.cluster import render
from atoll.elasticache.find import find_cluster
from atoll.elasticache.order import parameters_for, started
from atoll.elasticache.parameter_group import find_group as find_parameters
from atoll.elasticache.snapshot_create import begin_final
from atoll.elasticache.subnet_group import find as find_subnet_group
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.interface import Interface
from atoll.model.lifecycle import CACHE_CLUSTER, CACHE_NODE
from atoll.model.world import Tx

# AWS lets nobody delete a cluster that is being created.  Here one whose nodes do not come up can be removed:
CREATING_MAX = timedelta(minutes=1)

IS_PRIMARY = Err(
    "InvalidCacheClusterState",
    "Cache cluster {name} is serving as primary for replication group {group} and cannot be deleted. "
    "To delete the entire replication group, use DeleteReplicationGroup.",
)
IN_SHARD = Err(
    "InvalidCacheClusterState",
    "Cache cluster {name} belongs to replication group {group}, whose cluster mode is enabled, and cannot be "
    "deleted. Use DecreaseReplicaCount or ModifyReplicationGroupShardConfiguration.",
)
NO_REBOOT = Err("InvalidCacheClusterState", "Cache cluster {name} cannot be rebooted: cluster mode is enabled.")
LAST_REPLICA = Err(
    "InvalidCacheClusterState",
    "Cache cluster {name} is the last read replica of replication group {group}, which has automatic failover "
    "enabled, and cannot be deleted.",
)
NOT_DELETABLE = Err("InvalidCacheClusterState", "Cache cluster {name} is not in a valid state to be deleted.")
TOPIC_STATUSES = ("active", "inactive")


@operation("elasticache", "ModifyCacheCluster", network=True)
def modify_cache_cluster(
    tx: Tx,
    *,
    cache_cluster_id: str,
    num_cache_nodes: int | None = None,
    cache_node_ids_to_remove: Sequence[str] = (),
    az_mode: str | None = None,
    new_availability_zones: Sequence[str] = (),
    cache_security_group_names: Sequence[str] = (),
    security_group_ids: Sequence[str] = (),
    preferred_maintenance_window: str | None = None,
    notification_topic_arn: str | None = None,
    cache_parameter_group_name: str | None = None,
    notification_topic_status: str | None = None,
    apply_immediately: bool = False,
    engine: str | None = None,
    engine_version: str | None = None,
    auto_minor_version_upgrade: bool | None = None,
    snapshot_retention_limit: int | None = None,
    snapshot_window: str | None = None,
    cache_node_type: str | None = None,
    ip_discovery: str | None = None,
    log_delivery_configurations: Sequence[Shape] = (),
) -> Shape:
    """Change a cluster.

    Number of nodes, node type and engine version can wait for the maintenance window; all else happens at once.
    """
    cluster = find_cluster(tx.world, cache_cluster_id)
    if cluster.status != "available":
        raise errors.CLUSTER_NOT_AVAILABLE(name=cluster.name)
    checks.refuse_unless(az_mode, cluster.az_mode, "AZMode", "existing nodes stay where they are.")
    checks.only_ipv4(None, ip_discovery)
    days = checks.retention(snapshot_retention_limit, memcached=cluster.is_memcached)
    parameters, resized = cache_parameter_group_name, num_cache_nodes not in (None, len(cluster.nodes))
    wish = changes.Wish(engine=engine, version=engine_version, node_type=cache_node_type, parameter_group=parameters)
    goal = changes.goal(tx.world, cluster, wish, beside="NumCacheNodes" if resized else None, is_group=False)
    cluster = change_terms(
        tx,
        cluster,
        maintenance=preferred_maintenance_window,
        snapshot=snapshot_window,
        topic=notification_topic_arn,
        topic_status=notification_topic_status,
        auto_minor_upgrade=auto_minor_version_upgrade,
        parameter_group=wish.group_now(cluster, goal),
        security_group_ids=security_group_ids,
        cache_security_groups=cache_security_group_names,
    )
    if days is not None:
        cluster = tx.put(cluster.but(snapshot_retention=days))
    if num_cache_nodes is None and (cache_node_ids_to_remove or new_availability_zones):
        raise errors.MISSING(name="NumCacheNodes")
    if num_cache_nodes is not None:
        cluster = scaling.ask(
            tx,
            cluster,
            num_cache_nodes,
            cache_node_ids_to_remove,
            new_availability_zones,
            immediately=apply_immediately,
        )
    log_delivery.change(tx, cluster, log_delivery_configurations)
    if cluster.group_id is None:
        changes.ask(tx, [cluster], goal, immediately=apply_immediately)
    return {"CacheCluster": render(tx.world, tx.world[CacheCluster, cluster.id])}


@operation("elasticache", "RebootCacheCluster")
def reboot_cache_cluster(tx: Tx, *, cache_cluster_id: str, cache_node_ids_to_reboot: Sequence[str]) -> Shape:
    """Start nodes anew: their data is gone, and they take the present values of their parameter group."""
    cluster = find_cluster(tx.world, cache_cluster_id)
    if cluster.status != "available":
        raise errors.CLUSTER_NOT_AVAILABLE(name=cluster.name)
    if cluster.sharded:
        raise NO_REBOOT(name=cluster.name)
    if not cache_node_ids_to_reboot:
        raise errors.MISSING(name="CacheNodeIdsToReboot")
    known = {node.id: node for node in cluster.nodes}
    for id in cache_node_ids_to_reboot:
        if id not in known:
            raise scaling.NO_NODE(id=id, name=cluster.name)
    parameters = find_parameters(tx.world, cluster.parameter_group)
    for id in dict.fromkeys(cache_node_ids_to_reboot):
        node = known[id]
        # A node that is just being started again after a failure takes the new boot without changing its status.
        again = CACHE_NODE.after(node.status, "reboot") if node.status == "available" else node.status
        known[id] = started(replace(node, boot=node.boot + 1, status=again), parameters)
        record(tx, cluster, CLUSTER, cluster.name, f"Cache node {id} shutdown")
    status = CACHE_CLUSTER.after(cluster.status, "reboot")
    cluster = tx.put(cluster.but(status=status, nodes=tuple(known.values())))
    return {"CacheCluster": render(tx.world, cluster)}


@operation("elasticache", "DeleteCacheCluster")
def delete_cache_cluster(tx: Tx, *, cache_cluster_id: str, final_snapshot_identifier: str | None = None) -> Shape:
    """Delete a cluster that is not the primary of a replication group; after a final snapshot, if one is named."""
    cluster = find_cluster(tx.world, cache_cluster_id)
    group = tx.world[ReplicationGroup, cluster.group_id] if cluster.group_id else None
    if group and group.cluster_mode == "enabled":
        raise IN_SHARD(name=cluster.name, group=group.name)
    if group:
        _check_leaves(tx, group, cluster)
    if not is_deletable(tx, cluster):
        raise NOT_DELETABLE(name=cluster.name)
    if final_snapshot_identifier:
        begin_final(tx, final_snapshot_identifier, cluster, group)
        return {"CacheCluster": render(tx.world, tx.world[CacheCluster, cluster.id])}
    return {"CacheCluster": render(tx.world, start_deleting(tx, cluster))}


def _check_leaves(tx: Tx, group: ReplicationGroup, cluster: CacheCluster) -> None:
    """Check that a group can do without a member."""
    shard = group.shard_of(cluster.id)
    if shard is None:
        return
    target = shard.promotion.target_id if shard.promotion else None
    if cluster.id in (shard.primary_id, shard.source_id, target):
        raise IS_PRIMARY(name=cluster.name, group=group.name)
    others = [tx.world[CacheCluster, id] for id in shard.member_ids if id not in (cluster.id, shard.primary_id)]
    if group.automatic_failover == "enabled" and not any(other.status != "deleting" for other in others):
        raise LAST_REPLICA(name=cluster.name, group=group.name)


def is_deletable(tx: Tx, cluster: CacheCluster) -> bool:
    """Tell whether a cluster may be deleted now: it is available, or cannot come up."""
    if cluster.status == "creating":
        group = tx.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
        failed = any(node.host_error for node in cluster.nodes) or (group and group.status == "create-failed")
        return bool(failed) or tx.now - cluster.created > CREATING_MAX
    return cluster.status in ("available", "incompatible-network", "restore-failed")


def start_deleting(tx: Tx, cluster: CacheCluster) -> CacheCluster:
    """Let a cluster and its nodes go; it disappears when they have stopped."""
    leaving = tuple(
        node if node.status == "deleting" else replace(node, status=CACHE_NODE.after(node.status, "delete"))
        for node in cluster.nodes
    )
    return tx.put(cluster.but(status=CACHE_CLUSTER.after(cluster.status, "delete"), nodes=leaving))


def change_terms(
    tx: Tx,
    cluster: CacheCluster,
    *,
    maintenance: str | None,
    snapshot: str | None,
    topic: str | None,
    topic_status: str | None,
    auto_minor_upgrade: bool | None,
    parameter_group: str | None,
    security_group_ids: Sequence[str],
    cache_security_groups: Sequence[str],
) -> CacheCluster:
    """Change what takes effect at once; None and empty leave things as they are."""
    weekly = checks.maintenance_window(maintenance) if maintenance else cluster.maintenance_window
    daily = cluster.snapshot_window
    if snapshot or (maintenance and daily):
        daily = checks.snapshot_window(snapshot or daily or "", weekly)
    if topic_status is not None and topic_status not in TOPIC_STATUSES:
        raise errors.BAD_VALUE(got=topic_status, name="NotificationTopicStatus", why="Must be active or inactive.")
    terms: dict[str, object] = {"maintenance_window": weekly, "snapshot_window": daily}
    if topic is not None:
        terms["notification_topic"] = checks.topic(topic)
    if topic_status is not None:
        terms["notification_active"] = topic_status == "active"
    if auto_minor_upgrade is not None:
        terms["auto_minor_upgrade"] = auto_minor_upgrade
    if parameter_group:
        build = Build(cluster.engine, cluster.engine_version)
        terms["parameter_group"] = parameters_for(tx, build, parameter_group, sharded=cluster.sharded).name
    if security_group_ids or cache_security_groups:
        subnets = find_subnet_group(tx.world, cluster.subnet_group)
        groups = checks.security_groups(tx.world, security_group_ids, subnets, cache_security_groups)
        terms["security_group_ids"] = groups
        for node in cluster.nodes:
            tx.put(tx.world[Interface, node.interface_id].but(group_ids=groups))
    changed = cluster.but(**terms)
    return cluster if changed == cluster else tx.put(changed)
