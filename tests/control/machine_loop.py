"""The machine loop of a World on paper, run until something has come about."""

import asyncio

from atoll.control.machines import Machines
from atoll.control.record import Recorder

SECONDS_MAX = 30.0


async def run_until(paper, want, host, is_reached):
    """Run the loop for what `want` compiles until `is_reached()`, which is asked after each change of the World."""

    async def ready():
        return True

    def look(_world=None):
        if is_reached():
            reached.set()

    reached, unwatch = asyncio.Event(), paper.store.watch(look)
    loop = Machines(want, host, Recorder(paper.store), ready)
    loop.wake()
    running = asyncio.create_task(loop.run())
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await reached.wait()
    finally:
        unwatch()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await loop.close()
