"""A fault with an end ends then, also when the store could not be written in that moment."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from atoll.admin import chaos
from atoll.control import faults
from atoll.control.faults import Reverter, revert_due
from atoll.model.fault import Fault
from atoll.model.kinds import KINDS
from atoll.store.sqlite import Store, StoreError

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return Store(":memory:", KINDS, clock=clock)


def begin(store, target, seconds):
    store.write(lambda tx: chaos.begin(tx, "kill-zone", target, seconds))


def targets(store):
    return [fault.target for fault in store.world.all(Fault)]


def test_what_is_over_is_reverted_and_nothing_else(store, clock):
    begin(store, "us-east-1a", 10)
    begin(store, "us-east-1b", 20)
    begin(store, "us-east-1c", None)

    clock.now += timedelta(seconds=10)
    store.write(revert_due)

    assert targets(store) == ["us-east-1b", "us-east-1c"]


async def run_until_all_is_over(store, clock, then=lambda: None):
    """Run a reverter, do something once it waits, and return when no fault is left."""
    over = asyncio.Event()
    store.watch(lambda world: None if any(world.all(Fault)) else over.set())
    reverter = Reverter(store, clock)
    store.watch(lambda _: reverter.wake())
    task = asyncio.create_task(reverter.run())
    await asyncio.sleep(0)
    then()
    async with asyncio.timeout(5):
        await over.wait()
    task.cancel()


def test_a_fault_that_was_over_before_the_daemon_came_is_reverted_at_once(store, clock):
    begin(store, "us-east-1a", 10)
    clock.now += timedelta(hours=1)

    asyncio.run(run_until_all_is_over(store, clock))

    assert targets(store) == []


def test_a_fault_that_is_made_later_wakes_the_reverter(store, clock):
    def then():
        begin(store, "us-east-1a", 0.01)
        clock.now += timedelta(seconds=1)

    asyncio.run(run_until_all_is_over(store, clock, then))

    assert targets(store) == []


def test_a_store_that_cannot_be_written_is_tried_again(store, clock, monkeypatch):
    begin(store, "us-east-1a", 10)
    clock.now += timedelta(hours=1)
    monkeypatch.setattr(faults, "RETRY_SECONDS", 0.001)
    write, failures = store.write, iter([True, True, False])

    def failing(*args, **kwargs):
        if next(failures, False):
            raise StoreError("disk full")
        return write(*args, **kwargs)

    monkeypatch.setattr(store, "write", failing)

    asyncio.run(run_until_all_is_over(store, clock))

    assert targets(store) == []
