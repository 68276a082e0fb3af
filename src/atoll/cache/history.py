"""A cache's history: the events that DescribeEvents tells, and how long they are kept."""

from datetime import timedelta

from atoll.model.event import Event
from atoll.model.names import key
from atoll.model.resource import Resource
from atoll.model.world import Tx

KEPT = timedelta(days=14)  # ElastiCache User Guide, "Viewing ElastiCache events"

CLUSTER, GROUP = "cache-cluster", "replication-group"
SUBNET_GROUP, PARAMETER_GROUP = "cache-subnet-group", "cache-parameter-group"
SECURITY_GROUP = "cache-security-group"
USER, USER_GROUP = "user", "user-group"


def record(tx: Tx, about: Resource, source_type: str, name: str, message: str) -> None:
    """Write one line into the history of a resource; works without a caller.

    The id sorts by time, and within one transaction by the order in which things were told.
    """
    told = sum(1 for kind, _ in tx.changes if kind is Event)
    stamp = int(tx.now.timestamp() * 1000)
    id = key(about.account, about.region, f"{stamp:014d}-{told:04d}-{tx.new_hex(8)}")
    tx.put(
        Event(
            id=id,
            account=about.account,
            region=about.region,
            source=name,
            source_type=source_type,
            message=message,
            at=tx.now,
        )
    )


def forget_old_events(tx: Tx) -> None:
    """Remove the events that AWS would no longer show.  Costs a pass over all events: run it now and then."""
    oldest = tx.now - KEPT
    for event in tx.all(Event):
        if event.at < oldest:
            tx.delete(event)
