"""What the plan does to flows that are under way when something changes, by `decide` alone: no kernel."""

from ipaddress import IPv4Address

import pytest

from atoll.model.acl import NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.route import RouteAssociation, RouteTable
from atoll.network.decide import Kernel, Lost
from atoll.network.flow import TCP, UDP, Packet
from atoll.network.plan import compile
from tests.network.lab import acl_entry
from tests.network.worlds import Lab

CLIENT = IPv4Address("198.51.100.27")


def two_lab(*ingress, egress=("all 0.0.0.0/0",)):
    """Return a client and a server in two subnets of a VPC with a gateway; the rules are the server's."""
    lab = Lab()
    lab.vpc("v"), lab.gateway("v")
    for name, cidr in (("one", "10.0.0.0/24"), ("two", "10.0.1.0/24")):
        lab.subnet(name, cidr)
    lab.table("public", {"0.0.0.0/0": "igw-v"}, subnets=["one", "two"])
    lab.group("client"), lab.group("server", ingress=ingress, egress=egress)
    lab.instance("client", "one", groups=["client"], ip="10.0.0.10")
    lab.instance("server", "two", groups=["server"], ip="10.0.1.20")
    lab.elastic_ip("203.0.113.7", "server")
    lab.outside(str(CLIENT))
    return lab


def kernel_of(lab):
    return Kernel(compile(lab.world).facts())


def change(kernel, lab):
    kernel.put(compile(lab.world).facts())


def request(protocol=TCP, port=6379):
    return Packet(IPv4Address("10.0.0.10"), IPv4Address("10.0.1.20"), protocol, 40000, port)


def passes(kernel, sender, packet):
    try:
        kernel.send(sender, packet)
    except Lost:
        return False
    return True


def revoke(lab, group="server", *, egress=False):
    old = lab.world[SecurityGroup, f"sg-{group}"]
    lab.put(old, rules=tuple(r for r in old.rules if r.egress is not egress))


@pytest.mark.parametrize(
    ("rule", "egress", "protocol", "lives"),
    [
        ("tcp 6379 10.0.0.0/24", ["all 0.0.0.0/0"], TCP, True),
        ("tcp 6379 sg-client", ["all 0.0.0.0/0"], TCP, True),
        ("tcp 6379 0.0.0.0/0", ["all 0.0.0.0/0"], TCP, False),
        ("udp 6379 0.0.0.0/0", ["udp 0.0.0.0/0"], UDP, False),
        ("all 0.0.0.0/0", ["all 0.0.0.0/0"], UDP, False),
        ("tcp 6379 0.0.0.0/0", ["tcp 1024-65535 0.0.0.0/0"], TCP, True),
        ("tcp 6379 0.0.0.0/0", ["udp 0.0.0.0/0"], TCP, True),
    ],
    ids=[
        "a range is tracked", "a group is tracked", "any to any is not", "any to any of UDP is not",
        "everything is not", "answers to some ports only: tracked", "answers of another protocol only: tracked",
    ],
)  # fmt: skip
def test_a_revoked_rule_cuts_untracked_flows_only(rule, egress, protocol, lives):
    lab = two_lab(rule, egress=egress)
    kernel, packet = kernel_of(lab), request(protocol)
    assert kernel.ask("eni-client", packet).answered
    revoke(lab)
    change(kernel, lab)
    assert (passes(kernel, "eni-client", packet), passes(kernel, "eni-server", packet.reply())) == (lives, True)
    assert not kernel.ask("eni-client", request(protocol, 6380)).arrived


def test_rules_that_admit_everyone_only_together_track():
    lab = two_lab("tcp 6379 0.0.0.0/1", "tcp 6379 128.0.0.0/1")
    kernel, packet = kernel_of(lab), request()
    assert kernel.ask("eni-client", packet).answered
    revoke(lab)
    change(kernel, lab)
    assert passes(kernel, "eni-client", packet)


def test_a_tracked_flow_s_answers_need_no_rule():
    lab = two_lab("tcp 6379 10.0.0.0/24", egress=())
    kernel = kernel_of(lab)
    assert kernel.ask("eni-client", request()).answered
    assert not passes(kernel, "eni-server", request(port=22).reply())


def test_an_acl_cuts_tracked_flows():
    lab = two_lab("tcp 6379 10.0.0.0/24")
    kernel = kernel_of(lab)
    assert kernel.ask("eni-client", request()).answered
    acl = lab.world[NetworkAcl, "acl-v"]
    lab.put(acl, entries=(acl_entry("90 deny tcp 6379 10.0.0.0/24", egress=False), *acl.entries))
    change(kernel, lab)
    assert not passes(kernel, "eni-client", request())


