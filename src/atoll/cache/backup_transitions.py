"""What became of a snapshot, written into the World: by the loop that takes, copies, exports and removes them.

Like all observations these take a transaction without a caller and do nothing when what they are about has moved on.
"""

from collections.abc import Mapping
from dataclasses import replace

from atoll.cache import serverless
from atoll.cache.history import CLUSTER, GROUP, record
from atoll.cache.transitions import settle
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.lifecycle import CACHE_CLUSTER, CACHE_NODE, REPLICATION_GROUP, SNAPSHOT
from atoll.model.snapshot import Dump, Export, Snapshot
from atoll.model.world import Tx


def taken(tx: Tx, snapshot_id: str, dumps: Mapping[str, Dump]) -> None:
    """Tell that all files of a new snapshot are whole and on the disk, by shard.  A final one's source goes."""
    snapshot = tx.get(Snapshot, snapshot_id)
    if snapshot is None or snapshot.status != "creating":
        return
    parts = tuple(replace(part, dump=dumps[part.shard_id]) for part in snapshot.parts)
    status = SNAPSHOT.after(snapshot.status, "taken")
    tx.put(snapshot.but(status=status, parts=parts, is_final=False, copy_of=None))
    if snapshot.copy_of is not None:
        return
    _tell(tx, snapshot, f"Snapshot succeeded for snapshot with ID '{snapshot.name}'")
    if snapshot.is_final:
        _let_go(tx, snapshot)
    _release(tx, snapshot)


def failed(tx: Tx, snapshot_id: str, because: str) -> None:
    """Tell that a snapshot could not be taken or copied.  What it is of stays, also if it was to be its last."""
    snapshot = tx.get(Snapshot, snapshot_id)
    if snapshot is None or snapshot.status != "creating":
        return
    status = SNAPSHOT.after(snapshot.status, "failed")
    tx.put(snapshot.but(status=status, because=because, is_final=False, copy_of=None))
    _tell(tx, snapshot, f"Snapshot failed for snapshot with ID '{snapshot.name}'", because)
    if snapshot.copy_of is None:
        _release(tx, snapshot)


def lost(tx: Tx, snapshot_id: str, because: str) -> None:
    """Tell that a file of an available snapshot is not there any more, or not what it was."""
    snapshot = tx.get(Snapshot, snapshot_id)
    if snapshot and SNAPSHOT.allows(snapshot.status, "lost"):
        tx.put(snapshot.but(status=SNAPSHOT.after(snapshot.status, "lost"), because=because))
        _tell(tx, snapshot, f"Snapshot failed for snapshot with ID '{snapshot.name}'", because)


def exported(tx: Tx, snapshot_id: str, export: Export, because: str | None = None) -> None:
    """Tell that a snapshot's files are in a bucket, or why not."""
    snapshot = tx.get(Snapshot, snapshot_id)
    if snapshot is None or export not in snapshot.exports:
        return
    left = tuple(e for e in snapshot.exports if e != export)
    status = snapshot.status if left else SNAPSHOT.after(snapshot.status, "exported")
    tx.put(snapshot.but(status=status, exports=left))
    told = "failed" if because else "succeeded"
    where = f"Export of snapshot with ID '{snapshot.name}' to the S3 bucket {export.bucket} as '{export.name}' {told}"
    _tell(tx, snapshot, where, because)


def gone(tx: Tx, snapshot_id: str) -> None:
    """Tell that the files of a deleted snapshot are removed: it disappears."""
    snapshot = tx.get(Snapshot, snapshot_id)
    if snapshot and snapshot.status == "deleting":
        tx.delete(snapshot)
        serverless.snapshot_gone(tx, snapshot)


def restore_failed(tx: Tx, cluster_id: str, node_id: str, because: str) -> None:
    """Tell that the engine of a new node did not take the file that the node was to begin with."""
    cluster = tx.get(CacheCluster, cluster_id)
    if cluster is None or not CACHE_CLUSTER.allows(cluster.status, "restore-failed"):
        return
    cluster = tx.put(cluster.but(status=CACHE_CLUSTER.after(cluster.status, "restore-failed")))
    record(tx, cluster, CLUSTER, cluster.name, f"Restore from snapshot failed for node {node_id}: {because}")
    group = tx.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
    if group and REPLICATION_GROUP.allows(group.status, "nodes-failed"):
        tx.put(group.but(status=REPLICATION_GROUP.after(group.status, "nodes-failed")))
        record(tx, group, GROUP, group.name, f"Restore from snapshot failed for cache cluster {cluster.name}")


def _tell(tx: Tx, snapshot: Snapshot, what: str, because: str | None = None) -> None:
    """Write an event about what a snapshot is of."""
    if snapshot.cluster:
        of, type, name = "cache cluster", CLUSTER, snapshot.cluster
    else:
        of, type, name = "replication group", GROUP, snapshot.group or ""
    record(tx, snapshot, type, name, f"{what} of {of} with ID '{name}'" + (f": {because}" if because else ""))


def _release(tx: Tx, snapshot: Snapshot) -> None:
    """Let what a snapshot was taken of go on, unless it goes: it is available if all its nodes are."""
    group = tx.get(ReplicationGroup, snapshot.group_id) if snapshot.group_id else None
    if group and REPLICATION_GROUP.allows(group.status, "snapshotted"):
        group = tx.put(group.but(status=REPLICATION_GROUP.after(group.status, "snapshotted")))
    ids = group.member_ids if group else (snapshot.cluster_id or "",)
    for cluster in [c for id in ids if (c := tx.get(CacheCluster, id))]:
        if CACHE_CLUSTER.allows(cluster.status, "snapshotted"):
            tx.put(cluster.but(status=CACHE_CLUSTER.after(cluster.status, "snapshotted")))
        settle(tx, cluster.id)


def _let_go(tx: Tx, snapshot: Snapshot) -> None:
    """Delete what a final snapshot was taken of."""
    whole = snapshot.group_id if snapshot.cluster_id is None else None  # else one of its members goes
    group = tx.get(ReplicationGroup, whole) if whole else None
    if group and REPLICATION_GROUP.allows(group.status, "delete"):
        group = tx.put(group.but(status=REPLICATION_GROUP.after(group.status, "delete")))
    for id in group.member_ids if group else (snapshot.cluster_id or "",):
        cluster = tx.get(CacheCluster, id)
        if cluster and CACHE_CLUSTER.allows(cluster.status, "delete"):
            leaving = tuple(
                node if node.status == "deleting" else replace(node, status=CACHE_NODE.after(node.status, "delete"))
                for node in cluster.nodes
            )
            tx.put(cluster.but(status=CACHE_CLUSTER.after(cluster.status, "delete"), nodes=leaving))
