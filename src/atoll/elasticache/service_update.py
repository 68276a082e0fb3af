"""Service updates and update actions: newer patches of engines, applied to caches that run.

Applying one restarts the nodes one after another: replicas first, then a planned failover, like a change of version.

Source: ElastiCache API Reference, BatchApplyUpdateAction and its siblings; User Guide, "Self-service updates".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache import updates
from atoll.cache.changed import begin
from atoll.cache.changes import as_change
from atoll.cache.transitions import settle
from atoll.cache.updates import RUNNING, STOPPING, Target, Update
from atoll.elasticache import errors
from atoll.elasticache.find import owner_key
from atoll.elasticache.update_status import render_action, status_of
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import global_of
from atoll.model.update import UpdateAction
from atoll.model.world import Tx, World

TARGETS_MAX = 20
STATUSES = ("available", "cancelled", "expired")

NO_TARGETS = Err("InvalidParameterValue", "At least one of ReplicationGroupIds and CacheClusterIds must be provided.")
TOO_MANY = Err("InvalidParameterValue", "At most {limit} ReplicationGroupIds and CacheClusterIds can be provided.")


@operation("elasticache", "DescribeServiceUpdates")
def describe_service_updates(
    world: World,
    *,
    service_update_name: str | None = None,
    service_update_status: Sequence[str] = (),
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List the updates that there are for the caller's caches, and those that were applied."""
    found = [_find(world, service_update_name)] if service_update_name else updates.updates(world)
    if not _wanted("available", service_update_status, "ServiceUpdateStatus", STATUSES):
        found = []
    page, marker = page_query(found, lambda update: update.name, max_records, marker)
    return {"ServiceUpdates": [_render(update) for update in page], "Marker": marker}


