"""What a watch takes for silence: what it asked in time, and got no answer to; never the time that it lost itself."""

import asyncio
import socket
import time
from collections import Counter
from random import Random

import pytest
import uvloop

from atoll.cache.failover import HUNG_SECONDS, MISSES
from atoll.cache.plan import nodes
from atoll.control.lag import EVERY_SECONDS, LATE_SECONDS, Lag
from atoll.control.watch import Watch
from atoll.host.contract import HostError, Replication, Vital
from atoll.host.engine import replication
from atoll.model.cache import ReplicationGroup
from tests.api.caches import settle
from tests.simulation.clock import VirtualLoop


class Host:
    """Engines that do not answer, or no more, and connections that fail, after so many seconds."""

    def __init__(self, seconds, answers=0):
        self.seconds, self.answers = seconds, answers  # so many to each
        self.asked = Counter()

    def vital(self, _process):
        return Vital(is_stopped=False, ticks=1)

    async def replication(self, plan):
        self.asked[plan.process] += 1
        if self.asked[plan.process] <= self.answers:
            return Replication(role="primary")
        await asyncio.sleep(self.seconds)
        raise HostError("no answer", "ask")

    async def reaches(self, _plan):
        await asyncio.sleep(self.seconds)
        return False


@pytest.fixture
def shard(paper, cache, private):
    cache.group("rg", 2, CacheSubnetGroupName=private)
    settle(paper)
    (group,) = paper.world.all(ReplicationGroup)
    return paper.world, group, {plan.process: plan for plan in nodes(paper.world)}


class Late(Lag):
    """We are late, always."""

    def late_since(self, _begun):
        return True


def looked(shard, seconds=0.1, *, pause, looks, lag=Lag, answers=0):
    """Look so often, with a pause between; returns the worst that was seen of a member."""
    world, group, want = shard
    watch = Watch(Host(seconds, answers), lag(), group.id, group.node_groups[0].id)

    async def look():
        for _ in range(looks):
            seen = await watch.look(world, want, full=True, probe=True)
            await asyncio.sleep(pause)
        return max(m.silent_seconds for m in seen.members), max(m.misses for m in seen.members)

    loop = VirtualLoop(Random(1))
    try:
        return loop.run_until_complete(look())
    finally:
        loop.close()


def test_who_does_not_answer_in_time_is_silent_and_out_of_reach(shard):
    silent, misses = looked(shard, pause=1.0, looks=5)

    assert silent >= HUNG_SECONDS
    assert misses >= MISSES


def test_who_is_asked_seldom_or_read_late_is_not(shard):
    """A watch that had no processor does not take that for somebody else's silence."""
    assert looked(shard, pause=30.0, looks=2)[0] < HUNG_SECONDS
    silent, misses = looked(shard, pause=1.0, looks=9, lag=Late)
    assert silent < HUNG_SECONDS
    assert misses < MISSES


def test_silence_begins_with_the_first_question_that_is_not_answered(shard):
    """Between its last answer and that nobody had asked."""
    assert looked(shard, pause=1.5, looks=3, answers=1)[0] < HUNG_SECONDS
    assert looked(shard, pause=1.5, looks=4, answers=1)[0] >= HUNG_SECONDS


def test_one_who_hangs_is_found_even_by_a_watch_that_is_late_each_time(shard):
    assert looked(shard, pause=30.0, looks=5)[0] >= HUNG_SECONDS
    silent, misses = looked(shard, pause=1.0, looks=40, lag=Late)
    assert silent >= HUNG_SECONDS
    assert misses >= MISSES


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])  # the daemon's loop is uvloop's
def test_a_connection_that_the_kernel_made_while_we_were_away_counts(monkeypatch, run):
    monkeypatch.setattr(replication, "CONNECT_SECONDS", 0.02)

    async def others():
        while True:
            time.sleep(0.1)  # noqa: ASYNC251 - the loop has other work, again and again
            await asyncio.sleep(0)

    async def away(port):
        busy = asyncio.ensure_future(others())  # as soon as it has begun to connect
        try:
            return await replication.connects(socket.socket(), "127.0.0.1", port)
        finally:
            busy.cancel()

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert all(run(away(port)) for _ in range(5))  # asking a thread is too slow now and then


def test_a_loop_that_was_held_up_is_late_until_it_keeps_its_next_appointment():
    async def held_up():
        lag = Lag()
        task = asyncio.ensure_future(lag.run())
        await asyncio.sleep(0)
        begun = asyncio.get_running_loop().time()
        time.sleep(EVERY_SECONDS + 2 * LATE_SECONDS)  # noqa: ASYNC251 - nobody else runs
        held = lag.late_since(begun)
        task.cancel()
        return held, Lag().late_since(begun)

    assert asyncio.run(held_up()) == (True, False)
