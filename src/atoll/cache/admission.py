"""What was seen of users on nodes, written into the World: users and groups become `active` by nothing else."""

from dataclasses import replace
from typing import cast

from atoll.cache.history import USER, USER_GROUP, record
from atoll.cache.node import NodePlan
from atoll.cache.transitions import settle
from atoll.cache.users import BEING_TOLD, obey
from atoll.model import lifecycle
from atoll.model.access import User, UserGroup
from atoll.model.cache import CacheCluster, CacheNode, ReplicationGroup
from atoll.model.resource import Resource
from atoll.model.world import Tx, World


def is_awaited(world: World) -> bool:
    """Tell whether users or groups wait for nodes.  Costs a look at each status that waits."""
    statuses = ("creating", "modifying", "deleting")
    changing = world.bucket(ReplicationGroup, "status", "modifying").values()
    return any(world.bucket(kind, "status", status) for kind in (User, UserGroup) for status in statuses) or any(
        is_changing(cast(ReplicationGroup, group)) for group in changing
    )


def is_changing(group: ReplicationGroup) -> bool:
    """Tell whether a group waits for its nodes to obey another access control."""
    return bool(group.access.adding or group.access.removing or group.access.token_change)


def node_being_told(tx: Tx, plan: NodePlan) -> None:
    """Tell that a node is about to be told its users: from now on it may have the former ones or these."""
    found = _find(tx, plan)
    if found is None:
        return
    cluster, node = found
    pairs = dict.fromkeys((*node.users, *((user.name, user.identity) for user in plan.users)))
    _put(tx, cluster, node, access=BEING_TOLD, users=tuple(pairs))


def node_told(tx: Tx, plan: NodePlan) -> None:
    """Tell that a node has the users of its plan; its group, and they, may be ready."""
    found = _find(tx, plan)
    if found is None or plan.admission is None:
        return
    cluster, node = found
    pairs = tuple((user.name, user.identity) for user in plan.users)
    _put(tx, cluster, node, access=plan.admission.mark, users=pairs)
    settle(tx, cluster.id)


def settle_users(tx: Tx) -> None:
    """Make users and groups active, or let them go, when all nodes that they concern have been told."""
    for changing in tx.all(ReplicationGroup, status="modifying"):
        if is_changing(changing):
            settle(tx, changing.member_ids[0])
    caches = [cache for cache in tx.all(ReplicationGroup) if cache.status != "deleting"]
    waiting = [cache.access for cache in caches if not obey(tx.world, cache)]
    late = {id for access in waiting for id in (access.user_group_id, access.removing) if id}
    for group in tx.all(UserGroup):
        if group.id in late:
            continue
        if group.status == "deleting":
            tx.delete(group)
            _tell(tx, group, USER_GROUP, group.name, "deleted")
        elif lifecycle.USER_GROUP.allows(group.status, "applied"):
            status = lifecycle.USER_GROUP.after(group.status, "applied")
            tx.put(group.but(status=status, adding=(), removing=()))
    for user in tx.all(User):
        waits = any(g.id in late and user.user_id in (*g.user_ids, *g.removing) for g in tx.all(UserGroup))
        if waits or user.status == "active":
            continue
        if user.status == "deleting":
            tx.delete(user)
            _tell(tx, user, USER, user.user_id, "deleted")
        else:
            tx.put(user.but(status=lifecycle.USER.after(user.status, "applied")))


def _tell(tx: Tx, about: Resource, source: str, name: str, what: str) -> None:
    noun = "User" if source == USER else "User group"
    record(tx, about, source, name, f"{noun} {name} {what}")


def _find(tx: Tx, plan: NodePlan) -> tuple[CacheCluster, CacheNode] | None:
    """Return the node that is meant, if it still is this process and serves."""
    cluster = tx.get(CacheCluster, plan.cluster_id)
    found = [node for node in cluster.nodes if node.id == plan.node_id] if cluster else []
    if cluster is None or not found or (found[0].status, found[0].boot) != ("available", plan.boot):
        return None
    return cluster, found[0]


def _put(tx: Tx, cluster: CacheCluster, node: CacheNode, **changes: object) -> None:
    changed = replace(node, **changes)  # type: ignore[arg-type]  # the names are CacheNode's
    tx.put(cluster.but(nodes=tuple(changed if n.id == node.id else n for n in cluster.nodes)))
