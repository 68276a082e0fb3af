"""The part of cache endpoint names that tells accounts apart."""

from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.names import endpoint_hash
from atoll.model.resource import Resource


def endpoint_code(resource: Resource) -> str:
    """Return the six characters in the endpoint names of a cache: of a twin, those that it has on AWS."""
    own = resource.endpoint_code if isinstance(resource, CacheCluster | ReplicationGroup) else None
    return own or endpoint_hash(resource.account, resource.region)
