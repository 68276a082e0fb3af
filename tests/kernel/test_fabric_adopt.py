"""The fabric survives its daemon and its enemies: it adopts what it finds, and mends what was broken."""

import os
import random
import signal
from ipaddress import IPv4Network

import pytest

from atoll.host.contract import HostError
from atoll.host.linux.netlink import Netlink
from atoll.model.group import SecurityGroup
from atoll.model.names import link_name
from atoll.network.compile.fragment import Fragment, Key, Part
from atoll.network.facts import IPV4, Element, Route
from atoll.network.plan import Plan, compile
from tests.kernel.ground import alive, lay_ground, soon
from tests.network.worlds import Lab, prod_lab, random_world

pytestmark = pytest.mark.kernel
NODE, APP = "eni-sessions-001-0001", "eni-app"


@pytest.fixture
def ground():
    yield from lay_ground()


@pytest.fixture
def lab():
    return prod_lab()


def open_flow(ground):
    return ground.flow("app", "sessions-001-0001", "10.0.1.230", 6379)


def fresh_flow(ground):
    with ground.listen("sessions-001-0001", 6379) as listener:
        return ground.connects("app", "10.0.1.230", 6379) and listener.accept() is not None


def add_rule(lab, group, text):
    old = lab.world[SecurityGroup, group]
    lab.put(old, rules=(*old.rules, lab._rule(text, egress=False)))


def test_a_second_daemon_adopts_what_the_first_left_and_flows_live_on(ground, lab):
    pid = os.fork()
    if pid == 0:  # the first daemon, killed without warning
        try:
            ground.another().apply(compile(lab.world))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    flow = open_flow(ground)
    guests = {name: ground.run(name, "ip", "-o", "addr") for name in (NODE, APP)}
    add_rule(lab, "sg-cache", "tcp 22 sg-bastion")  # it changed while nobody watched
    lab.instance("more", "private", groups=["app"])
    ground.apply(lab.world)
    assert alive(*flow)
    assert {name: ground.run(name, "ip", "-o", "addr") for name in guests} == guests
    assert alive(*ground.flow("bastion", "sessions-001-0001", "10.0.1.230", 22))
    assert alive(*ground.flow("more", "sessions-001-0001", "10.0.1.230", 6379))
    assert ground.fabric.verify() == []


def test_a_daemon_killed_at_any_moment_leaves_what_the_next_can_finish(ground, lab):
    for milliseconds in (1, 3, 6, 10, 15):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process
            signal.setitimer(signal.ITIMER_REAL, milliseconds / 1000)
            ground.another().apply(compile(lab.world))
            os._exit(0)
        os.waitpid(pid, 0)
        fabric = ground.another()
        plan = compile(lab.world)
        assert fabric.apply(plan) == []
        assert fabric.verify() == []
        assert fresh_flow(ground)
        assert fabric.apply(Plan()) == []
        assert fabric.apply(compile(Lab().world)) == []
        fabric.close()


def test_what_nobody_wants_goes_at_adoption(ground, lab):
    ground.apply(lab.world)
    ground.fabric.close()
    ground.namespaces.create("eni-stray")
    next_one = ground.another()
    next_one.apply(compile(Lab().world))
    assert ground.namespaces.names() == frozenset()
    next_one.close()


def break_namespace(ground):
    ground.namespaces.delete(NODE)


def break_router(ground):
    ground.namespaces.delete("vpc-prod")


def break_link(ground):
    ground.run("vpc-prod", "ip", "link", "del", link_name(NODE))


def break_link_from_inside(ground):
    ground.run(NODE, "ip", "link", "del", "eth0")


def break_link_state(ground):
    ground.run("vpc-prod", "ip", "link", "set", link_name(NODE), "down")


def break_route(ground):
    ground.run("vpc-prod", "ip", "route", "del", "10.0.1.230/32")


def break_policy_rule(ground):
    ground.run("vpc-prod", "ip", "rule", "del", "fwmark", "0x2/0xbfff")


def break_table(ground):
    ground.run("vpc-prod", "nft", "delete", "table", "ip", "vpc")


def break_arp(ground):
    ground.run("vpc-prod", "nft", "flush", "map", "netdev", "vpc_arp", "macs")


def break_rules(ground):
    ground.run("vpc-prod", "nft", "insert", "rule", "ip", "vpc", "sending", "drop")


def break_neighbour(ground):
    ground.run("vpc-prod", "ip", "neigh", "flush", "all", "nud", "permanent")


BREAKS = [
    break_namespace, break_router, break_link, break_link_from_inside, break_link_state, break_route,
    break_policy_rule, break_table, break_arp, break_rules, break_neighbour,
]  # fmt: skip


