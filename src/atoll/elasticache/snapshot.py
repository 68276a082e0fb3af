"""Snapshots as DescribeSnapshots shows them."""

from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache import backup
from atoll.elasticache import errors
from atoll.elasticache.find import arn_of, find_snapshot
from atoll.model.snapshot import AUTOMATED, MANUAL, NodeSnapshot, Snapshot
from atoll.model.world import World

PAGE_MAX = 50
MEGABYTE = 1 << 20
SOURCES = {"system": AUTOMATED, "user": MANUAL}


@operation("elasticache", "DescribeSnapshots")
def describe_snapshots(
    world: World,
    *,
    replication_group_id: str | None = None,
    cache_cluster_id: str | None = None,
    snapshot_name: str | None = None,
    snapshot_source: str | None = None,
    marker: str | None = None,
    max_records: int | None = None,
    show_node_group_config: bool = False,
) -> Shape:
    """List snapshots, or show one.  Those of a cache outlive it, so that its name need not be there any more."""
    found = [find_snapshot(world, snapshot_name)] if snapshot_name else list(world.all(Snapshot))
    if snapshot_source and snapshot_source not in SOURCES:
        why = "Must be system or user."
        raise errors.BAD_VALUE(got=snapshot_source, name="SnapshotSource", why=why)
    rows = [
        snapshot
        for snapshot in found
        if (not replication_group_id or snapshot.group == replication_group_id.lower())
        and (not cache_cluster_id or snapshot.cluster == cache_cluster_id.lower())
        and (not snapshot_source or snapshot.source == SOURCES[snapshot_source])
    ]
    page, marker = page_query(rows, lambda s: s.name, max_records, marker, high=PAGE_MAX, default=PAGE_MAX)
    shown = [render(world, snapshot, shards=show_node_group_config) for snapshot in page]
    return {"Snapshots": shown, "Marker": marker}


def render(world: World, snapshot: Snapshot, *, shards: bool = False) -> Shape:
    """Return a snapshot as AWS's Snapshot; `shards`: with NodeGroupConfiguration."""
    restoring = snapshot.status == "available" and backup.in_use(world, snapshot)
    shape: Shape = {
        "SnapshotName": snapshot.name,
        "ReplicationGroupId": snapshot.group,
        "ReplicationGroupDescription": snapshot.group_description,
        "CacheClusterId": snapshot.cluster,
        "SnapshotStatus": "restoring" if restoring else snapshot.status,
        "SnapshotSource": snapshot.source,
        "CacheNodeType": snapshot.node_type,
        "Engine": snapshot.engine,
        "EngineVersion": snapshot.engine_version,
        "NumCacheNodes": 1 if snapshot.cluster else None,
        "PreferredAvailabilityZone": snapshot.zone,
        "CacheClusterCreateTime": snapshot.cluster_created,
        "PreferredMaintenanceWindow": snapshot.maintenance_window,
        "TopicArn": snapshot.topic,
        "Port": snapshot.port,
        "CacheParameterGroupName": snapshot.parameter_group,
        "CacheSubnetGroupName": snapshot.subnet_group or None,
        "VpcId": snapshot.vpc_id,
        "AutoMinorVersionUpgrade": snapshot.auto_minor_upgrade,
        "SnapshotRetentionLimit": snapshot.retention,
        "SnapshotWindow": snapshot.window,
        "NodeSnapshots": [_render_part(snapshot, part, shards=shards) for part in snapshot.parts],
        "KmsKeyId": snapshot.kms_key_id,
        "ARN": arn_of(snapshot, "snapshot", snapshot.name),
        "DataTiering": "disabled",
    }
    if snapshot.group:
        shape["NumNodeGroups"] = len(snapshot.parts)
        shape["AutomaticFailover"] = snapshot.automatic_failover
    return shape


def _render_part(snapshot: Snapshot, part: NodeSnapshot, *, shards: bool) -> Shape:
    """Return a shard's part as AWS's NodeSnapshot."""
    shape: Shape = {
        "CacheClusterId": part.cluster if snapshot.cluster else None,
        "NodeGroupId": part.shard_id if snapshot.group else None,
        "CacheNodeId": part.node_id,
        "CacheNodeCreateTime": part.node_created,
        "SnapshotCreateTime": part.dump.taken if part.dump else None,
        "CacheSize": f"{max(-(-part.dump.data_bytes // MEGABYTE), 1)} MB" if part.dump else "",
    }
    if shards:
        slots = ",".join(f"{first}-{last}" if first < last else f"{first}" for first, last in part.slots)
        shape["NodeGroupConfiguration"] = {
            "NodeGroupId": part.shard_id,
            "Slots": slots or None,
            "ReplicaCount": len(part.replica_zones),
            "PrimaryAvailabilityZone": part.zone,
            "ReplicaAvailabilityZones": list(part.replica_zones),
        }
    return shape
