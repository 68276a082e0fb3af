"""What the control loop saw, written into the World: the only way in which a cache becomes `available`.

Every function takes a transaction without a caller and the World ids of what it is about, and does nothing when that
is gone or has moved on meanwhile: an observation may always arrive late.  Statuses follow the tables in
`model/lifecycle.py`.
"""

from collections.abc import Mapping
from dataclasses import replace

from atoll.cache import serverless
from atoll.cache.changes import after_failure
from atoll.cache.discovery import is_announced
from atoll.cache.history import CLUSTER, GROUP, forget_old_events, record
from atoll.cache.node import Tuning
from atoll.cache.tuning import applied, at_start, wanted
from atoll.cache.users import obey
from atoll.model.cache import CacheCluster, CacheNode, NodeGroup, ReplicationGroup
from atoll.model.global_group import is_busy
from atoll.model.interface import Interface
from atoll.model.lifecycle import CACHE_CLUSTER, CACHE_NODE, REPLICATION_GROUP
from atoll.model.world import Tx

__all__ = [
    "announced", "cluster_gone", "forget_old_events", "is_tunable", "node_answered", "node_being_tuned",
    "node_encrypted",
    "node_failed", "node_gone", "node_silent", "node_tuned", "settle",
]  # fmt: skip


def node_answered(tx: Tx, cluster_id: str, node_id: str) -> None:
    """Tell that a node's engine answered, and, if it is a replica, that its link to the primary is up.

    A node that was being created or started again becomes available; `settle` decides about its cluster.
    """
    cluster, node = _find(tx, cluster_id, node_id)
    if cluster is None or node is None or not CACHE_NODE.allows(node.status, "answered"):
        return
    was = node.status
    status = CACHE_NODE.after(was, "answered")
    cluster = _put_node(tx, cluster, node, status=status, host_error=None, loads=False, access="", users=())
    if was == "creating":
        if cluster.status == "modifying":
            tx.put(cluster.but(configuration_version=cluster.configuration_version + 1))
            _tell(tx, cluster, f"Added cache node {node_id} in availability zone {node.zone}")
    elif cluster.status == "rebooting cluster nodes":
        _tell(tx, cluster, f"Cache node {node_id} restarted")
    else:
        _tell(tx, cluster, f"Finished recovery for cache nodes {node_id}")


def node_silent(tx: Tx, cluster_id: str, node_id: str) -> None:
    """Tell that an available node's process ended or stopped answering, and is being started again.

    The next process begins with what the parameter group says now, as far as the engine takes it.
    """
    cluster, node = _find(tx, cluster_id, node_id)
    if cluster is None or node is None or not CACHE_NODE.allows(node.status, "silent"):
        return
    cluster = after_failure(tx.world, cluster)
    status, parameters = CACHE_NODE.after(node.status, "silent"), at_start(node, wanted(tx.world, cluster))
    _put_node(tx, cluster, node, status=status, parameters=parameters, maybe=())
    _tell(tx, cluster, f"Recovering cache nodes {node_id}")


def node_encrypted(tx: Tx, cluster_id: str, node_id: str, boot: int, mode: str) -> None:
    """Tell what the clients of a running process meet; its cluster and its group may have waited for that."""
    cluster, node = _find(tx, cluster_id, node_id)
    if cluster is None or node is None or node.boot != boot or node.encryption == mode:
        return
    _put_node(tx, cluster, node, encryption=mode)
    settle(tx, cluster_id)


def node_being_tuned(tx: Tx, cluster_id: str, node_id: str, boot: int, tuning: Tuning) -> None:
    """Tell which parameters a running node may have from now on, before its engine is told: an answer may be lost."""
    cluster, node = _find(tx, cluster_id, node_id)
    if cluster is None or node is None or not is_tunable(node, boot, tuning):
        return
    after = applied(cluster, tuning.before, tuning.said)
    if after not in (node.parameters, *node.maybe):
        _put_node(tx, cluster, node, maybe=(*node.maybe, after))


def is_tunable(node: CacheNode, boot: int, tuning: Tuning) -> bool:
    """Tell whether a node is still the process that is to be told, and that with these values."""
    return (node.status, node.boot, node.parameters) == ("available", boot, tuning.before)


def node_tuned(tx: Tx, cluster_id: str, node_id: str, boot: int, tuning: Tuning, refused: Mapping[str, str]) -> None:
    """Tell that a running node has taken its group's parameters, but for those that its engine `refused`, and why."""
    cluster, node = _find(tx, cluster_id, node_id)
    if cluster is None or node is None or not is_tunable(node, boot, tuning):
        return  # it is about another process, or was said already
    has = applied(cluster, tuning.before, tuning.said, refused=refused)
    said = dict(tuning.said)
    told = tuple((name, said.get(name, ""), because) for name, because in sorted(refused.items()))
    maybe = node.maybe if told else ()
    if (has, maybe, told) == (node.parameters, node.maybe, node.refused):
        return
    _put_node(tx, cluster, node, parameters=has, maybe=maybe, refused=told)
    if told and told != node.refused:
        why = "; ".join(f"{name}: {because}" for name, _, because in told)
        _tell(tx, cluster, f"Cache node {node_id} did not take parameters of its group: {why}")


def node_failed(tx: Tx, cluster_id: str, node_id: str, reason: str) -> None:
    """Tell that the machine could not do what the node needs; the loop tries again, the reason is an event.

    A reason that was already told is not told again.
    """
    cluster, node = _find(tx, cluster_id, node_id)
    if cluster is None or node is None or node.host_error == reason:
        return
    _put_node(tx, cluster, node, host_error=reason)
    _tell(tx, cluster, f"Cache node {node_id} cannot run: {reason}")


