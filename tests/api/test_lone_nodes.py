"""When a lone node that hangs is given up, and which nodes are lone."""

from random import Random

import pytest

from atoll.cache.plan import nodes
from atoll.control import lone
from atoll.control.lone import Glimpse, LoneNodes, trouble
from atoll.host.contract import HostError, Vital
from tests.api.caches import settle
from tests.simulation.clock import VirtualLoop

RUNS, STOPPED = Vital(is_stopped=False, ticks=5), Vital(is_stopped=True, ticks=5)


def seen(**what):
    return Glimpse(**{"stopped_since": None, "answered": 0.0, "asked": 0.0, "ticks": 5, "unanswered": 4} | what)


def test_a_node_that_answers_is_left_alone():
    assert trouble(seen(answered=99.0), RUNS, 100.0) is None


def test_a_stopped_process_is_given_up_after_seconds_not_at_once():
    assert trouble(seen(stopped_since=10.0, answered=10.0), STOPPED, 10.0 + lone.STOPPED_SECONDS - 0.1) is None
    assert trouble(seen(stopped_since=10.0, answered=10.0), STOPPED, 10.0 + lone.STOPPED_SECONDS) is not None


def test_one_that_works_on_a_long_command_has_more_time():
    working = Vital(is_stopped=False, ticks=6)

    assert "not answered" in str(trouble(seen(), RUNS, lone.SILENT_SECONDS))
    assert trouble(seen(), working, lone.SILENT_SECONDS) is None
    assert "not answered" in str(trouble(seen(), working, lone.SILENT_BUSY_SECONDS))


def test_a_daemon_that_asked_too_seldom_gives_nobody_up():
    rarely = seen(unanswered=lone.SILENT_ASKED - 1)

    assert trouble(rarely, RUNS, 10 * lone.SILENT_BUSY_SECONDS) is None


class Host:
    """Processes, some of which hang."""

    def __init__(self):
        self.stopped, self.silent, self.fenced = set(), set(), []

    def vital(self, process):
        return STOPPED if process in self.stopped else RUNS

    async def replication(self, node):
        if node.process in self.silent:
            raise HostError("no answer")

    async def fence(self, process):
        self.fenced.append(process)


@pytest.fixture
def caches(cache, paper, private):
    """A lone Valkey node, a Memcached node and a group of two, available."""
    cache.redis("one", CacheSubnetGroupName=private)
    cache.memcached("mem", CacheSubnetGroupName=private)
    cache.group("rg", 2, CacheSubnetGroupName=private)
    settle(paper)


def watched(paper, host, seconds):
    """Have the loop look for so long."""
    want = {plan.process: plan for plan in nodes(paper.world)}
    lone_nodes = LoneNodes(lambda: paper.world, lambda: want, host)
    loop = VirtualLoop(Random(1))
    try:
        task = loop.create_task(lone_nodes.run())
        loop.run_until_complete(_sleep(loop, seconds))
        task.cancel()
    finally:
        loop.close()
    return {process.split("/")[-1] for process in host.fenced}


async def _sleep(loop, seconds):
    until = loop.create_future()
    loop.call_later(seconds, until.set_result, None)
    await until


@pytest.mark.usefixtures("caches")
def test_only_nodes_that_nobody_takes_over_for_are_ended_and_only_when_they_hang(paper):
    host = Host()
    assert watched(paper, host, 300) == set()
    host.stopped = {plan.process for plan in nodes(paper.world)}

    assert watched(paper, host, 30) == {"one:0001#1", "mem:0001#1"}


@pytest.mark.usefixtures("caches")
def test_a_lone_engine_that_does_not_answer_is_ended_within_half_a_minute(paper):
    host = Host()
    host.silent = {plan.process for plan in nodes(paper.world)}

    assert watched(paper, host, 15) == set()
    assert watched(paper, host, 30) == {"one:0001#1"}
