"""Health checks: who is asked, how often, and what is recorded; the connections are real, in the loopback."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta

import pytest

from atoll.control.health import HealthChecks, watches
from atoll.model.balancer import HealthCheck, Listener, Target, TargetGroup
from tests.network.lab import Lab
from tests.network.test_trace_balancer import balanced

NOW = datetime(2026, 11, 26, tzinfo=UTC)


class Here:
    """A host whose namespaces are all this one."""

    def __init__(self):
        self.dialled = []

    def dial(self, namespace):
        self.dialled.append(namespace)
        return socket.socket()


class Paper:
    def dial(self, namespace):  # noqa: ARG002
        return None


def world_of(lab, port, check, state="initial", **more):
    """Have a balancer in two zones whose one target is this machine."""
    lab.balancer("web", "v0", "v1", **more)
    lab.targets("t", "web", "tcp 80", f"127.0.0.1:{port} {state}")
    lab.put(lab.world[TargetGroup, "tg-t"], health=check)
    return lab


@pytest.fixture
def lab():
    return balanced(Lab())


def observe(lab, seconds, host=None, now=lambda: NOW):
    """Follow the world for a while, feeding back what is recorded; return what was recorded, in order."""
    seen = []

    async def run():
        def write(transition, _what):
            before = lab.world[TargetGroup, "tg-t"].targets
            transition(lab.tx)
            after = lab.world[TargetGroup, "tg-t"].targets
            if before != after:
                seen.append(after[0].state if after else "gone")

        checks = HealthChecks(host or Here(), write, now)
        checks.follow(lab.world)
        await asyncio.sleep(seconds)
        checks.close()

    asyncio.run(run())
    return seen


def quick(**more):
    return HealthCheck(interval_seconds=0.02, timeout_seconds=1, healthy_threshold=2, unhealthy_threshold=2, **more)


def test_a_target_that_answers_is_healthy_at_once(lab):
    with socket.create_server(("127.0.0.1", 0)) as server:
        world_of(lab, server.getsockname()[1], quick())
        assert observe(lab, 0.2) == ["initial", "healthy"]


def test_a_target_that_refuses_is_unhealthy_after_as_many_checks_as_are_asked_for(lab):
    host = Here()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    world_of(lab, port, quick(), state="healthy")
    assert observe(lab, 0.15, host) == ["unhealthy"]
    assert set(host.dialled) == {"eni-web-v0", "eni-web-v1"}, "each node asks"


def test_it_comes_back_after_as_many_checks_as_are_asked_for(lab):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        check = quick()
        world_of(lab, server.getsockname()[1], check, state="unhealthy")
        assert observe(lab, 0.2) == ["healthy"]


async def _http(reader, writer):
    line = (await reader.readline()).split()
    writer.write(b"HTTP/1.1 404 no\r\n\r\n" if line[1] == b"/missing" else b"HTTP/1.1 204 yes\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(("path", "matcher", "state"), [
    ("/", "200-399", "healthy"), ("/missing", "200-399", "unhealthy"), ("/missing", "200,404", "healthy"),
])  # fmt: skip
def test_http_is_judged_by_its_status(lab, path, matcher, state):
    seen = []

    async def run():
        server = await asyncio.start_server(_http, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        world_of(lab, port, quick(protocol="HTTP", path=path, matcher=matcher))

        def write(transition, _what):
            transition(lab.tx)
            seen.append(lab.world[TargetGroup, "tg-t"].targets[0].state)

        checks = HealthChecks(Here(), write, lambda: NOW)
        checks.follow(lab.world)
        for _ in range(100):
            await asyncio.sleep(0.02)
            if seen and seen[-1] != "initial":
                break
        checks.close()
        server.close()

    asyncio.run(run())
    assert seen[-1] == state


def test_a_draining_target_goes_when_its_time_is_over(lab):
    world_of(lab, 9, quick())
    group = lab.world[TargetGroup, "tg-t"]
    leaving = lab.tx.now + timedelta(milliseconds=-1)
    target = Target(id="127.0.0.1", port=9, zone="all", state="draining", leaves=leaving)
    lab.put(group, targets=(target,))
    assert observe(lab, 0.1, now=lambda: lab.tx.now) == ["gone"]


def test_on_paper_nobody_is_asked(lab):
    world_of(lab, 9, quick())
    assert observe(lab, 0.1, Paper()) == ["initial"]


def test_what_nobody_uses_is_not_watched(lab):
    world_of(lab, 9, quick())
    assert len(list(watches(lab.world))) == 1
    lab.tx.delete(next(iter(lab.world.all(Listener))))
    assert list(watches(lab.world)) == []
