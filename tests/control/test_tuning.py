"""Engines are told their parameters: again after a failure, ever more seldom; at once when the wish is another."""

import asyncio
from types import SimpleNamespace

import pytest

from atoll.cache.node import Order, Tuning
from atoll.control.tuning import Tuner
from atoll.host.contract import HostError
from atoll.store.sqlite import StoreError

TIMEOUT = Order(directive="timeout", value="60", parameters=("timeout",))
POLICY = Order(directive="maxmemory-policy", value="noeviction", parameters=("maxmemory-policy",))


def wish(*orders, said="60"):
    tuning = Tuning(orders=orders, before=(), said=(("timeout", said),))
    return SimpleNamespace(process="one:0001#1", tuning=tuning)


class World:
    """An engine that is told, and a recorder that notes."""

    def __init__(self, *answers):
        self.answers, self.told, self.noted = list(answers), [], []
        self.announced, self.lives = None, True
        self.tuner = Tuner(self, self)

    async def tune(self, _, directive, value):
        self.told.append((directive, value))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def being_tuned(self, _):
        self.announced = len(self.told)

    def is_tunable(self, _):
        return self.lives

    def tuned(self, _, refused):
        self.noted.append(dict(refused))

    def run(self, node):
        """Tell it, and return for how long the same is not told again."""

        async def main():
            await self.tuner.tune(node)
            now = asyncio.get_running_loop().time()
            return next((s for s in range(100) if self.tuner.is_due(node, now + s)), None)

        return asyncio.run(main())


def test_what_was_told_is_noted():
    world = World()

    world.run(wish(TIMEOUT, POLICY))

    assert world.told == [("timeout", "60"), ("maxmemory-policy", "noeviction")]
    assert world.noted == [{}]
    assert world.announced == 0, "first the World is told"


def test_another_process_than_the_one_that_was_meant_is_told_nothing():
    world = World()
    world.lives = False

    world.run(wish(TIMEOUT))

    assert (world.told, world.noted) == ([], [])


def test_nothing_is_due_for_a_node_that_has_its_parameters():
    assert not World().tuner.is_due(SimpleNamespace(process="one:0001#1", tuning=None), 0.0)


def test_one_refusal_keeps_no_other_back_and_is_tried_again_ever_more_seldom():
    world = World(*["ERR no", None] * 9)

    pauses = [world.run(wish(POLICY, TIMEOUT)) for _ in range(9)]

    assert world.told == [("maxmemory-policy", "noeviction"), ("timeout", "60")] * 9
    assert world.noted == [{"maxmemory-policy": "ERR no"}] * 9
    assert pauses == sorted(pauses)
    assert pauses[0] <= 2
    assert pauses[-1] == 30


@pytest.mark.parametrize("trouble", [HostError("no answer"), StoreError("the disk is full")])
def test_what_got_no_answer_is_not_noted_and_told_again(trouble):
    world = World(trouble)

    assert world.run(wish(TIMEOUT)) is not None
    assert world.noted == []
    world.run(wish(TIMEOUT))
    assert world.noted == [{}]


def test_another_wish_is_told_at_once():
    world = World(*["ERR no"] * 5)
    for _ in range(5):
        world.run(wish(TIMEOUT))

    assert world.tuner.is_due(wish(TIMEOUT, said="70"), 0.0)


def test_a_process_that_is_gone_is_forgotten():
    world = World("ERR no")
    world.run(wish(TIMEOUT))

    world.tuner.keep(())

    assert world.tuner.is_due(wish(TIMEOUT), 0.0)
