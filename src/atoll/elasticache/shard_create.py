"""CreateReplicationGroup with cluster mode enabled: shards, each a primary with up to five replicas.

Source: ElastiCache API Reference, CreateReplicationGroup; User Guide, "Creating a Valkey or Redis OSS (cluster
mode enabled) replication group".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.cache.shards import member_name
from atoll.elasticache import errors, failover, nodes, parameter_group
from atoll.elasticache.find import owner_key
from atoll.elasticache.order import Asked, Order, check_name_is_free, make_cluster, order
from atoll.elasticache.shard_order import ShardOrder, shard_orders
from atoll.model.cache import NodeGroup, ReplicationGroup
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx, World

NOT_MEMCACHED = Err("InvalidParameterValue", "Invalid value {engine} for Engine. Must be one of redis, valkey.")
FAILOVER_ON = Err(
    "InvalidParameterCombination",
    "Redis with cluster mode enabled cannot be created with auto failover turned off.",
)
MULTI_AZ_REPLICAS = Err(
    "InvalidParameterCombination", "Each node group must have at least one read replica to enable Multi-AZ."
)
NOT_SHARDED = Err(
    "InvalidParameterCombination",
    "Cluster mode must be enabled for a replication group with more than one node group: ClusterMode=enabled, or a "
    "parameter group with cluster-enabled=yes.",
)
ONE_WAY = Err(
    "InvalidParameterCombination",
    "{name} cannot be used with NumNodeGroups, ReplicasPerNodeGroup or NodeGroupConfiguration.",
)
ZONES_PER_MEMBER = Err(
    "InvalidParameterCombination",
    "PreferredCacheClusterAZs must list {count} availability zones, one for each cache cluster.",
)
MODES = ("enabled", "disabled", "compatible")
LATER = "a group is compatible on its way from disabled to enabled: make it with disabled."


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a request says of a group's members, in the ways of both modes."""

    mode: str | None  # ClusterMode
    automatic_failover: bool | None
    multi_az: bool | None
    primary: str | None  # an existing cluster
    clusters: int | None
    zones: Sequence[str]  # of the clusters
    shards: int | None
    replicas: int | None  # of each shard
    configuration: Sequence[Shape]  # of the shards


def is_sharded(world: World, asked: Asked, layout: Layout) -> bool:
    """Tell whether a request asks for cluster mode: it says so, its parameter group does, or it wants shards."""
    mode, parameters = layout.mode, asked.parameter_group
    if mode not in (None, *MODES):
        raise errors.BAD_VALUE(got=mode, name="ClusterMode", why="Must be one of enabled, disabled, compatible.")
    if mode == "compatible":
        raise errors.UNSUPPORTED(what="ClusterMode=compatible", because=LATER)
    several = (layout.shards or len(layout.configuration)) > 1
    if mode is None and parameters:
        mode = "enabled" if parameter_group.find_group(world, parameters).cluster_on else "disabled"
    if mode == "disabled" and several:
        raise NOT_SHARDED()
    return mode == "enabled" or several


def make_sharded(tx: Tx, name: str, description: str, asked: Asked, layout: Layout) -> ReplicationGroup:
    """Make a group and its member clusters; it is `creating` until they are one cluster."""
    if asked.engine not in ("redis", "valkey"):
        raise NOT_MEMCACHED(engine=asked.engine)
    if not asked.node_type:
        raise errors.MISSING(name="CacheNodeType")
    if layout.primary:
        raise ONE_WAY(name="PrimaryClusterId")
    if not layout.automatic_failover:
        raise FAILOVER_ON()
    orders = _orders(layout)
    if layout.multi_az and not all(one.replicas for one in orders):
        raise MULTI_AZ_REPLICAS()
    checked = order(tx, asked, sharded=True)
    nodes.check_quota(tx.world, sum(1 + one.replicas for one in orders))
    multi_az = "enabled" if layout.multi_az else "disabled"
    group = empty_group(tx, name, description, checked, multi_az=multi_az)
    for n, one in enumerate(orders):
        group = tx.put(group.but(node_groups=(*group.node_groups, make_shard(tx, group, checked, one, n))))
    if layout.multi_az:
        failover.check_spread(tx.world, group)
    return group


def _orders(layout: Layout) -> list[ShardOrder]:
    """Return the shards; NumCacheClusters speaks of one."""
    if layout.clusters is None and not layout.zones:
        return shard_orders(layout.shards, layout.replicas, layout.configuration)
    if layout.shards is not None or layout.replicas is not None or layout.configuration:
        raise ONE_WAY(name="PreferredCacheClusterAZs" if layout.clusters is None else "NumCacheClusters")
    (only,) = shard_orders(1, (layout.clusters or len(layout.zones)) - 1, ())
    if layout.zones and len(layout.zones) != only.replicas + 1:
        raise ZONES_PER_MEMBER(count=only.replicas + 1)
    return [replace(only, zones=tuple(layout.zones))]


def empty_group(tx: Tx, name: str, description: str, checked: Order, *, multi_az: str) -> ReplicationGroup:
    """Make a group with cluster mode enabled and without shards, which `make_shard` makes."""
    return tx.make(
        ReplicationGroup,
        owner_key(tx.world, name),
        name=name,
        description=description,
        status=REPLICATION_GROUP.initial,
        engine=checked.build.engine,
        node_type=checked.node_type,
        node_groups=(),
        created=tx.now,
        port=checked.port,
        snapshot_window=checked.snapshot_window,
        tls=bool(checked.tls),
        tls_mode=checked.tls or "required",
        at_rest=checked.at_rest,
        auto_minor_upgrade=checked.auto_minor_upgrade,
        automatic_failover="enabled",
        multi_az=multi_az,
        tags=checked.tags,
        cluster_mode="enabled",
    )


def make_shard(tx: Tx, group: ReplicationGroup, like: Order, asked: ShardOrder, place: int) -> NodeGroup:
    """Make the members of a shard; `place` is its place among the others: their primaries go round the zones."""
    nodes.check_zones(tx.world, like.subnet_group, asked.zones)
    count = 1 + asked.replicas
    zones = list(asked.zones) or _turned(nodes.spread(tx.world, like.subnet_group, count), place, tx.world, like)
    if len(zones) < count:  # the primary's only
        zones += nodes.spread(tx.world, like.subnet_group, count - len(zones), held=zones)
    made = [
        make_cluster(
            tx, like, check_name_is_free(tx, member_name(group.name, asked.id, n)), [zone], group_id=group.id
        )
        for n, zone in enumerate(zones, 1)
    ]
    ids = tuple(cluster.id for cluster in made)
    return NodeGroup(id=asked.id, member_ids=ids, primary_id=ids[0], slots=asked.slots)


def _turned(zones: list[str], place: int, world: World, like: Order) -> list[str]:
    """Return zones of a shard's members, begun at another zone than the shard before."""
    every = nodes.spread(world, like.subnet_group, len(like.subnet_group.subnet_ids))
    every = list(dict.fromkeys(every))
    return [every[(place + n) % len(every)] for n in range(len(zones))]
