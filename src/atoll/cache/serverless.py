"""Serverless caches: their names, what is behind them, and how they end.

Source: ElastiCache User Guide, "Working with serverless caches".
"""

from dataclasses import dataclass
from typing import cast

from atoll.cache.history import record
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.names import endpoint_hash, region_code
from atoll.model.resource import Resource
from atoll.model.serverless import SERVICE, ServerlessCache
from atoll.model.world import Tx, World

SOURCE = "serverless-cache"
PORT, READER_PORT = 6379, 6380
MEMCACHED_PORT, MEMCACHED_READER_PORT = 11211, 11212
ZONE = "serverless"  # the label of its names


@dataclass(frozen=True, slots=True)
class Behind:
    """What is behind a serverless cache."""

    group: ReplicationGroup | None  # none: Memcached's
    clusters: tuple[CacheCluster, ...]

    @property
    def primary(self) -> CacheCluster:
        """The cluster that clients are led to."""
        if self.group is None:
            return self.clusters[0]
        return next((c for c in self.clusters if c.id == self.group.shard.primary_id), self.clusters[0])


def behind(world: World, cache: ServerlessCache) -> Behind:
    """Return what is behind a serverless cache; it lives as long as that."""
    everything = world.seen_by(None)
    if cluster := everything.get(CacheCluster, cache.backing_id):
        return Behind(None, (cluster,))
    group = everything[ReplicationGroup, cache.backing_id]
    return Behind(group, tuple(everything[CacheCluster, id] for id in group.member_ids))


def status(world: World, cache: ServerlessCache) -> str:
    """Return the status: that of what is behind it."""
    back = behind(world, cache)
    return back.group.status if back.group else back.clusters[0].status


def in_front_of(world: World, backing: Resource) -> ServerlessCache | None:
    """Return the serverless cache in front of a group or a cluster, if that is behind one."""
    if backing.account != SERVICE:
        return None
    found = world.bucket(ServerlessCache, "backing_id", backing.id).values()
    return next(map(_cast, found), None)


def front_of(world: World, cluster: CacheCluster) -> ServerlessCache | None:
    """Return the serverless cache in front of a cluster, be it alone or one of a group."""
    if cluster.account != SERVICE:
        return None
    group = world.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
    return in_front_of(world, group or cluster)


def name_of(cache: ServerlessCache) -> str:
    """Return its one name: the reader endpoint differs by the port."""
    h = endpoint_hash(cache.account, cache.region)
    return f"{cache.name}-{h}.{ZONE}.{region_code(cache.region)}.cache.amazonaws.com"


def ports(cache: ServerlessCache) -> tuple[int, int]:
    """Return the port of its endpoint, and of its reader endpoint."""
    return (MEMCACHED_PORT, MEMCACHED_READER_PORT) if cache.is_memcached else (PORT, READER_PORT)


def named(world: World, dns_name: str) -> ServerlessCache | None:
    """Return whose name this is, in lower case and without a final dot."""
    first, _, rest = dns_name.partition(".")
    if not rest.startswith(ZONE + "."):
        return None
    found = world.bucket(ServerlessCache, "name", first.rpartition("-")[0]).values()
    return next((c for c in map(_cast, found) if name_of(c) == dns_name), None)


def ready(tx: Tx, backing: Resource, *, created: bool) -> None:
    """Tell that what is behind a serverless cache is available."""
    if cache := in_front_of(tx.world, backing):
        what = "created" if created else "modified"
        record(tx, cache, SOURCE, cache.name, f"Serverless cache {cache.name} {what}")


def gone(tx: Tx, backing: Resource) -> None:
    """Tell that what was behind a serverless cache has ended: it disappears with it."""
    found = tx.world.bucket(ServerlessCache, "backing_id", backing.id).values()
    cache = next((_cast(one) for one in found), None)
    if cache is None:
        return
    tx.delete(cache)
    if subnets := tx.world.seen_by(None).get(CacheSubnetGroup, backing.id):
        tx.delete(subnets)
    record(tx, cache, SOURCE, cache.name, f"Serverless cache {cache.name} deleted")


def _cast(resource: Resource) -> ServerlessCache:
    return cast(ServerlessCache, resource)
