"""The internet gateway, public addresses, and machines that forward."""

import pytest

from atoll.model.interface import Interface
from atoll.network.flow import Code, Verdict
from tests.network.worlds import Lab


@pytest.fixture
def lab() -> Lab:
    """A public subnet with a web server (an Elastic IP) and a private one, an outside host."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.gateway("v")
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.subnet("public", "10.0.0.0/24")
    lab.subnet("private", "10.0.1.0/24")
    lab.table("public", {"0.0.0.0/0": "igw-v"}, subnets=["public"])
    lab.instance("web", "public", groups=["open"], ip="10.0.0.10")
    lab.elastic_ip("203.0.113.1", "web")
    lab.instance("bare", "public", groups=["open"], ip="10.0.0.11")
    lab.instance("auto", "public", groups=["open"], ip="10.0.0.12", public="203.0.113.2")
    lab.instance("db", "private", groups=["open"], ip="10.0.1.20")
    lab.outside("198.51.100.27")
    return lab


def test_the_gateway_translates_both_ways(lab):
    trace = lab.trace("web", "198.51.100.27", "tcp", 443)
    assert trace.verdict is Verdict.DELIVERED
    assert str(trace.received) == "tcp 203.0.113.1:40000 -> 198.51.100.27:443"  # the port is unchanged
    assert [s.because for s in trace.steps if s.at == "igw-v"] == ["source 10.0.0.10 becomes 203.0.113.1"]
    assert [s.because for s in trace.back if s.at == "igw-v"] == ["destination 203.0.113.1 becomes 10.0.0.10"]


def test_outside_reaches_a_public_address_and_the_interface_sees_its_private_one(lab):
    trace = lab.trace("198.51.100.27", "203.0.113.1", "tcp", 80)
    assert (trace.verdict, trace.receiver) == (Verdict.DELIVERED, "eni-web")
    assert str(trace.received) == "tcp 198.51.100.27:40000 -> 10.0.0.10:80"
    layers = ["internet", "internet-gateway-in", "acl-in", "ingress-groups", "delivery"]
    assert [s.layer for s in trace.steps] == layers


def test_without_a_public_address_nothing_leaves(lab):
    step = lab.trace("bare", "198.51.100.27", "tcp", 443).refusals[0]
    said = step.layer, step.at, step.code, step.because
    code = Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS
    assert said == ("internet-gateway-out", "igw-v", code, "10.0.0.11 has no public address")


def test_an_automatic_address_serves_until_an_elastic_one_replaces_it(lab):
    assert lab.trace("198.51.100.27", "203.0.113.2", "tcp", 80).receiver == "eni-auto"
    lab.elastic_ip("203.0.113.9", "auto")
    assert lab.trace("198.51.100.27", "203.0.113.9", "tcp", 80).receiver == "eni-auto"
    assert lab.trace("198.51.100.27", "203.0.113.2", "tcp", 80).verdict is Verdict.NOBODY
    assert str(lab.trace("auto", "198.51.100.27", "tcp", 80).received).startswith("tcp 203.0.113.9:")


def test_an_elastic_ip_of_a_secondary_address_serves_that_address_only(lab):
    lab.instance("two", "public", groups=["open"], ip="10.0.0.30", more_ips=["10.0.0.31"])
    lab.elastic_ip("203.0.113.5", "two", "10.0.0.31")
    into = lab.trace("198.51.100.27", "203.0.113.5", "tcp", 80)
    assert (into.verdict, str(into.received)) == (Verdict.DELIVERED, "tcp 198.51.100.27:40000 -> 10.0.0.31:80")
    assert lab.trace("two", "198.51.100.27", "tcp", 80).verdict is Verdict.REFUSED
    second = lab.trace("two", "198.51.100.27", "tcp", 80, source=lab.address("10.0.0.31"))
    assert second.verdict is Verdict.DELIVERED


@pytest.mark.parametrize("private", ["10.9.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"])
def test_the_gateway_refuses_private_destinations(lab, private):
    trace = lab.trace("web", private, "tcp", 80)
    code = trace.refusals[0].code
    assert (trace.verdict, code) == (Verdict.REFUSED, Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS)


def test_the_gateway_refuses_private_sources_from_the_internet(lab):
    trace = lab.trace("198.51.100.27", "203.0.113.1", "tcp", 80, source=lab.address("10.0.1.20"))
    code = trace.refusals[0].code
    assert (trace.verdict, code) == (Verdict.REFUSED, Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS)


def test_nobody_reaches_a_private_address_from_the_internet(lab):
    trace = lab.trace("198.51.100.27", "10.0.1.20", "tcp", 6379)
    because = "10.0.1.20 is a private address: nobody reaches it from the internet"
    assert (trace.verdict, trace.steps[-1].because) == (Verdict.REFUSED, because)


def test_an_unassociated_address_and_an_unknown_one_are_nobodys(lab):
    lab.elastic_ip("203.0.113.7")
    assert lab.trace("198.51.100.27", "203.0.113.7", "tcp", 80).verdict is Verdict.NOBODY
    assert lab.trace("web", "8.8.8.8", "tcp", 80).verdict is Verdict.NOBODY


def test_a_public_address_needs_a_gateway(lab):
    lab.put(lab.gateway("v"), vpc_id=None)
    assert lab.trace("198.51.100.27", "203.0.113.1", "tcp", 80).verdict is Verdict.NOBODY


def test_a_public_address_without_a_route_hears_but_does_not_answer(lab):
    lab.elastic_ip("203.0.113.8", "db")  # in the private subnet
    trace = lab.trace("198.51.100.27", "203.0.113.8", "tcp", 80)
    assert (trace.verdict, trace.receiver) == (Verdict.NO_ANSWER, "eni-db")
    assert trace.back[-1].code is Code.NO_ROUTE_TO_DESTINATION


@pytest.mark.parametrize("target", ["203.0.113.2", "203.0.113.1"], ids=["another's", "its own"])
def test_traffic_between_public_addresses_turns_round_outside(lab, target):
    trace = lab.trace("web", target, "tcp", 80)
    assert trace.verdict is Verdict.DELIVERED
    assert str(trace.received).startswith("tcp 203.0.113.1:")
    assert [s.layer for s in trace.steps if s.at == "igw-v"] == ["internet-gateway-out", "internet-gateway-in"]


def test_public_addresses_connect_vpcs(lab):
    lab.vpc("w", "10.0.0.0/16")  # the same range
    lab.gateway("w")
    lab.group("w-open", ingress=["tcp 80 203.0.113.1/32"], vpc="w")
    lab.subnet("w", "10.0.0.0/24", vpc="w")
    lab.route("w", "0.0.0.0/0", "igw-w")
    lab.instance("far", "w", groups=["w-open"], public="203.0.113.50")
    trace = lab.trace("web", "203.0.113.50", "tcp", 80)
    assert (trace.verdict, trace.receiver) == (Verdict.DELIVERED, "eni-far")
    assert lab.trace("auto", "203.0.113.50", "tcp", 80).verdict is Verdict.DENIED


def test_outside_hosts_reach_each_other(lab):
    lab.outside("198.51.100.28")
    assert lab.trace("198.51.100.27", "198.51.100.28", "tcp", 80).verdict is Verdict.DELIVERED


def test_an_address_outside_that_is_not_in_the_world_may_ask(lab):
    assert lab.trace("192.0.2.77", "203.0.113.1", "tcp", 80).verdict is Verdict.DELIVERED


# ---- machines that forward


@pytest.fixture
def box(lab) -> Lab:
    """A machine in the public subnet that the private one's traffic to the internet goes through."""
    lab.instance("box", "public", groups=["open"], ip="10.0.0.50", check=False)
    lab.elastic_ip("203.0.113.50", "box")
    lab.table("private", {"0.0.0.0/0": "i-box"}, subnets=["private"])
    return lab


