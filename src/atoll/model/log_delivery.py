"""Logs of caches: what of their engines is written down, where to, and whether it is."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource

SLOW, ENGINE = "slow-log", "engine-log"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDelivery(Resource):
    """One log of a cache cluster or of all members of a replication group; its World id is the owner's and the type.

    `status` is AWS's: enabling, modifying or disabling is what was asked for, active or error what has become of it.
    """

    owner_id: str  # World id of a CacheCluster or a ReplicationGroup
    is_group: bool
    log_type: str  # SLOW or ENGINE
    log_group: str  # of CloudWatch Logs
    format: str  # "text" or "json"
    since: datetime  # what happened before is not delivered
    status: str = "enabling"
    message: str | None = None  # of an error


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup(Resource):
    """A log group that somebody made or deletes; others come to be with what is delivered to them."""

    name: str
    created: datetime
    retention_days: int | None = None  # how long events are kept; None: for ever
    is_deleted: bool = False  # its files are about to go, and then it goes


def log_group_id(account: str, region: str, name: str) -> str:
    """Return the World id of a log group."""
    return f"{account}/{region}/{name}"
