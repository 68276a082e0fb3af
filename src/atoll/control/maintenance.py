"""What waits for a maintenance window is done when the window opens."""

from datetime import datetime
from functools import partial

from atoll.aws.errors import AwsError
from atoll.control.events import log
from atoll.model.world import Caller
from atoll.store.sqlite import Store


def maintain(store: Store, now: datetime) -> None:
    """Make the changes whose window is open.  Raises StoreError.

    One that is refused, such as for want of addresses, goes on waiting.
    """
    from atoll.elasticache import scaling  # with its verbs: no start waits for them

    for cluster in scaling.due(store.world, now):
        owner = Caller(account=cluster.account, region=cluster.region, arn="atoll")
        try:
            store.write(partial(scaling.apply_pending, name=cluster.name), caller=owner, what="maintenance window")
        except AwsError as refusal:
            log("maintenance refused", cluster=cluster.name, because=refusal.message)
