"""ModifyReplicationGroup and DeleteReplicationGroup."""

from collections.abc import Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.history import GROUP, record
from atoll.elasticache import (
    access_control,
    backups,
    changes,
    checks,
    encryption,
    errors,
    failover,
    log_delivery,
)
from atoll.elasticache import cluster_mode as cluster_modes
from atoll.elasticache.cluster_change import change_terms, is_deletable, start_deleting
from atoll.elasticache.find import find_group
from atoll.elasticache.global_group import refuse_member
from atoll.elasticache.replication_group import render
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx

MEMBER_BUSY = Err("InvalidReplicationGroupState", "Cache cluster {name} is not in a valid state to be deleted.")
RETAIN = Err("InvalidParameterCombination", "RetainPrimaryCluster cannot be used when cluster mode is enabled.")
# What may be asked for together with another cluster mode.
BESIDE_MODE = ("tx", "replication_group_id", "cluster_mode", "cache_parameter_group_name", "apply_immediately")
BEING_DELETED = Err("InvalidReplicationGroupState", "Replication group {name} is being deleted.")


@operation("elasticache", "ModifyReplicationGroup", network=True)
def modify_replication_group(
    tx: Tx,
    *,
    replication_group_id: str,
    replication_group_description: str | None = None,
    primary_cluster_id: str | None = None,
    automatic_failover_enabled: bool | None = None,
    multi_az_enabled: bool | None = None,
    snapshotting_cluster_id: str | None = None,
    node_group_id: str | None = None,
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
    transit_encryption_enabled: bool | None = None,
    transit_encryption_mode: str | None = None,
    cluster_mode: str | None = None,
    auth_token: str | None = None,
    auth_token_update_strategy: str | None = None,
    user_group_ids_to_add: Sequence[str] = (),
    user_group_ids_to_remove: Sequence[str] = (),
    remove_user_groups: bool = False,
    log_delivery_configurations: Sequence[Shape] = (),
) -> Shape:
    """Change a group, and with it all its members.

    Engine, version and node type can wait for the maintenance window; all else takes effect at once, as on AWS.
    """
    others = [value for name, value in locals().items() if name not in BESIDE_MODE]
    group = find_group(tx.world, replication_group_id)
    if group.status != "available":
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    primary = tx.world[CacheCluster, group.shard.primary_id]
    if node_group_id not in (None, *(shard.id for shard in group.node_groups)):
        raise errors.SHARD_NOT_FOUND(id=node_group_id)
    target = failover.promotable(tx.world, group, primary_cluster_id, now=apply_immediately)
    settings = failover.changed_settings(tx.world, group, automatic_failover_enabled, multi_az_enabled)
    tls = encryption.changed(tx.world, group, transit_encryption_enabled, transit_encryption_mode)
    kept = backups.changes(tx.world, group, snapshot_retention_limit, snapshotting_cluster_id)
    checks.only_ipv4(None, ip_discovery)
    users = access_control.Groups(add=user_group_ids_to_add, remove=user_group_ids_to_remove, none=remove_user_groups)
    access = access_control.changed(tx, group, users, token=auth_token, strategy=auth_token_update_strategy)
    parameters = cache_parameter_group_name
    wish = changes.Wish(engine=engine, version=engine_version, node_type=cache_node_type, parameter_group=parameters)
    if engine or engine_version or cache_node_type or transit_encryption_enabled or cluster_mode:
        refuse_member(tx.world, group, "its members keep node type, engine, version, encryption and cluster mode.")
    if engine or engine_version or cache_node_type or transit_encryption_enabled is not None:
        cluster_modes.refuse(group, "A change of node type, engine, version or encryption")
    moved = cluster_modes.goal(tx, group, cluster_mode, parameters, others)
    goal = moved or changes.goal(tx.world, primary, wish, beside="PrimaryClusterId" if target else None)
    changed = [
        change_terms(
            tx,
            tx.world[CacheCluster, id],
            maintenance=preferred_maintenance_window,
            snapshot=snapshot_window,
            topic=notification_topic_arn,
            topic_status=notification_topic_status,
            auto_minor_upgrade=auto_minor_version_upgrade,
            parameter_group=None if moved else wish.group_now(primary, goal),
            security_group_ids=security_group_ids,
            cache_security_groups=cache_security_group_names,
        )
        for id in group.member_ids
    ]
    group = _put(tx, group.but(**kept), replication_group_description, changed[0], settings)
    group = cluster_modes.enable(tx, group, cluster_mode)
    if target:
        group = failover.promote(tx, group, target)
    changes.ask(tx, changed, goal, immediately=apply_immediately)
    log_delivery.change(tx, group, log_delivery_configurations)
    access_control.begin(tx, tx.world[ReplicationGroup, group.id], access)
    encryption.begin(tx, tx.world[ReplicationGroup, group.id], tls)
    return {"ReplicationGroup": render(tx.world, tx.world[ReplicationGroup, group.id])}


