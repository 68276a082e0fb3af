"""What was done about a change of engine, version or node type, written into the World.

Like all observations these take a transaction without a caller, and do nothing when what they are about is gone or
has moved on.
"""

from collections.abc import Collection
from dataclasses import replace

from atoll.cache.changes import as_change, become, begun, changes_engine, changes_mode, process_of
from atoll.cache.families import family
from atoll.cache.history import CLUSTER, GROUP, record
from atoll.cache.shards import divide
from atoll.cache.takeover import CHANGE
from atoll.cache.transitions import settle
from atoll.cache.tuning import at_start, wanted
from atoll.model.cache import CacheCluster, CacheNode, Promotion, ReplicationGroup
from atoll.model.lifecycle import CACHE_CLUSTER, CACHE_NODE, REPLICATION_GROUP
from atoll.model.serverless import SERVICE
from atoll.model.world import Tx

MODES = {True: "Entering cluster mode", False: "Leaving cluster mode"}
FAILED_TYPE = "Failed applying modification to cache node type to {type}."


def begin(tx: Tx, clusters: Collection[CacheCluster]) -> None:
    """Let the changes of available clusters (one, or all of a group) begin: they are `modifying` from now on."""
    for cluster in clusters:
        status = CACHE_CLUSTER.after(cluster.status, "modify")
        tx.put(begun(cluster).but(status=status))
    first = next(iter(clusters))
    if first.group_id and (group := tx.world[ReplicationGroup, first.group_id]):
        group = group.but(status=REPLICATION_GROUP.after(group.status, "modify"))
        tx.put(_toward(group, sharded=not first.sharded) if changes_mode(first) else group)


def _toward(group: ReplicationGroup, *, sharded: bool) -> ReplicationGroup:
    """Return a group whose members change their cluster mode: whoever is in it must know whose the slots are."""
    (slots,) = divide(1)
    return group.with_shard(replace(group.shard, slots=slots)).but(becoming="compatible" if sharded else "disabled")


def begin_mode(tx: Tx, group: ReplicationGroup, *, sharded: bool) -> None:
    """Let the engines behind a serverless cache enter or leave cluster mode; the group is `modifying` already."""
    members = [tx.world[CacheCluster, id] for id in group.member_ids]
    for cluster in members:
        parameters = f"default.{family(cluster.engine, cluster.engine_version)}{'.cluster.on' if sharded else ''}"
        change = replace(as_change(cluster), sharded=sharded, parameter_group=parameters, begun=True)
        tx.put(cluster.but(change=change, status=CACHE_CLUSTER.after(cluster.status, "modify")))
    tx.put(_toward(group, sharded=sharded))


def leave_cluster(tx: Tx, group: ReplicationGroup) -> None:
    """Let all engines of a group start anew out of cluster mode, at once and empty; its own data give way."""
    for id in group.member_ids:
        cluster = tx.world[CacheCluster, id]
        said, status = wanted(tx.world, cluster), CACHE_CLUSTER.after(cluster.status, "modify")
        nodes = tuple(_again(node, said, loads=False) for node in cluster.nodes)
        tx.put(cluster.but(sharded=False, nodes=nodes, status=status))
        for node in cluster.nodes:
            record(tx, cluster, CLUSTER, cluster.name, f"Cache node {node.id} shutdown")
        record(tx, cluster, CLUSTER, cluster.name, MODES[False])


def enter_cluster(tx: Tx, group: ReplicationGroup) -> None:
    """Let the engines of a group that are out of cluster mode go back into it, with their data."""
    for id in group.member_ids:
        cluster = tx.world[CacheCluster, id]
        if not cluster.sharded:
            change = replace(as_change(cluster), sharded=True, begun=True)
            tx.put(cluster.but(change=change, status=CACHE_CLUSTER.after(cluster.status, "modify")))


def restarting(tx: Tx, cluster_id: str, *, boots: tuple[int, ...] | None = None) -> None:
    """Tell that other processes take the place of a cluster's own; they are what its change says.

    `boots`: their data are in files that those of these boots have left, and are loaded.
    """
    cluster = tx.get(CacheCluster, cluster_id)
    if cluster is None or not cluster.is_changing or cluster.change is None:
        return
    if boots is not None and boots != tuple(node.boot for node in cluster.nodes):
        return
    was, goal = as_change(cluster), cluster.change
    cluster = become(cluster, goal).but(change=None, former=was)
    said = wanted(tx.world, cluster)
    nodes = tuple(_again(node, said, loads=boots is not None) for node in cluster.nodes)
    tx.put(cluster.but(nodes=nodes))
    for node in cluster.nodes:
        record(tx, cluster, CLUSTER, cluster.name, f"Cache node {node.id} shutdown")
    if (was.engine, was.engine_version) != (goal.engine, goal.engine_version):
        told = f"{was.engine} {was.engine_version} to {goal.engine} {goal.engine_version}"
        record(tx, cluster, CLUSTER, cluster.name, f"Modifying the engine from {told}")
    if was.sharded != goal.sharded:
        record(tx, cluster, CLUSTER, cluster.name, MODES[goal.sharded])
    _follow(tx, cluster)


def handing_over(tx: Tx, group_id: str, shard_id: str) -> None:
    """Ask for a planned change of primary: the failover chooses a replica, and hands over."""
    group = tx.get(ReplicationGroup, group_id)
    shard = next((s for s in group.node_groups if s.id == shard_id), None) if group else None
    if group is None or shard is None or shard.promotion or shard.source_id or group.status == "deleting":
        return
    tx.put(group.with_shard(replace(shard, promotion=Promotion(because=CHANGE))))


