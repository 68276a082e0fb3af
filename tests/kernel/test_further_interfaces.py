"""A machine with several interfaces has them all inside, each with its own groups, gateway and way out."""

import json

import pytest

from atoll.admin.drops import counted, drops
from atoll.host.linux.tallies import read_tallies
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.names import link_name
from tests.kernel.ground import alive, lay_ground
from tests.network.lab import CALLER, EVERYWHERE6
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
FIRST, SECOND, PEER = "10.0.1.10", "10.0.2.20", "10.0.3.30"
FIRST6, SECOND6, PEER6 = "2001:db8:1000:1::10", "2001:db8:1000:2::20", "2001:db8:1000:3::30"


@pytest.fixture
def ground():
    yield from lay_ground()


def small_lab(*, plugged):
    """Return a machine, an interface that it may have, and a peer: each with a subnet, and a group, of its own.

    The peer admits the second interface's group only; that one admits tcp 8080 from the peer, the first tcp 80.
    """
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", ipv6="2001:db8:1000::/56")
    for n, name in enumerate(("one", "two", "three"), 1):
        lab.subnet(name, f"10.0.{n}.0/24", ipv6=f"2001:db8:1000:{n}::/64")
    lab.group("peer", egress=EVERYWHERE6)
    lab.group("first", ingress=["tcp 80 sg-peer"], egress=EVERYWHERE6)
    lab.group("second", ingress=["tcp 8080 sg-peer"], egress=EVERYWHERE6)
    group = lab.world[SecurityGroup, "sg-peer"]
    lab.put(group, rules=(*group.rules, lab._rule("tcp 6379 sg-second", egress=False)))
    lab.instance("app", "one", groups=["first"], ip=FIRST, ipv6=[FIRST6])
    lab.instance("other", "one", groups=["first"], ip="10.0.1.11")
    lab.instance("peer", "three", groups=["peer"], ip=PEER, ipv6=[PEER6])
    lab.interface("more", "two", groups=["second"], ip=SECOND, ipv6=[SECOND6])
    if plugged:
        plug(lab, "app")
    return lab


def plug(lab, instance):
    lab.plug(lab.world[Interface, "eni-more"], instance)


def unplug(lab):
    lab.put(lab.world[Interface, "eni-more"], attachment=None)


def inside(ground, place, link):
    """Return the addresses of a link inside a machine, with their prefix lengths; none if there is no such link."""
    links = json.loads(ground.run(place, "ip", "-j", "addr"))
    found = [i for one in links if one["ifname"] == link for i in one["addr_info"] if i["scope"] == "global"]
    return {f"{i['local']}/{i['prefixlen']}" for i in found}


def reaches(ground, here, source, address, port):
    """Tell whether a connection from one of a machine's addresses is possible."""
    near = ground.open(here, to=address)
    near.settimeout(0.5)
    near.bind((source, 0))
    try:
        near.connect((address, port))
    except TimeoutError:
        return False
    finally:
        near.close()
    return True


def assert_works(ground, place="app", sources=(SECOND, SECOND6)):
    """Hold the second interface to its groups, both ways, and the first one to its own."""
    peers = [ground.listen("peer", 6379, at) for at in (PEER, PEER6)]
    for source, peer in zip(sources, (PEER, PEER6), strict=False):
        assert reaches(ground, place, source, peer, 6379), source
    assert not reaches(ground, place, "0.0.0.0", PEER, 6379), "the first one is not admitted"
    mine = [ground.listen(place, port) for port in (80, 8080)]
    assert ground.connects("peer", SECOND, 8080)
    assert not ground.connects("peer", SECOND, 80)
    for listener in (*peers, *mine):
        listener.close()


def test_a_second_interface_is_inside_with_the_mask_of_its_subnet_and_its_own_groups(ground):
    lab = small_lab(plugged=True)
    ground.apply(lab.world)
    assert inside(ground, "app", "eth0") == {f"{FIRST}/24", f"{FIRST6}/128"}
    assert inside(ground, "app", "eth1") == {f"{SECOND}/24", f"{SECOND6}/128"}
    assert_works(ground)
    assert ground.fabric.verify() == []


