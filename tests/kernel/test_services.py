"""The pace of a VPC's own services: each interface has one for all of them, and nobody else's flood takes it."""

import itertools
import socket
import time

import pytest

from atoll.admin.drops import counted, drops
from atoll.host.linux.tallies import read_tallies
from atoll.network.compile.router import PACED_MAX, SERVICES_A_SECOND, SERVICES_BURST
from tests.kernel.ground import lay_ground, soon
from tests.network.lab import CALLER, EVERYWHERE
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python has no name for it
FLOOD_SECONDS = 1.5
SINK_BYTES = 1 << 24  # more than a flood's packets need: a full buffer would look like a limit
REASON = "more than 1024 packets a second to the VPC's services"


@pytest.fixture
def ground():
    yield from lay_ground()


def two_machines():
    """Return a VPC of both versions with two machines in one subnet, that may send each other anything."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", ipv6="2001:db8:1000::/56")
    lab.subnet("a", "10.0.1.0/24", ipv6="2001:db8:1000::/64")
    lab.group("open", ingress=EVERYWHERE)
    lab.instance("loud", "a", groups=["open"], ip="10.0.1.10", ipv6=["2001:db8:1000::10"])
    lab.instance("quiet", "a", groups=["open"], ip="10.0.1.11", ipv6=["2001:db8:1000::11"])
    return lab


def service(ground, port, at):
    """Listen where a service of the VPC does."""
    made = ground.open("vpc-v", socket.SOCK_DGRAM, to=at)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, SINK_BYTES)
    made.bind((at, port))
    made.setblocking(False)
    return made


def heard(service):
    """Return what came to a service, by who sent it."""
    found = {}
    while True:
        try:
            _, (address, *_) = service.recvfrom(100)
        except BlockingIOError:
            return found
        found[address] = found.get(address, 0) + 1


def flood(sender, ends):
    """Send as fast as it goes, to all ends in turn; return how much that was, and the seconds from first to last."""
    sent, first, end = 0, time.monotonic(), itertools.cycle(ends)
    while (now := time.monotonic()) - first < FLOOD_SECONDS:
        sender.sendto(b"x", next(end))
        sent += 1
    return sent, now - first


def refused(ground, lab):
    """Return how many packets were refused for the pace's sake, by who sent them."""
    found = drops(lab.world.seen_by(CALLER), ground.plan, read_tallies(ground.namespaces, counted(ground.plan)))
    return {drop.source: drop.packets for drop in found if drop.reason == REASON}


@pytest.mark.parametrize(
    ("resolver", "clock", "loud", "quiet"),
    [
        ("169.254.169.253", "169.254.169.123", "10.0.1.10", "10.0.1.11"),
        ("fd00:ec2::253", "fd00:ec2::123", "2001:db8:1000::10", "2001:db8:1000::11"),
    ],
    ids=["IPv4", "IPv6"],
)
def test_a_flood_is_cut_to_the_pace_and_a_neighbour_does_not_notice(ground, resolver, clock, loud, quiet):
    lab = two_machines()
    ground.apply(lab.world)
    names, times = service(ground, 53, resolver), service(ground, 123, clock)
    flooding, asking = (ground.open(place, socket.SOCK_DGRAM, to=resolver) for place in ("loud", "quiet"))
    sent, seconds = flood(flooding, [(resolver, 53), (clock, 123)])
    for _ in range(100):
        asking.sendto(b"?", (resolver, 53))
    at_names, at_times = heard(names), heard(times)
    assert at_names[quiet] == 100
    passed, allowed = at_names[loud] + at_times[loud], SERVICES_BURST + SERVICES_A_SECOND * seconds
    assert sent > 3 * allowed, "it was a flood"
    assert 0.9 * allowed < passed <= allowed + 1
    assert refused(ground, lab) == {"eni-loud": sent - passed}


def test_an_honest_second_of_questions_passes_whole_and_a_change_of_the_rules_begins_anew(ground):
    lab = two_machines()
    ground.apply(lab.world)
    names = service(ground, 53, "169.254.169.253")
    asking = ground.open("quiet", socket.SOCK_DGRAM)
    for _ in range(SERVICES_BURST):
        asking.sendto(b"?", ("169.254.169.253", 53))
    assert heard(names) == {"10.0.1.11": SERVICES_BURST}
    ground.run("vpc-v", "nft", "add", "table", "ip", "stranger")
    assert ground.fabric.verify()
    assert ground.fabric.verify() == [], "what was known of the pace does not come into the way of the repair"
    asking.sendto(b"?", ("169.254.169.253", 53))
    assert soon(lambda: heard(names))
    assert refused(ground, lab) == {}


def test_what_passes_by_is_no_service_and_has_no_pace(ground):
    lab = two_machines()
    ground.apply(lab.world)
    there = ground.open("quiet", socket.SOCK_DGRAM)
    there.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, SINK_BYTES)
    there.bind(("10.0.1.11", 53))
    there.setblocking(False)
    here = ground.open("loud", socket.SOCK_DGRAM)
    for _ in range(3 * SERVICES_BURST):
        here.sendto(b"x", ("10.0.1.11", 53))
    assert heard(there) == {"10.0.1.10": 3 * SERVICES_BURST}


def test_when_too_many_are_known_nobody_new_is_held_to_a_pace(ground, monkeypatch):
    """A set that takes no more entries ends its rule: a service rather answers too much than not at all."""
    monkeypatch.setattr("atoll.network.compile.router.PACED_MAX", 1)
    assert PACED_MAX > 1
    lab = two_machines()
    ground.apply(lab.world)
    names = service(ground, 53, "169.254.169.253")
    for place in ("loud", "quiet"):
        ground.open(place, socket.SOCK_DGRAM).sendto(b"?", ("169.254.169.253", 53))
    assert heard(names) == {"10.0.1.10": 1, "10.0.1.11": 1}
