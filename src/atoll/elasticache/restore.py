"""Caches that begin with data: of a snapshot (`SnapshotName`), or of RDB files in buckets (`SnapshotArns`).

What the caller does not say is as the snapshot has it.  The files are loaded by the engines as they start
(`cache/plan.py`, `host/engine/seeds.py`); here is decided which, and refused what cannot come to a good end.
Source: ElastiCache User Guide, "Restoring from a backup" and "Seeding a new cluster".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atoll.aws.errors import Err
from atoll.cache import rdb
from atoll.cache.backup import SEEDS
from atoll.cache.config import data_bytes
from atoll.cache.families import Build, choose
from atoll.cache.node_types import NODE_TYPES
from atoll.cache.shards import SLOTS, Slots, write_slots
from atoll.elasticache import checks, subnet_group
from atoll.elasticache.buckets import BUCKET, buckets
from atoll.elasticache.find import find_snapshot, owner_key
from atoll.elasticache.order import Asked, Order, order
from atoll.elasticache.parameter_group import find_group as find_parameters
from atoll.elasticache.shard_create import Layout
from atoll.elasticache.snapshot_copy import BAD_STATE, NO_BUCKET
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup, Seed
from atoll.model.parameter import CacheParameterGroup
from atoll.model.world import Tx, World

ALL: Slots = ((0, SLOTS - 1),)
ARN_PREFIX = "arn:aws:s3:::"
MEBIBYTE = 1 << 20

TWO_SOURCES = Err("InvalidParameterCombination", "Only one of SnapshotName or SnapshotArns can be provided.")
EXISTING = Err(
    "InvalidParameterCombination",
    "Cannot specify SnapshotName or SnapshotArns together with PrimaryClusterId: that cluster has data.",
)
BAD_ARN = Err(
    "InvalidParameterValue",
    "Invalid value {got} for SnapshotArns. Must be the ARN of an object, such as arn:aws:s3:::bucket/object.rdb, "
    "without commas.",
)
NO_OBJECT = Err("InvalidParameterValue", "The S3 bucket {bucket} does not contain an object with key {key}.")
NOT_RDB = Err("InvalidParameterValue", "The S3 object {key} in the bucket {bucket} is not an RDB file.")
ONE_SHARD = Err(
    "InvalidParameterCombination",
    "{what} has {count} node groups: it can only be restored to a replication group with cluster mode enabled.",
)
CLUSTER_MODE = Err(
    "InvalidParameterCombination",
    "{what} is of a replication group with cluster mode enabled, and cannot be restored with it disabled.",
)
TOO_NEW = Err(
    "InvalidParameterValue",
    "{what} cannot be restored with {engine} {version}: it is an RDB file of format {format}, of a newer or another "
    "engine.",
)
TOO_SMALL = Err(
    "InvalidParameterValue",
    "The cache node type {type} is too small for {what}: its data need {needed} MB in a node, and it has {has} MB.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file with the data of one shard."""

    seed: Seed
    bytes: int  # at least so many its data take in memory
    header: str
    slots: Slots = ()  # none: nobody knows, or all
    shard_id: str = "0001"
    replicas: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a new cache begins with, and is like where its maker says nothing else."""

    what: str  # for messages
    parts: tuple[Part, ...]
    cluster_mode: bool | None = None  # None: nobody knows
    engine: str | None = None
    version: str | None = None
    node_type: str | None = None
    port: int | None = None
    parameter_group: str | None = None
    subnet_group: str | None = None


def source_of(world: World, name: str | None, arns: Sequence[str], *, memcached: bool = False) -> Source | None:
    """Return what a request wants to begin with; None: nothing.  Raises what is wrong with it."""
    if not name and not arns:
        return None
    if memcached:
        raise checks.NO_SNAPSHOTS(name="SnapshotName" if name else "SnapshotArns")
    if name and arns:
        raise TWO_SOURCES()
    return _snapshot(world, name) if name else _objects(arns)


def completed(world: World, asked: Asked, source: Source | None, *, sharded: bool = False) -> Asked:
    """Return a request with what it left open as its source has it, where that is still there.

    `sharded`: cluster mode is asked for, so that a parameter group without it does not fit.
    """
    if source is None or source.engine is None:
        return asked
    same = asked.engine == source.engine
    label = Build(source.engine, source.version or "").label
    known = same and asked.engine_version is None and choose(world, source.engine, label) is not None
    version = label if known else asked.engine_version
    parameters, subnets = source.parameter_group, source.subnet_group
    kept = (
        known
        and parameters
        and source.cluster_mode == sharded
        and world.get(CacheParameterGroup, owner_key(world, parameters))
    )
    there = subnets and subnets != subnet_group.CLASSIC and world.get(CacheSubnetGroup, owner_key(world, subnets))
    return replace(
        asked,
        engine_version=version,
        node_type=asked.node_type or source.node_type or "",
        port=asked.port if asked.port is not None else source.port,
        parameter_group=asked.parameter_group or (parameters if kept else None),
        subnet_group=asked.subnet_group or (subnets if there else None),
    )


def order_of(tx: Tx, asked: Asked, source: Source | None) -> Order:
    """Check a request of one cluster, and complete it."""
    return order(tx, completed(tx.world, asked, source))


def arranged(world: World, asked: Asked, layout: Layout, source: Source | None) -> tuple[Asked, Layout]:
    """Return a request with what it left open as its source has it.  Raises what cannot be said beside a source."""
    if source and layout.primary:
        raise EXISTING()
    layout = laid_out(layout, source)
    sharded = layout.mode == "enabled" or (layout.shards or len(layout.configuration)) > 1
    return completed(world, asked, source, sharded=sharded), layout


def laid_out(layout: Layout, source: Source | None) -> Layout:
    """Return a layout that leaves open whether there are shards, and which, as its source has them."""
    if source is None or not source.cluster_mode:
        return layout
    if layout.mode == "disabled":
        raise CLUSTER_MODE(what=source.what)
    automatic = True if layout.automatic_failover is None else layout.automatic_failover
    layout = replace(layout, mode=layout.mode or "enabled", automatic_failover=automatic)
    if layout.shards is not None or layout.configuration or layout.clusters is not None or layout.zones:
        return layout
    replicas = layout.replicas if layout.replicas is not None else source.parts[0].replicas
    shards = [{"NodeGroupId": part.shard_id, "Slots": write_slots(part.slots)} for part in source.parts]
    return replace(layout, configuration=shards, replicas=replicas)


def seed(tx: Tx, group: ReplicationGroup, source: Source | None) -> None:
    """Have the primaries of a new group begin with a source's files.  Raises what forbids it."""
    if source is None:
        return
    if not group.is_sharded:
        seed_alone(tx, tx.world[CacheCluster, group.shard.primary_id], source)
        return
    for shard in group.node_groups:
        parts = [part for part in source.parts if not part.slots or _shared(part.slots, shard.slots)]
        needed = sum(
            part.bytes * _shared(part.slots or ALL, shard.slots) // _count(part.slots or ALL) for part in parts
        )
        cluster = tx.world[CacheCluster, shard.primary_id]
        check(tx, cluster, source, parts, needed=needed)
        tx.put(cluster.but(seeds=tuple(part.seed for part in parts)))


