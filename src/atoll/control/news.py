"""What wakes a loop: that the World has changed, or that nothing has been looked at for long enough."""

import asyncio
import contextlib
from collections.abc import Callable

from atoll.control.pulse import waits

BURST_SECONDS = 0.02  # several calls of a client that makes one after another
AT_ONCE_MAX = 4.0  # a client who makes, waits and deletes is not in a burst


class News:
    """Whether there is something new since the last look."""

    def __init__(self) -> None:
        """There is nothing new yet."""
        self._event = asyncio.Event()

    def tell(self) -> None:
        """There is something new."""
        self._event.set()

    async def wait(self, seconds: float | None) -> bool:
        """Wait until there is something new, for so many seconds at most (None: for ever); tell whether there is."""
        waits(seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        is_new = self._event.is_set()
        self._event.clear()
        return is_new


class Burst:
    """Tells of an event at once, but of those that go on and on together, every so many seconds.

    AT_ONCE_MAX events may come at once; the right to another comes back after so many seconds.
    """

    def __init__(self, tell: Callable[[], None], seconds: float = BURST_SECONDS) -> None:
        """Nothing has happened yet."""
        self._tell, self._seconds = tell, seconds
        self._rights, self._at = AT_ONCE_MAX, float("-inf")  # and when they were counted
        self._timer: asyncio.TimerHandle | None = None

    def happened(self) -> None:
        """Tell, now or soon."""
        if self._timer:
            return
        loop = asyncio.get_running_loop()
        self._count(loop.time())
        if self._rights >= 1:
            self.now()
        else:
            self._timer = loop.call_later((1 - self._rights) * self._seconds, self.now)

    def now(self) -> None:
        """Tell now: somebody waits for it."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._count(asyncio.get_running_loop().time())
        self._rights = max(self._rights - 1, 0.0)
        self._tell()

    def _count(self, now: float) -> None:
        back = (now - self._at) / self._seconds if self._seconds else AT_ONCE_MAX
        self._rights, self._at = min(self._rights + back, AT_ONCE_MAX), now
