"""IPv6 on real packets: flows, tracked and not, egress-only gateways, peers, adoption and repair."""

import os
import signal
import socket
from ipaddress import IPv6Address

import pytest

from atoll.model.acl import NetworkAcl
from atoll.model.gateway import EgressOnlyGateway
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.names import link_name
from atoll.network.plan import compile
from tests.kernel.ground import alive, lay_ground, soon
from tests.network.lab import EVERYWHERE6, acl_entry
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
PORT = 6379
OUTSIDE = "2001:db8:f::27"
WEB, NODE, APP = "2001:db8:1000:1::10", "2001:db8:1000:2::20", "2001:db8:1000:2::30"


@pytest.fixture
def ground():
    yield from lay_ground()


def dual_lab():
    """A public subnet with a web server, a private one (egress-only) with a node and an application."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", ipv6="2001:db8:1000::/56")
    lab.gateway("v")
    lab.egress_only("v")
    lab.subnet("web", "10.0.1.0/24", ipv6="2001:db8:1000:1::/64")
    lab.subnet("node", "10.0.2.0/24", ipv6="2001:db8:1000:2::/64")
    lab.table("web", {"::/0": "igw-v"}, subnets=["web"])
    lab.table("node", {"::/0": "eigw-v"}, subnets=["node"])
    lab.group("web", ingress=[f"tcp {PORT} {OUTSIDE}/128"], egress=EVERYWHERE6)
    lab.group("node", ingress=[f"tcp {PORT} sg-web"], egress=EVERYWHERE6)
    lab.instance("web", "web", groups=["web"], ip="10.0.1.10", ipv6=[WEB])
    lab.instance("node", "node", groups=["node"], ip="10.0.2.20", ipv6=[NODE])
    lab.instance("app", "node", groups=["web"], ip="10.0.2.30", ipv6=[APP])
    lab.instance("four", "node", groups=["web"], ip="10.0.2.40")
    lab.outside(OUTSIDE)
    return lab


def set_rules(lab, name, ingress, egress=EVERYWHERE6):
    group = lab.world[SecurityGroup, f"sg-{name}"]
    rules = [lab._rule(t, egress=False) for t in ingress] + [lab._rule(t, egress=True) for t in egress]
    lab.put(group, rules=tuple(rules))


def test_a_group_matches_the_ipv6_addresses_of_its_members(ground):
    lab = dual_lab()
    ground.apply(lab.world)
    assert alive(*ground.flow("web", "node", NODE, PORT))  # across subnets
    assert alive(*ground.flow("app", "node", NODE, PORT))  # within one, by way of the router
    with ground.listen("web", PORT, "::"), ground.listen("node", PORT + 1, "::"):
        assert not ground.connects("node", WEB, PORT)
        assert not ground.connects("web", NODE, PORT + 1)


def test_a_tracked_flow_outlives_its_rule_and_an_untracked_one_does_not(ground):
    lab = dual_lab()
    ground.apply(lab.world)
    tracked = ground.flow(OUTSIDE, "web", WEB, PORT)
    set_rules(lab, "web", [])
    ground.apply(lab.world)
    assert alive(*tracked)
    set_rules(lab, "web", ["tcp 0-65535 ::/0"])
    ground.apply(lab.world)
    untracked = ground.flow(OUTSIDE, "web", WEB, PORT + 1)
    assert alive(*untracked)
    set_rules(lab, "web", ["tcp 0-65535 0.0.0.0/0"])
    ground.apply(lab.world)
    assert not alive(*untracked)


def test_a_new_deny_of_an_acl_cuts_an_open_flow(ground):
    lab = dual_lab()
    ground.apply(lab.world)
    flow = ground.flow("web", "node", NODE, PORT)
    acl = lab.world[NetworkAcl, "acl-v"]
    lab.put(acl, entries=(*acl.entries, acl_entry(f"9 deny tcp {WEB}/128", egress=False)))
    ground.apply(lab.world)
    assert not alive(*flow)


def test_an_egress_only_gateway_lets_in_answers_only(ground):
    lab = dual_lab()
    set_rules(lab, "web", ["all ::/0"])
    lab.tx.delete(next(iter(lab.world.all(EgressOnlyGateway))))
    lab.vpc("w", "10.1.0.0/16", ipv6="2001:db8:1000:100::/56")
    lab.egress_only("w")
    lab.subnet("far", "10.1.0.0/24", vpc="w", ipv6="2001:db8:1000:101::/64")
    lab.table("far", {"::/0": "eigw-w"}, subnets=["far"], vpc="w")
    lab.group("far", vpc="w", ingress=["all ::/0"], egress=EVERYWHERE6)
    lab.instance("far", "far", groups=["far"], ipv6=["2001:db8:1000:101::10"])
    ground.apply(lab.world)
    flow = ground.flow("far", OUTSIDE, OUTSIDE, PORT)
    assert alive(*flow)
    with ground.listen("far", PORT, "::"):
        assert not ground.connects(OUTSIDE, "2001:db8:1000:101::10", PORT)
        assert not ground.connects("web", "2001:db8:1000:101::10", PORT)
    with ground.listen("web", PORT + 1, "::"):
        assert ground.connects("far", WEB, PORT + 1)  # out, and in by the other VPC's internet gateway
    lab.tx.delete(next(iter(lab.world.all(EgressOnlyGateway))))
    ground.apply(lab.world)
    assert not alive(*flow)


def test_a_ping_is_a_flow_of_icmpv6(ground):
    lab = dual_lab()
    ground.apply(lab.world)
    assert not pings(ground, "web", NODE)
    set_rules(lab, "node", ["icmpv6 128 sg-web"], egress=[])
    ground.apply(lab.world)
    assert pings(ground, "web", NODE)
    set_rules(lab, "node", ["icmp 8 sg-web", "icmp 128 sg-web"])  # of the other version
    ground.apply(lab.world)
    assert not pings(ground, "web", NODE)


def pings(ground, here, address):
    ground.set(here, "net.ipv4.ping_group_range", "0 0")
    sock = ground.open(here, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6, to=address)
    sock.settimeout(0.4)
    sock.connect((address, 0))
    sock.send(b"\x80\0\0\0\0\0\0\1abcd")
    try:
        return sock.recv(100)[0] == 129
    except TimeoutError:
        return False
    finally:
        sock.close()


def test_a_forged_source_is_dropped(ground):
    lab = dual_lab()
    ground.apply(lab.world)
    ground.run("app", "ip", "-6", "address", "add", f"{WEB}/128", "dev", "eth0", "nodad")
    with ground.listen("node", PORT, "::"):
        near = ground.open("app", to=NODE)
        near.bind((WEB, 0))
        near.settimeout(0.4)
        with pytest.raises(TimeoutError):
            near.connect((NODE, PORT))


def test_nobody_without_an_address_hears_of_ipv6(ground):
    lab = dual_lab()
    ground.apply(lab.world)
    for place, link in (("four", "eth0"), ("vpc-v", link_name("eni-four"))):
        assert ground.run(place, "cat", f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6").strip() == "1"
    assert ground.run("four", "ip", "-6", "address") == ""
    plain = Lab()
    plain.vpc("p", "10.0.0.0/16")
    plain.subnet("p", "10.0.0.0/24")
    plain.instance("p", "p")
    ground.apply(plain.world)
    assert "ip6" not in ground.run("vpc-p", "nft", "list", "tables")
    assert ground.run("vpc-p", "ip", "-6", "address") == ""
    assert "fwmark" not in ground.run("vpc-p", "ip", "-6", "rule")


def test_addresses_come_and_go(ground):
    lab = dual_lab()
    ground.apply(lab.world)
    four = lab.world[Interface, "eni-four"]
    lab.put(four, ipv6_addresses=(IPv6Address("2001:db8:1000:2::40"),))
    ground.apply(lab.world)
    assert alive(*ground.flow("four", "node", NODE, PORT))
    assert ground.fabric.verify() == []
    lab.put(four)
    ground.apply(lab.world)
    assert ground.run("four", "ip", "-6", "address") == ""
    assert ground.fabric.verify() == []


def test_a_vpc_gets_ipv6_and_loses_it_again(ground):
    lab = dual_lab()
    ground.apply(lab.world)
    dual = lab.world
    four = Lab()
    four.vpc("v", "10.0.0.0/16")
    four.subnet("node", "10.0.2.0/24")
    four.group("node", ingress=[f"tcp {PORT} 0.0.0.0/0"])
    four.instance("node", "node", groups=["node"], ip="10.0.2.20")
    four.instance("app", "node", groups=["node"], ip="10.0.2.30")
    for world in (four.world, dual, four.world):
        ground.apply(world)
        assert ground.fabric.verify() == []
    assert alive(*ground.flow("app", "node", "10.0.2.20", PORT))
    ground.apply(dual)
    assert alive(*ground.flow("app", "node", NODE, PORT))


def test_a_second_daemon_adopts_ipv6_and_flows_live_on(ground):
    lab = dual_lab()
    pid = os.fork()
    if pid == 0:
        try:
            ground.another().apply(compile(lab.world))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    flow = ground.flow("web", "node", NODE, PORT)
    out = ground.flow("app", OUTSIDE, OUTSIDE, PORT)
    lab.instance("more", "node", groups=["web"], ipv6=["2001:db8:1000:2::50"])
    ground.apply(lab.world)
    assert alive(*flow)
    assert alive(*out)
    assert alive(*ground.flow("more", "node", NODE, PORT))
    assert ground.fabric.verify() == []


def break_route(ground):
    ground.run("vpc-v", "ip", "-6", "route", "del", f"{NODE}/128")


def break_rule(ground):
    ground.run("vpc-v", "ip", "-6", "rule", "del", "fwmark", "0x2/0xbfff")


def break_table(ground):
    ground.run("vpc-v", "nft", "delete", "table", "ip6", "vpc")


def break_neighbour(ground):
    ground.run("vpc-v", "ip", "-6", "neigh", "flush", "all", "nud", "permanent")


def break_switch(ground):
    ground.set("vpc-v", f"net.ipv6.conf.{link_name('eni-node')}.disable_ipv6", 1)


BREAKS = [break_route, break_rule, break_table, break_neighbour, break_switch]


@pytest.mark.parametrize("damage", BREAKS, ids=[b.__name__.removeprefix("break_") for b in BREAKS])
def test_damage_is_noticed_and_mended(ground, damage):
    lab = dual_lab()
    ground.apply(lab.world)
    assert ground.fabric.verify() == []
    damage(ground)
    assert soon(lambda: ground.fabric.verify() != [])
    assert ground.fabric.verify() == []
    assert alive(*ground.flow("web", "node", NODE, PORT))


def test_peers_meet_over_ipv6_and_know_each_others_groups(ground):
    lab = dual_lab()
    lab.vpc("w", "10.1.0.0/16", ipv6="2001:db8:1000:100::/56")
    lab.peering("vw", "v", "w")
    lab.subnet("far", "10.1.0.0/24", vpc="w", ipv6="2001:db8:1000:101::/64")
    lab.table("far", {"2001:db8:1000::/56": "pcx-vw"}, subnets=["far"], vpc="w")
    lab.route("node", "2001:db8:1000:100::/56", "pcx-vw")
    lab.group("far", vpc="w", egress=EVERYWHERE6)
    lab.instance("far", "far", groups=["far"], ipv6=["2001:db8:1000:101::10"])
    ground.apply(lab.world)
    with ground.listen("node", PORT, "::"):
        assert not ground.connects("far", NODE, PORT)
    set_rules(lab, "node", [f"tcp {PORT} vpc-w/sg-far"])
    ground.apply(lab.world)
    assert alive(*ground.flow("far", "node", NODE, PORT))
