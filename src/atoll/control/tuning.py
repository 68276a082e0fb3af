"""Parameters of running nodes: what a node's plan says that its engine must be told is told, and noted.

Nothing is remembered but how often an engine refused, so that it is not asked all the time: another wish is told at
once, the same one after a pause that grows.
"""

import asyncio
from collections.abc import Container
from typing import NamedTuple

from atoll.cache.node import NodePlan, Tuning
from atoll.control.events import log
from atoll.control.record import Recorder
from atoll.control.round import COOLING_SECONDS
from atoll.host.contract import Host, HostError
from atoll.store.sqlite import StoreError


class _Failed(NamedTuple):
    said: object  # what was wanted: the values of the group
    times: int
    until: float  # not to be tried before


class Tuner:
    """Tells engines their parameters."""

    def __init__(self, host: Host, record: Recorder) -> None:
        """Tell by `host`, note by `record`."""
        self._host, self._record = host, record
        self._failed: dict[str, _Failed] = {}

    def is_due(self, node: NodePlan, now: float) -> bool:
        """Tell whether a node's engine must be told something now."""
        if node.tuning is None:
            return False
        failed = self._failed.get(node.process)
        return failed is None or failed.said != node.tuning.said or now >= failed.until

    def keep(self, names: Container[str]) -> None:
        """Forget the processes that nobody wants any more."""
        self._failed = {name: failed for name, failed in self._failed.items() if name in names}

    async def tune(self, node: NodePlan) -> None:
        """Tell an engine all that it must be told.  One setting that it refuses keeps no other back.

        Before each the World is asked whether the process is still the one that is meant: another has these values
        or newer ones already.
        """
        tuning = node.tuning
        assert tuning, "it is due"
        refused: dict[str, str] = {}
        try:
            self._record.being_tuned(node)
            for order in tuning.orders:
                if not self._record.is_tunable(node):
                    return
                because = await self._host.tune(node, order.directive, order.value)
                if because is not None:
                    refused.update(dict.fromkeys(order.parameters, because))
            self._record.tuned(node, refused)
        except (HostError, StoreError) as error:  # the next round asks for all of it again
            self._fail(node, tuning, str(error))
            return
        if refused:
            self._fail(node, tuning, str(refused))
        else:
            self._failed.pop(node.process, None)

    def _fail(self, node: NodePlan, tuning: Tuning, because: str) -> None:
        failed = self._failed.get(node.process)
        times = failed.times + 1 if failed and failed.said == tuning.said else 1
        pause = COOLING_SECONDS[min(times, len(COOLING_SECONDS)) - 1]
        self._failed[node.process] = _Failed(tuning.said, times, asyncio.get_running_loop().time() + pause)
        log("parameters not applied", node=node.process, because=because, attempt=times)
