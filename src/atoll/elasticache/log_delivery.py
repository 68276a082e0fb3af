"""LogDeliveryConfigurations of cache clusters and replication groups: slow log and engine log, to log groups.

Source: ElastiCache User Guide, "Log delivery".
"""

import re
from collections.abc import Sequence
from typing import TypeVar

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.cache.families import numbers
from atoll.elasticache import errors
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.log_delivery import ENGINE, SLOW, LogDelivery
from atoll.model.world import Tx, World

VERSIONS = {SLOW: (6, 0), ENGINE: (6, 2)}  # of Redis OSS, from which on there is such a log
CLOUDWATCH = "cloudwatch-logs"
GROUP_CHARS_MAX = 512
_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]+")

NO_LOGS = Err("InvalidParameterCombination", "Log delivery is not supported for engine {engine}.")
TOO_OLD = Err("InvalidParameterCombination", "LogType {type} requires engine version {least} or later.")
TWICE = Err("InvalidParameterValue", "LogDeliveryConfigurations can contain each LogType only once.")
OF_GROUP = Err(
    "InvalidParameterCombination",
    "Cache cluster {name} belongs to replication group {group}: change the log delivery of the group.",
)
NOT_ENABLED = Err("InvalidParameterValue", "Log delivery of {type} is not enabled.")
Owner = CacheCluster | ReplicationGroup
T = TypeVar("T", CacheCluster, ReplicationGroup)


def begin(tx: Tx, owner: T, asked: Sequence[Shape]) -> T:
    """Give a new cache its logs, and nothing of what an earlier one of its name had.  Raises AwsError."""
    for old in of(tx.world, owner):
        tx.delete(old)
    change(tx, owner, asked)
    return owner


def change(tx: Tx, owner: Owner, asked: Sequence[Shape]) -> None:
    """Enable, change and disable logs; the loop of log delivery does it.  Raises AwsError."""
    if not asked:
        return
    version = _check_owner(tx.world, owner)
    if len({one.get("LogType") for one in asked}) != len(asked):
        raise TWICE()
    had = {delivery.log_type: delivery for delivery in of(tx.world, owner)}
    for one in asked:
        kind = one.get("LogType")
        if not kind:
            raise errors.MISSING(name="LogType")
        if owner.engine == "redis" and numbers(version)[:2] < VERSIONS[kind]:
            raise TOO_OLD(type=kind, least=".".join(map(str, VERSIONS[kind])))
        if one.get("Enabled") is False:
            if kind not in had:
                raise NOT_ENABLED(type=kind)
            tx.put(had[kind].but(status="disabling", message=None))
            continue
        group, format = _target(one)
        if kind in had:
            if (had[kind].log_group, had[kind].format) != (group, format) or had[kind].status == "disabling":
                tx.put(had[kind].but(log_group=group, format=format, status="modifying", message=None))
        else:
            of_owner = {"owner_id": owner.id, "is_group": isinstance(owner, ReplicationGroup)}
            what = {"log_type": kind, "log_group": group, "format": format, "since": tx.now}
            tx.make(LogDelivery, f"{owner.id}:{kind}", **of_owner, **what)


def of(world: World, owner: Owner) -> list[LogDelivery]:
    """Return a cache's log deliveries, by type."""
    found = (world.get(LogDelivery, f"{owner.id}:{kind}") for kind in sorted(VERSIONS))
    return [delivery for delivery in found if delivery and delivery.is_group == isinstance(owner, ReplicationGroup)]


def render(world: World, owner: Owner) -> list[Shape]:
    """Return a cache's LogDeliveryConfigurations."""
    return [
        {
            "LogType": delivery.log_type,
            "DestinationType": CLOUDWATCH,
            "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": delivery.log_group}},
            "LogFormat": delivery.format,
            "Status": delivery.status,
            "Message": delivery.message,
        }
        for delivery in of(world, owner)
    ]


def is_of_group(world: World, cluster: CacheCluster) -> bool:
    """Tell whether the logs of a cluster's replication group are delivered."""
    return cluster.group_id is not None and bool(of(world, world[ReplicationGroup, cluster.group_id]))


def _check_owner(world: World, owner: Owner) -> str:
    """Check that a cache has logs of its own; returns its engine's version."""
    if isinstance(owner, ReplicationGroup):
        return world[CacheCluster, owner.member_ids[0]].engine_version
    if owner.is_memcached:
        raise NO_LOGS(engine=owner.engine)
    if owner.group_id is not None:
        raise OF_GROUP(name=owner.name, group=world[ReplicationGroup, owner.group_id].name)
    return owner.engine_version


def _target(asked: Shape) -> tuple[str, str]:
    """Return the log group and the format that are asked for."""
    kind, details = asked.get("DestinationType"), asked.get("DestinationDetails") or {}
    if not kind:
        raise errors.MISSING(name="DestinationType")
    if kind != CLOUDWATCH or "KinesisFirehoseDetails" in details:
        raise errors.BAD_VALUE(got=kind, name="DestinationType", why="Only cloudwatch-logs is supported here.")
    group = (details.get("CloudWatchLogsDetails") or {}).get("LogGroup")
    if not group:
        raise errors.MISSING(name="CloudWatchLogsDetails.LogGroup")
    if len(group) > GROUP_CHARS_MAX or not _GROUP.fullmatch(group):
        raise errors.BAD_VALUE(got=group, name="LogGroup", why="It does not name a log group.")
    format = asked.get("LogFormat")
    if not format:
        raise errors.MISSING(name="LogFormat")
    return group, format
