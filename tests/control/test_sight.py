"""A loop is woken by changes of what it looks at, whoever made it look, and by nothing else."""

import asyncio
import threading

import pytest

from atoll.control.news import AT_ONCE_MAX
from atoll.control.sight import looking
from atoll.control.wanted import Compiled, Wanted
from atoll.model.cache import CacheCluster
from atoll.model.fault import Fault
from atoll.model.group import SecurityGroup
from atoll.model.kinds import KINDS
from atoll.model.world import Caller
from atoll.store.sqlite import Store
from tests.cache.worlds import Life, cluster, interface, node

CALLER = Caller(account="000000000000", region="us-east-1", arn="arn:aws:iam::000000000000:root")


class Loop:
    """A loop that only counts how often it was woken."""

    def __init__(self, sight, want):
        self.sight, self.want, self.woken, self.again = sight, want, 0, asyncio.Event()

    def wake(self):
        self.woken += 1
        if self.woken > AT_ONCE_MAX:
            self.again.set()


@pytest.fixture
def store():
    return Store(":memory:", KINDS)


def make_fault(store):
    number = store.world.revision
    fields = {"act": "kill-zone", "target": "us-east-1a"}
    store.write(lambda tx: tx.make(Fault, f"f-{number}", since=tx.now, **fields), caller=CALLER)


def make_group(store):
    number = store.world.revision
    fields = {"vpc_id": "vpc-1", "name": f"g{number}", "description": "x"}
    store.write(lambda tx: tx.make(SecurityGroup, f"sg-{number}", **fields), caller=CALLER)


def with_a_node(store):
    life = Life()
    life.put(interface("eni-1", "10.0.1.1"), cluster("alone", node("eni-1")))

    def put(tx):
        for resource in life.world:
            tx.put(resource)

    store.write(put)


def in_a_loop(store, story, burst_seconds=0.0):
    """Tell a story in an event loop, with a loop of the daemon in it."""

    async def tell():
        await story(looking(store, Wanted(lambda: store.world).nodes, Loop, burst_seconds))

    asyncio.run(tell())


def test_a_loop_is_woken_by_the_kinds_that_it_looked_at_and_by_no_other(store):
    async def story(loop):
        list(loop.sight.world.all(Fault))

        make_group(store)
        assert loop.woken == 0

        make_fault(store)
        assert loop.woken == 1

    in_a_loop(store, story)


def test_a_loop_that_has_looked_at_nothing_yet_is_woken_by_everything(store):
    async def story(loop):
        make_group(store)

        assert loop.woken == 1

    in_a_loop(store, story)


@pytest.mark.parametrize(
    "look",
    [
        lambda world: world.get(SecurityGroup, "sg-none"),
        lambda world: world.count(SecurityGroup),
        lambda world: world.bucket(SecurityGroup, "vpc_id", "vpc-none"),
        lambda world: list(world.seen_by(None).all(SecurityGroup)),
        len,
        list,
    ],
)
def test_whatever_way_it_looks_is_noted(store, look):
    async def story(loop):
        look(loop.sight.world)

        make_group(store)

        assert loop.woken == 1

    in_a_loop(store, story)


def test_who_looks_at_the_machines_that_should_run_looks_at_what_they_are_made_of(store):
    async def story(loop):
        loop.want()
        await asyncio.sleep(0)

        assert loop.sight.concerns({CacheCluster})
        assert loop.sight.concerns({Fault})
        assert not loop.sight.concerns({SecurityGroup})

    in_a_loop(store, story)


def test_who_looks_at_the_machines_is_woken_when_they_are_others(store):
    async def story(loop):
        loop.want()
        make_fault(store)  # the first time nobody knows what the loop saw
        await asyncio.sleep(0)
        assert loop.woken == 1

        make_fault(store)
        await asyncio.sleep(0)
        assert loop.woken == 1

        with_a_node(store)
        loop.want()  # somebody else in the loop asks first
        await asyncio.sleep(0)
        assert loop.woken == 2

    in_a_loop(store, story)


def test_a_first_look_at_an_older_world_from_another_thread_wakes_if_that_has_changed_meanwhile(store):
    async def story(loop):
        world = loop.sight.world
        world.get(Fault, "f-1")
        make_group(store)
        assert loop.woken == 0

        thread = threading.Thread(target=world.get, args=(SecurityGroup, "sg-1"))
        thread.start()
        thread.join()
        await asyncio.sleep(0)

        assert loop.woken == 1

    in_a_loop(store, story)


def test_in_a_burst_the_first_wake_at_once_and_the_others_together(store):
    async def story(loop):
        at_once = int(AT_ONCE_MAX)
        for _ in range(at_once + 10):
            make_group(store)
        assert loop.woken == at_once

        async with asyncio.timeout(5):
            await loop.again.wait()
        assert loop.woken == at_once + 1

    in_a_loop(store, story, burst_seconds=0.2)


def test_machines_are_the_same_object_while_they_are_the_same_machines(store):
    wanted = Wanted(lambda: store.world)
    with_a_node(store)
    before = wanted.machines()
    assert len(before) == 1

    make_group(store)
    store.write(lambda tx: tx.put(interface("eni-2", "10.0.1.2")))
    assert wanted.machines() is before

    store.write(lambda tx: tx.put(interface("eni-1", "10.0.1.9")))
    assert wanted.machines() is not before
    assert wanted.nodes() == wanted.machines()


def test_machines_of_a_world_that_cannot_be_compiled_are_never_those_of_an_older_one(store):
    def compile(world):
        found = {group.id: group for group in world.all(SecurityGroup)}
        assert not mistakes, "planted"
        return found | {fault.id: fault for fault in world.all(Fault)}

    mistakes = []
    compiled = Compiled(lambda: store.world, compile)
    make_group(store)
    assert len(compiled()) == 1
    make_fault(store)
    mistakes.append("one")

    for _ in range(2):
        with pytest.raises(AssertionError, match="planted"):
            compiled()
    assert {SecurityGroup, Fault} <= compiled.notes.kinds.keys(), "a change of these may mend it"
    mistakes.clear()
    assert len(compiled()) == 2
