"""Cache clusters as DescribeCacheClusters shows them."""

from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache import endpoint
from atoll.cache.backup import final_of
from atoll.cache.changes import pending
from atoll.elasticache import log_delivery
from atoll.elasticache.access_control import has_token
from atoll.elasticache.find import arn_of, find_cluster
from atoll.elasticache.parameter_group import render_status
from atoll.elasticache.subnet_group import CLASSIC
from atoll.model.cache import CacheCluster, CacheNode, ReplicationGroup
from atoll.model.cache_security_group import CacheSecurityGroup
from atoll.model.world import World

LANDING_PAGE = "https://console.aws.amazon.com/elasticache/home#client-download:"
# While a cluster comes and goes AWS shows what belongs to it as a whole, and not its nodes.
WITHOUT_NODES = ("creating", "deleting")


@operation("elasticache", "DescribeCacheClusters", pure=True)
def describe_cache_clusters(
    world: World,
    *,
    cache_cluster_id: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
    show_cache_node_info: bool = False,
    show_cache_clusters_not_in_replication_groups: bool = False,
) -> Shape:
    """List clusters, or show one; their nodes only when asked for."""
    found = [find_cluster(world, cache_cluster_id)] if cache_cluster_id else list(world.all(CacheCluster))
    if show_cache_clusters_not_in_replication_groups:
        found = [cluster for cluster in found if cluster.group_id is None]
    page, marker = page_query(found, lambda cluster: cluster.name, max_records, marker)
    rendered = _render_whole if show_cache_node_info else render
    return {"CacheClusters": [told(world, rendered, cluster) for cluster in page], "Marker": marker}


def render(world: World, cluster: CacheCluster, *, nodes: bool = False) -> Shape:
    """Return a cluster as AWS's CacheCluster; `nodes`: with CacheNodes."""
    status = "deleting" if final_of(world, cluster) else cluster.status
    mine = world.all(CacheSecurityGroup) if cluster.subnet_group == CLASSIC else ()
    classic = [group for group in mine if group.group_id in cluster.security_group_ids]
    shape: Shape = {
        "CacheClusterId": cluster.name,
        "ClientDownloadLandingPage": LANDING_PAGE,
        "CacheNodeType": cluster.node_type,
        "Engine": cluster.engine,
        "EngineVersion": cluster.engine_version,
        "CacheClusterStatus": status,
        "NumCacheNodes": len(staying(cluster)),
        "CacheClusterCreateTime": None if cluster.status == "creating" else cluster.created,
        "PreferredAvailabilityZone": None if cluster.status == "creating" else _zone(cluster),
        "PreferredMaintenanceWindow": cluster.maintenance_window,
        "PendingModifiedValues": _pending(cluster),
        "CacheSecurityGroups": [{"CacheSecurityGroupName": g.name, "Status": "active"} for g in classic],
        "CacheParameterGroup": render_status(world, cluster),
        "CacheSubnetGroupName": cluster.subnet_group or None,
        "AutoMinorVersionUpgrade": cluster.auto_minor_upgrade,
        "SecurityGroups": [
            {"SecurityGroupId": id, "Status": "active"} for id in (() if classic else cluster.security_group_ids)
        ],
        "SnapshotRetentionLimit": None if cluster.is_memcached else cluster.snapshot_retention,
        "SnapshotWindow": cluster.snapshot_window,
        "AuthTokenEnabled": has_token(world, cluster),
        "TransitEncryptionEnabled": cluster.tls,
        "TransitEncryptionMode": cluster.encryption or None,
        "AtRestEncryptionEnabled": cluster.at_rest,
        "ARN": arn_of(cluster, "cluster", cluster.name),
        "ReplicationGroupLogDeliveryEnabled": log_delivery.is_of_group(world, cluster),
        "LogDeliveryConfigurations": log_delivery.render(world, cluster),
        "NetworkType": cluster.network_type,
        "IpDiscovery": "ipv4",
    }
    if cluster.group_id:
        shape["ReplicationGroupId"] = world[ReplicationGroup, cluster.group_id].name
    if cluster.notification_topic:
        active = "active" if cluster.notification_active else "inactive"
        shape["NotificationConfiguration"] = {"TopicArn": cluster.notification_topic, "TopicStatus": active}
    if cluster.is_memcached and cluster.status not in WITHOUT_NODES:
        shape["ConfigurationEndpoint"] = {"Address": endpoint.configuration_name(cluster), "Port": cluster.port}
    if nodes and status not in WITHOUT_NODES:
        stale = shape["CacheParameterGroup"]["CacheNodeIdsToReboot"]
        shape["CacheNodes"] = [_render_node(cluster, node, stale=node.id in stale) for node in cluster.nodes]
    return shape


def _render_whole(world: World, cluster: CacheCluster) -> Shape:
    return render(world, cluster, nodes=True)


def staying(cluster: CacheCluster) -> list[CacheNode]:
    """Return the nodes that are not being removed; of a deleted cluster, all."""
    return [n for n in cluster.nodes if n.status != "deleting" or cluster.status == "deleting"]


def _render_node(cluster: CacheCluster, node: CacheNode, *, stale: bool) -> Shape:
    """Return a node as AWS's CacheNode; one that is coming or going shows no endpoint."""
    shape: Shape = {
        "CacheNodeId": node.id,
        "CacheNodeStatus": node.status,
        "CacheNodeCreateTime": node.created,
        "ParameterGroupStatus": "pending-reboot" if stale else "in-sync",
        "CustomerAvailabilityZone": node.zone,
    }
    if node.status in endpoint.NAMED:
        shape["Endpoint"] = {"Address": endpoint.node_name(cluster, node.id), "Port": cluster.port}
    return shape


def _zone(cluster: CacheCluster) -> str | None:
    """Return the zone that AWS shows for a whole cluster."""
    zones = {node.zone for node in cluster.nodes}
    if cluster.az_mode == "cross-az":
        return "Multiple"
    return min(zones) if zones else None


def _pending(cluster: CacheCluster) -> Shape:
    """Return the changes that wait for the maintenance window."""
    shape: Shape = {}
    if cluster.pending_node_count is not None:
        shape["NumCacheNodes"] = cluster.pending_node_count
    if cluster.pending_removals:
        shape["CacheNodeIdsToRemove"] = list(cluster.pending_removals)
    return shape | pending(cluster)