def test_a_machine_is_assumed_to_forward_unchanged_and_the_trace_says_so(box):
    trace = box.trace("db", "198.51.100.27", "tcp", 443)
    assert trace.assumed == ("eni-box",)
    assert any(s.because == "i-box is assumed to forward it unchanged" for s in trace.steps)
    # Without the guest's own translation the source is an address without a public one.
    assert (trace.verdict, trace.refusals[0].because) == (Verdict.REFUSED, "10.0.1.20 has no public address")


def test_a_nat_image_is_assumed_to_masquerade_and_to_give_answers_back(lab):
    lab.instance("nat", "public", groups=["open"], ip="10.0.0.50", check=False, nat_image=True)
    lab.elastic_ip("203.0.113.50", "nat")
    lab.table("private", {"0.0.0.0/0": "i-nat"}, subnets=["private"])
    for protocol, port in (("tcp", 443), ("udp", 53), ("icmp", 0)):
        trace = lab.trace("db", "198.51.100.27", protocol, port)
        assert (trace.verdict, trace.assumed) == (Verdict.DELIVERED, ("eni-nat",))
        assert trace.received
        assert str(trace.received.source) == "203.0.113.50"
        assert any(s.because == "i-nat is assumed to forward it from 10.0.0.50" for s in trace.steps)
        assert any(s.because == "i-nat gives it back to 10.0.1.20" for s in trace.back)


