"""Replicas: clusters that follow the primary of a replication group."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.cache.families import Build
from atoll.elasticache import errors, nodes, subnet_group
from atoll.elasticache.cluster_mode import refuse
from atoll.elasticache.find import find_group
from atoll.elasticache.order import Order, make_cluster
from atoll.elasticache.parameter_group import find_group as find_parameters
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx

MEMBERS_MAX = 6  # a primary and five replicas

SHARDED = Err(
    "InvalidParameterValue",
    "Cache clusters cannot be added to replication group {name} by CreateCacheCluster: its cluster mode is enabled. "
    "Use IncreaseReplicaCount or ModifyReplicationGroupShardConfiguration.",
)
FULL = Err(
    "InvalidParameterValue", "Replication group {name} already has {limit} cache clusters, the most that it can have."
)


def add_replica(tx: Tx, group_name: str, name: str, zone: str | None, tags: Mapping[str, str]) -> CacheCluster:
    """Add a replica to an available group: it is like the group's primary, and the group is `modifying` meanwhile."""
    group = find_group(tx.world, group_name)
    if group.cluster_mode == "enabled":
        raise SHARDED(name=group.name)
    if group.status != "available":
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    refuse(group, "CreateCacheCluster with ReplicationGroupId")
    if len(group.member_ids) >= MEMBERS_MAX:
        raise FULL(name=group.name, limit=MEMBERS_MAX)
    nodes.check_quota(tx.world, 1)
    return join_replicas(tx, group, group.shard, [name], [zone] if zone else [], tags)[0]


def join_replicas(
    tx: Tx,
    group: ReplicationGroup,
    shard: NodeGroup,
    names: Sequence[str],
    zones: Sequence[str],
    tags: Mapping[str, str],
) -> list[CacheCluster]:
    """Add replicas to a shard of an available group, which is `modifying` until they have all data."""
    made = make_replicas(tx, group, tx.world[CacheCluster, shard.primary_id], names, zones, tags)
    ids = (*shard.member_ids, *(cluster.id for cluster in made))
    members = tuple(sorted(ids, key=lambda id: tx.world[CacheCluster, id].name))
    modifying = group.status == "modifying"  # by another shard's replicas, in the same request
    status = group.status if modifying else REPLICATION_GROUP.after(group.status, "modify")
    tx.put(group.but(status=status).with_shard(replace(shard, member_ids=members)))
    return made


def make_replicas(
    tx: Tx,
    group: ReplicationGroup,
    primary: CacheCluster,
    names: Sequence[str],
    zones: Sequence[str],
    tags: Mapping[str, str],
) -> list[CacheCluster]:
    """Make clusters like a primary, in the zones given, else spread away from the group's own."""
    like = order_like(tx, group, primary, tags)
    nodes.check_zones(tx.world, like.subnet_group, zones)
    shard = group.shard_of(primary.id) or group.shard
    held = [node.zone for id in shard.member_ids for node in tx.world[CacheCluster, id].nodes]
    places = list(zones) or nodes.spread(tx.world, like.subnet_group, len(names), held=held)
    return [make_cluster(tx, like, n, [z], group_id=group.id) for n, z in zip(names, places, strict=True)]


def order_like(tx: Tx, group: ReplicationGroup, primary: CacheCluster, tags: Mapping[str, str]) -> Order:
    """Return what makes clusters like a primary."""
    return Order(
        build=Build(primary.engine, primary.engine_version),
        requested_version=primary.requested_version,
        node_type=primary.node_type,
        parameter_group=find_parameters(tx.world, primary.parameter_group),
        subnet_group=subnet_group.find(tx.world, primary.subnet_group),
        security_group_ids=primary.security_group_ids,
        port=primary.port,
        maintenance_window=primary.maintenance_window,
        snapshot_window=primary.snapshot_window or "",
        auto_minor_upgrade=primary.auto_minor_upgrade,
        notification_topic=primary.notification_topic,
        tags={**group.tags, **tags},
        tls=primary.encryption,
        at_rest=primary.at_rest,
        sharded=primary.sharded,
    )