@pytest.mark.parametrize("damage", BREAKS, ids=[b.__name__.removeprefix("break_") for b in BREAKS])
def test_damage_behind_our_back_is_noticed_named_and_mended(ground, lab, damage):
    ground.apply(lab.world)
    assert ground.fabric.verify() == []
    damage(ground)
    assert soon(lambda: ground.fabric.verify() != [])
    assert ground.fabric.verify() == []
    assert fresh_flow(ground)
    assert not ground.connects("bastion", "10.0.1.230", 6379)


def test_a_change_after_damage_mends_it_too(ground, lab):
    ground.apply(lab.world)
    break_table(ground)
    add_rule(lab, "sg-cache", "tcp 22 sg-bastion")
    ground.apply(lab.world)
    assert fresh_flow(ground)
    assert alive(*ground.flow("bastion", "sessions-001-0001", "10.0.1.230", 22))
    assert ground.fabric.verify() == []


def test_what_a_guest_did_to_itself_is_left_alone(ground, lab):
    ground.apply(lab.world)
    ground.run(APP, "ip", "route", "replace", "default", "via", "10.0.1.99")
    ground.run(APP, "ip", "addr", "add", "172.17.0.1/24", "dev", "lo")
    assert ground.fabric.verify() == []
    ground.fabric = ground.another()
    assert ground.fabric.apply(ground.plan) == []
    assert "via 10.0.1.99" in ground.run(APP, "ip", "route")
    assert "172.17.0.1" in ground.run(APP, "ip", "addr")


def test_a_fragment_that_the_kernel_refuses_stops_no_other(ground, lab):
    good = compile(lab.world)
    bad = Key("vpc-prod", "bad", "sg-bad")
    facts = (
        Element("vpc-prod", IPV4, "vpc", "no_such_set", (1,)),
        Route("vpc-prod", IPv4Network("10.0.9.0/24"), link="nolink"),
    )
    plan = Plan({**good.parts, ("vpc-prod", "bad"): Part((), {"sg-bad": Fragment(bad, (), facts)})}, good.made_from)
    for _ in range(2):  # it is tried again, and fails again, and nothing else does
        ((key, error),) = ground.fabric.apply(plan)
        assert (key, isinstance(error, HostError)) == (bad, True)
        assert fresh_flow(ground)
    assert ground.fabric.apply(good) == []
    assert ground.fabric.verify() == []
    add_rule(lab, "sg-cache", "tcp 22 sg-bastion")
    assert ground.fabric.apply(compile(lab.world, good)) == []
    assert alive(*ground.flow("bastion", "sessions-001-0001", "10.0.1.230", 22))


def dump(ground):
    """Return everything the kernel holds that a plan decides, free of numbers that only the kernel chose."""
    out = {}
    for name in ("", *ground.namespaces.names()):
        with Netlink(None if not name else os.open(ground.namespaces.directory / name, os.O_RDONLY)) as net:
            links = {link.index: link for link in net.links()}
            names = {index: link.name for index, link in links.items()} | {0: ""}
            out[name] = (
                {(link.name, link.mac, link.up, link.mtu) for link in links.values()},
                {(names[index], address) for index, address in net.addresses()},
                {(names[n.link], n.address, n.mac) for n in net.neighbours()},
                {(names[r.link], r.network, r.via, r.table, r.kind, r.metric) for r in net.routes()},
                net.rules(),
                rules_of(ground, name) if name.startswith("vpc-") else "",
            )
    return out


def rules_of(ground, name):
    """Return the listed rules, sorted: the order of elements, chains and policies means nothing."""
    blocks = ground.run(name, "nft", "-s", "list", "ruleset").replace(",\n\t\t\t     ", ", ").split("\n\n")
    blocks = [part for block in blocks for part in block.split("\n\t}\n")]
    tidy = []
    for block in blocks:
        lines = [
            "elements " + " ".join(sorted(" ".join(line.split("{")[1].split("}")[0].split()).split(", ")))
            if "elements = {" in line
            else line.strip()
            for line in " ".join(block.split("\n\t\t\t")).split("\n")
        ]
        if any(line.startswith("flags dynamic") for line in lines):  # what packets have counted is no plan's affair
            lines = [line for line in lines if not line.startswith("elements ")]
        tidy.append("\n".join(line for line in lines if line not in ("}", "") and not line.startswith("table ")))
    return sorted(tidy)


@pytest.mark.parametrize("seed", range(8))
def test_from_any_world_to_any_other_the_kernel_ends_up_the_same(ground, seed):
    one, two = (random_world(random.Random(n)) for n in (seed, seed + 100))
    ground.apply(two)
    alone = dump(ground)
    ground.apply(one)
    ground.apply(two)
    assert dump(ground) == alone
    assert ground.fabric.verify() == []
    ground.apply(Lab().world)
    assert ground.namespaces.names() == frozenset()
