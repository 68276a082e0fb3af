"""Replication groups as DescribeReplicationGroups shows them: a primary and its replicas, in one shard."""

from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache import endpoint
from atoll.cache.backup import final_of, snapshotting
from atoll.cache.changes import changes_mode
from atoll.cache.resharding import progress
from atoll.cache.shards import write_slots
from atoll.cache.takeover import MANUAL
from atoll.elasticache import access_control, encryption, log_delivery
from atoll.elasticache.find import arn_of, find_group
from atoll.elasticache.global_group import render_info
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.world import World

SHARD = "0001"  # the only one, while cluster mode is disabled
# While a group comes up AWS shows the ids that its members will have, and no shard.
WITHOUT_SHARD = ("creating", "create-failed")


@operation("elasticache", "DescribeReplicationGroups", pure=True)
def describe_replication_groups(
    world: World,
    *,
    replication_group_id: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List replication groups, or show one."""
    found = [find_group(world, replication_group_id)] if replication_group_id else list(world.all(ReplicationGroup))
    page, marker = page_query(found, lambda group: group.name, max_records, marker)
    return {"ReplicationGroups": [told(world, render, group) for group in page], "Marker": marker}


def render(world: World, group: ReplicationGroup) -> Shape:
    """Return a group as AWS's ReplicationGroup."""
    members = endpoint.members(world, group)
    shape: Shape = {
        "ReplicationGroupId": group.name,
        "Description": group.description,
        "GlobalReplicationGroupInfo": render_info(world, group),
        "Status": "deleting" if final_of(world, group) else group.status,
        "PendingModifiedValues": _pending(world, group),
        "MemberClusters": [cluster.name for cluster in members],
        "SnapshottingClusterId": _snapshotting(world, group),
        "AutomaticFailover": group.automatic_failover,
        "MultiAZ": group.multi_az,
        "SnapshotRetentionLimit": group.snapshot_retention,
        "SnapshotWindow": group.snapshot_window,
        "ClusterEnabled": group.is_sharded,
        "CacheNodeType": group.node_type,
        **access_control.render(world, group),
        **encryption.render(world, group),
        "AtRestEncryptionEnabled": group.at_rest,
        "KmsKeyId": group.kms_key_id,
        "ARN": arn_of(group, "replicationgroup", group.name),
        "LogDeliveryConfigurations": log_delivery.render(world, group),
        "ReplicationGroupCreateTime": group.created,
        "DataTiering": "disabled",
        "AutoMinorVersionUpgrade": group.auto_minor_upgrade,
        "NetworkType": group.network_type,
        "IpDiscovery": "ipv4",
        "ClusterMode": group.cluster_mode,
        "Engine": group.engine,
    }
    if group.is_sharded and group.status not in WITHOUT_SHARD:
        shape["ConfigurationEndpoint"] = {"Address": endpoint.clustercfg_name(group), "Port": group.port}
    if group.status not in WITHOUT_SHARD:
        shape["NodeGroups"] = [_render_shard(group, shard, members) for shard in group.node_groups]
    return shape


def _snapshotting(world: World, group: ReplicationGroup) -> str | None:
    """Return the member that daily snapshots are taken of; None: there are none, or each shard has its own."""
    cluster = snapshotting(world, group) if group.snapshot_retention else None
    return cluster.name if cluster else None


def _pending(world: World, group: ReplicationGroup) -> Shape:
    """Return what is under way: a manual promotion, another access control, slots that move."""
    if (done := progress(group)) is not None:
        return {"Resharding": {"SlotMigration": {"ProgressPercentage": done}}}
    promotion = group.shard.promotion
    target = world.get(CacheCluster, promotion.target_id or "") if promotion else None
    shape = {"PrimaryClusterId": target.name} if target and promotion and promotion.because == MANUAL else {}
    if mode := _coming_mode(world, group):
        shape["ClusterMode"] = mode
    return shape | access_control.pending(world, group) | encryption.pending(world, group)


def _coming_mode(world: World, group: ReplicationGroup) -> str | None:
    """Return the cluster mode that members are being changed to, or that waits for the maintenance window."""
    primary = world.get(CacheCluster, group.shard.primary_id)
    if group.becoming or primary is None or primary.change is None or not changes_mode(primary):
        return group.becoming
    return "compatible" if primary.change.sharded else "disabled"


def _render_shard(group: ReplicationGroup, shard: NodeGroup, clusters: list[CacheCluster]) -> Shape:
    members = [cluster for cluster in clusters if cluster.id in shard.member_ids and cluster.nodes]
    if group.cluster_mode == "enabled":
        return {
            "NodeGroupId": shard.id,
            "Status": group.status,
            "Slots": write_slots(shard.slots),
            "NodeGroupMembers": [_render_placed(cluster) for cluster in members],
        }
    return {
        "NodeGroupId": shard.id,
        "Status": group.status,
        "PrimaryEndpoint": {"Address": endpoint.primary_name(group), "Port": group.port},
        "ReaderEndpoint": {"Address": endpoint.reader_name(group), "Port": group.port},
        "NodeGroupMembers": [_render_member(shard, cluster) for cluster in members],
    }


def _render_placed(cluster: CacheCluster) -> Shape:
    """Return a member in cluster mode: clients ask the cluster itself for roles and addresses."""
    node = cluster.nodes[0]
    return {
        "CacheClusterId": cluster.name,
        "CacheNodeId": node.id,
        "PreferredAvailabilityZone": node.zone,
    }


def _render_member(shard: NodeGroup, cluster: CacheCluster) -> Shape:
    node = cluster.nodes[0]
    shape: Shape = {
        "CacheClusterId": cluster.name,
        "CacheNodeId": node.id,
        "PreferredAvailabilityZone": node.zone,
        "CurrentRole": "primary" if cluster.id == shard.primary_id else "replica",
    }
    if node.status in endpoint.NAMED:
        shape["ReadEndpoint"] = {"Address": endpoint.node_name(cluster, node.id), "Port": cluster.port}
    return shape
