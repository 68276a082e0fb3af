"""What a map shows: connections that are open, packets that were refused, and how machines translate."""

import asyncio
import socket

import pytest

from atoll.admin.passing import passing
from atoll.host.linux.tallies import read_tallies
from atoll.host.linux.traffic import connections
from tests.kernel.ground import lay_ground, soon
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
CLIENT = "198.51.100.27"


@pytest.fixture
def ground():
    yield from lay_ground()


class Counters:
    """The kernel's counters, without a daemon."""

    def __init__(self, ground):
        self._ground, self.plan = ground, ground.plan

    async def tallies(self, containers):
        return read_tallies(self._ground.namespaces, containers)

    async def connections(self, names, most):
        return connections(self._ground.namespaces, names, most)


def shop():
    """Return an application, a NAT instance with a public address, and a cache that admits tcp 6379 from both."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16"), lab.gateway("v")
    lab.subnet("out", "10.0.1.0/24"), lab.subnet("inner", "10.0.2.0/24")
    lab.table("out", {"0.0.0.0/0": "igw-v"}, subnets=["out"])
    lab.group("app", ingress=["tcp 6380 0.0.0.0/0"]), lab.group("cache", ingress=["tcp 6379 sg-app"])
    lab.instance("app", "out", groups=["app"], ip="10.0.1.10")
    lab.instance("nat", "out", groups=["app"], ip="10.0.1.55", check=False, public="203.0.113.73")
    lab.instance("cache", "inner", groups=["cache"], ip="10.0.2.10")
    lab.outside(CLIENT)
    return lab


def look(ground, lab, *, blocked):
    """Return the flows of one kind: source, target, protocol, port -> flow."""
    seen = asyncio.run(passing(lab.world, Counters(ground), "vpc-v"))
    return {(f.source, f.target, f.protocol, f.port): f for f in seen.flows if f.blocked is blocked}


def test_a_refused_packet_is_told_with_its_port_its_group_and_its_ends(ground):
    lab = shop()
    ground.apply(lab.world)

    assert not ground.connects("app", "10.0.2.10", 11211)
    assert not ground.connects(CLIENT, "203.0.113.73", 22)

    found = look(ground, lab, blocked=True)
    inside = found["eni-app", "eni-cache", "tcp", 11211]
    assert (inside.by, inside.because, inside.stops) == ("sg-cache", "no rule in", "receiver")
    assert inside.count >= 1
    assert inside.seconds_ago < 60
    outside = found[CLIENT, "eni-nat", "tcp", 22]
    assert (outside.by, outside.stops) == ("sg-app", "receiver")


def test_the_library_of_nftables_can_read_what_was_refused(ground):
    ground.apply(shop().world)
    assert not ground.connects("app", "10.0.2.10", 11211)

    assert ". 11211 " in ground.run("vpc-v", "nft", "list", "ruleset")  # or the next daemon would end here


def test_what_the_rules_allow_by_now_is_no_longer_told_as_refused(ground, monkeypatch):
    monkeypatch.setattr("atoll.admin.passing.SETTLED_SECONDS", 0.0)
    lab = shop()
    ground.apply(lab.world)
    assert not ground.connects("app", "10.0.2.10", 11211)
    assert look(ground, lab, blocked=True)

    lab.group("cache", ingress=["tcp 6379 sg-app", "tcp 11211 sg-app"])
    ground.apply(lab.world)

    assert soon(lambda: not look(ground, lab, blocked=True))


def test_open_connections_are_counted_between_their_ends(ground):
    lab = shop()
    ground.apply(lab.world)
    ground.flow("app", "cache", "10.0.2.10", 6379), ground.flow("app", "cache", "10.0.2.10", 6379)
    ground.flow(CLIENT, "nat", "203.0.113.73", 6380)

    found = look(ground, lab, blocked=False)

    assert {key: flow.count for key, flow in found.items()} == {
        ("eni-app", "eni-cache", "tcp", 6379): 2,
        (CLIENT, "eni-nat", "tcp", 6380): 1,
    }


def test_a_nat_instance_tells_what_it_translates(ground):
    lab = shop()
    ground.apply(lab.world)
    ground.set("nat", "net.ipv4.ip_forward", 1)
    for rule in ("PREROUTING -p tcp --dport 6380 -j DNAT --to 10.0.2.10:6379", "POSTROUTING -j MASQUERADE"):
        ground.run("nat", "iptables", "-t", "nat", "-A", *rule.split())
    listener = ground.listen("cache", 6379)
    near = ground.open(CLIENT, socket.SOCK_STREAM)
    near.connect(("203.0.113.73", 6380))
    far, _ = listener.accept()
    ground.sockets.append(far)

    seen = asyncio.run(passing(lab.world, Counters(ground), "vpc-v"))

    assert seen.translates == {"eni-nat": ("6380 to 10.0.2.10:6379",)}
    assert {(f.source, f.target, f.port) for f in seen.flows} == {
        (CLIENT, "eni-nat", 6380), ("eni-nat", "eni-cache", 6379),
    }  # fmt: skip


def test_no_more_flows_are_looked_at_than_was_said(ground):
    lab = shop()
    ground.apply(lab.world)
    for _ in range(5):
        ground.flow("app", "cache", "10.0.2.10", 6379)

    found = connections(ground.namespaces, ["vpc-v", "vpc-none"], 3)

    assert sum(found["vpc-v"].values()) <= 3
    assert "vpc-none" not in found
