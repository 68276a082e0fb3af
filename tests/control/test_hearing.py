"""A copy whose source says nothing has its engine's patience shortened, for a moment and not too often."""

import asyncio
from random import Random
from types import SimpleNamespace

import pytest

from atoll.control.hearing import AGAIN_SECONDS, PATIENCE, SHORT_SECONDS, SILENT_SECONDS, TURN_SECONDS, Hearing
from atoll.host.contract import HostError, Vital
from tests.simulation.clock import VirtualLoop

PLAN = SimpleNamespace(name="two-0001-001:0001", process="two-0001-001:0001#1", settings=((PATIENCE, "60"),))
WAITS = {"role": "slave", "master_link_status": "down"}
STUCK = {**WAITS, "master_sync_in_progress": "1", "master_sync_last_io_seconds_ago": "30"}
COPIES = {**WAITS, "master_sync_in_progress": "1", "master_sync_last_io_seconds_ago": "0"}
HEARS = {"role": "slave", "master_link_status": "up"}
LOOK_SECONDS = 0.5


class Engine:
    """One engine, and when it was told what; it may be out of reach."""

    def __init__(self):
        self.told, self.is_silent, self.is_running = [], False, True

    def vital(self, _process):
        return Vital(is_stopped=False, ticks=1) if self.is_running else None

    async def tune(self, _plan, directive, value):
        if self.is_silent:
            raise HostError("no answer", "tune")
        assert directive == PATIENCE
        self.told.append((asyncio.get_running_loop().time(), value))


class Story:
    """A daemon that looks twice a second."""

    def __init__(self):
        self.engine = Engine()
        self.hearing = Hearing(self.engine)

    async def look(self, said, seconds, *, is_linked=True):
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            self.hearing.know(PLAN)
            await self.hearing.restore()
            await self.hearing.look(PLAN, said, is_linked=is_linked)
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def hurried(self):
        return [at for at, value in self.engine.told if value == str(SHORT_SECONDS)]


def play(told):
    story, loop = Story(), VirtualLoop(Random(1))
    try:
        loop.run_until_complete(told(story))
    finally:
        loop.close()
    return story


@pytest.mark.parametrize("said", [WAITS, STUCK])
def test_a_copy_that_hears_nothing_asks_again_after_seconds_and_has_its_own_patience_back(said):
    story = play(lambda it: it.look(said, SILENT_SECONDS + TURN_SECONDS + 2 * LOOK_SECONDS))

    (first, own), (hurried, short), (back, again) = story.engine.told
    assert (own, short, again) == ("60", str(SHORT_SECONDS), "60")
    assert first == 0.0, "a daemon that was killed may have left it short"
    assert SILENT_SECONDS <= hurried <= SILENT_SECONDS + LOOK_SECONDS
    assert TURN_SECONDS <= back - hurried <= TURN_SECONDS + LOOK_SECONDS


def test_a_source_that_is_slow_is_given_twice_as_long_each_time():
    story = play(lambda it: it.look(WAITS, 200.0))

    pauses = [b - a for a, b in zip(story.hurried, story.hurried[1:], strict=False)]
    assert [round(pause / SILENT_SECONDS) for pause in pauses[:3]] == [2, 4, 8]
    assert pauses[-1] == pytest.approx(60.0, abs=2 * LOOK_SECONDS), "no longer than the engine itself would wait"


def test_one_that_has_heard_its_source_again_is_looked_at_as_in_the_beginning():
    async def told(it):
        await it.look(WAITS, 15.0)
        await it.look(HEARS, 5.0)
        await it.look(WAITS, SILENT_SECONDS + 2 * LOOK_SECONDS)

    assert play(told).hurried[-1] >= 20.0 + SILENT_SECONDS


@pytest.mark.parametrize(
    ("said", "is_linked"), [(HEARS, True), (COPIES, True), (WAITS, False), ({"role": "master"}, True), ({}, True)]
)
def test_nobody_is_hurried_who_hears_something_or_cannot(said, is_linked):
    assert play(lambda it: it.look(said, 100.0, is_linked=is_linked)).hurried == []


def test_an_engine_that_does_not_answer_gets_its_patience_back_later():
    async def told(it):
        await it.look(WAITS, SILENT_SECONDS + LOOK_SECONDS)
        it.engine.is_silent = True
        await it.look({}, 10.0)
        it.engine.is_silent = False
        await it.look(HEARS, AGAIN_SECONDS)

    assert [value for _, value in play(told).engine.told] == ["60", str(SHORT_SECONDS), "60"]


def test_one_that_does_not_run_yet_is_told_nothing():
    async def told(it):
        it.engine.is_running = False
        await it.look({}, 10.0)

    assert play(told).engine.told == []


def test_one_whose_group_leaves_while_its_patience_is_short_has_its_own_back():
    async def told(it):
        await it.look(WAITS, SILENT_SECONDS + LOOK_SECONDS)
        assert it.engine.told[-1][1] == str(SHORT_SECONDS)
        await asyncio.sleep(TURN_SECONDS)
        await it.hearing.restore()  # nobody looks at it any more

    assert play(told).engine.told[-1][1] == "60"


def test_one_that_hangs_is_told_again_only_after_a_while():
    asked = []

    async def told(it):
        async def tune(*_):
            asked.append(asyncio.get_running_loop().time())
            raise HostError("no answer", "tune")

        it.engine.tune = tune
        await it.look({}, 10 * AGAIN_SECONDS)

    play(told)
    assert 8 <= len(asked) <= 11
