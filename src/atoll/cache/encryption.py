"""TLS in transit, decided: what the clients of a node meet, under which names, and who talks to its engine plainly.

The engine itself goes on as it is.  What arrives at its port from anybody but its replication group's own nodes is
led to a terminator beside it (`cache/terminator.py`), so TLS is switched on and off, and between its modes, while it
runs.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address

from atoll.cache import endpoint, serverless
from atoll.cache.node import Encryption
from atoll.model.cache import CacheCluster, CacheNode, ReplicationGroup
from atoll.model.interface import Interface
from atoll.model.resource import Resource
from atoll.model.world import World

REQUIRED, PREFERRED = "required", "preferred"
MODES = (PREFERRED, REQUIRED)


def encryption(world: World, cluster: CacheCluster, node: CacheNode) -> Encryption | None:
    """Return what a node's clients must meet; None: plain text."""
    if not cluster.tls:
        return None
    group = world.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
    front = serverless.front_of(world, cluster)
    return Encryption(
        mode=cluster.tls_mode,
        region=cluster.region,
        names=(*names(cluster, node, group), *((serverless.name_of(front),) if front else ())),
        members=tuple(sorted(endpoint.address_of(world, node) for node in _members(world, cluster, group))),
        also=serverless.ports(front)[1:] if front else (),
        elsewhere=_elsewhere(group) if front and group else None,
    )


def _elsewhere(group: ReplicationGroup) -> tuple[IPv4Address, int] | None:
    """Return the source of a migration to a serverless cache, until its cutover."""
    migration = group.shard.migration
    return (migration.address, migration.port) if migration and migration.is_in_front else None


def names(cluster: CacheCluster, node: CacheNode, group: ReplicationGroup | None) -> tuple[str, ...]:
    """Return the names of a node's certificate, its own first: as on AWS a wildcard covers all of a group's."""
    own = endpoint.node_name(cluster, node.id)
    if group:
        return own, f"*.{endpoint.zone_name(group)}"
    return (own, endpoint.configuration_name(cluster)) if cluster.is_memcached else (own,)


def neighbours(world: World, cluster: CacheCluster) -> Iterator[Resource]:
    """Yield what `encryption` depends on beside the cluster, its interfaces and its group."""
    if front := serverless.front_of(world, cluster):
        yield front
    if cluster.tls and cluster.group_id and (group := world.get(ReplicationGroup, cluster.group_id)):
        for node in _members(world, cluster, group):
            yield world[Interface, node.interface_id]


def _members(world: World, cluster: CacheCluster, group: ReplicationGroup | None) -> list[CacheNode]:
    if group is None:
        return list(cluster.nodes)
    return [node for id in group.member_ids if (member := world.get(CacheCluster, id)) for node in member.nodes]