def test_a_nat_image_admits_nothing_that_was_not_asked_for(lab):
    lab.instance("nat", "public", groups=["open"], ip="10.0.0.50", check=False, nat_image=True)
    lab.elastic_ip("203.0.113.50", "nat")
    assert lab.trace("198.51.100.27", "203.0.113.50", "tcp", 80).receiver == "eni-nat"


def test_an_answer_by_way_of_a_nat_image_is_translated_only_with_udp(lab):
    """Who has an Elastic IP but routes through a NAT image answers TCP from its own address, UDP from another."""
    lab.instance("nat", "public", groups=["open"], ip="10.0.0.50", check=False, nat_image=True)
    lab.elastic_ip("203.0.113.50", "nat")
    lab.elastic_ip("203.0.113.51", "db")
    lab.table("private", {"0.0.0.0/0": "i-nat"}, subnets=["private"])
    assert lab.trace("198.51.100.27", "203.0.113.51", "tcp", 80).verdict is Verdict.DELIVERED
    assert lab.trace("198.51.100.27", "203.0.113.51", "icmp").verdict is Verdict.DELIVERED
    trace = lab.trace("198.51.100.27", "203.0.113.51", "udp", 80)
    because = "the answer comes from 203.0.113.50, not from 203.0.113.51"
    assert (trace.verdict, trace.back[-1].because) == (Verdict.NO_ANSWER, because)


def test_a_machine_in_the_senders_subnet_is_reached_past_the_acl(box):
    box.instance("near", "private", groups=["open"], ip="10.0.1.60", check=False)
    box.table("private", {"0.0.0.0/0": "i-near"}, subnets=["private"])
    box.acl("closed", ingress=[], egress=[])
    box.use_acl("private", "closed")
    trace = box.trace("db", "198.51.100.27", "tcp", 443)
    way = ["egress-groups", "route-table", "destination-check", "ingress-groups", "delivery"]
    assert [s.layer for s in trace.steps][: len(way)] == way


def test_a_nat_image_keeps_the_addresses_of_strangers(lab):
    """It masquerades what comes from its VPC only."""
    lab.instance("nat", "public", groups=["open"], ip="10.0.0.50", check=False, nat_image=True)
    lab.table("private", {"0.0.0.0/0": "i-nat"}, subnets=["private"])
    lab.put(lab.world[Interface, "eni-db"], source_dest_check=False)
    trace = lab.trace("db", "198.51.100.27", "tcp", 443, source=lab.address("192.168.0.9"))
    assert any(s.because == "i-nat is assumed to forward it unchanged" for s in trace.steps)


def test_a_machine_in_between_needs_rules_of_its_own(box):
    box.group("narrow", ingress=["tcp 443 10.0.1.0/24"], egress=["tcp 443 0.0.0.0/0"])
    box.put(box.world[Interface, "eni-box"], group_ids=("sg-narrow",))
    assert box.trace("db", "198.51.100.27", "tcp", 80).refusals[0].at == "eni-box"
    assert box.trace("db", "198.51.100.27", "tcp", 443).refusals[0].layer == "internet-gateway-out"


@pytest.fixture
def inspected(lab) -> Lab:
    """Traffic from the public to the private subnet goes through a machine, by a route more specific than local."""
    lab.instance("box", "public", groups=["open"], ip="10.0.0.50", check=False)
    lab.route("public", "10.0.1.0/24", "i-box")
    lab.table("private", {"10.0.0.0/24": "i-box"}, subnets=["private"])
    return lab


def test_a_route_more_specific_than_local_leads_through_a_machine(inspected):
    # The machine's own subnet has the route too: it would send the packet back to itself.
    trace = inspected.trace("web", "db", "tcp", 6379)
    because = "the route leads back to eni-box, which sent the packet"
    assert (trace.verdict, trace.refusals[0].because) == (Verdict.LOOP, because)


