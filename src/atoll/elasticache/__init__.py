"""ElastiCache: verbs on caches.  Importing the package registers its operations."""

from atoll.elasticache import (
    absent,
    cache_security_group,
    cluster,
    cluster_change,
    cluster_create,
    engine_version,
    event,
    node_type,
    parameter,
    parameter_group,
    replication_group,
    replication_group_change,
    replication_group_create,
    subnet_group,
    tagging,
    user,
)

__all__ = [
    "absent",
    "cache_security_group",
    "cluster",
    "cluster_change",
    "cluster_create",
    "engine_version",
    "event",
    "node_type",
    "parameter",
    "parameter_group",
    "replication_group",
    "replication_group_change",
    "replication_group_create",
    "subnet_group",
    "tagging",
    "user",
]
