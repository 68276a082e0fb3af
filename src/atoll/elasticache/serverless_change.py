"""ModifyServerlessCache and DeleteServerlessCache.  Source: ElastiCache API Reference."""

from collections.abc import Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.changes import as_change
from atoll.cache.node_types import serverless_type
from atoll.cache.serverless import Behind, behind, status
from atoll.elasticache import access_control, changes, checks
from atoll.elasticache.cluster_change import start_deleting
from atoll.elasticache.serverless import NOT_FOR_MEMCACHED, find, render
from atoll.elasticache.serverless_create import choose_major, major, retention, snapshot_time
from atoll.elasticache.serverless_limits import DATA_MAX_GB, limits_of
from atoll.elasticache.serverless_snapshot import free_name, take
from atoll.model.cache import CacheSubnetGroup
from atoll.model.interface import Interface
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.serverless import ServerlessCache
from atoll.model.world import Tx

NOT_AVAILABLE = Err("InvalidServerlessCacheStateFault", "Serverless cache {name} is not in available state.")
ONE_AT_A_TIME = Err(
    "InvalidParameterCombination", "The engine version and the usage limits cannot be changed in the same request."
)
BOTH = Err("InvalidParameterCombination", "UserGroupId and RemoveUserGroup exclude each other.")


@operation("elasticache", "ModifyServerlessCache")
def modify_serverless_cache(
    tx: Tx,
    *,
    serverless_cache_name: str,
    description: str | None = None,
    cache_usage_limits: Shape | None = None,
    remove_user_group: bool | None = None,
    user_group_id: str | None = None,
    security_group_ids: Sequence[str] = (),
    snapshot_retention_limit: int | None = None,
    daily_snapshot_time: str | None = None,
    engine: str | None = None,
    major_engine_version: str | None = None,
) -> Shape:
    """Change a serverless cache, at once."""
    cache = _available(tx, serverless_cache_name)
    moves = (engine or cache.engine).lower() != cache.engine or major_engine_version not in (
        None,
        cache.major_version,
    )
    if moves and cache_usage_limits:
        raise ONE_AT_A_TIME()
    if cache.is_memcached and (user_group_id or remove_user_group or snapshot_retention_limit or daily_snapshot_time):
        raise NOT_FOR_MEMCACHED(name="UserGroupId" if user_group_id or remove_user_group else "Snapshots")
    back = behind(tx.world, cache)
    fields: dict[str, object] = {
        "description": cache.description if description is None else description,
        "snapshot_retention": cache.snapshot_retention
        if snapshot_retention_limit is None
        else retention(snapshot_retention_limit),
        "snapshot_time": snapshot_time(daily_snapshot_time) or cache.snapshot_time,
    }
    if security_group_ids:
        fields["security_group_ids"] = _regroup(tx, cache, back, security_group_ids)
    if user_group_id or remove_user_group:
        fields["user_group"] = _change_users(tx, back, user_group_id, remove=bool(remove_user_group))
    if cache_usage_limits:
        limits = limits_of(cache_usage_limits)
        _change(tx, back, node_type=serverless_type(limits.data_max_gb or DATA_MAX_GB))
        fields["limits"] = limits
    if moves:
        build = choose_major(tx.world, (engine or cache.engine).lower(), major_engine_version)
        wish = changes.Wish(engine=build.engine, version=build.label, node_type=None, parameter_group=None)
        wish = replace(wish, parameter_group=f"default.{build.family}.cluster.on" if back.group else None)
        with tx.acting_as(back.primary.account):
            goal = changes.goal(tx.world, back.primary, wish)
            changes.ask(tx, back.clusters, goal, immediately=True)
        fields |= {"engine": build.engine, "major_version": major(build)}
    return {"ServerlessCache": render(tx.world, tx.put(cache.but(**fields)))}


@operation("elasticache", "DeleteServerlessCache")
def delete_serverless_cache(tx: Tx, *, serverless_cache_name: str, final_snapshot_name: str | None = None) -> Shape:
    """Let a serverless cache go; it disappears when what is behind it has ended."""
    cache = find(tx.world, serverless_cache_name)
    if status(tx.world, cache) not in ("available", "creating", "create-failed"):
        raise NOT_AVAILABLE(name=cache.name)
    back = behind(tx.world, cache)
    if final_snapshot_name:  # what is behind it goes when that is there
        tx.put(take(tx, cache, free_name(tx, final_snapshot_name), is_final=True))
        return {"ServerlessCache": render(tx.world, cache)}
    for cluster in back.clusters:
        start_deleting(tx, cluster)
    if back.group:
        tx.put(back.group.but(status=REPLICATION_GROUP.after(back.group.status, "delete")))
    return {"ServerlessCache": render(tx.world, cache)}


def _available(tx: Tx, name: str) -> ServerlessCache:
    cache = find(tx.world, name)
    back = behind(tx.world, cache)
    if (back.group or back.primary).status != "available":
        raise NOT_AVAILABLE(name=cache.name)
    return cache


def _regroup(tx: Tx, cache: ServerlessCache, back: Behind, ids: Sequence[str]) -> tuple[str, ...]:
    subnets = tx.world.seen_by(None)[CacheSubnetGroup, cache.backing_id]
    groups = checks.security_groups(tx.world, ids, subnets, None)
    for cluster in back.clusters:
        tx.put(cluster.but(security_group_ids=groups))
        for node in cluster.nodes:
            tx.put(tx.world[Interface, node.interface_id].but(group_ids=groups))
    return groups


def _change(tx: Tx, back: Behind, *, node_type: str) -> None:
    goal = replace(as_change(back.primary), node_type=node_type)
    with tx.acting_as(back.primary.account):
        changes.ask(tx, back.clusters, goal, immediately=True)


def _change_users(tx: Tx, back: Behind, name: str | None, *, remove: bool) -> str | None:
    """Let others use what is behind a cache, or everybody; returns the user group's id."""
    if name and remove:
        raise BOTH()
    assert back.group, "Memcached has no users"
    asked = access_control.Groups(add=[name] if name else [], remove=[], none=True)
    access_control.begin(tx, back.group, access_control.changed(tx, back.group, asked, token=None, strategy=None))
    return name.lower() if name else None
