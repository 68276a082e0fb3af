"""Endpoint names, and what they resolve to.

The names are AWS's: public names with private addresses, so every VPC's resolver knows all of them.  A name exists as
soon as a node behind it has answered once.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import TypeVar, cast

from atoll.cache import serverless
from atoll.model.cache import CacheCluster, CacheNode, NodeGroup, ReplicationGroup
from atoll.model.cache_names import endpoint_code
from atoll.model.interface import Interface
from atoll.model.names import region_code
from atoll.model.resource import Resource
from atoll.model.world import World

T = TypeVar("T", bound=Resource)

DOMAIN = "cache.amazonaws.com"
# A node keeps its name while it is being started again; one that never answered, or is leaving, has none.
NAMED = ("available", "rebooting")


def node_name(cluster: CacheCluster, node_id: str) -> str:
    """Return a node's own name; in a replication group with TLS it is below the group's."""
    if cluster.tls and cluster.group_id:
        return f"{cluster.name}.{cluster.group_id.rpartition('/')[2]}.{_hash(cluster)}.{_place(cluster)}"
    return _plain_node_name(cluster, node_id)


def configuration_name(cluster: CacheCluster) -> str:
    """Return the configuration endpoint of a Memcached cluster: all its nodes."""
    return f"{cluster.name}.{_hash(cluster)}.cfg.{_place(cluster)}"


def primary_name(group: ReplicationGroup) -> str:
    """Return the name that always leads to a group's primary."""
    return f"master.{zone_name(group)}" if group.tls else f"{group.name}.{_hash(group)}.ng.0001.{_place(group)}"


def reader_name(group: ReplicationGroup) -> str:
    """Return the name that leads to a group's replicas, or to its primary when it has none."""
    return f"replica.{zone_name(group)}" if group.tls else f"{group.name}-ro.{_hash(group)}.ng.0001.{_place(group)}"


def zone_name(group: ReplicationGroup) -> str:
    """Return what all names of a group with TLS are below."""
    return f"{group.name}.{_hash(group)}.{_place(group)}"


def clustercfg_name(group: ReplicationGroup) -> str:
    """Return the configuration endpoint of a group in cluster mode: all its nodes."""
    if group.tls:
        return f"clustercfg.{zone_name(group)}"
    return f"{group.name}.{_hash(group)}.clustercfg.{_place(group)}"


def resolve(world: World, dns_name: str) -> tuple[IPv4Address, ...] | None:
    """Return the addresses behind an endpoint name; `()` when none has answered yet, None when nothing has the name.

    Costs one look-up in an index of names.  A trailing dot and the case do not matter.
    """
    name = dns_name.lower().removesuffix(".")
    if not name.endswith("." + DOMAIN):
        return None
    if cache := serverless.named(world, name):
        return addresses(world.seen_by(None), serverless.behind(world, cache).primary)
    world, (first, second) = world.seen_by(None), name.split(".", 2)[:2]
    for cluster in _named(world, CacheCluster, first):
        if cluster.is_memcached and configuration_name(cluster) == name:
            return addresses(world, cluster)
        for node in cluster.nodes:
            if name in _node_names(cluster, node.id):
                return tuple(address_of(world, n) for n in (node,) if n.status in NAMED)
    for named in dict.fromkeys((first, first.removesuffix("-ro"), second)):
        for group in _named(world, ReplicationGroup, named):
            forms = _forms(group)
            if group.is_sharded and name in map(clustercfg_name, forms):
                return tuple(
                    a for id in group.member_ids if (c := world.get(CacheCluster, id)) for a in addresses(world, c)
                )
            if group.cluster_mode != "enabled" and name in map(primary_name, forms):
                return _primary(world, group.shard)
            if group.cluster_mode != "enabled" and name in map(reader_name, forms):
                return _readers(world, group.shard)
    return None


def address_of(world: World, node: CacheNode) -> IPv4Address:
    """Return a node's address."""
    return world[Interface, node.interface_id].address


def addresses(world: World, cluster: CacheCluster) -> tuple[IPv4Address, ...]:
    """Return the addresses of a cluster's named nodes, in the order of their ids."""
    return tuple(address_of(world, node) for node in cluster.nodes if node.status in NAMED)


def members(world: World, group: ReplicationGroup) -> list[CacheCluster]:
    """Return a group's clusters, shard by shard, in the order of their names."""
    return [world[CacheCluster, id] for id in group.member_ids]


def _node_names(cluster: CacheCluster, node_id: str) -> tuple[str, ...]:
    """Return the names that lead to a node now."""
    names = (node_name(cluster, node_id),)
    return (*names, _plain_node_name(cluster, node_id)) if cluster.encryption == "preferred" else names


def _plain_node_name(cluster: CacheCluster, node_id: str) -> str:
    return f"{cluster.name}.{_hash(cluster)}.{node_id}.{_place(cluster)}"


def _forms(group: ReplicationGroup) -> tuple[ReplicationGroup, ...]:
    """Return a group as each of its names is formed: while TLS is preferred, those without TLS lead to it, too.

    Source: ElastiCache User Guide, "Best practices when enabling in-transit encryption".
    """
    return (group, group.but(tls=False)) if group.encryption == "preferred" else (group,)


def _primary(world: World, shard: NodeGroup) -> tuple[IPv4Address, ...]:
    primary = world.get(CacheCluster, shard.primary_id)  # a group being deleted may have lost it
    return addresses(world, primary) if primary else ()


def _readers(world: World, shard: NodeGroup) -> tuple[IPv4Address, ...]:
    replicas = tuple(
        address_of(world, node)
        for id in shard.member_ids
        if id != shard.primary_id
        for node in world[CacheCluster, id].nodes
        if node.status == "available"
    )
    return replicas or _primary(world, shard)


def _named(world: World, kind: type[T], name: str) -> Iterable[T]:
    return cast("Iterable[T]", world.bucket(kind, "name", name).values())


def _hash(resource: Resource) -> str:
    return endpoint_code(resource)


def _place(resource: Resource) -> str:
    return f"{region_code(resource.region)}.{DOMAIN}"
