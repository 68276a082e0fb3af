"""Idle timeouts that interfaces have of their own, in the kernel's table of flows."""

import re

import pytest

from atoll.model.interface import Interface, Timeouts
from tests.kernel.conftest import until
from tests.kernel.ground import lay_ground
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel


@pytest.fixture
def ground():
    yield from lay_ground()


def lab_with(**timeouts):
    """Return three machines that admit each other; those that are named have timeouts of their own."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("s", "10.0.0.0/24")
    lab.group("open", ingress=["all 10.0.0.0/16"])
    for n, name in enumerate(("a", "b", "c")):
        lab.instance(name, "s", groups=["open"], ip=f"10.0.0.1{n}")
        if name in timeouts:
            lab.put(lab.world[Interface, f"eni-{name}"], timeouts=timeouts[name])
    return lab


def seconds_left(ground, protocol, port):
    """Return after how many seconds the router forgets the flow to a port."""
    listed = ground.run("vpc-v", "conntrack", "-L", "-p", protocol, "--dport", str(port))
    return int(re.match(r"\w+\s+\d+ (\d+) ", listed)[1])


def near(seconds, wanted):
    return wanted - 3 <= seconds <= wanted


def test_a_connection_is_forgotten_after_the_shorter_timeout_of_its_ends(ground):
    ground.apply(lab_with(a=Timeouts(tcp_established=600), b=Timeouts(tcp_established=300)).world)
    for here, there, address, port, wanted in (
        ("a", "b", "10.0.0.11", 81, 300),
        ("b", "a", "10.0.0.10", 82, 300),
        ("a", "c", "10.0.0.12", 83, 600),
        ("c", "a", "10.0.0.10", 84, 600),
    ):
        ground.flow(here, there, address, port)
        assert near(seconds_left(ground, "tcp", port), wanted), (here, there)


def test_without_any_of_its_own_it_is_awss(ground):
    ground.apply(lab_with().world)
    ground.flow("a", "b", "10.0.0.11", 81)
    assert near(seconds_left(ground, "tcp", 81), 432_000)
    assert "ct timeout" not in ground.run("vpc-v", "nft", "list", "ruleset")


def test_datagrams_have_one_before_and_one_after_the_answer(ground):
    ground.apply(lab_with(a=Timeouts(udp=45, udp_stream=90), b=Timeouts(udp_stream=120)).world)
    for there, address, port, before, after in (
        ("c", "10.0.0.12", 53, 45, 90),
        ("b", "10.0.0.11", 54, 30, 120),
    ):
        server, client = ground.open(there, 2), ground.open("a", 2)
        server.bind(("0.0.0.0", port))
        client.sendto(b"question", (address, port))
        _, whom = server.recvfrom(9)
        assert near(seconds_left(ground, "udp", port), before), there

        def is_stream(server=server, client=client, whom=whom, to=(address, port), after=after):
            """Say something more: the kernel believes in a stream when it is two seconds old."""
            server.sendto(b"answer", whom)
            client.recv(9)
            client.sendto(b"more", to)
            server.recv(9)
            return near(seconds_left(ground, "udp", to[1]), after)

        until(is_stream)


def test_a_change_is_for_new_connections_and_goes_without_a_trace(ground):
    lab = lab_with(a=Timeouts(tcp_established=600))
    ground.apply(lab.world)
    ground.flow("a", "b", "10.0.0.11", 81)
    lab.put(lab.world[Interface, "eni-a"], timeouts=Timeouts(tcp_established=120))
    ground.apply(lab.world)
    ground.flow("a", "b", "10.0.0.11", 82)
    assert near(seconds_left(ground, "tcp", 82), 120)
    lab.put(lab.world[Interface, "eni-a"], timeouts=Timeouts())
    ground.apply(lab.world)
    ground.flow("a", "b", "10.0.0.11", 83)
    assert near(seconds_left(ground, "tcp", 83), 432_000)
    assert "ct timeout" not in ground.run("vpc-v", "nft", "list", "ruleset")