def _put(
    tx: Tx, group: ReplicationGroup, description: str | None, member: CacheCluster, settings: failover.Settings
) -> ReplicationGroup:
    """Put a group with what was asked for, and tell it if automatic failover is another."""
    changed = tx.put(
        group.but(
            description=group.description if description is None else description,
            auto_minor_upgrade=member.auto_minor_upgrade,
            snapshot_window=member.snapshot_window,
            automatic_failover=settings.automatic_failover,
            multi_az=settings.multi_az,
        )
    )
    if changed.automatic_failover != group.automatic_failover:
        failover.tell(tx, changed)
    return changed


@operation("elasticache", "DeleteReplicationGroup", network=True)
def delete_replication_group(
    tx: Tx,
    *,
    replication_group_id: str,
    retain_primary_cluster: bool = False,
    final_snapshot_identifier: str | None = None,
) -> Shape:
    """Delete a group and its members; `RetainPrimaryCluster`: the primary stays, as a cluster that stands alone.

    With `FinalSnapshotIdentifier` they go when that snapshot is there.
    """
    group = find_group(tx.world, replication_group_id)
    if not REPLICATION_GROUP.allows(group.status, "delete"):
        raise BEING_DELETED(name=group.name)
    refuse_member(tx.world, group, "disassociate it, or delete the global datastore, first.")
    if retain_primary_cluster and group.is_sharded:
        raise RETAIN()
    if retain_primary_cluster and any(
        shard.promotion or shard.source_id or shard.migration for shard in group.node_groups
    ):
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)  # who will be primary is not decided
    if retain_primary_cluster:
        access_control.check_retainable(group)
    members = [tx.world[CacheCluster, id] for id in group.member_ids]
    primary_id = group.shard.primary_id
    leaving = [c for c in members if not (retain_primary_cluster and c.id == primary_id)]
    for cluster in leaving:
        if cluster.status != "deleting" and not is_deletable(tx, cluster):
            raise MEMBER_BUSY(name=cluster.name)
    if final_snapshot_identifier:
        backups.begin_final(tx, final_snapshot_identifier, group, retain=retain_primary_cluster)
        return {"ReplicationGroup": render(tx.world, tx.world[ReplicationGroup, group.id])}
    group = tx.put(group.but(status=REPLICATION_GROUP.after(group.status, "delete")))
    answer = render(tx.world, group)
    for cluster in leaving:
        if cluster.status != "deleting":
            start_deleting(tx, cluster)
    if retain_primary_cluster:
        tx.put(tx.world[CacheCluster, primary_id].but(group_id=None))
        left = replace(group.shard, member_ids=tuple(cluster.id for cluster in leaving), promotion=None)
        group = tx.put(group.with_shard(left))
    if not leaving:
        tx.delete(group)
        record(tx, group, GROUP, group.name, f"Replication group {group.name} deleted")
    return {"ReplicationGroup": answer}
