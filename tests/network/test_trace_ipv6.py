"""IPv6 in the tracer: what each layer says, and what mends it."""

from ipaddress import IPv6Address

import pytest

from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.network.flow import ICMPV6, Code, Verdict
from atoll.network.mend import mend
from atoll.network.places import UnknownPlace, endpoint
from tests.network.lab import CALLER, EVERYWHERE6, Lab, refusal

OUTSIDE = "2001:db8:f::27"
WEB, NODE = "2001:db8:1000:1::10", "2001:db8:1000:2::20"


@pytest.fixture
def lab():
    """A subnet that leads to the internet gateway, one that leads to the egress-only one; everything admitted."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", ipv6="2001:db8:1000::/56")
    lab.gateway("v")
    lab.egress_only("v")
    lab.subnet("web", "10.0.1.0/24", ipv6="2001:db8:1000:1::/64")
    lab.subnet("node", "10.0.2.0/24", ipv6="2001:db8:1000:2::/64")
    lab.table("web", {"::/0": "igw-v"}, subnets=["web"])
    lab.table("node", {"::/0": "eigw-v"}, subnets=["node"])
    lab.group("open", ingress=["all ::/0"], egress=EVERYWHERE6)
    lab.instance("web", "web", groups=["open"], ip="10.0.1.10", ipv6=[WEB])
    lab.instance("node", "node", groups=["open"], ip="10.0.2.20", ipv6=[NODE])
    lab.instance("four", "node", groups=["open"], ip="10.0.2.40")
    lab.outside(OUTSIDE)
    return lab


def mends(lab, trace):
    return [m.command for m in mend(lab.world, trace)]


def test_addresses_are_global_at_the_internet_gateway(lab):
    trace = lab.trace("web", OUTSIDE, "tcp", 443)
    assert trace.verdict is Verdict.DELIVERED
    assert str(trace.received.source) == WEB
    assert lab.trace(OUTSIDE, WEB, "tcp", 443).verdict is Verdict.DELIVERED


def test_an_egress_only_gateway_lets_answers_in_and_nothing_else(lab):
    assert lab.trace("node", OUTSIDE, "tcp", 443).verdict is Verdict.DELIVERED
    lab.tx.delete(lab.world[InternetGateway, "igw-v"])
    trace = lab.trace(OUTSIDE, NODE, "tcp", 443)
    assert refusal(trace) == (
        Verdict.REFUSED, "egress-only-gateway-in", "eigw-v", Code.NO_POSSIBLE_DESTINATION,
        "eigw-v is egress-only: it lets nothing in that is no answer",
    )  # fmt: skip
    assert mends(lab, trace) == ["aws ec2 create-internet-gateway"]
    assert lab.trace("node", OUTSIDE, "tcp", 443).verdict is Verdict.DELIVERED  # its answers come in there


def test_what_began_outside_is_not_answered_through_it(lab):
    trace = lab.trace(OUTSIDE, NODE, "tcp", 443)  # in by the internet gateway
    assert trace.verdict is Verdict.NO_ANSWER
    assert trace.back[-1].layer == "egress-only-gateway-out"
    assert trace.back[-1].because == "eigw-v did not let the request in: it lets no answer to it out"


def test_a_gateway_that_has_gone_is_a_blackhole(lab):
    lab.tx.delete(lab.world[EgressOnlyGateway, "eigw-v"])
    trace = lab.trace("node", OUTSIDE, "tcp", 443)
    assert refusal(trace)[:3] == (Verdict.BLACKHOLE, "route-table", "rtb-node")
    assert mends(lab, trace) == ["aws ec2 delete-route --route-table-id rtb-node --destination-ipv6-cidr-block ::/0"]


def test_who_has_no_ipv6_address_speaks_none(lab):
    trace = lab.trace("four", NODE, "tcp", 443)
    assert refusal(trace) == (
        Verdict.NO_ROUTE, "sender", "eni-four", Code.NO_ROUTE_TO_DESTINATION,
        "eni-four has no IPv6 address: its machine knows no IPv6",
    )  # fmt: skip
    assert mends(lab, trace) == [
        "aws ec2 assign-ipv6-addresses --network-interface-id eni-four --ipv6-address-count 1"
    ]


def test_a_rule_is_for_its_own_version(lab):
    lab.group("four", ingress=["all 0.0.0.0/0", "icmp 8 0.0.0.0/0"])
    lab.instance("shut", "web", groups=["four"], ip="10.0.1.30", ipv6=["2001:db8:1000:1::30"])
    trace = lab.trace("web", "2001:db8:1000:1::30", "tcp", 443)
    assert refusal(trace)[:4] == (Verdict.DENIED, "ingress-groups", "eni-shut", Code.ENI_SG_RULES_MISMATCH)
    assert mends(lab, trace) == [
        "aws ec2 authorize-security-group-ingress --group-id sg-four --protocol tcp --port 443 --source-group sg-open"
    ]
    outside = lab.trace(OUTSIDE, "2001:db8:1000:1::30", "tcp", 443)
    assert mends(lab, outside) == [
        "aws ec2 authorize-security-group-ingress --group-id sg-four --ip-permissions "
        f"'IpProtocol=tcp,FromPort=443,ToPort=443,Ipv6Ranges=[{{CidrIpv6={OUTSIDE}/128}}]'"
    ]


def test_an_acl_is_mended_with_an_entry_of_the_version(lab):
    lab.acl("shut", ingress=["100 allow all 0.0.0.0/0"])
    lab.use_acl("node", "shut")
    trace = lab.trace("web", NODE, "icmp")
    assert trace.packet.protocol == ICMPV6  # as people mean it
    assert refusal(trace)[:3] == (Verdict.DENIED, "acl-in", "acl-shut")
    assert mends(lab, trace) == [
        "aws ec2 create-network-acl-entry --network-acl-id acl-shut --ingress --rule-number 110 --protocol 58 "
        f"--icmp-type-code Code=-1,Type=128 --ipv6-cidr-block {WEB}/128 --rule-action allow"
    ]


@pytest.mark.parametrize("address", ["fd00:ec2::254", "fd00:ec2::253", "fd00:ec2::123"])
def test_services_are_past_everything(lab, address):
    trace = lab.trace("web", address, "tcp", 80)
    assert (trace.verdict, trace.receiver) == (Verdict.DELIVERED, "vpc-v")


def test_a_private_address_is_not_on_the_internet(lab):
    trace = lab.trace("web", "fd00::1", "tcp", 80)
    assert refusal(trace)[:3] == (Verdict.REFUSED, "internet-gateway-out", "igw-v")


def test_places_have_ipv6_addresses(lab):
    for text in (NODE, f"[{NODE}]"):
        found = endpoint(lab.world, CALLER, text)
        assert (found.at, found.address) == ("eni-node", IPv6Address(NODE))
    assert endpoint(lab.world, CALLER, "2001:db8:9::9").at == IPv6Address("2001:db8:9::9")
    with pytest.raises(UnknownPlace, match="no interface has the private address fd00::9"):
        endpoint(lab.world, CALLER, "fd00::9")
