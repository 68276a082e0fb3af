"""The network is said twice: the compiled plan and the tracer agree on every packet of random worlds."""

import random

import pytest
from hypothesis import HealthCheck, given, settings

from tests.network.compare import disagreements
from tests.network.worlds import random_probes, random_world, worlds_with_probes

WORLDS, PROBES = 400, 60


@pytest.mark.parametrize("start", range(0, WORLDS, 100), ids=lambda n: f"worlds {n} to {n + 99}")
def test_plan_and_trace_agree_on_random_worlds(start):
    for seed in range(start, start + 100):
        dice = random.Random(seed)
        world = random_world(dice)
        assert not list(disagreements(world, random_probes(world, dice, PROBES))), f"world {seed}"


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds_with_probes(40))
def test_plan_and_trace_agree_on_worlds_that_hypothesis_finds(drawn):
    world, probes = drawn
    assert not list(disagreements(world, probes))


@pytest.mark.parametrize("start", range(0, 100, 50), ids=lambda start: f"worlds {start} to {start + 49}")
def test_plan_and_trace_agree_on_machines_with_several_interfaces(start):
    for seed in range(start, start + 50):
        dice = random.Random(seed)
        world = random_world(dice, plugged=True)
        assert not list(disagreements(world, random_probes(world, dice, PROBES))), f"world {seed}"
