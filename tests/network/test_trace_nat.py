"""NAT gateways in the tracer: what they translate and refuse, and what it says then."""

from ipaddress import IPv4Address

import pytest

from atoll.model.nat_gateway import NatGateway
from atoll.model.route import RouteTable
from atoll.network.explain import explain, notes
from atoll.network.flow import Code, Packet, Verdict
from atoll.network.layers.nat_gateway import translated
from atoll.network.mend import mend
from tests.network.lab import refusal
from tests.network.worlds import Lab

SERVER, EIP = "198.51.100.27", "203.0.113.7"


@pytest.fixture
def lab():
    """Return a private subnet behind a public NAT gateway, and an inner one behind the same."""
    lab = Lab()
    lab.vpc("v"), lab.gateway("v")
    lab.subnet("public", "10.0.0.0/24"), lab.subnet("private", "10.0.1.0/24"), lab.subnet("inner", "10.0.2.0/24")
    lab.nat_gateway("nat", "public", ips=["10.0.0.5"], publics=[EIP])
    lab.table("public", {"0.0.0.0/0": "igw-v"}, subnets=["public"])
    lab.table("private", {"0.0.0.0/0": "nat-nat", "10.0.2.0/24": "nat-nat"}, subnets=["private"])
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.instance("client", "private", groups=["open"], ip="10.0.1.10")
    lab.instance("box", "private", groups=["open"], ip="10.0.1.50", check=False)
    lab.instance("inside", "inner", groups=["open"], ip="10.0.2.20")
    lab.outside(SERVER)
    return lab


def test_a_request_goes_out_with_the_elastic_ip_and_its_answer_comes_back(lab):
    trace = lab.trace("client", SERVER, "tcp", 443)
    assert trace.verdict is Verdict.DELIVERED
    assert str(trace.received) == f"tcp {EIP}:40000 -> {SERVER}:443"
    there = [step.layer for step in trace.steps]
    assert there.index("nat-gateway") < there.index("internet-gateway-out")
    assert there.count("acl-out") == 2
    assert there.count("acl-in") == 1
    (given,) = [step for step in trace.back if step.layer == "nat-gateway"]
    assert given.because == "eni-nat gives it back to 10.0.1.10"
    assert trace.assumed == (), "nothing is assumed of a gateway"
    assert "✓ nat-gateway          source 10.0.1.10 becomes 10.0.0.5" in explain(lab.world, trace)


def test_what_nobody_asked_for_is_refused_with_what_would_do_instead(lab):
    trace = lab.trace(SERVER, EIP, "tcp", 22)
    verdict, layer, at, code, because = refusal(trace)
    assert (verdict, layer, at, code) == (
        Verdict.REFUSED, "nat-gateway", "eni-nat", Code.NO_POSSIBLE_DESTINATION,
    )  # fmt: skip
    assert because.startswith("nobody behind eni-nat asked for it")
    (advice,) = mend(lab.world, trace)
    assert "NAT instance" in advice.says


def test_a_ping_to_it_is_refused(lab):
    assert lab.trace("client", "10.0.0.5", "icmp").verdict is Verdict.REFUSED


def test_only_sources_of_its_vpc_are_carried(lab):
    trace = lab.trace("box", SERVER, "tcp", 443, source=IPv4Address("172.31.0.9"))
    assert refusal(trace)[:4] == (Verdict.REFUSED, "nat-gateway", "eni-nat", Code.NGW_REQUIRES_SOURCE_IN_VPC)


def test_its_own_address_does_not_pass_it_again(lab):
    trace = lab.trace("box", SERVER, "tcp", 443, source=IPv4Address("10.0.0.5"))
    assert refusal(trace)[:2] == (Verdict.LOOP, "nat-gateway")


@pytest.mark.parametrize("protocol", ["47", "50"])
def test_other_protocols_are_refused_by_name(lab, protocol):
    verdict, layer, _, _, because = refusal(lab.trace("client", SERVER, protocol))
    assert (verdict, layer) == (Verdict.REFUSED, "nat-gateway")
    assert because.endswith(f"not protocol {protocol}")


def test_a_private_gateway_does_not_lead_to_the_internet_and_the_mend_says_what_does(lab):
    lab.nat_gateway("quiet", "public", ips=["10.0.0.6"])
    table = lab.world[RouteTable, "rtb-private"]
    lab.put(table, routes=tuple(r for r in table.routes if r.destination.prefixlen))
    lab.route("private", "0.0.0.0/0", "nat-quiet")
    trace = lab.trace("client", SERVER, "tcp", 443)
    assert refusal(trace)[3] is Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS
    (advice,) = mend(lab.world, trace)
    assert advice.command
    assert advice.command.startswith("aws ec2 create-nat-gateway --subnet-id subnet-public --allocation-id ")


@pytest.mark.parametrize("state", ["failed", "deleting", "deleted"])
def test_a_route_to_a_gateway_that_does_not_stand_is_a_blackhole(lab, state):
    lab.put(lab.world[NatGateway, "nat-nat"], state=state)
    assert refusal(lab.trace("client", SERVER, "tcp", 443))[3] is Code.BAD_STATE_ROUTE


def test_behind_a_gateway_the_source_is_its_private_address_and_the_flow_is_tracked(lab):
    trace = lab.trace("client", "inside", "tcp", 6379)
    assert trace.received.source == IPv4Address("10.0.0.5")
    told = list(notes(lab.world, trace))
    assert not any("do not track" in note for note in told), "it is tracked although the groups admit everything"
    direct = lab.trace("box", "client", "tcp", 6379)
    assert any("do not track" in note for note in notes(lab.world, direct))


@pytest.mark.parametrize(
    ("port", "leaves"), [(1023, 1024), (1024, 1024), (40001, 40001), (56023, 56023), (56024, 1024), (65535, 1024)]
)
def test_a_source_port_is_kept_if_the_gateway_has_it_to_give(port, leaves):
    addresses = (IPv4Address("10.0.0.5"),)
    packet = Packet(IPv4Address("10.0.1.10"), IPv4Address(SERVER), 6, port, 443)
    assert translated(addresses, packet).source_port == leaves
