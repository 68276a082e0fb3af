"""Faults that end by themselves: when their time is over they are reverted, also by a daemon that came later."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

from atoll.control.events import log
from atoll.control.pulse import waits
from atoll.control.sight import Book
from atoll.model.fault import Fault
from atoll.model.world import Tx
from atoll.store.sqlite import StoreError

LOOK_SECONDS = 30.0  # a look even when nothing woke us: the clock of the machine may have been set
RETRY_SECONDS = 1.0


def revert_due(tx: Tx) -> list[Fault]:
    """Remove the faults whose time is over, and return them."""
    over = [fault for fault in tx.all(Fault) if fault.until and fault.until <= tx.now]
    for fault in over:
        tx.delete(fault)
    return over


class Reverter:
    """Waits for the end of the next fault."""

    def __init__(self, store: Book, now: Callable[[], datetime]) -> None:
        """Prepare."""
        self._store, self._now = store, now
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """The World has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            pause = LOOK_SECONDS
            try:
                pause = self._revert()
            except StoreError as error:
                log("fault not reverted", because=str(error))
                pause = RETRY_SECONDS
            waits(pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()

    def _revert(self) -> float:
        """Revert what is over; return for how many seconds nothing will be."""
        ends = [fault.until for fault in self._store.world.all(Fault) if fault.until]
        left = min(((end - self._now()).total_seconds() for end in ends), default=LOOK_SECONDS)
        if left > 0:
            return min(left, LOOK_SECONDS)
        for fault in self._store.write(revert_due, what="faults over"):
            log("fault reverted", id=fault.id, act=fault.act, target=fault.target, because="its time is over")
        return 0.0
