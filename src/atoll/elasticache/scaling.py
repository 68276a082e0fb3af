"""The number of nodes of a Memcached cluster: more, fewer, now or in the maintenance window.

Source: ElastiCache API Reference, ModifyCacheCluster (NumCacheNodes), and "Scaling Memcached clusters manually".
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from atoll.aws.errors import Err
from atoll.cache import windows
from atoll.elasticache import nodes, subnet_group
from atoll.elasticache.cluster import staying
from atoll.elasticache.cluster_create import MEMCACHED_ONLY, NO_NODES, check_memcached_nodes
from atoll.elasticache.find import find_cluster
from atoll.elasticache.order import started
from atoll.elasticache.parameter_group import find_group
from atoll.model.cache import CacheCluster, CacheNode
from atoll.model.lifecycle import CACHE_CLUSTER, CACHE_NODE
from atoll.model.world import Tx, World

REMOVALS = Err(
    "InvalidParameterCombination",
    "CacheNodeIdsToRemove must list {count} cache nodes: the present number less NumCacheNodes.",
)
NOTHING_TO_REMOVE = Err(
    "InvalidParameterCombination",
    "CacheNodeIdsToRemove can only be used when NumCacheNodes is below the present number.",
)
NO_NODE = Err("InvalidParameterValue", "The cache node {id} does not exist in cache cluster {name}.")
NEW_ZONES = Err(
    "InvalidParameterCombination", "NewAvailabilityZones must list {count} availability zones, one for each new node."
)


def ask(
    tx: Tx, cluster: CacheCluster, count: int, removals: Sequence[str], zones: Sequence[str], *, immediately: bool
) -> CacheCluster:
    """Ask for a number of nodes; it replaces what was pending, and the present number cancels it."""
    present = staying(cluster)
    if not cluster.is_memcached and count != len(present):
        raise MEMCACHED_ONLY(name="NumCacheNodes")
    if count < 1:
        raise NO_NODES()
    check_memcached_nodes(tx.world, count)
    known = {node.id for node in present}
    for id in removals:
        if id not in known:
            raise NO_NODE(id=id, name=cluster.name)
    leaving = max(len(present) - count, 0)
    if len(set(removals)) != leaving:
        raise REMOVALS(count=leaving) if leaving else NOTHING_TO_REMOVE()
    if zones:
        if len(zones) != count - len(present):
            raise NEW_ZONES(count=max(count - len(present), 0))
        nodes.check_zones(tx.world, subnet_group.find(tx.world, cluster.subnet_group), zones)
    asked = None if count == len(present) else count
    cluster = tx.put(
        cluster.but(pending_node_count=asked, pending_removals=tuple(removals), pending_zones=tuple(zones))
    )
    return _apply(tx, cluster) if immediately else cluster


def due(world: World, now: datetime) -> list[CacheCluster]:
    """Return the clusters, in all accounts, whose pending changes may be made: their maintenance window is open."""
    return [
        cluster
        for cluster in world.seen_by(None).all(CacheCluster)
        if cluster.pending_node_count is not None
        and cluster.status == "available"
        and windows.is_open(cluster.maintenance_window, now)
    ]


def apply_pending(tx: Tx, name: str) -> None:
    """Make a cluster's pending changes; the transaction is its owner's.  For the control loop, after `due`."""
    cluster = find_cluster(tx.world, name)
    if cluster.status == "available":
        _apply(tx, cluster)


def _apply(tx: Tx, cluster: CacheCluster) -> CacheCluster:
    """Start the pending nodes, and let the others go."""
    if cluster.pending_node_count is None:
        return cluster
    more = cluster.pending_node_count - len(staying(cluster))
    nodes.check_quota(tx.world, max(more, 0))
    removals = cluster.pending_removals
    kept = tuple(
        replace(node, status=CACHE_NODE.after(node.status, "delete")) if node.id in removals else node
        for node in cluster.nodes
    )
    cluster = cluster.but(
        nodes=kept + tuple(_new_nodes(tx, cluster, more)),
        status=CACHE_CLUSTER.after(cluster.status, "modify"),
        # A node that leaves is off the list before it stops; a new one enters it when it has answered.
        configuration_version=cluster.configuration_version + (1 if removals else 0),
        pending_node_count=None,
        pending_removals=(),
        pending_zones=(),
    )
    return tx.put(cluster)


def _new_nodes(tx: Tx, cluster: CacheCluster, count: int) -> list[CacheNode]:
    group = subnet_group.find(tx.world, cluster.subnet_group)
    held = [node.zone for node in cluster.nodes]
    if cluster.pending_zones:
        zones = list(cluster.pending_zones)
    elif cluster.az_mode == "cross-az":
        zones = nodes.spread(tx.world, group, max(count, 0), held=held)
    else:
        zones = [held[0]] * max(count, 0)
    first = max(int(node.id) for node in cluster.nodes) + 1
    parameters = find_group(tx.world, cluster.parameter_group)
    make = partial(nodes.make_node, tx, cluster.name, group, node_type=cluster.node_type)
    return [
        started(make(zone=zone, security_group_ids=cluster.security_group_ids, id=f"{n:04d}"), parameters)
        for n, zone in enumerate(zones, first)
    ]
