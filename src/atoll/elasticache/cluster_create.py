"""CreateCacheCluster: Memcached with 1 to 60 nodes, one Redis OSS node, or a new replica of a replication group."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.elasticache import checks, encryption, errors, log_delivery, nodes, restore
from atoll.elasticache.cluster import render
from atoll.elasticache.order import Asked, Order, check_name_is_free, make_cluster
from atoll.elasticache.replica import add_replica
from atoll.elasticache.tags import tags_of
from atoll.model.quota import MEMCACHED_NODES, allowed
from atoll.model.world import Tx, World

VALKEY = Err(
    "InvalidParameterValue",
    "This API doesn't support Valkey engine. Please use CreateReplicationGroup API for Valkey cluster creation.",
)
ONE_REDIS_NODE = Err("InvalidParameterValue", "NumCacheNodes must be 1 for engine redis.")
NO_NODES = Err("InvalidParameterValue", "NumCacheNodes must be at least 1.")
MEMCACHED_ONLY = Err("InvalidParameterCombination", "{name} is only supported for Memcached cache clusters.")
ZONES_PER_NODE = Err(
    "InvalidParameterCombination",
    "PreferredAvailabilityZones must list {count} availability zones, one for each node.",
)
SEVERAL_NODES = Err("InvalidParameterCombination", "AZMode cross-az needs more than one cache node.")
ONE_ZONE = Err("InvalidParameterCombination", "AZMode single-az cannot be used with several availability zones.")
REPLICA_PARAMETERS = Err(
    "InvalidParameterCombination",
    "Cannot specify additional cache cluster parameters when creating a replica cluster",
)


@operation("elasticache", "CreateCacheCluster")
def create_cache_cluster(
    tx: Tx,
    *,
    cache_cluster_id: str,
    replication_group_id: str | None = None,
    az_mode: str | None = None,
    preferred_availability_zone: str | None = None,
    preferred_availability_zones: Sequence[str] = (),
    num_cache_nodes: int | None = None,
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
    network_type: str | None = None,
    ip_discovery: str | None = None,
    log_delivery_configurations: Sequence[Shape] = (),
) -> Shape:
    """Make a cluster; it is `creating` until its nodes have answered."""
    checks.only_ipv4(network_type, ip_discovery)
    days = checks.retention(snapshot_retention_limit, memcached=engine == "memcached")
    name = check_name_is_free(tx, cache_cluster_id)
    if replication_group_id:
        others = (num_cache_nodes not in (None, 1), cache_node_type, engine, engine_version, port, az_mode)
        more = (cache_parameter_group_name, cache_subnet_group_name, security_group_ids, cache_security_group_names)
        windows = (
            preferred_maintenance_window,
            snapshot_window,
            notification_topic_arn,
            preferred_availability_zones,
        )
        sources = (snapshot_arns, snapshot_name, transit_encryption_enabled, log_delivery_configurations)
        if any((*others, *more, *windows, days, *sources)):
            raise REPLICA_PARAMETERS()
        cluster = add_replica(tx, replication_group_id, name, preferred_availability_zone, tags_of(tags))
        return {"CacheCluster": render(tx.world, cluster)}
    source = restore.source_of(tx.world, snapshot_name, snapshot_arns, memcached=engine == "memcached")
    if source:
        engine, num_cache_nodes = engine or source.engine, num_cache_nodes or 1
        cache_node_type = cache_node_type or source.node_type
    count = _count(tx.world, engine, num_cache_nodes, cache_node_type)
    checked = restore.order_of(
        tx,
        Asked(
            engine=engine or "",
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
            tls=encryption.asked(transit_encryption_enabled, None),
        ),
        source,
    )
    nodes.check_quota(tx.world, count)
    zones = _zones(tx, checked, count, az_mode, preferred_availability_zone, preferred_availability_zones)
    cluster = make_cluster(tx, checked, name, zones, az_mode=az_mode or _mode(zones))
    cluster = restore.seed_alone(tx, cluster.but(snapshot_retention=days or 0), source)
    log_delivery.begin(tx, cluster, log_delivery_configurations)
    return {"CacheCluster": render(tx.world, cluster)}


def _count(world: World, engine: str | None, count: int | None, node_type: str | None) -> int:
    """Return how many nodes are asked for.  Raises the error of the first of the three that is wrong."""
    if engine == "valkey":
        raise VALKEY()
    if not node_type:
        raise errors.MISSING(name="CacheNodeType")
    if not engine:
        raise errors.MISSING(name="Engine")
    if count is None:
        raise errors.MISSING(name="NumCacheNodes")
    if count < 1:
        raise NO_NODES()
    if engine == "redis" and count != 1:
        raise ONE_REDIS_NODE()
    check_memcached_nodes(world, count)
    return count


def check_memcached_nodes(world: World, count: int) -> None:
    """Check that the caller may have so many nodes in one cluster."""
    limit = allowed(world, MEMCACHED_NODES)
    if count > limit:
        raise errors.CLUSTER_NODES(limit=limit)


def _zones(tx: Tx, order: Order, count: int, mode: str | None, zone: str | None, listed: Sequence[str]) -> list[str]:
    """Return the zone of each node."""
    if order.build.engine != "memcached" and (listed or mode == "cross-az"):
        raise MEMCACHED_ONLY(name="PreferredAvailabilityZones" if listed else "AZMode")
    if mode == "cross-az" and count == 1:
        raise SEVERAL_NODES()
    if listed and len(listed) != count:
        raise ZONES_PER_NODE(count=count)
    if mode == "single-az" and len(set(listed)) > 1:
        raise ONE_ZONE()
    nodes.check_zones(tx.world, order.subnet_group, [*listed, *([zone] if zone else [])])
    if listed:
        return list(listed)
    if mode == "cross-az":
        return nodes.spread(tx.world, order.subnet_group, count)
    return [zone or nodes.one_zone(tx.world, order.subnet_group)] * count


def _mode(zones: Sequence[str]) -> str:
    return "cross-az" if len(set(zones)) > 1 else "single-az"
