"""CreateSnapshot, and the snapshots that begin without it: daily ones, and the last of what is deleted.

Source: ElastiCache API Reference, CreateSnapshot; User Guide, "Taking manual backups" and "Constraints".
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache import backup, serverless
from atoll.elasticache import errors
from atoll.elasticache.find import find_cluster, find_group, owner_key
from atoll.elasticache.naming import snapshot_name as checked_name
from atoll.elasticache.snapshot import render
from atoll.elasticache.tags import tags_of
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.event import Event
from atoll.model.lifecycle import CACHE_CLUSTER, REPLICATION_GROUP, SNAPSHOT
from atoll.model.snapshot import AUTOMATED, MANUAL, NodeSnapshot, Snapshot
from atoll.model.world import Tx, World

MANUAL_MAX, MANUAL_SPAN = 20, timedelta(hours=24)

TWO_SOURCES = Err("InvalidParameterCombination", "Only one of CacheClusterId or ReplicationGroupId can be provided.")
NO_SOURCE = Err("InvalidParameterCombination", "One of CacheClusterId or ReplicationGroupId must be provided.")
SNAPSHOT_EXISTS = Err("SnapshotAlreadyExistsFault", "Snapshot with specified name already exists: {name}")
NOT_FOR_MEMCACHED = Err(
    "SnapshotFeatureNotSupportedFault", "Snapshots are not supported for cache clusters of the engine {engine}."
)
WHOLE_GROUP = Err(
    "InvalidParameterCombination",
    "Cache cluster {name} belongs to a replication group with cluster mode enabled: use ReplicationGroupId.",
)
QUOTA = Err(
    "SnapshotQuotaExceededFault",
    "The maximum number of manual snapshots for this cluster taken within 24 hours has been reached",
)


@operation("elasticache", "CreateSnapshot")
def create_snapshot(
    tx: Tx,
    *,
    snapshot_name: str,
    replication_group_id: str | None = None,
    cache_cluster_id: str | None = None,
    kms_key_id: str | None = None,
    tags: Sequence[Shape] = (),
) -> Shape:
    """Take a snapshot of a cluster or of a replication group; it is `creating` until its files are on the disk."""
    if replication_group_id and cache_cluster_id:
        raise TWO_SOURCES()
    if not replication_group_id and not cache_cluster_id:
        raise NO_SOURCE()
    name = check_name_is_free(tx, snapshot_name)
    cluster, group = None, None
    if cache_cluster_id:
        cluster = find_cluster(tx.world, cache_cluster_id)
        group = tx.world[ReplicationGroup, cluster.group_id] if cluster.group_id else None
    else:
        group = find_group(tx.world, replication_group_id or "")
    check_source(tx, cluster, group)
    snapshot = begin(tx, name, cluster, group, kms_key_id=kms_key_id, tags=tags_of(tags))
    return {"Snapshot": render(tx.world, snapshot)}


def check_name_is_free(tx: Tx, text: str) -> str:
    """Return the name of a new snapshot, in lower case."""
    name = checked_name(text)
    if tx.get(Snapshot, owner_key(tx.world, name)):
        raise SNAPSHOT_EXISTS(name=name)
    return name


def check_source(tx: Tx, cluster: CacheCluster | None, group: ReplicationGroup | None) -> None:
    """Check that a snapshot can be taken of a cluster, or of a group, now."""
    if cluster and cluster.is_memcached:
        raise NOT_FOR_MEMCACHED(engine=cluster.engine)
    if cluster and group and group.is_sharded:
        raise WHOLE_GROUP(name=cluster.name)
    if cluster and cluster.status != "available":
        raise errors.CLUSTER_NOT_AVAILABLE(name=cluster.name)
    if group and group.status != "available":
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    if _taken(tx, cluster.name if cluster else group.name if group else "") >= MANUAL_MAX:
        raise QUOTA()


def begin_final(tx: Tx, text: str, cluster: CacheCluster | None, group: ReplicationGroup | None) -> None:
    """Begin the last snapshot of a cluster or of a group: that goes when it is there, and stays if it fails.

    A member goes without its group.
    """
    name = check_name_is_free(tx, text)
    check_source(tx, cluster, group)
    begin(tx, name, cluster, group, is_final=True)


def take_automatic(tx: Tx, it: CacheCluster | ReplicationGroup) -> None:
    """Begin the day's snapshot of something, unless it has one of this name."""
    group = it if isinstance(it, ReplicationGroup) else None
    cluster = backup.snapshotting(tx.world, group) if group else tx.get(CacheCluster, it.id)
    of = cluster or group
    if of is None or of.status != "available":
        return
    name = backup.automatic_name(of.name, tx.now)
    if tx.get(Snapshot, owner_key(tx.world, name)) is None:
        serverless.snapshot_taken(tx, begin(tx, name, cluster, group, source=AUTOMATED), group)


