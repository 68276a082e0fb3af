"""What wakes a loop: that the World has changed, or that nothing has been looked at for long enough."""

import asyncio
import contextlib

from atoll.control.pulse import waits


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
