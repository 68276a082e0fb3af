"""How far a cache is with a service update, as AWS's UpdateAction has it."""

from atoll.aws.operation import Shape
from atoll.cache.updates import COMPLETE, NOT_APPLIED, RUNNING, STOPPED, Target, Update
from atoll.model.cache import CacheCluster, CacheNode, ReplicationGroup
from atoll.model.update import UpdateAction


def status_of(update: Update, target: Target, action: UpdateAction | None) -> str:
    """Return the status of an update for a cache; one that was applied may have a node again that lacks it."""
    if action is None:
        return NOT_APPLIED
    lacks = any(update.concerns(cluster) for cluster in target.clusters)
    return NOT_APPLIED if lacks and action.status == COMPLETE else action.status


def render_action(update: Update, target: Target, action: UpdateAction | None, *, nodes: bool) -> Shape:
    """Return AWS's UpdateAction; `nodes`: with that of each node."""
    every = [(cluster, node) for cluster in target.clusters for node in cluster.nodes]
    have = [node for cluster, node in every if _node_status(update, cluster, node, action) == COMPLETE]
    owner = target.owner
    shape: Shape = {
        "ReplicationGroupId" if target.is_group else "CacheClusterId": owner.name,
        "ServiceUpdateName": update.name,
        "ServiceUpdateReleaseDate": update.released,
        "ServiceUpdateSeverity": "important",
        "ServiceUpdateStatus": "available",
        "ServiceUpdateType": "security-update",
        "UpdateActionAvailableDate": action.available
        if action
        else max(update.released or owner.created, owner.created),
        "UpdateActionStatus": status_of(update, target, action),
        "NodesUpdated": f"{len(have)}/{len(every)}",
        "UpdateActionStatusModifiedDate": action.modified if action else None,
        "SlaMet": "n/a",
        "EstimatedUpdateTime": "some seconds per node",
        "Engine": update.engine,
    }
    if nodes and isinstance(owner, ReplicationGroup):
        shape["NodeGroupUpdateStatus"] = [
            {
                "NodeGroupId": shard.id,
                "NodeGroupMemberUpdateStatus": [
                    {"CacheClusterId": cluster.name, **_render_node(update, cluster, node, action)}
                    for cluster, node in every
                    if cluster.id in shard.member_ids
                ],
            }
            for shard in owner.node_groups
        ]
    elif nodes:
        shape["CacheNodeUpdateStatus"] = [_render_node(update, c, node, action) for c, node in every]
    return shape


def _node_status(update: Update, cluster: CacheCluster, node: CacheNode, action: UpdateAction | None) -> str:
    if not update.concerns(cluster):
        return RUNNING if cluster.is_on_trial and node.status != "available" else COMPLETE
    if action is None or action.status == COMPLETE:
        return NOT_APPLIED
    return "waiting-to-start" if action.status == RUNNING else STOPPED


def _render_node(update: Update, cluster: CacheCluster, node: CacheNode, action: UpdateAction | None) -> Shape:
    shape: Shape = {"CacheNodeId": node.id, "NodeUpdateStatus": _node_status(update, cluster, node, action)}
    if action:
        shape |= {"NodeUpdateInitiatedBy": "customer", "NodeUpdateInitiatedDate": action.begun}
    return shape
