"""What people call caches, and which of their nodes' interfaces that is.

sessions   sessions:0002   sessions.abcdef.0001.use1.cache.amazonaws.com   and every other form that ElastiCache gives
"""

from collections.abc import Iterable, Iterator

from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.cache_names import endpoint_code
from atoll.model.interface import Interface
from atoll.model.names import endpoint_hash
from atoll.model.serverless import ServerlessCache
from atoll.model.world import World

Node = tuple[Interface, str]  # what people call it
DOMAIN = ".cache.amazonaws.com"


def by_endpoint(world: World, host: str) -> list[Node]:
    """Return the nodes behind an endpoint's name, TLS or not; none: nobody has the name."""
    match host.removesuffix(DOMAIN).split("."):
        case [name, hash, "ng", _, _]:  # a group's primary, or its readers
            role = "reader" if name.endswith("-ro") and not _group(world, name, hash) else "primary"
            name = name.removesuffix("-ro") if role == "reader" else name
            found: Iterable[Node] = _members(world, name, hash, role)
        case ["master" | "replica" as role, name, hash, _]:
            found = _members(world, name, hash, "primary" if role == "master" else "reader")
        case ["clustercfg", name, hash, _] | [name, hash, "clustercfg", _]:
            found = _members(world, name, hash, "any")
        case [text, "serverless", _]:
            name, _, hash = text.rpartition("-")
            found = (node for one, node in serverless(world) if one == name and hash == _hash(world, name))
        case [name, hash, "cfg", _]:
            found = clusters(world, name, hash)
        case [name, hash, node, _] if node.isdigit():
            found = (n for n in clusters(world, name, hash) if n[1] in (name, f"{name}:{node}"))
        case [name, _, hash, _]:  # a member of a group with TLS
            found = clusters(world, name, hash)
        case _:
            found = ()
    return list(found)


def named(world: World) -> Iterator[tuple[str, Node]]:
    """Yield every name of the caller's caches, with its nodes: those of a group are its primaries."""
    for cluster in world.all(CacheCluster):
        for node in _nodes(world, cluster):
            yield cluster.name, node
    for group in world.all(ReplicationGroup):
        for id in group.primary_ids:
            for node in _member(world, id):
                yield group.name, node
    yield from serverless(world)


def clusters(world: World, name: str, hash: str | None = None) -> Iterator[Node]:
    """Yield the nodes of a cluster; `hash`: of the account whose endpoints have it."""
    for cluster in world.all(CacheCluster, name=name):
        if hash in (None, endpoint_code(cluster)):
            yield from _nodes(world, cluster)


def serverless(world: World) -> Iterator[tuple[str, Node]]:
    """Yield the caller's serverless caches, by name, with the node that clients are led to."""
    everything = world.seen_by(None)
    for cache in world.all(ServerlessCache):
        group = everything.get(ReplicationGroup, cache.backing_id)
        for interface, _ in _member(everything, group.shard.primary_id if group else cache.backing_id):
            yield cache.name, (interface, cache.name)


def _hash(world: World, name: str) -> str:
    return next((endpoint_hash(c.account, c.region) for c in world.all(ServerlessCache, name=name)), "")


def _group(world: World, name: str, hash: str) -> ReplicationGroup | None:
    groups = world.all(ReplicationGroup, name=name)
    return next((g for g in groups if endpoint_code(g) == hash), None)


def _members(world: World, name: str, hash: str, role: str) -> Iterator[Node]:
    group = _group(world, name, hash)
    for shard in group.node_groups if group else ():
        others = [id for id in shard.member_ids if id != shard.primary_id]
        ids = {"primary": [shard.primary_id], "reader": others or [shard.primary_id], "any": shard.member_ids}[role]
        for id in ids:
            yield from _member(world, id)


def _member(world: World, cluster_id: str) -> Iterator[Node]:
    """Yield a member's node; a group that is being deleted may have lost it already."""
    cluster = world.get(CacheCluster, cluster_id)
    if cluster is not None:
        yield from _nodes(world, cluster)


def _nodes(world: World, cluster: CacheCluster) -> Iterator[Node]:
    """Yield a cluster's nodes that have an interface (any more)."""
    for node in cluster.nodes:
        interface = world.seen_by(None).get(Interface, node.interface_id)
        if interface is not None:
            yield interface, f"{cluster.name}:{node.id}" if cluster.is_memcached else cluster.name