def begin(
    tx: Tx,
    name: str,
    cluster: CacheCluster | None,
    group: ReplicationGroup | None,
    *,
    source: str = MANUAL,
    is_final: bool = False,
    kms_key_id: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Snapshot:
    """Write down what is to be taken, and of what; that is `snapshotting` until it is.

    `cluster`: one node's data; `group` alone: all of its shards.
    """
    like = cluster or tx.world[CacheCluster, group.shard.primary_id] if group else cluster
    assert like, "a snapshot is of something"
    shards = [s for s in group.node_groups if cluster is None or cluster.id in s.member_ids] if group else []
    snapshot = tx.make(
        Snapshot,
        owner_key(tx.world, name),
        name=name,
        status=SNAPSHOT.initial,
        source=source,
        created=tx.now,
        files=tx.new_hex(16),
        parts=tuple(_part(tx.world, shard, cluster) for shard in shards) or (_alone(like),),
        group_id=group.id if group else None,
        group=group.name if group else None,
        group_description=group.description if group else None,
        cluster_id=cluster.id if cluster else None,
        cluster=cluster.name if cluster else None,
        engine=like.engine,
        engine_version=like.engine_version,
        node_type=like.node_type,
        port=like.port,
        parameter_group=like.parameter_group,
        subnet_group=like.subnet_group,
        vpc_id=like.vpc_id,
        zone=like.nodes[0].zone if cluster else None,
        cluster_created=like.created,
        maintenance_window=like.maintenance_window,
        topic=like.notification_topic,
        auto_minor_upgrade=like.auto_minor_upgrade,
        retention=(group or like).snapshot_retention,
        window=(group or like).snapshot_window,
        automatic_failover=group.automatic_failover if group else "disabled",
        cluster_mode=group is not None and group.is_sharded,
        kms_key_id=kms_key_id or (group.kms_key_id if group else None),
        is_final=is_final,
        tags=tags or {},
    )
    _hold(tx, snapshot, group)
    return snapshot


def _hold(tx: Tx, snapshot: Snapshot, group: ReplicationGroup | None) -> None:
    """Say that a snapshot is being taken: nothing else is done to what it is of meanwhile."""
    if group:
        tx.put(group.but(status=REPLICATION_GROUP.after(group.status, "snapshot")))
    for part in snapshot.parts:
        source = next(backup.nodes_for(tx.world, snapshot, part), None)
        if source and CACHE_CLUSTER.allows(source.status, "snapshot"):
            tx.put(source.but(status=CACHE_CLUSTER.after(source.status, "snapshot")))


def _alone(cluster: CacheCluster) -> NodeSnapshot:
    node = cluster.nodes[0]
    return NodeSnapshot(
        shard_id="0001", cluster=cluster.name, node_id=node.id, node_created=node.created, zone=node.zone
    )


def _part(world: World, shard: NodeGroup, named: CacheCluster | None) -> NodeSnapshot:
    members = {id: world[CacheCluster, id] for id in shard.member_ids}
    primary = members[shard.primary_id]
    node = (named or primary).nodes[0]
    return NodeSnapshot(
        shard_id=shard.id,
        cluster=(named or primary).name,
        node_id=node.id,
        node_created=node.created,
        slots=shard.slots,
        zone=primary.nodes[0].zone,
        replica_zones=tuple(m.nodes[0].zone for id, m in members.items() if id != primary.id and m.nodes),
    )


def _taken(tx: Tx, name: str) -> int:
    """Return how many snapshots a user took of something in the last 24 hours; those deleted since count, too."""
    since = tx.now - MANUAL_SPAN
    told = "Snapshot succeeded for snapshot with ID '"
    done = sum(
        event.source == name
        and event.at > since
        and event.message.startswith(told)
        and not event.message.startswith(f"{told}automatic.")
        for event in tx.world.all(Event)
    )
    waiting = sum(s.status == "creating" and name in (s.cluster, s.group) for s in tx.world.all(Snapshot))
    return done + waiting
