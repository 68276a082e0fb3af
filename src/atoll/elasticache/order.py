"""What is to be made: a request's parameters, checked and completed, out of which clusters are made alike.

CreateCacheCluster makes one cluster of it, CreateReplicationGroup one for each member.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from atoll.aws.errors import Err
from atoll.cache.families import Build
from atoll.cache.tuning import at_start, differing
from atoll.elasticache import checks, encryption, errors, node_type, nodes, parameter_group, subnet_group
from atoll.elasticache.engine_version import choose_build
from atoll.elasticache.find import owner_key
from atoll.elasticache.naming import cluster_name
from atoll.model.cache import CacheCluster, CacheNode, CacheSubnetGroup, ReplicationGroup
from atoll.model.classic import network_of
from atoll.model.lifecycle import CACHE_CLUSTER
from atoll.model.parameter import CacheParameterGroup
from atoll.model.world import Tx

OTHER_FAMILY = Err(
    "InvalidParameterCombination", "Expected a parameter group of family {wanted} but found one of family {found}"
)
CLUSTER_ON = Err(
    "InvalidParameterCombination", "Cluster mode should be disabled in parameter group, but found it is enabled."
)
CLUSTER_OFF = Err(
    "InvalidParameterCombination", "Cluster mode should be enabled in parameter group, but found it is disabled."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything that the clusters of one request have in common."""

    build: Build
    requested_version: str | None
    node_type: str
    parameter_group: parameter_group.Group
    subnet_group: CacheSubnetGroup
    security_group_ids: tuple[str, ...]
    port: int
    maintenance_window: str
    snapshot_window: str
    auto_minor_upgrade: bool
    notification_topic: str | None
    tags: Mapping[str, str]
    tls: str = ""  # "required", "preferred", or "" for plain text
    at_rest: bool = False
    sharded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parameters that CreateCacheCluster and CreateReplicationGroup share, as the caller gave them."""

    engine: str
    engine_version: str | None
    node_type: str
    parameter_group: str | None
    subnet_group: str | None
    security_group_ids: Sequence[str] | None
    cache_security_groups: Sequence[str] | None
    port: int | None
    maintenance_window: str | None
    snapshot_window: str | None
    auto_minor_upgrade: bool
    notification_topic: str | None
    tags: Mapping[str, str]
    tls: str = ""
    at_rest: bool = False


def order(tx: Tx, asked: Asked, *, sharded: bool = False) -> Order:
    """Check a request and complete it with AWS's defaults.  Raises the error of the first thing that is wrong."""
    build = choose_build(tx.world, asked.engine, asked.engine_version or None)
    type_ = node_type.check(asked.node_type)
    parameters = parameters_for(tx, build, asked.parameter_group, sharded=sharded)
    nowhere = subnet_group.CLASSIC if network_of(tx.world) else subnet_group.DEFAULT
    subnets = subnet_group.find(tx.world, asked.subnet_group or nowhere)
    groups = checks.security_groups(tx.world, asked.security_group_ids, subnets, asked.cache_security_groups)
    port = checks.port(asked.port, build.engine)
    weekly, daily = checks.new_windows(tx, asked.maintenance_window, asked.snapshot_window)
    if asked.tls:
        encryption.check(build, subnets, asked.tls)
    return Order(
        build=build,
        requested_version=asked.engine_version or None,
        node_type=type_,
        parameter_group=parameters,
        subnet_group=subnets,
        security_group_ids=groups,
        port=port,
        maintenance_window=weekly,
        snapshot_window=daily,
        auto_minor_upgrade=asked.auto_minor_upgrade,
        notification_topic=checks.topic(asked.notification_topic),
        tags=asked.tags,
        tls=asked.tls,
        at_rest=asked.at_rest,
        sharded=sharded,
    )


def parameters_for(tx: Tx, build: Build, name: str | None, *, sharded: bool = False) -> parameter_group.Group:
    """Return the parameter group of a build: the one named, if it is of the build's family, else the default."""
    default = f"default.{build.family}.cluster.on" if sharded else f"default.{build.family}"
    group = parameter_group.find_group(tx.world, name or default)
    if group.family != build.family:
        raise OTHER_FAMILY(wanted=build.family, found=group.family)
    if group.cluster_on != sharded:
        raise CLUSTER_OFF() if sharded else CLUSTER_ON()
    return group


def check_name_is_free(tx: Tx, name: str) -> str:
    """Return the id of a new cluster, in lower case."""
    checked = cluster_name(name)
    if tx.get(CacheCluster, owner_key(tx.world, checked)):
        raise errors.CLUSTER_EXISTS(name=checked)
    return checked


def make_cluster(
    tx: Tx, order: Order, name: str, zones: Sequence[str], *, az_mode: str = "single-az", group_id: str | None = None
) -> CacheCluster:
    """Make a cluster with a node in each of the zones (which repeat); it is `creating` until the nodes answered."""
    group = tx.get(ReplicationGroup, group_id) if group_id else None
    return tx.make(
        CacheCluster,
        owner_key(tx.world, name),
        name=name,
        engine=order.build.engine,
        engine_version=order.build.version,
        node_type=order.node_type,
        status=CACHE_CLUSTER.initial,
        nodes=tuple(
            started(
                nodes.make_node(
                    tx,
                    name,
                    order.subnet_group,
                    zone,
                    order.security_group_ids,
                    node_type=order.node_type,
                    id=f"{n:04d}",
                    group_id=group_id,
                ),
                order.parameter_group,
            )
            for n, zone in enumerate(zones, 1)
        ),
        port=order.port,
        vpc_id=order.subnet_group.vpc_id,
        subnet_group=order.subnet_group.name,
        parameter_group=order.parameter_group.name,
        created=tx.now,
        maintenance_window=order.maintenance_window,
        security_group_ids=order.security_group_ids,
        group_id=group_id,
        requested_version=order.requested_version,
        snapshot_window=None if order.build.engine == "memcached" else order.snapshot_window,
        auto_minor_upgrade=order.auto_minor_upgrade,
        az_mode=az_mode,
        notification_topic=order.notification_topic,
        tls=bool(order.tls),
        tls_mode=order.tls or "required",
        at_rest=order.at_rest,
        sharded=order.sharded,
        tags=order.tags,
        endpoint_code=group.endpoint_code if group else None,
    )


def started(node: CacheNode, group: parameter_group.Group | CacheParameterGroup) -> CacheNode:
    """Return a node that starts with what its parameter group changes, but for what its engine has refused."""
    return replace(node, parameters=at_start(node, differing(group.family, group.values)), maybe=())
