"""Endpoint names, and what they resolve to.

The names are AWS's: public names with private addresses, so every VPC's resolver knows all of them.  A name exists as
soon as a node behind it has answered once.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import TypeVar, cast

from atoll.model.cache import CacheCluster, CacheNode, NodeGroup, ReplicationGroup
from atoll.model.interface import Interface
from atoll.model.names import endpoint_hash, region_code
from atoll.model.resource import Resource
from atoll.model.world import World

T = TypeVar("T", bound=Resource)

DOMAIN = "cache.amazonaws.com"
# A node keeps its name while it is being started again; one that never answered, or is leaving, has none.
NAMED = ("available", "rebooting")


def node_name(cluster: CacheCluster, node_id: str) -> str:
    """Return a node's own name."""
    return f"{cluster.name}.{_hash(cluster)}.{node_id}.{_place(cluster)}"


def configuration_name(cluster: CacheCluster) -> str:
    """Return the configuration endpoint of a Memcached cluster: all its nodes."""
    return f"{cluster.name}.{_hash(cluster)}.cfg.{_place(cluster)}"


def primary_name(group: ReplicationGroup) -> str:
    """Return the name that always leads to a group's primary."""
    return f"{group.name}.{_hash(group)}.ng.0001.{_place(group)}"


def reader_name(group: ReplicationGroup) -> str:
    """Return the name that leads to a group's replicas, or to its primary when it has none."""
    return f"{group.name}-ro.{_hash(group)}.ng.0001.{_place(group)}"


def clustercfg_name(group: ReplicationGroup) -> str:
    """Return the configuration endpoint of a group in cluster mode: all its nodes."""
    return f"{group.name}.{_hash(group)}.clustercfg.{_place(group)}"


def resolve(world: World, dns_name: str) -> tuple[IPv4Address, ...] | None:
    """Return the addresses behind an endpoint name; `()` when none has answered yet, None when nothing has the name.

    Costs one look-up in an index of names.  A trailing dot and the case do not matter.
    """
    name = dns_name.lower().removesuffix(".")
    if not name.endswith("." + DOMAIN):
        return None
    world, first = world.seen_by(None), name.split(".", 1)[0]
    for cluster in _named(world, CacheCluster, first):
        if cluster.is_memcached and configuration_name(cluster) == name:
            return addresses(world, cluster)
        for node in cluster.nodes:
            if node_name(cluster, node.id) == name:
                return tuple(address_of(world, n) for n in (node,) if n.status in NAMED)
    for group in _named(world, ReplicationGroup, first):
        if group.is_sharded and clustercfg_name(group) == name:
            return tuple(
                a for id in group.member_ids if (c := world.get(CacheCluster, id)) for a in addresses(world, c)
            )
        if group.cluster_mode != "enabled" and primary_name(group) == name:
            return _primary(world, group.shard)
    for group in _named(world, ReplicationGroup, first.removesuffix("-ro")):
        if group.cluster_mode != "enabled" and reader_name(group) == name:
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
    return endpoint_hash(resource.account, resource.region)


def _place(resource: Resource) -> str:
    return f"{region_code(resource.region)}.{DOMAIN}"
