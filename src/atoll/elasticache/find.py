"""Find caches by the names that callers give: case does not matter, and an unknown name is an error."""

from atoll.elasticache import errors
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.cache_security_group import CacheSecurityGroup
from atoll.model.names import arn, key
from atoll.model.resource import Resource
from atoll.model.snapshot import Snapshot
from atoll.model.world import World


def owner_key(world: World, name: str) -> str:
    """Return the World id of one of the caller's things."""
    assert world.caller, "an operation has a caller"
    return key(world.caller.account, world.caller.region, name.lower())


def find_cluster(world: World, name: str) -> CacheCluster:
    """Return a cluster of the caller's.  Raises CLUSTER_NOT_FOUND."""
    cluster = world.get(CacheCluster, owner_key(world, name))
    if cluster is None:
        raise errors.CLUSTER_NOT_FOUND(name=name)
    return cluster


def find_group(world: World, name: str) -> ReplicationGroup:
    """Return a replication group of the caller's.  Raises GROUP_NOT_FOUND."""
    group = world.get(ReplicationGroup, owner_key(world, name))
    if group is None:
        raise errors.GROUP_NOT_FOUND(name=name)
    return group


def find_snapshot(world: World, name: str) -> Snapshot:
    """Return a snapshot of the caller's.  Raises SNAPSHOT_NOT_FOUND."""
    snapshot = world.get(Snapshot, owner_key(world, name))
    if snapshot is None:
        raise errors.SNAPSHOT_NOT_FOUND(name=name)
    return snapshot


def find_cache_security_group(world: World, name: str) -> CacheSecurityGroup:
    """Return a cache security group of the caller's.  Raises CACHE_SECURITY_GROUP_NOT_FOUND."""
    group = world.get(CacheSecurityGroup, owner_key(world, name))
    if group is None:
        raise errors.CACHE_SECURITY_GROUP_NOT_FOUND(name=name)
    return group


def arn_of(resource: Resource, type: str, name: str) -> str:
    """Return the ARN of a thing: `type` is ElastiCache's word, such as `replicationgroup`."""
    return arn("elasticache", resource.region, resource.account, f"{type}:{name}")
