"""Snapshots of Redis OSS and Valkey caches: what a cache was, and a file of its data for each of its shards.

Which file is which lies with the host's directory (`control/snapshot_files.py`); here stands what must be in it.
"""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource

MANUAL, AUTOMATED = "manual", "automated"  # as AWS writes SnapshotSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """A file of a shard's data, whole and on the disk."""

    taken: datetime
    bytes: int  # of the file
    data_bytes: int  # that the data took in the engine's memory
    digest: str  # BLAKE2b of the file, 16 bytes
    header: str  # how the file begins: "REDIS0010", "VALKEY080"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSnapshot:
    """The part of a snapshot that is one shard's."""

    shard_id: str  # "0001"
    cluster: str  # CacheClusterId of the shard's primary, or of the node that was asked for
    node_id: str
    node_created: datetime
    slots: tuple[tuple[int, int], ...] = ()
    zone: str | None = None  # of the primary
    replica_zones: tuple[str, ...] = ()
    dump: Dump | None = None  # None: not taken yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A copy of a snapshot's files that is under way into a bucket."""

    name: str
    bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Resource):
    """A snapshot; its World id is `names.key(account, region, name)`.  `status` follows `lifecycle.SNAPSHOT`."""

    name: str
    status: str
    source: str  # MANUAL or AUTOMATED
    created: datetime
    files: str  # how the names of its files begin: no other snapshot's ever did
    parts: tuple[NodeSnapshot, ...]
    group_id: str | None = None  # World id of the replication group that it is of; None: of a lone cluster
    group: str | None = None  # its name
    group_description: str | None = None
    cluster_id: str | None = None  # World id of the cluster that it is of; None: of a whole group
    cluster: str | None = None
    engine: str
    engine_version: str
    node_type: str
    port: int
    parameter_group: str
    subnet_group: str
    vpc_id: str
    zone: str | None = None
    cluster_created: datetime
    maintenance_window: str
    topic: str | None = None
    auto_minor_upgrade: bool = True
    retention: int = 0  # days that an automated one is kept
    window: str | None = None
    automatic_failover: str = "disabled"
    cluster_mode: bool = False
    kms_key_id: str | None = None
    copy_of: str | None = None  # how the names of the files begin that are to become its own
    exports: tuple[Export, ...] = ()
    is_final: bool = False  # what it is of goes when it is there
    because: str | None = None  # why it failed

    def file(self, part: NodeSnapshot) -> str:
        """Return the name of a part's file."""
        return f"{self.files}-{part.shard_id}.rdb"

    @property
    def data_bytes(self) -> int:
        """How much memory all data took."""
        return sum(part.dump.data_bytes for part in self.parts if part.dump)
