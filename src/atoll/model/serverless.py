"""Serverless caches: what a user sees of one.  The nodes behind it belong to the service, and the user sees none.

A Valkey or Redis OSS one is a replication group with cluster mode enabled (one shard), a Memcached one is a cluster;
their account is `SERVICE`.  A serverless cache has no status of its own: it is that of what is behind it.
"""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource

SERVICE = "amazon-elasticache"  # the account of what is behind serverless caches: nobody calls with it


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLimits:
    """CacheUsageLimits; None: not given."""

    data_max_gb: int | None = None
    data_min_gb: int | None = None
    ecpu_max: int | None = None  # ElastiCache Processing Units a second: kept and shown
    ecpu_min: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessCache(Resource):
    """A serverless cache; its World id is `names.key(account, region, name)`."""

    name: str  # lower case
    description: str
    engine: str
    major_version: str
    limits: UsageLimits
    security_group_ids: tuple[str, ...]
    subnet_ids: tuple[str, ...]
    vpc_id: str
    backing_id: str  # World id of the ReplicationGroup, or of Memcached's CacheCluster, behind it; an index field
    created: datetime
    user_group: str | None = None  # its id, as the user knows it
    kms_key_id: str | None = None
    snapshot_retention: int = 0  # days
    snapshot_time: str | None = None  # "03:30", UTC

    @property
    def is_memcached(self) -> bool:
        """Tell whether the engine is Memcached."""
        return self.engine == "memcached"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessSnapshot(Resource):
    """A snapshot of a serverless cache; its World id is `names.key(account, region, name)`.

    Its files and its status are those of a Snapshot of what is behind the cache.
    """

    name: str  # lower case
    cache: str  # its name
    engine: str
    major_version: str
    snapshot_id: str  # World id of the service's Snapshot; an index field
    created: datetime
    is_automated: bool = False
    expires: datetime | None = None  # of automated ones
    kms_key_id: str | None = None
