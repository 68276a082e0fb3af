"""Serverless caches: their names, what is behind them, and how they end.

Source: ElastiCache User Guide, "Working with serverless caches".
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from atoll.cache.backup import final_of
from atoll.cache.history import record
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.names import endpoint_hash, key, region_code
from atoll.model.resource import Resource
from atoll.model.serverless import SERVICE, ServerlessCache, ServerlessSnapshot
from atoll.model.snapshot import Snapshot
from atoll.model.vpc import Vpc
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


def owned_by(world: World, accounts: Collection[str]) -> Iterator[Resource]:
    """Yield all that accounts have, with what is behind their serverless caches and in their VPCs."""
    whole = world.seen_by(None)
    vpcs = {vpc.id for vpc in whole.all(Vpc) if vpc.account in accounts}
    for resource in whole:
        members = resource.member_ids if isinstance(resource, ReplicationGroup) else ()
        at = whole.get(CacheCluster, members[0]) if members else resource
        if resource.account in accounts or (resource.account == SERVICE and getattr(at, "vpc_id", None) in vpcs):
            yield resource


def behind(world: World, cache: ServerlessCache) -> Behind:
    """Return what is behind a serverless cache; it lives as long as that."""
    everything = world.seen_by(None)
    if cluster := everything.get(CacheCluster, cache.backing_id):
        return Behind(None, (cluster,))
    group = everything[ReplicationGroup, cache.backing_id]
    return Behind(group, tuple(everything[CacheCluster, id] for id in group.member_ids))


def status(world: World, cache: ServerlessCache) -> str:
    """Return the status: that of what is behind it.  Who takes a snapshot of it does not disturb it."""
    back = behind(world, cache)
    if back.group is None:
        return back.clusters[0].status
    if back.group.status == "snapshotting":
        return "deleting" if final_of(world, back.group) else "available"
    return back.group.status


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
    if backing.account != SERVICE:
        return  # no look: each makes a World of what was put before
    if cache := in_front_of(tx.world, backing):
        what = "created" if created else "modified"
        record(tx, cache, SOURCE, cache.name, f"Serverless cache {cache.name} {what}")


def snapshot_taken(tx: Tx, snapshot: Snapshot, group: ReplicationGroup | None) -> None:
    """Tell that the day's snapshot of what is behind a serverless cache was begun: its user sees it, too."""
    cache = in_front_of(tx.world, group) if group else None
    if cache is None:
        return
    name = f"automatic.{cache.name}-{tx.now:%Y-%m-%d-%H-%M}"
    tx.put(snapshot_of(tx, cache, name, snapshot, is_automated=True))


def snapshot_of(
    tx: Tx, cache: ServerlessCache, name: str, snapshot: Snapshot, *, is_automated: bool = False
) -> ServerlessSnapshot:
    """Return what a user sees of a Snapshot of the service's."""
    return ServerlessSnapshot(
        id=key(cache.account, cache.region, name),
        account=cache.account,
        region=cache.region,
        name=name,
        cache=cache.name,
        engine=cache.engine,
        major_version=cache.major_version,
        snapshot_id=snapshot.id,
        created=tx.now,
        is_automated=is_automated,
        expires=tx.now + timedelta(days=cache.snapshot_retention) if is_automated else None,
    )


def snapshot_gone(tx: Tx, snapshot: Snapshot) -> None:
    """Tell that a Snapshot has disappeared."""
    for one in list(tx.world.bucket(ServerlessSnapshot, "snapshot_id", snapshot.id).values()):
        tx.delete(one)


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
