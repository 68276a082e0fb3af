"""What is done by the clock: what waits for a maintenance window when it opens, and what is old is forgotten."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from atoll.aws.errors import AwsError
from atoll.control.events import log
from atoll.control.pulse import rest
from atoll.control.record import Recorder
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.reserved import ReservedNode
from atoll.model.world import Caller, Tx
from atoll.store.sqlite import Store, StoreError

LOOK_SECONDS, REST_SECONDS = 60.0, 0.2  # the first requests after a start go first


class Housekeeping:
    """Does it once a minute."""

    def __init__(self, store: Store, recorder: Recorder, now: Callable[[], datetime]) -> None:
        """Prepare."""
        self._store, self._recorder, self._now = store, recorder, now

    async def run(self) -> None:
        """Run until cancelled."""
        await rest(REST_SECONDS)
        while True:
            try:
                self._recorder.forget_old()
                maintain(self._store, self._now())
            except StoreError as error:
                log("nothing forgotten", because=str(error))
            await rest(LOOK_SECONDS)


def maintain(store: Store, now: datetime) -> None:
    """Make the changes whose window is open.  Raises StoreError.

    One that is refused, such as for want of addresses, goes on waiting.
    """
    from atoll.elasticache import changes, reserved, scaling  # with its verbs: no start waits for them

    if any(node.state != node.state_at(now) for node in store.world.seen_by(None).all(ReservedNode)):
        store.write(reserved.settle, what="reserved nodes")
    for cluster in scaling.due(store.world, now):
        _attempt(store, cluster, partial(scaling.apply_pending, name=cluster.name))
    for cache in changes.due(store.world, now):
        is_group = isinstance(cache, ReplicationGroup)
        _attempt(store, cache, partial(changes.apply_pending, name=cache.name, is_group=is_group))


def _attempt(store: Store, cache: CacheCluster | ReplicationGroup, apply: Callable[[Tx], None]) -> None:
    owner = Caller(account=cache.account, region=cache.region, arn="atoll")
    try:
        store.write(apply, caller=owner, what="maintenance window")
    except AwsError as refusal:
        log("maintenance refused", cache=cache.name, because=refusal.message)
