"""What users may call things.  Source: ElastiCache API Reference, the identifier of each Create operation."""

import re

from atoll.elasticache import errors

CLUSTER_CHARS_MAX = 50
GROUP_CHARS_MAX = 40
OTHER_CHARS_MAX = 255

_IDENTIFIER = re.compile(r"[a-z](-?[a-z0-9])*")


def cluster_name(text: str) -> str:
    """Return a new cache cluster's id, in lower case as AWS keeps it."""
    return _checked(text, "CacheClusterIdentifier", CLUSTER_CHARS_MAX)


def group_name(text: str) -> str:
    """Return a new replication group's id; its members' ids are longer, so it is shorter than a cluster's."""
    return _checked(text, "ReplicationGroupId", GROUP_CHARS_MAX)


def serverless_name(text: str) -> str:
    """Return a new serverless cache's name."""
    return _checked(text, "ServerlessCacheName", GROUP_CHARS_MAX)


def other_name(text: str, parameter: str) -> str:
    """Return the name of a new subnet group or parameter group."""
    return _checked(text, parameter, OTHER_CHARS_MAX)


def snapshot_name(text: str, parameter: str = "SnapshotName") -> str:
    """Return the name of a new snapshot; the automatic ones have a dot, which nobody else's can have."""
    return _checked(text, parameter, OTHER_CHARS_MAX)


def _checked(text: str, parameter: str, limit: int) -> str:
    name = text.lower()
    if not _IDENTIFIER.fullmatch(name):
        raise errors.BAD_IDENTIFIER(name=parameter)
    if len(name) > limit:
        raise errors.LONG_IDENTIFIER(name=parameter, limit=limit + 1)
    return name