def test_a_public_address_that_was_taken_away_is_nobody_s_for_open_flows_too():
    lab = two_lab("tcp 6379 198.51.100.27/32")
    kernel = kernel_of(lab)
    packet = Packet(CLIENT, IPv4Address("203.0.113.7"), TCP, 40000, 6379)
    assert kernel.ask(CLIENT, packet).answered
    lab.tx.delete(next(lab.world.all(ElasticIp)))
    change(kernel, lab)
    answer = Packet(IPv4Address("10.0.1.20"), CLIENT, TCP, 6379, 40000)
    assert not passes(kernel, CLIENT, packet)
    assert not passes(kernel, "eni-server", answer)


def test_a_gateway_s_own_table_leads_what_comes_in_through_a_machine():
    lab = two_lab("tcp 6379 198.51.100.27/32")
    lab.group("box", ingress=["all 0.0.0.0/0"])
    lab.instance("box", "one", groups=["box"], ip="10.0.0.50", check=False, public="203.0.113.50")
    edge = lab.table("edge", {"10.0.1.0/24": "i-box"})
    gate = RouteAssociation(id="rtbassoc-edge", gateway_id="igw-v")
    lab.put(lab.world[RouteTable, edge.id], associations=(gate,))
    kernel = kernel_of(lab)
    packet = Packet(CLIENT, IPv4Address("203.0.113.7"), TCP, 40000, 6379)
    assert kernel.ask(CLIENT, packet).arrived
    lab.put(lab.world[Interface, "eni-box"], source_dest_check=True)
    change(kernel, lab)
    assert not passes(kernel, CLIENT, packet)


@pytest.mark.parametrize("way", ["nat-nat", "igw-v"])
def test_a_flow_through_a_nat_gateway_is_tracked_although_its_rules_admit_everything(way):
    """EC2 User Guide, "Automatically tracked connections"."""
    lab = Lab()
    lab.vpc("v"), lab.gateway("v")
    lab.subnet("public", "10.0.0.0/24"), lab.subnet("private", "10.0.1.0/24")
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.instance("client", "private", groups=["open"], ip="10.0.1.10")
    lab.elastic_ip("203.0.113.8", "client")
    lab.nat_gateway("nat", "public", ips=["10.0.0.5"], publics=["203.0.113.7"])
    lab.table("public", {"0.0.0.0/0": "igw-v"}, subnets=["public"])
    lab.table("private", {"0.0.0.0/0": way}, subnets=["private"])
    lab.outside(str(CLIENT))
    kernel, packet = kernel_of(lab), Packet(IPv4Address("10.0.1.10"), CLIENT, TCP, 40000, 443)
    assert kernel.ask("eni-client", packet).answered
    revoke(lab, "open", egress=True)
    change(kernel, lab)
    assert passes(kernel, "eni-client", packet) is (way == "nat-nat")
    assert not passes(kernel, "eni-client", packet.but(source_port=40001))


def test_two_clients_of_a_nat_gateway_with_one_source_port_get_two():
    lab = Lab()
    lab.vpc("v"), lab.gateway("v")
    lab.subnet("public", "10.0.0.0/24"), lab.subnet("private", "10.0.1.0/24")
    lab.nat_gateway("nat", "public", ips=["10.0.0.5"], publics=["203.0.113.7"])
    lab.table("public", {"0.0.0.0/0": "igw-v"}, subnets=["public"])
    lab.table("private", {"0.0.0.0/0": "nat-nat"}, subnets=["private"])
    lab.outside(str(CLIENT))
    packets = []
    for name, ip in (("one", "10.0.1.10"), ("two", "10.0.1.11")):
        lab.instance(name, "private", ip=ip)
        packets.append((f"eni-{name}", Packet(IPv4Address(ip), CLIENT, TCP, 40001, 443)))
    kernel = kernel_of(lab)
    seen = [kernel.ask(sender, packet) for sender, packet in packets]
    assert all(decision.answered for decision in seen)
    assert {decision.received.source for decision in seen} == {IPv4Address("203.0.113.7")}
    assert [decision.received.source_port for decision in seen] == [40001, 1024]
    assert all(kernel.ask(sender, packet).answered for sender, packet in packets), "and keep them"
