"""For how long the events of a log group are kept."""

from datetime import timedelta

from atoll.aws.operation import Moment, operation
from atoll.logs.errors import BAD_RETENTION
from atoll.logs.groups import find, made, where
from atoll.model.log_delivery import LogGroup, log_group_id
from atoll.model.world import Tx

# docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


@operation("logs", "PutRetentionPolicy")
def put_retention_policy(tx: Tx, *, log_group_name: str, retention_in_days: int) -> None:
    """Keep a group's events for so long; what is older is gone at once."""
    name = find(tx.world, log_group_name, None)
    if retention_in_days not in DAYS:
        raise BAD_RETENTION(known=", ".join(map(str, DAYS)))
    tx.put(made(tx, name).but(retention_days=retention_in_days))


@operation("logs", "DeleteRetentionPolicy")
def delete_retention_policy(tx: Tx, *, log_group_name: str) -> None:
    """Keep a group's events for ever."""
    tx.put(made(tx, find(tx.world, log_group_name, None)).but(retention_days=None))


def kept_since(moment: Moment, name: str) -> int:
    """Return the time, in milliseconds of Unix time, of which events of a group are still kept."""
    known = moment.world.get(LogGroup, log_group_id(*where(moment.world), name))
    if known is None or known.retention_days is None:
        return 0
    return int((moment.now - timedelta(days=known.retention_days)).timestamp() * 1000)
