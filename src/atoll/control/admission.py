"""Users of running nodes: what a node's plan says that its engine must be told of them is told, and noted.

It is noted before, too, that the engine is being told, so that an answer which was lost, or a daemon that died, only
means that it is told again.  Nothing is remembered here but when an engine may be tried again.
"""

import asyncio
from collections.abc import Container

from atoll.cache.node import NodePlan
from atoll.control.events import log
from atoll.control.record import Recorder
from atoll.control.round import Attempts
from atoll.host.contract import Host, HostError
from atoll.store.sqlite import StoreError


class Admitter:
    """Tells engines who may use them."""

    def __init__(self, host: Host, record: Recorder) -> None:
        """Tell by `host`, note by `record`."""
        self._host, self._record = host, record
        self._attempts = Attempts()

    def is_due(self, node: NodePlan, now: float) -> bool:
        """Tell whether a node's engine must be told something now."""
        return node.admission is not None and not self._attempts.cooling(node.process, now)

    def keep(self, names: Container[str]) -> None:
        """Forget the processes that nobody wants any more."""
        self._attempts.keep(names)

    async def admit(self, node: NodePlan) -> None:
        """Tell an engine who its users are; the next round looks whether that is still what is wanted."""
        assert node.admission, "it is due"
        try:
            self._record.being_admitted(node)
            await self._host.admit(node, node.admission.cut)
            self._record.admitted(node)
        except (HostError, StoreError) as error:  # the next round asks for all of it again
            count = self._attempts.fail(node.process, asyncio.get_running_loop().time())
            log("users not told", node=node.process, because=str(error), attempt=count)
        else:
            self._attempts.succeed(node.process)
