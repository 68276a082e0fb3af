"""Update actions: what was asked of a cache about a service update."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAction(Resource):
    """An update that was begun for a replication group or a cluster; before that it is only derived.

    Its World id is `names.key(account, region, "update/cache")`.
    """

    update: str  # the ServiceUpdateName
    engine: str
    version: str  # to which it leads, full
    group: str | None = None  # ReplicationGroupId, or ...
    cluster: str | None = None  # ... CacheClusterId
    available: datetime  # since when it could be applied
    begun: datetime
    modified: datetime
    status: str = "in-progress"  # then complete; or stopping, and stopped
