"""TLS of nodes that run: what a node's plan says is put in force, seen to stay so, and noted.

Nothing is remembered but what this daemon has done; another one does it again, which changes nothing.
"""

import asyncio
from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

from atoll.cache.node import Encryption, NodePlan
from atoll.control.events import log
from atoll.control.record import Recorder
from atoll.control.round import COOLING_SECONDS
from atoll.host.contract import Host, HostError, Machine
from atoll.store.sqlite import StoreError

AGAIN_SECONDS = 24 * 3600.0  # certificates are looked at so often: they are renewed long before they end


class _Done(NamedTuple):
    encryption: Encryption | None
    until: float  # then it is looked at again
    failures: int = 0


class Encrypter:
    """Has the clients of nodes meet TLS, or plain text."""

    def __init__(self, host: Host, record: Recorder, want: Callable[[], Mapping[str, Machine]]) -> None:
        """Act by `host`, note by `record`.  `want` compiles the machines of the newest World."""
        self._host, self._record, self._want = host, record, want
        self._done: dict[str, _Done] = {}
        self._turns: dict[str, asyncio.Lock] = {}  # of processes: what an older plan says must not come last

    def is_due(self, node: NodePlan, now: float) -> bool:
        """Tell whether something must be done about a node that runs."""
        if node.encryption is None and not node.encrypted:
            return False
        done = self._done.get(node.process)
        if done is None or done.encryption != node.encryption or now >= done.until:
            return True
        if done.failures:
            return False
        mode = node.encryption.mode if node.encryption else ""
        return node.encrypted != mode or (node.encryption is not None and not self._host.encrypts(node))

    def keep(self, names: Container[str]) -> None:
        """Forget the processes that nobody wants any more."""
        self._done = {name: done for name, done in self._done.items() if name in names}
        self._turns = {name: turn for name, turn in self._turns.items() if name in names or turn.locked()}

    async def encrypt(self, node: NodePlan) -> None:
        """Do it, and note it."""
        async with self._turn(node):
            await self._encrypt(node)

    async def again(self, node: NodePlan) -> None:
        """Have a terminator that runs do what this plan, the newest, says: nothing older comes later.

        Where none runs, the one that is started next does.  Raises HostError.
        """
        async with self._turn(node):
            newest = self._want().get(node.process, node)
            if isinstance(newest, NodePlan) and self._host.encrypts(newest):
                await self._host.encrypt(newest)

    def _turn(self, node: NodePlan) -> asyncio.Lock:
        return self._turns.setdefault(node.process, asyncio.Lock())

    async def _encrypt(self, node: NodePlan) -> None:
        newest = self._want().get(node.process, node)  # it may have changed since this was asked for
        node = newest if isinstance(newest, NodePlan) else node
        before = self._done.get(node.process)
        try:
            await self._host.encrypt(node)
            self._record.encrypted(node)
        except (HostError, StoreError) as error:
            failures = before.failures + 1 if before and before.encryption == node.encryption else 1
            pause = COOLING_SECONDS[min(failures, len(COOLING_SECONDS)) - 1]
            self._done[node.process] = _Done(node.encryption, self._now() + pause, failures)
            log("TLS not in force", node=node.process, because=str(error), attempt=failures)
            return
        self._done[node.process] = _Done(node.encryption, self._now() + AGAIN_SECONDS)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
