"""A shard's guard: how often it tries the network."""

import asyncio
import itertools
from random import Random
from types import SimpleNamespace

from atoll.control.failover import FULL_SECONDS, _Guard
from tests.simulation.clock import VirtualLoop

LOOKS, EVERY_SECONDS = 40, 0.1


class Guard(_Guard):
    """Sees nothing, and notes when it tried the network."""

    def __init__(self):
        super().__init__(SimpleNamespace(_host=None, lag=None), "group", "0001")
        self.task.cancel()
        self.tried = []

    async def _look(self, *, full, probe):  # noqa: ARG002 - everybody is looked at
        if probe:
            self.tried.append(asyncio.get_running_loop().time())


def test_a_guard_that_waits_for_long_tries_the_network_or_whoever_was_cut_off_would_be_so_for_ever():
    async def wait():
        guard = Guard()
        await guard._step(hot=False)
        for _ in range(LOOKS):
            await asyncio.sleep(EVERY_SECONDS)
            await guard._step(hot=True)
        return guard.tried

    loop = VirtualLoop(Random(1))
    try:
        tried = loop.run_until_complete(wait())
    finally:
        loop.close()

    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert len(pauses) >= 3
    assert all(FULL_SECONDS - 0.01 <= pause <= FULL_SECONDS + 2 * EVERY_SECONDS for pause in pauses), pauses
