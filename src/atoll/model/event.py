"""Events: what happened to caches, as DescribeEvents tells it."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Resource):
    """One line of a cache's history; kept for 14 days."""

    source: str  # the name of the cluster, group ...
    source_type: str  # "cache-cluster", "replication-group", "cache-subnet-group" ...
    message: str
    at: datetime
