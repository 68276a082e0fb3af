"""Refused packets are counted: for what reason, and between whom."""

import socket
from dataclasses import replace

import pytest

from atoll.admin import usage
from atoll.admin.drops import counted, drops
from atoll.host.linux.tallies import Reader, read_tallies
from atoll.model.acl import NetworkAcl
from tests.kernel.ground import lay_ground, soon
from tests.network.lab import CALLER, NOW, OPEN_ACL, acl_entry
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
CLIENT = "198.51.100.27"


@pytest.fixture
def ground():
    yield from lay_ground()


def small_lab():
    """Return an application and a cache in two subnets behind a gateway; the cache admits tcp 6379 from it."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16"), lab.gateway("v")
    lab.acl("inner", ingress=["90 deny tcp 6380 0.0.0.0/0", *OPEN_ACL])
    lab.subnet("app", "10.0.1.0/24"), lab.subnet("inner", "10.0.2.0/24", acl="inner")
    lab.table("app", {"0.0.0.0/0": "igw-v"}, subnets=["app"])
    lab.group("app"), lab.group("cache", ingress=["tcp 6379-6390 sg-app"])
    lab.group("shut", egress=["tcp 22 0.0.0.0/0"])
    lab.instance("app", "app", groups=["app"], ip="10.0.1.10")
    lab.instance("shut", "app", groups=["shut"], ip="10.0.1.11")
    lab.instance("cache", "inner", groups=["cache"], ip="10.0.2.10")
    lab.outside(CLIENT)
    return lab


def datagram(ground, place, address, port, source="0.0.0.0"):
    sock = ground.open(place, socket.SOCK_DGRAM)
    sock.bind((source, 0))
    sock.sendto(b"x", (address, port))


def seen(ground, lab):
    """Return what was refused: who refused it, why, from where, to where -> packets and bytes."""
    tallies = read_tallies(ground.namespaces, counted(ground.plan))
    found = drops(lab.world.seen_by(CALLER), ground.plan, tallies)
    return {(d.by, d.reason, d.source, d.target): (d.packets, d.bytes) for d in found}


@pytest.mark.parametrize(
    ("place", "address", "port", "because"),
    [
        ("app", "10.0.2.10", 53, ("receiver", "no rule in", "eni-app", "eni-cache")),
        ("shut", "10.0.2.10", 6379, ("sender", "no rule out", "eni-shut", "eni-cache")),
        ("app", "198.51.100.27", 9, ("network", "no public address", "eni-app", "internet")),
    ],
    ids=["receiver's groups", "sender's groups", "gateway"],
)
def test_each_refused_packet_is_counted_under_who_refused_it_and_why(ground, place, address, port, because):
    lab = small_lab()
    ground.apply(lab.world)
    for _ in range(3):
        datagram(ground, place, address, port)
    assert soon(lambda: seen(ground, lab) == {because: (3, 3 * 29)})


def test_an_acl_names_its_rule_and_a_forged_source_is_nobodys(ground):
    lab = small_lab()
    ground.apply(lab.world)
    assert not ground.connects("app", "10.0.2.10", 6380)
    ground.run("app", "ip", "addr", "add", "10.0.1.99/32", "dev", "eth0")
    datagram(ground, "app", "10.0.2.10", 53, source="10.0.1.99")
    assert soon(lambda: ("check", "source check", "eni-app", None) in seen(ground, lab))
    assert ("receiver", "rule 90 of acl-inner", "eni-app", "eni-cache") in seen(ground, lab)


def test_what_passes_is_not_counted_and_counting_survives_a_change_of_the_rules(ground):
    lab = small_lab()
    ground.apply(lab.world)
    ground.flow("app", "cache", "10.0.2.10", 6379)
    assert seen(ground, lab) == {}
    datagram(ground, "app", "10.0.2.10", 53)
    assert soon(lambda: seen(ground, lab))
    acl = lab.world[NetworkAcl, "acl-inner"]
    lab.put(acl, entries=(*acl.entries, acl_entry("80 deny udp 53 0.0.0.0/0", egress=False)))
    ground.apply(lab.world)
    datagram(ground, "app", "10.0.2.10", 53)
    wanted = {"no rule in", "rule 80 of acl-inner"}
    assert soon(lambda: {reason for _, reason, _, _ in seen(ground, lab)} == wanted)


def test_taking_what_was_counted_begins_at_zero_again(ground):
    lab = small_lab()
    ground.apply(lab.world)
    container = next(c for c in counted(ground.plan) if c.namespace == "vpc-v")
    with Reader(ground.namespaces, "vpc-v") as reader:
        for expected in (1, 1):
            datagram(ground, "app", "10.0.2.10", 53)
            assert soon(lambda: any(t.packets for t in reader.read(container)))
            assert [t.packets for t in reader.read(container, take=True)] == [expected]
        assert [t.packets for t in reader.read(container)] == [0]


def test_a_full_set_still_refuses(ground, monkeypatch):
    """A set that takes no more entries ends its rule: the packet must be dropped by the next one."""
    monkeypatch.setattr("atoll.network.compile.refusals.REASONS_MAX", 1)
    lab = small_lab()
    ground.apply(lab.world)
    datagram(ground, "shut", "10.0.2.10", 6379)
    assert soon(lambda: len(seen(ground, lab)) == 1)
    assert not ground.connects("app", "10.0.2.10", 53)
    assert len(seen(ground, lab)) == 1


def test_counting_survives_another_daemon_and_a_repair(ground):
    lab = small_lab()
    ground.apply(lab.world)
    because = ("receiver", "no rule in", "eni-app", "eni-cache")
    datagram(ground, "app", "10.0.2.10", 53)
    assert soon(lambda: seen(ground, lab) == {because: (1, 29)})
    ground.fabric.close()
    ground.fabric = ground.another()
    ground.apply(lab.world)
    assert seen(ground, lab) == {because: (1, 29)}
    datagram(ground, "app", "10.0.2.10", 53)
    assert soon(lambda: seen(ground, lab) == {because: (2, 58)})
    ground.run("vpc-v", "nft", "add", "table", "ip", "stranger")
    assert ground.fabric.verify()
    assert seen(ground, lab) == {because: (2, 58)}


def test_a_stranger_is_told_nothing(ground):
    lab = small_lab()
    ground.apply(lab.world)
    datagram(ground, "app", "10.0.2.10", 53)
    assert soon(lambda: seen(ground, lab))
    tallies = read_tallies(ground.namespaces, counted(ground.plan))
    for stranger in (replace(CALLER, account="999999999999"), replace(CALLER, region="eu-west-1")):
        assert drops(lab.world.seen_by(stranger), ground.plan, tallies) == []
        assert usage.usage(lab.world.seen_by(stranger), NOW, tallies, {}, {}) == {
            "nat_gateways": [], "instances": [], "caches": [],
        }  # fmt: skip
