"""How late this process comes to its own appointments: what it saw meanwhile says more about us than about others.

A daemon that gets no processor, because hundreds of engines start or others use the machine, asks late and reads
late, and its short timeouts have passed by the time that it reads an answer which had come long before.
"""

import asyncio

EVERY_SECONDS = 0.1
LATE_SECONDS = 0.05  # half of what an engine is given to answer


class Lag:
    """Keeps an appointment again and again, in the event loop whose lateness it is."""

    def __init__(self) -> None:
        """Prepare; until it runs, nothing is late."""
        self._due: float | None = None
        self._missed = float("-inf")  # when it was late last

    async def run(self) -> None:
        """Run until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._due = loop.time() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            self._note(loop.time())

    def late_since(self, begun: float) -> bool:
        """Tell whether we were late at any moment since then."""
        self._note(asyncio.get_running_loop().time())
        return self._missed >= begun

    def _note(self, now: float) -> None:
        if self._due is not None and now - self._due > LATE_SECONDS:
            self._missed = now