def through_a_third_subnet(*, groups: list[str]) -> Lab:
    """Client in a, server in b, and a machine in m that both their routes lead through."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    for name, cidr in (("a", "10.0.0.0/24"), ("b", "10.0.1.0/24"), ("m", "10.0.2.0/24")):
        lab.subnet(name, cidr)
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.group("asks")
    lab.group("cache", ingress=["tcp 6379 sg-asks"])
    lab.group("sends", egress=["tcp 6379 sg-open"])
    lab.instance("client", "a", groups=[groups[0]], ip="10.0.0.10")
    lab.instance("server", "b", groups=[groups[1]], ip="10.0.1.20")
    lab.instance("box", "m", groups=["open"], ip="10.0.2.50", check=False)
    lab.table("a", {"10.0.1.0/24": "i-box"}, subnets=["a"])
    lab.table("b", {"10.0.0.0/24": "i-box"}, subnets=["b"])
    return lab


def test_the_way_through_a_machine_crosses_every_subnets_edge():
    lab = through_a_third_subnet(groups=["open", "open"])
    trace = lab.trace("client", "server", "tcp", 6379)
    assert trace.verdict is Verdict.DELIVERED
    assert trace.assumed == ("eni-box",)
    way = ["egress-groups", "acl-out", "route-table", "acl-in"]
    into_box = ["destination-check", "ingress-groups", "delivery", "source-check"]
    assert [s.layer for s in trace.steps] == [*way, *into_box, *way, "ingress-groups", "delivery"]


@pytest.mark.parametrize(
    ("groups", "layer"),
    [(["asks", "cache"], "ingress-groups"), (["sends", "open"], "egress-groups")],
    ids=["the source's group", "the destination's group"],
)
def test_references_do_not_reach_across_a_machine(groups, layer):
    lab = through_a_third_subnet(groups=groups)
    assert lab.trace("client", "server", "tcp", 6379).refusals[0].layer == layer
    # ... but they do without it.
    lab.table("a", {}, subnets=["a"])
    lab.table("b", {}, subnets=["b"])
    assert lab.trace("client", "server", "tcp", 6379).verdict is Verdict.DELIVERED


def test_an_answer_may_take_another_way_than_its_request():
    lab = through_a_third_subnet(groups=["open", "open"])
    lab.table("b", {}, subnets=["b"])
    trace = lab.trace("client", "server", "tcp", 6379)
    assert trace.verdict is Verdict.DELIVERED
    assert [s.at for s in trace.back if s.layer == "ingress-groups"] == ["eni-client"]


def test_two_machines_that_route_to_each_other_are_a_loop():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.group("open", ingress=["all 0.0.0.0/0"])
    for name, cidr in (("a", "10.0.0.0/24"), ("b", "10.0.1.0/24")):
        lab.subnet(name, cidr)
        lab.instance(f"box{name}", name, groups=["open"], check=False)
    lab.instance("client", "a", groups=["open"])
    lab.table("a", {"0.0.0.0/0": "i-boxb"}, subnets=["a"])
    lab.table("b", {"0.0.0.0/0": "i-boxa"}, subnets=["b"])
    trace = lab.trace("client", "8.8.8.8", "tcp", 80)
    assert (trace.verdict, trace.steps[-1].because) == (Verdict.LOOP, "the packet was at eni-boxb before")


def test_a_service_does_not_forward():
    lab = through_a_third_subnet(groups=["open", "open"])
    lab.cache("node", "m", groups=["open"])
    lab.put(lab.world[Interface, "eni-node-0001"], source_dest_check=False)
    lab.table("a", {"10.0.1.0/24": "eni-node-0001"}, subnets=["a"])
    trace = lab.trace("client", "server", "tcp", 6379)
    assert (trace.verdict, trace.refusals[0].layer) == (Verdict.NOBODY, "delivery")


def test_an_answer_to_a_forged_source_goes_to_the_forged():
    lab = through_a_third_subnet(groups=["open", "open"])
    lab.instance("victim", "m", groups=["open"], ip="10.0.2.9")
    lab.put(lab.world[Interface, "eni-client"], source_dest_check=False)
    trace = lab.trace("client", "server", "tcp", 80, source=lab.address("10.0.2.9"))
    because = "the answer reached eni-victim, which did not ask"
    assert (trace.verdict, trace.back[-1].because) == (Verdict.NO_ANSWER, because)


# ---- thorough


def test_a_thorough_trace_names_everything_that_is_in_the_way(lab):
    lab.acl("closed", ingress=["100 allow tcp 6379 0.0.0.0/0"], egress=[])
    lab.use_acl("private", "closed")
    lab.group("shut")
    lab.instance("cache", "private", groups=["shut"], state="stopped")
    short = lab.trace("web", "cache", "tcp", 6379)
    long = lab.trace("web", "cache", "tcp", 6379, thorough=True)
    assert [s.layer for s in short.refusals] == ["ingress-groups"]
    assert [s.layer for s in long.refusals] == ["ingress-groups", "delivery", "acl-out"]
    assert (short.verdict, short.arrived) == (long.verdict, long.arrived) == (Verdict.DENIED, False)
