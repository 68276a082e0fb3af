"""Cache clusters, replication groups and their subnet groups.

A cluster's nodes are in `nodes`: Memcached 1 to 40, Redis OSS and Valkey exactly one.  A replication group names its
clusters in `member_ids`; a cluster names its group in `group_id`.
"""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSubnetGroup(Resource):
    """The subnets that a cache may use; all in one VPC."""

    name: str
    description: str
    vpc_id: str
    subnet_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheNode:
    """One node: a process in the namespace of its own network interface.

    `boot` counts the starts asked for: a reboot is one more.  `status` follows `lifecycle.CACHE_NODE` and becomes
    `available` only when the node answered.
    """

    id: str  # "0001"
    interface_id: str
    zone: str
    status: str
    created: datetime
    boot: int = 1
    parameters: tuple[tuple[str, str], ...] = ()  # of a custom parameter group, as they were at this boot
    host_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCluster(Resource):
    """A cache cluster; its World id is `names.key(account, region, name)`."""

    name: str  # CacheClusterId, lower case
    engine: str  # "memcached", "redis" or "valkey"
    engine_version: str  # full, "7.0.15": what really runs
    node_type: str
    status: str
    nodes: tuple[CacheNode, ...]
    port: int
    vpc_id: str
    subnet_group: str  # name
    parameter_group: str  # name
    created: datetime
    maintenance_window: str
    security_group_ids: tuple[str, ...] = ()
    group_id: str | None = None  # World id of its replication group; an index field
    requested_version: str | None = None  # major.minor as asked for
    snapshot_window: str | None = None
    snapshot_retention: int = 0
    auto_minor_upgrade: bool = True
    az_mode: str = "single-az"
    notification_topic: str | None = None
    notification_active: bool = True
    tls: bool = False
    at_rest: bool = False
    network_type: str = "ipv4"
    pending_node_count: int | None = None
    pending_removals: tuple[str, ...] = ()
    pending_zones: tuple[str, ...] = ()  # NewAvailabilityZones of the pending node count
    configuration_version: int = 1  # of Memcached auto discovery: one more at each change of membership

    @property
    def is_memcached(self) -> bool:
        """Tell whether the engine is Memcached."""
        return self.engine == "memcached"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationGroup(Resource):
    """A primary with its replicas (cluster mode disabled: one shard, "0001")."""

    name: str  # ReplicationGroupId, lower case
    description: str
    status: str
    engine: str
    node_type: str
    member_ids: tuple[str, ...]  # World ids of CacheClusters, in order of their names
    primary_id: str  # World id of the member that is primary
    created: datetime
    port: int
    automatic_failover: str = "disabled"
    multi_az: str = "disabled"
    snapshot_window: str | None = None
    snapshot_retention: int = 0
    tls: bool = False
    at_rest: bool = False
    auto_minor_upgrade: bool = True
    network_type: str = "ipv4"
    kms_key_id: str | None = None
