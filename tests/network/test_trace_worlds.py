"""What holds of every trace, on random worlds."""

import json
import random
import time
from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from atoll.network.explain import as_dict, explain
from atoll.network.flow import Verdict
from atoll.network.trace import LAYERS, trace
from tests.network.worlds import Lab, random_probes, random_world, worlds_with_probes

NAMES = [name for name, _ in LAYERS]
few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@few
@given(worlds_with_probes(30))
def test_a_trace_is_refused_by_its_last_step_and_only_by_it(case):
    world, probes = case
    for probe in probes:
        answer = probe.ask(world)
        way = (*answer.steps, *answer.back)
        assert all(step.layer in NAMES for step in way)
        assert all((step.code is None) is step.allowed for step in way)
        assert [s.allowed for s in way[:-1]] == [True] * len(way[:-1])
        assert (answer.verdict is Verdict.DELIVERED) is way[-1].allowed
        assert answer.arrived is (answer.verdict in (Verdict.DELIVERED, Verdict.NO_ANSWER))
        assert (answer.received is not None) is answer.arrived


@few
@given(worlds_with_probes(30))
def test_a_thorough_trace_comes_to_the_same_verdict(case):
    world, probes = case
    for probe in probes:
        short = probe.ask(world)
        long = replace(probe, options={**probe.options, "thorough": True}).ask(world)
        assert (short.verdict, short.receiver) == (long.verdict, long.receiver)
        assert short.refusals[:1] == long.refusals[:1]


@few
@given(worlds_with_probes(20))
def test_every_trace_can_be_told_to_people_and_programs(case):
    world, probes = case
    for probe in probes:
        answer = replace(probe, options={**probe.options, "thorough": True}).ask(world)
        assert len(explain(world, answer)) > 1
        assert json.loads(json.dumps(as_dict(world, answer)))["verdict"] == answer.verdict.value


def test_random_worlds_meet_every_verdict_and_every_layer():
    verdicts, layers = set(), set()
    for seed in range(150):
        rnd = random.Random(seed)
        world = random_world(rnd)
        for probe in random_probes(world, rnd, 60):
            answer = probe.ask(world)
            verdicts.add(answer.verdict)
            layers |= {s.layer for s in (*answer.steps, *answer.back)}
    assert verdicts == set(Verdict)
    assert layers == set(NAMES)


def test_the_same_dice_throw_the_same_world():
    one, two = random_world(random.Random(3)), random_world(random.Random(3))
    assert list(one) == list(two)
    assert random_probes(one, random.Random(4), 9) == random_probes(two, random.Random(4), 9)


def test_a_trace_costs_the_same_in_a_large_world():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.group("open", ingress=["tcp 6379 sg-open"])
    lab.subnet("a", "10.0.0.0/22")
    lab.subnet("b", "10.0.4.0/22")
    for n in range(1000):
        address = f"10.0.{(n % 2) * 4 + n // 2 // 250}.{n // 2 % 250 + 4}"
        lab.interface(f"{n}", "ab"[n % 2], groups=["open"], ip=address)
    lab.instance("client", "a", groups=["open"], ip="10.0.3.250")
    lab.instance("server", "b", groups=["open"], ip="10.0.7.250")
    world, destination = lab.world, lab.address("server")
    assert trace(world, "eni-client", destination, "tcp", 6379).verdict is Verdict.DELIVERED  # builds the indexes
    start, count = time.perf_counter(), 200
    for _ in range(count):
        trace(world, "eni-client", destination, "tcp", 6379)
    each = (time.perf_counter() - start) / count
    assert each < 1e-3, f"a pass over the World would cost more; this cost {each * 1e6:.0f} us"