def test_two_interfaces_in_one_subnet_are_told_apart_by_the_address_that_sends(ground):
    lab = small_lab(plugged=True)
    lab.interface("near", "one", groups=["second"], ip="10.0.1.20")
    lab.plug(lab.world[Interface, "eni-near"], "app", 5)
    ground.apply(lab.world)
    assert inside(ground, "app", "eth5") == {"10.0.1.20/24"}
    ground.listen("peer", 6379)
    for source, may in (("10.0.1.20", True), (SECOND, True), (FIRST, False)):
        assert reaches(ground, "app", source, PEER, 6379) is may, source
    ground.listen("other", 80)
    assert not reaches(ground, "app", "10.0.1.20", "10.0.1.11", 80), "sg-first admits the peer only"


def test_a_refused_packet_is_counted_under_the_interface_that_sent_it(ground):
    lab = small_lab(plugged=True)
    ground.apply(lab.world)
    assert not reaches(ground, "app", SECOND, PEER, 22)
    found = drops(lab.world.seen_by(CALLER), ground.plan, read_tallies(ground.namespaces, counted(ground.plan)))
    assert {(drop.source, drop.target) for drop in found} == {("eni-more", "eni-peer")}


def test_a_machine_answers_by_the_interface_that_was_asked(ground):
    lab = small_lab(plugged=True)
    ground.apply(lab.world)
    near, far = ground.flow("peer", "app", SECOND, 8080)
    assert alive(near, far)
    assert far.getsockname()[0] == SECOND
    first, there = ground.flow("peer", "app", FIRST, 80)
    assert alive(first, there)


def test_an_interface_comes_while_the_machine_runs_and_goes_again(ground):
    lab = small_lab(plugged=False)
    ground.apply(lab.world)
    flow = ground.flow("peer", "app", FIRST, 80)
    ground.run("app", "ip", "route", "add", "192.0.2.0/24", "via", "10.0.1.1")
    for _ in range(2):
        plug(lab, "app")
        ground.apply(lab.world)
        assert inside(ground, "app", "eth1") == {f"{SECOND}/24", f"{SECOND6}/128"}
        assert_works(ground)
        assert ground.fabric.verify() == []
        unplug(lab)
        ground.apply(lab.world)
        assert inside(ground, "app", "eth1") == set()
        assert "10001" not in ground.run("app", "ip", "rule"), "its rules went with it"
        assert "10001" not in ground.run("app", "ip", "-6", "rule")
        assert not ground.connects("peer", SECOND, 8080)
        assert ground.fabric.verify() == []
    assert alive(*flow), "what the first interface carries goes on"
    assert "192.0.2.0/24" in ground.run("app", "ip", "route"), "what the machine did itself stays"


def test_an_interface_moves_to_another_machine_at_once(ground):
    lab = small_lab(plugged=True)
    ground.apply(lab.world)
    plug(lab, "other")
    ground.apply(lab.world)
    assert inside(ground, "app", "eth1") == set()
    assert inside(ground, "other", "eth1") == {f"{SECOND}/24", f"{SECOND6}/128"}
    assert_works(ground, "other")


@pytest.mark.parametrize("plugged", [True, False], ids=["it had been detached", "it had been attached"])
def test_another_daemon_finds_an_interface_where_it_must_not_be_any_more(ground, plugged):
    """The first one died between the change of the World and that of the network."""
    lab = small_lab(plugged=not plugged)
    ground.apply(lab.world)
    ground.fabric.close()
    ground.fabric, ground.plan = ground.another(), type(ground.plan)()
    (plug(lab, "app") if plugged else unplug(lab))
    ground.apply(lab.world)
    assert inside(ground, "app", "eth1") == ({f"{SECOND}/24", f"{SECOND6}/128"} if plugged else set())
    if plugged:
        assert_works(ground)


def test_a_second_interface_that_somebody_destroyed_comes_back(ground):
    lab = small_lab(plugged=True)
    ground.apply(lab.world)
    ground.run("vpc-v", "ip", "link", "del", link_name("eni-more"))
    assert ground.fabric.verify()
    assert_works(ground)
    assert ground.fabric.verify() == []