def _count(slots: Slots) -> int:
    return sum(last - first + 1 for first, last in slots)


def _shared(some: Slots, others: Slots) -> int:
    """Return how many slots two sets have in common."""
    return sum(max(0, min(a[1], b[1]) - max(a[0], b[0]) + 1) for a in some for b in others)


def seed_alone(tx: Tx, cluster: CacheCluster, source: Source | None) -> CacheCluster:
    """Have a new cluster, which is all of its shard and its cache, begin with a source's file."""
    if source:
        if source.cluster_mode:
            raise CLUSTER_MODE(what=source.what)
        if len(source.parts) > 1:
            raise ONE_SHARD(what=source.what, count=len(source.parts))
        check(tx, cluster, source, source.parts, needed=sum(part.bytes for part in source.parts))
        cluster = cluster.but(seeds=tuple(part.seed for part in source.parts))
    return tx.put(cluster)


def check(tx: Tx, cluster: CacheCluster, source: Source, parts: Sequence[Part], *, needed: int) -> None:
    """Check that a node can load files, of which `needed` bytes are to stay.  Raises TOO_NEW, TOO_SMALL."""
    for part in parts:
        found = rdb.header(part.header.encode())
        if found is None or not rdb.reads(cluster.engine, cluster.engine_version, found):
            version = cluster.engine_version
            raise TOO_NEW(what=source.what, engine=cluster.engine, version=version, format=part.header)
    values = dict(find_parameters(tx.world, cluster.parameter_group).values)
    type_ = NODE_TYPES[cluster.node_type]
    has, loaded = data_bytes(type_, values), sum(part.bytes for part in parts)
    if loaded > type_.memory_bytes:  # all of each file, before what is of other shards is removed
        needed, has = loaded, type_.memory_bytes
    if needed > has:
        sizes = {"needed": -(-needed // MEBIBYTE), "has": has // MEBIBYTE}
        raise TOO_SMALL(type=cluster.node_type, what=source.what, **sizes)


def _snapshot(world: World, name: str) -> Source:
    found = find_snapshot(world, name)
    if found.status != "available":
        raise BAD_STATE(name=found.name, status=found.status)
    parts = tuple(
        Part(
            seed=Seed(path=f"{SEEDS}/{found.file(part)}", digest=part.dump.digest),
            bytes=part.dump.data_bytes,
            header=part.dump.header,
            slots=part.slots,
            shard_id=part.shard_id,
            replicas=len(part.replica_zones),
        )
        for part in found.parts
        if part.dump
    )
    return Source(
        what=f"snapshot {found.name}",
        parts=parts,
        cluster_mode=found.cluster_mode,
        engine=found.engine,
        version=found.engine_version,
        node_type=found.node_type,
        port=found.port,
        parameter_group=found.parameter_group,
        subnet_group=found.subnet_group,
    )


def _objects(arns: Sequence[str]) -> Source:
    return Source(what=" and ".join(arns), parts=tuple(_object(arn) for arn in arns))


def _object(arn: str) -> Part:
    bucket, _, key = arn.removeprefix(ARN_PREFIX).partition("/")
    if not arn.startswith(ARN_PREFIX) or not BUCKET.fullmatch(bucket) or not key or "," in key:
        raise BAD_ARN(got=arn)
    if not buckets().has_bucket(bucket):
        raise NO_BUCKET(bucket=bucket)
    found = buckets().beginning(bucket, key)
    if found is None:
        raise NO_OBJECT(bucket=bucket, key=key)
    path, size, begins = found
    if rdb.header(begins) is None:
        raise NOT_RDB(bucket=bucket, key=key)
    return Part(seed=Seed(path=path), bytes=size, header=begins[: rdb.HEADER_BYTES].decode())
