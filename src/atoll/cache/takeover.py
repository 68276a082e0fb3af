"""What a failover did, written into the World: the choice, the new primary, a primary that is started again.

Like all observations these take a transaction without a caller and do nothing when what they are about is gone.
The events and their order are AWS's: ElastiCache API Reference, TestFailover.
"""

from dataclasses import replace

from atoll.cache.history import CLUSTER, GROUP, record
from atoll.cache.transitions import settle
from atoll.cache.tuning import at_start, wanted
from atoll.cache.updates import successor
from atoll.cache.upstream import is_handed_over
from atoll.model.cache import CacheCluster, NodeGroup, Promotion, ReplicationGroup
from atoll.model.lifecycle import CACHE_NODE, REPLICATION_GROUP
from atoll.model.world import Tx, World

FAILURE, TEST, MANUAL, RESTORED, CHANGE = "failure", "test", "manual", "restored", "change"


def chosen(tx: Tx, group_id: str, shard_id: str, target_id: str, *, because: str = FAILURE) -> None:
    """Tell who is to be primary, before anything is done about it.  A change that was asked for keeps its reason."""
    group, shard = _find(tx, group_id, shard_id)
    if group is None or shard is None or target_id not in shard.member_ids or is_handed_over(tx.world, group):
        return
    known = shard.promotion.because if shard.promotion else because
    tx.put(_busy(group).with_shard(replace(shard, promotion=Promotion(because=known, target_id=target_id))))


def is_chosen(world: World, group_id: str, shard_id: str, target_id: str) -> bool:
    """Tell whether the World says that a member is to be primary."""
    group = world.get(ReplicationGroup, group_id)
    shards = group.node_groups if group else ()
    return any(s.id == shard_id and s.promotion and s.promotion.target_id == target_id for s in shards)


def published(tx: Tx, group_id: str, shard_id: str, primary_id: str) -> None:
    """Tell that a member has been promoted: the names lead to it, and a lost primary comes back as its replica."""
    group, shard = _find(tx, group_id, shard_id)
    if group is None or shard is None or primary_id not in shard.member_ids:
        return
    because = shard.promotion.because if shard.promotion else FAILURE
    old, new = tx.get(CacheCluster, shard.leader_id), tx.world[CacheCluster, primary_id]
    tx.put(_busy(group).with_shard(replace(shard, primary_id=primary_id, source_id=None, promotion=None)))
    if because != RESTORED and old is not None:
        told = f"Failover from primary node {old.name} to replica node {new.name} completed"
        record(tx, new, CLUSTER, new.name, told)
        record(tx, group, GROUP, group.name, told)
    if because in (FAILURE, TEST) and old is not None:
        _start_again(tx, old)
    settle(tx, primary_id)


def abandoned(tx: Tx, group_id: str, shard_id: str, because: str) -> None:
    """Tell that a planned change of primary was given up."""
    group, shard = _find(tx, group_id, shard_id)
    if group is None or shard is None or shard.promotion is None:
        return
    tx.put(group.with_shard(replace(shard, promotion=None)))
    if shard.promotion.because != RESTORED:
        record(tx, group, GROUP, group.name, f"Failover of node group {shard_id} was given up: {because}")
    settle(tx, shard.primary_id)


def restoring(tx: Tx, group_id: str, shard_id: str, source_id: str) -> None:
    """Tell that a lost primary is started again and copies its data from a replica, which leads meanwhile."""
    group, shard = _find(tx, group_id, shard_id)
    if group is None or shard is None or source_id not in shard.member_ids:
        return
    lost = shard.leader_id
    copies_from = None if source_id == shard.primary_id else source_id  # that is lost: it leads
    tx.put(_busy(group).with_shard(replace(shard, source_id=copies_from, promotion=None)))
    if lost == shard.primary_id and (primary := tx.get(CacheCluster, lost)):
        _start_again(tx, primary)


def rebuilding(tx: Tx, group_id: str, shard_id: str) -> None:
    """Tell that a lost primary is started again without data, because nobody has them."""
    group, shard = _find(tx, group_id, shard_id)
    if group is None or shard is None:
        return
    tx.put(_busy(group).with_shard(replace(shard, source_id=None, promotion=None)))
    if primary := tx.get(CacheCluster, shard.primary_id):
        _start_again(tx, primary)


def reloading(tx: Tx, group_id: str, shard_id: str, *, boot: int) -> None:
    """Tell that a leader is started again with the data that its process, of this boot, has left in a file."""
    group, shard = _find(tx, group_id, shard_id)
    leader = tx.get(CacheCluster, shard.leader_id) if shard else None
    if group is None or shard is None or leader is None or leader.nodes[0].boot != boot:
        return
    tx.put(_busy(group).with_shard(replace(shard, promotion=None)))
    _start_again(tx, leader, loads=True)


def _find(tx: Tx, group_id: str, shard_id: str) -> tuple[ReplicationGroup | None, NodeGroup | None]:
    group = tx.get(ReplicationGroup, group_id)
    if group is None or group.status == "deleting":
        return None, None
    return group, next((shard for shard in group.node_groups if shard.id == shard_id), None)


def _busy(group: ReplicationGroup) -> ReplicationGroup:
    if REPLICATION_GROUP.allows(group.status, "modify"):
        return group.but(status=REPLICATION_GROUP.after(group.status, "modify"))
    return group


def _start_again(tx: Tx, cluster: CacheCluster, *, loads: bool = False) -> None:
    """Let another boot of a node take the place of the one that was lost: same name, same address, no other data."""
    node = cluster.nodes[0]
    if node.status != "available":
        return
    status, parameters = CACHE_NODE.after(node.status, "silent"), at_start(node, wanted(tx.world, cluster))
    again = replace(node, boot=node.boot + 1, status=status, parameters=parameters, maybe=(), loads=loads)
    tx.put(cluster.but(nodes=(again,), engine_version=successor(tx.world, cluster)))
    record(tx, cluster, CLUSTER, cluster.name, f"Recovering cache nodes {node.id}")
