"""Cache clusters, replication groups and their subnet groups.

A cluster's nodes are in `nodes`: Memcached 1 to 60, Redis OSS and Valkey exactly one.  A replication group names its
clusters in its `node_groups` (shards; one, while cluster mode is disabled); a cluster names its group in `group_id`.
"""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import Self

from atoll.model.access import EVERYBODY, Access
from atoll.model.change import Change
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
    parameters: tuple[tuple[str, str], ...] = ()  # of a custom parameter group, as this boot's process has them
    maybe: tuple[tuple[tuple[str, str], ...], ...] = ()  # other `parameters` that it may have: told, not noted
    refused: tuple[tuple[str, str, str], ...] = ()  # parameters that its engine did not take: name, value and why
    host_error: str | None = None
    encryption: str = ""  # what its process was seen to do, as CacheCluster.encryption
    loads: bool = False  # its process starts with the data that the one before has left in their directory
    access: str = ""  # which users its engine has: `cache/users.py`, `mark`; "?": it is being told
    users: tuple[tuple[str, str], ...] = ()  # who may be connected: name, and whose name it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """An RDB file that a new node begins with."""

    path: str  # below the state directory
    digest: str | None = None  # BLAKE2b, 16 bytes; None: of a file from elsewhere


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
    sharded: bool = False  # its engine runs in cluster mode: it serves the slots of its shard, and knows all others
    snapshot_window: str | None = None
    snapshot_retention: int = 0
    auto_minor_upgrade: bool = True
    az_mode: str = "single-az"
    notification_topic: str | None = None
    notification_active: bool = True
    tls: bool = False
    tls_mode: str = "required"  # or "preferred": of TransitEncryptionMode, with `tls`
    at_rest: bool = False
    network_type: str = "ipv4"
    pending_node_count: int | None = None
    pending_removals: tuple[str, ...] = ()
    pending_zones: tuple[str, ...] = ()  # NewAvailabilityZones of the pending node count
    seeds: tuple[Seed, ...] = ()  # what its node begins with, until it is available for the first time
    configuration_version: int = 1  # of Memcached auto discovery: one more at each change of membership
    announced_version: int = 1  # the newest that its nodes have been told
    change: Change | None = None  # what it is to become, and is not yet
    former: Change | None = None  # what it was before the change that its node has not survived yet
    endpoint_code: str | None = None  # in its endpoint names, of a twin; None: that of the account and region

    @property
    def is_changing(self) -> bool:
        """Tell whether a change is under way that this cluster has yet to go through; an index field."""
        return self.change is not None and self.change.begun

    @property
    def is_on_trial(self) -> bool:
        """Tell whether its processes are others than before a change, and have not all answered; an index field."""
        return self.former is not None

    @property
    def is_snapshotted(self) -> bool:
        """Tell whether an automatic snapshot is taken of it, and not with its group; an index field."""
        return self.group_id is None and self.snapshot_retention > 0

    @property
    def is_leaving(self) -> bool:
        """Tell whether it, or one of its nodes, goes when its processes have ended; an index field."""
        return self.status == "deleting" or any(node.status == "deleting" for node in self.nodes)

    @property
    def is_memcached(self) -> bool:
        """Tell whether the engine is Memcached."""
        return self.engine == "memcached"

    @property
    def encryption(self) -> str:
        """What its clients are to meet: "required" (TLS only), "preferred" (TLS and plain text), or "" (plain)."""
        return self.tls_mode if self.tls else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A change of a shard's primary that is under way; written down before anything is done.

    `because`: "failure" (the primary is lost), "test" (TestFailover), "manual" (PrimaryClusterId), "change" (its
    replicas were changed, the primary is next) or "restored" (the primary, which had lost its data, has copied them
    back).
    """

    because: str
    target_id: str | None = None  # World id of the member that is to be primary; None: not chosen yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """An online migration from an engine outside; written down before anything is done.

    `stage`: "testing" and "starting": the source is looked at; "copying": the shard's leader is its replica;
    "completing": likewise, until it has all that the source had; "promoting": it is to be a primary again.

    To a group in cluster mode each shard has one, all in the same stage.  Its engines leave cluster mode to copy, and
    go back into it at the end, which are two stages more: "joining": replicas go into cluster mode and take over,
    while leaders follow the source still; "returning": likewise, from leaders that are primaries.

    To a serverless cache it lasts from PrepareMigration on, and what is behind it is `modifying` all the time:
    "preparing": the source is looked at; "leaving": the engines leave cluster mode; "prepared": nothing is copied,
    yet or any more; then as above; "stopping": as "promoting", but then "prepared"; "returning": the engines go into
    cluster mode again.
    """

    address: IPv4Address  # to a group in cluster mode: first of any node of the source, then of the shard's primary
    port: int
    stage: str
    in_step: bool = False  # it has copied all data, and its link to the source is up
    was_started: bool = False  # of a serverless cache: data may have been copied before
    clears: bool = False  # likewise: data of its own give way to the source's
    cuts_over: bool = False  # likewise: it completes by itself when it is in step
    goal: tuple[str, int] | None = None  # "joining": a history of the source, and how much of it must be there

    @property
    def mixes(self) -> bool:
        """Tell whether some engines of a group in cluster mode go back into it, and others are out of it still."""
        return self.stage in ("joining", "returning")

    @property
    def is_in_front(self) -> bool:
        """Tell whether clients of a serverless cache's endpoint are led to the source."""
        return self.stage in ("leaving", "prepared", "starting", "copying", "stopping")

    @property
    def follows(self) -> bool:
        """Tell whether the shard's leader is to follow the source."""
        return self.stage in ("copying", "completing", "joining")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """A shard: the clusters that hold the same keys, one of them primary."""

    id: str  # "0001"
    member_ids: tuple[str, ...]  # World ids of CacheClusters, in order of their names
    primary_id: str  # World id of the member that is primary
    slots: tuple[tuple[int, int], ...] = ()  # first and last of each range; none while cluster mode is disabled
    source_id: str | None = None  # the replica that a primary without data copies from, instead of being followed
    promotion: Promotion | None = None
    migration: Migration | None = None

    @property
    def leader_id(self) -> str:
        """The member that the others follow: the primary, or whom it copies from."""
        return self.source_id or self.primary_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Resharding:
    """A change of a group's shards that is under way; written down before anything is done."""

    before: int  # so many shards there were
    whole: int  # so many slots had to move
    leaving: tuple[str, ...] = ()  # ids of the shards that go as soon as they have no slots


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationGroup(Resource):
    """A primary with its replicas, in each of its shards.

    Its members' names are NAME-001 ... while cluster mode is disabled, else NAME-0001-001 ..., shard and node.
    """

    name: str  # ReplicationGroupId, lower case
    description: str
    status: str
    engine: str
    node_type: str
    node_groups: tuple[NodeGroup, ...]  # cluster mode disabled: one, "0001"
    created: datetime
    port: int
    automatic_failover: str = "disabled"
    multi_az: str = "disabled"
    snapshot_window: str | None = None
    snapshot_retention: int = 0
    snapshotting_id: str | None = None  # World id of the member that daily snapshots are taken of, as it was asked
    tls: bool = False
    tls_mode: str = "required"  # or "preferred"
    at_rest: bool = False
    auto_minor_upgrade: bool = True
    network_type: str = "ipv4"
    kms_key_id: str | None = None
    access: Access = EVERYBODY
    global_id: str | None = None  # World id of its global datastore
    cluster_mode: str = "disabled"  # "enabled", or "compatible" on the way there
    becoming: str | None = None  # the cluster mode that its members are being changed to
    resharding: Resharding | None = None
    endpoint_code: str | None = None  # as CacheCluster.endpoint_code

    @property
    def is_snapshotted(self) -> bool:
        """Tell whether an automatic snapshot is taken of it; an index field."""
        return self.snapshot_retention > 0

    @property
    def encryption(self) -> str:
        """What its clients are to meet: "required" (TLS only), "preferred" (TLS and plain text), or "" (plain)."""
        return self.tls_mode if self.tls else ""

    @property
    def shard(self) -> NodeGroup:
        """The only shard of a group whose cluster mode is disabled."""
        return self.node_groups[0]

    @property
    def is_sharded(self) -> bool:
        """Tell whether its engines run in cluster mode."""
        return self.cluster_mode != "disabled"

    @property
    def member_ids(self) -> tuple[str, ...]:
        """World ids of all members, shard by shard."""
        return tuple(id for shard in self.node_groups for id in shard.member_ids)

    @property
    def primary_ids(self) -> tuple[str, ...]:
        """World ids of the primaries, shard by shard."""
        return tuple(shard.primary_id for shard in self.node_groups)

    def shard_of(self, cluster_id: str) -> NodeGroup | None:
        """Return the shard that a cluster belongs to."""
        return next((shard for shard in self.node_groups if cluster_id in shard.member_ids), None)

    def with_shard(self, shard: NodeGroup) -> Self:
        """Return the group with another state of one of its shards."""
        return self.but(node_groups=tuple(shard if s.id == shard.id else s for s in self.node_groups))