@operation("elasticache", "DescribeUpdateActions")
def describe_update_actions(
    world: World,
    *,
    service_update_name: str | None = None,
    replication_group_ids: Sequence[str] = (),
    cache_cluster_ids: Sequence[str] = (),
    engine: str | None = None,
    service_update_status: Sequence[str] = (),
    service_update_time_range: Shape | None = None,
    update_action_status: Sequence[str] = (),
    show_node_level_update_status: bool = False,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List how far the caller's caches are with their updates."""
    _wanted("available", service_update_status, "ServiceUpdateStatus", STATUSES)
    since, until = (
        (service_update_time_range or {}).get("StartTime"),
        (service_update_time_range or {}).get("EndTime"),
    )
    names = {*replication_group_ids, *cache_cluster_ids}
    rows = [
        (update, target, action)
        for update, target, action in _actions(world)
        if service_update_name in (None, update.name)
        and engine in (None, update.engine)
        and (not names or target.owner.name in {name.lower() for name in names})
        and (not service_update_status or "available" in service_update_status)
        and (not update_action_status or status_of(update, target, action) in update_action_status)
        and (update.released is None or (since is None or since <= update.released))
        and (update.released is None or (until is None or update.released <= until))
    ]
    page, marker = page_query(rows, lambda row: f"{row[0].name} {row[1].owner.name}", max_records, marker)
    return {
        "UpdateActions": [render_action(*row, nodes=show_node_level_update_status) for row in page],
        "Marker": marker,
    }


@operation("elasticache", "BatchApplyUpdateAction")
def batch_apply_update_action(
    tx: Tx,
    *,
    service_update_name: str,
    replication_group_ids: Sequence[str] = (),
    cache_cluster_ids: Sequence[str] = (),
) -> Shape:
    """Begin an update on caches; each is `modifying` until its last node has it."""
    update = _find(tx.world, service_update_name)
    return _each(tx, update, replication_group_ids, cache_cluster_ids, _apply)


@operation("elasticache", "BatchStopUpdateAction")
def batch_stop_update_action(
    tx: Tx,
    *,
    service_update_name: str,
    replication_group_ids: Sequence[str] = (),
    cache_cluster_ids: Sequence[str] = (),
) -> Shape:
    """Leave the nodes alone that an update has not reached yet; those that it has keep it."""
    update = _find(tx.world, service_update_name)
    return _each(tx, update, replication_group_ids, cache_cluster_ids, _stop)


class _Refused(Exception):
    """Why one of several caches is left out."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(message)
        self.type = type


def _apply(tx: Tx, update: Update, target: Target, key: str) -> str:
    due = [cluster for cluster in target.clusters if update.concerns(cluster)]
    if not due:
        raise _Refused("InvalidParameterValue", f"{target.owner.name} has no older version than this update.")
    if isinstance(target.owner, ReplicationGroup) and global_of(tx.world, target.owner):
        raise _Refused("InvalidReplicationGroupState", f"{target.owner.name} is part of a global datastore.")
    if target.owner.status != "available" or any(cluster.status != "available" for cluster in target.clusters):
        state = "InvalidReplicationGroupState" if target.is_group else "InvalidCacheClusterState"
        raise _Refused(state, f"{target.owner.name} is not in available state.")
    begin(tx, [cluster.but(change=replace(as_change(cluster), engine_version=update.version)) for cluster in due])
    tx.make(
        UpdateAction,
        key,
        update=update.name,
        engine=update.engine,
        version=update.version,
        group=target.owner.name if target.is_group else None,
        cluster=None if target.is_group else target.owner.name,
        available=max(update.released or tx.now, target.owner.created),
        begun=tx.now,
        modified=tx.now,
    )
    return RUNNING


def _stop(tx: Tx, update: Update, target: Target, key: str) -> str:
    action = tx.get(UpdateAction, key)
    if action is None or action.status != RUNNING:
        raise _Refused("InvalidParameterValue", f"{update.name} is not being applied to {target.owner.name}.")
    for cluster in target.clusters:
        if cluster.is_changing:
            tx.put(cluster.but(change=None))
            settle(tx, cluster.id)
    tx.put(action.but(status=STOPPING, modified=tx.now))
    return STOPPING


def _each(
    tx: Tx,
    update: Update,
    groups: Sequence[str],
    clusters: Sequence[str],
    act: Callable[[Tx, Update, Target, str], str],
) -> Shape:
    """Do the same to several caches: each succeeds or is left out by itself."""
    asked = [("ReplicationGroupId", name) for name in groups] + [("CacheClusterId", name) for name in clusters]
    if not asked:
        raise NO_TARGETS()
    if len(asked) > TARGETS_MAX:
        raise TOO_MANY(limit=TARGETS_MAX)
    done, undone = [], []
    for member, name in asked:
        about: Shape = {member: name, "ServiceUpdateName": update.name}
        try:
            target = _target(tx.world, name, is_group=member == "ReplicationGroupId")
            key = owner_key(tx.world, f"{update.name}/{target.owner.name}")
            done.append(about | {"UpdateActionStatus": act(tx, update, target, key)})
        except _Refused as refused:
            undone.append(about | {"ErrorType": refused.type, "ErrorMessage": str(refused)})
    return {"ProcessedUpdateActions": done, "UnprocessedUpdateActions": undone}


def _target(world: World, name: str, *, is_group: bool) -> Target:
    if is_group:
        group = world.get(ReplicationGroup, owner_key(world, name))
        if group is None:
            raise _Refused("ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found.")
        return Target(group, tuple(c for id in group.member_ids if (c := world.get(CacheCluster, id))))
    cluster = world.get(CacheCluster, owner_key(world, name))
    if cluster is None:
        raise _Refused("CacheClusterNotFound", f"CacheCluster not found: {name}")
    if cluster.group_id:
        raise _Refused("InvalidParameterValue", f"{name} belongs to a replication group: name the group.")
    return Target(cluster, (cluster,))


def _actions(world: World) -> Iterator[tuple[Update, Target, UpdateAction | None]]:
    found = updates.newest(world)
    for target in updates.all_targets(world):
        for update in found:
            action = world.get(UpdateAction, owner_key(world, f"{update.name}/{target.owner.name}"))
            if action or any(update.concerns(cluster) for cluster in target.clusters):
                yield update, target, action


def _find(world: World, name: str) -> Update:
    found = next((update for update in updates.updates(world) if update.name == name), None)
    if found is None:
        raise errors.SERVICE_UPDATE_NOT_FOUND(name=name)
    return found


def _wanted(value: str, asked: Sequence[str], name: str, allowed: Sequence[str]) -> bool:
    for one in asked:
        if one not in allowed:
            raise errors.BAD_VALUE(got=one, name=name, why=f"Must be one of {', '.join(allowed)}.")
    return not asked or value in asked


def _render(update: Update) -> Shape:
    return {
        "ServiceUpdateName": update.name,
        "ServiceUpdateReleaseDate": update.released,
        "ServiceUpdateSeverity": "important",
        "ServiceUpdateStatus": "available",
        "ServiceUpdateDescription": update.description,
        "ServiceUpdateType": "security-update",
        "Engine": update.engine,
        "EngineVersion": update.label,
        "AutoUpdateAfterRecommendedApplyByDate": False,
        "EstimatedUpdateTime": "some seconds per node",
    }