def resized(tx: Tx, cluster_ids: Collection[str], boots: Collection[tuple[str, int]]) -> None:
    """Tell that running nodes have been told the limits of their new type; `boots` are the processes that were."""
    clusters = [c for id in cluster_ids if (c := tx.get(CacheCluster, id))]
    for cluster in clusters:
        node = cluster.nodes[0]
        if node.status != "available" or (cluster.id, node.boot) not in boots or not cluster.is_changing:
            return  # it runs with its former limits: it is told again
    for cluster in clusters:
        assert cluster.change, "it is changing"
        told = f"Finished modifying cache node type from {cluster.node_type} to {cluster.change.node_type}"
        changed = cluster.but(node_type=cluster.change.node_type)
        changed = tx.put(changed if changes_engine(cluster) else changed.but(change=None))
        record(tx, cluster, CLUSTER, cluster.name, told)
        _follow(tx, changed)
    for cluster in clusters:
        settle(tx, cluster.id)


def does_not_fit(tx: Tx, cluster_ids: Collection[str]) -> None:
    """Tell that a smaller node type cannot hold the data: everything stays as it is."""
    clusters = [c for id in cluster_ids if (c := tx.get(CacheCluster, id)) and c.is_changing]
    for cluster in clusters:
        assert cluster.change, "it is changing"
        record(tx, cluster, CLUSTER, cluster.name, FAILED_TYPE.format(type=cluster.change.node_type))
        tx.put(cluster.but(change=None))
    for cluster in clusters:
        settle(tx, cluster.id)


def mode_refused(tx: Tx, group_id: str, because: str) -> None:
    """Tell that a group cannot go into cluster mode: members that are in it leave it, the others stay as they are."""
    group = tx.get(ReplicationGroup, group_id)
    if group is None or group.becoming != "compatible" or group.status == "deleting":
        return
    record(tx, group, GROUP, group.name, f"Failed modifying the cluster mode to compatible: {because}")
    primary = tx.world[CacheCluster, group.shard.primary_id]
    members = [tx.world[CacheCluster, id] for id in group.member_ids]
    for cluster in members:
        back = replace(as_change(cluster), sharded=False, parameter_group=primary.parameter_group, begun=True)
        tx.put(cluster.but(change=back if cluster.sharded else None))
    tx.put(tx.world[ReplicationGroup, group_id].but(becoming="disabled"))
    _follow(tx, primary)
    for cluster in members:
        settle(tx, cluster.id)


def rolled_back(tx: Tx, cluster_id: str, because: str) -> None:
    """Tell that a new process cannot run: the former one comes back, and with it, as it was, its group."""
    cluster = tx.get(CacheCluster, cluster_id)
    if cluster is None or cluster.former is None or cluster.is_changing:
        return
    was, others = cluster.former, tx.all(CacheCluster, group_id=cluster.group_id) if cluster.group_id else []
    if any(o.id != cluster.id and process_of(as_change(o)) == process_of(as_change(cluster)) for o in others):
        return  # it runs elsewhere in the group, and the former one could not read its data: it is tried on
    what = f"engine to {cluster.engine} {cluster.engine_version}"
    if cluster.sharded != was.sharded:
        what = "cluster mode"
    told = f"Failed modifying the {what}: {because}"
    record(tx, cluster, CLUSTER, cluster.name, told)
    cluster = become(cluster, was).but(former=None)
    said = wanted(tx.world, cluster)
    cluster = tx.put(cluster.but(nodes=tuple(_again(node, said, loads=node.loads) for node in cluster.nodes)))
    for other in others:
        if other.is_changing and other.id != cluster.id:
            tx.put(other.but(change=None))
            settle(tx, other.id)
    _follow(tx, cluster)


def _again(node: CacheNode, said: tuple[tuple[str, str], ...], *, loads: bool) -> CacheNode:
    """Return a node that another process takes over; what the former engine refused, this one may take."""
    status = CACHE_NODE.after(node.status, "reboot") if node.status == "available" else node.status
    fresh = replace(node, refused=())
    return replace(
        fresh,
        boot=node.boot + 1,
        status=status,
        parameters=at_start(fresh, said),
        maybe=(),
        loads=loads,
        host_error=None,
    )


def _follow(tx: Tx, cluster: CacheCluster) -> None:
    """Have a group show the engine and the node type of its members, when all have them."""
    group = tx.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
    if group is None or any(c.is_changing for id in group.member_ids if (c := tx.get(CacheCluster, id))):
        return
    if group.becoming:
        group = _arrived(tx, group, sharded=tx.world[CacheCluster, group.shard.primary_id].sharded)
    if (group.engine, group.node_type) == (cluster.engine, cluster.node_type):
        return
    if group.node_type != cluster.node_type:
        told = f"Finished modifying cache node type from {group.node_type} to {cluster.node_type}"
        record(tx, group, GROUP, group.name, told)
    tx.put(group.but(engine=cluster.engine, node_type=cluster.node_type))


def _arrived(tx: Tx, group: ReplicationGroup, *, sharded: bool) -> ReplicationGroup:
    """Have a group show the cluster mode of its members, which all have it."""
    mode = "compatible" if sharded else "disabled"
    if sharded and group.account == SERVICE:
        mode = "enabled"  # nobody knows its members by other names than that of the serverless cache
    if mode != group.cluster_mode:
        told = f"Finished modifying the cluster mode from {group.cluster_mode} to {mode}"
        record(tx, group, GROUP, group.name, told)
    if not sharded:
        group = group.with_shard(replace(group.shard, slots=()))
    return tx.put(group.but(cluster_mode=mode, becoming=None))