def announced(tx: Tx, cluster_id: str, version: int) -> None:
    """Tell that the nodes of a Memcached cluster answer `config get cluster` with a version of its membership."""
    cluster = tx.get(CacheCluster, cluster_id)
    if cluster and cluster.announced_version < version <= cluster.configuration_version:
        tx.put(cluster.but(announced_version=version))
        settle(tx, cluster_id)


def settle(tx: Tx, cluster_id: str) -> None:
    """Make a cluster available when all its nodes are and tell so, and its group when all its members are."""
    cluster = tx.get(CacheCluster, cluster_id)
    if cluster is None:
        return
    ready = bool(cluster.nodes) and all(_is_ready(cluster, node) for node in cluster.nodes)
    ready = ready and is_announced(cluster) and not cluster.is_changing
    if ready and CACHE_CLUSTER.allows(cluster.status, "nodes-ready"):
        was = cluster.status
        cluster = tx.put(cluster.but(status=CACHE_CLUSTER.after(was, "nodes-ready"), former=None))
        if was == "creating":
            _tell(tx, cluster, "Cache cluster created")
        if cluster.group_id is None:
            serverless.ready(tx, cluster, created=was == "creating")
    if cluster.group_id:
        _settle_group(tx, cluster.group_id)


def node_gone(tx: Tx, cluster_id: str, node_id: str) -> None:
    """Tell that a deleted node's process has ended: it leaves its cluster, and its interface goes.

    The last node of a deleted cluster takes the cluster with it (`cluster_gone`); the last that was to leave a
    cluster makes it available again (`settle`).
    """
    cluster, node = _find(tx, cluster_id, node_id)
    if cluster is None or node is None or node.status != "deleting":
        return
    tx.delete(tx.world[Interface, node.interface_id])
    cluster = tx.put(cluster.but(nodes=tuple(n for n in cluster.nodes if n.id != node_id)))
    if cluster.status != "deleting":
        _tell(tx, cluster, f"Removed cache node {node_id}")
        settle(tx, cluster_id)
    elif not cluster.nodes:
        cluster_gone(tx, cluster_id)


def cluster_gone(tx: Tx, cluster_id: str) -> None:
    """Tell that nothing of a deleted cluster runs any more: it, its interfaces and an empty group disappear."""
    cluster = tx.get(CacheCluster, cluster_id)
    if cluster is None or cluster.status != "deleting":
        return
    for node in cluster.nodes:
        tx.delete(tx.world[Interface, node.interface_id])
    tx.delete(cluster)
    _tell(tx, cluster, "Cache cluster deleted")
    serverless.gone(tx, cluster)
    group = tx.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
    if group is None:
        return
    shards = tuple(left for shard in group.node_groups if (left := _without(shard, cluster_id)))
    if shards:
        group = tx.put(group.but(node_groups=shards))
        _settle_group(tx, group.id)
    else:
        tx.delete(group)
        record(tx, group, GROUP, group.name, f"Replication group {group.name} deleted")
        serverless.gone(tx, group)


def _settle_group(tx: Tx, group_id: str) -> None:
    group = tx.get(ReplicationGroup, group_id)
    if group is None or not REPLICATION_GROUP.allows(group.status, "nodes-ready"):
        return
    if group.resharding or any(shard.promotion or shard.source_id or shard.migration for shard in group.node_groups):
        return
    if is_busy(tx.world, group):
        return
    members = [tx.world[CacheCluster, id] for id in group.member_ids]
    if all(c.status == "available" and all(_is_ready(c, n) for n in c.nodes) for c in members):
        if not obey(tx.world, group):
            return
        was, access = group.status, replace(group.access, adding=None, removing=None, token_change=None)
        tx.put(group.but(status=REPLICATION_GROUP.after(was, "nodes-ready"), access=access))
        if was == "creating":
            record(tx, group, GROUP, group.name, f"Replication group {group.name} created")
        serverless.ready(tx, group, created=was == "creating")


def _is_ready(cluster: CacheCluster, node: CacheNode) -> bool:
    return node.status == "available" and node.encryption == cluster.encryption


def _without(shard: NodeGroup, cluster_id: str) -> NodeGroup | None:
    """Return a shard without a member; None when it was the last."""
    left = tuple(id for id in shard.member_ids if id != cluster_id)
    promotion = shard.promotion
    if promotion and promotion.target_id == cluster_id:
        promotion = replace(promotion, target_id=None)
    return replace(shard, member_ids=left, promotion=promotion) if left else None


def _find(tx: Tx, cluster_id: str, node_id: str) -> tuple[CacheCluster | None, CacheNode | None]:
    cluster = tx.get(CacheCluster, cluster_id)
    if cluster is None:
        return None, None
    return cluster, next((node for node in cluster.nodes if node.id == node_id), None)


def _put_node(tx: Tx, cluster: CacheCluster, node: CacheNode, **changes: object) -> CacheCluster:
    changed = replace(node, **changes)  # type: ignore[arg-type]  # the names are CacheNode's
    return tx.put(cluster.but(nodes=tuple(changed if n.id == node.id else n for n in cluster.nodes)))


def _tell(tx: Tx, cluster: CacheCluster, message: str) -> None:
    record(tx, cluster, CLUSTER, cluster.name, message)
