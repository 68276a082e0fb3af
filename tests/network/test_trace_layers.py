"""Each layer of the tracer: what it lets through, and what it says when it does not."""

import pytest

from atoll.model.interface import Interface
from atoll.network.flow import Code, Verdict
from atoll.network.trace import LAYERS
from tests.network.lab import Lab, lab_of_two, refusal


def test_the_order_of_the_layers_is_the_order_of_a_packet():
    assert [name for name, _ in LAYERS] == [
        "sender", "source-check", "vpc-services", "fault-out", "egress-groups", "same-subnet", "acl-out",
        "route-table", "peering", "gateway-endpoint", "internet-gateway-out", "egress-only-gateway-out", "internet",
        "internet-gateway-in", "egress-only-gateway-in", "gateway-route-table", "fault-in", "acl-in",
        "destination-check", "ingress-groups", "nat-gateway", "endpoint", "load-balancer", "endpoint-answer",
        "delivery",
    ]  # fmt: skip


def test_a_packet_between_subnets_meets_every_layer_on_its_way_and_back():
    trace = lab_of_two().trace("client", "server", "tcp", 80)
    way = ["egress-groups", "acl-out", "route-table", "acl-in", "ingress-groups", "delivery"]
    assert trace.verdict is Verdict.DELIVERED
    assert [s.layer for s in trace.steps] == [s.layer for s in trace.back] == way
    assert trace.receiver == "eni-server"


# ---- who sends


@pytest.mark.parametrize("state", ["stopped", "terminated"])
def test_an_instance_that_does_not_run_sends_nothing(state):
    lab = lab_of_two(state=state)
    said = Verdict.DOWN, "sender", "i-client", Code.BAD_STATE, f"i-client is {state}"
    assert refusal(lab.trace("client", "server", "tcp", 80)) == said


@pytest.mark.parametrize("state", ["pending", "stopping", "shutting-down"])
def test_a_machine_that_boots_or_shuts_down_uses_its_network(state):
    lab = lab_of_two(state=state)
    assert lab.trace("client", "server", "tcp", 80).verdict is Verdict.DELIVERED
    said = lab.trace("server", "client", "tcp", 80).steps[-1].because
    assert said == f"arrived at eni-client; i-client is {state}"


def test_what_comes_to_a_stopped_instance_is_lost():
    lab = lab_of_two()
    lab.set_state("server", "stopped")
    trace = lab.trace("client", "server", "tcp", 80)
    assert refusal(trace) == (Verdict.DOWN, "delivery", "i-server", Code.BAD_STATE, "i-server is stopped")
    assert not trace.arrived


def test_an_interface_attached_to_nothing_is_nobody():
    lab = lab_of_two()
    lab.interface("spare", "b", groups=["open"], ip="10.0.1.30")
    because = "eni-spare is attached to nothing"
    here = lab.trace("client", "spare", "tcp", 80)
    assert refusal(here) == (Verdict.DOWN, "delivery", "eni-spare", Code.BAD_STATE_ATTACHMENT, because)
    assert refusal(lab.trace("spare", "client", "tcp", 80))[1:3] == ("sender", "eni-spare")


def test_a_machine_reaches_itself_past_every_group():
    lab = lab_of_two(more_ips=["10.0.0.11"])
    lab.group("closed", egress=[])
    lab.put(lab.world[Interface, "eni-client"], group_ids=("sg-closed",))
    assert lab.trace("client", "10.0.0.11", "tcp", 80).verdict is Verdict.DELIVERED


# ---- the check of sources and destinations


def test_a_foreign_source_is_refused_unless_the_check_is_off():
    lab = lab_of_two()
    said = (
        Verdict.SPOOFED, "source-check", "eni-client", Code.ENI_SOURCE_DEST_CHECK_RESTRICTION,
        "10.0.1.20 is not an address of eni-client, which checks sources",
    )  # fmt: skip
    foreign = lab.address("10.0.1.20")
    assert refusal(lab.trace("client", "10.0.0.99", "tcp", 80, source=foreign)) == said
    lab.put(lab.world[Interface, "eni-client"], source_dest_check=False)
    trace = lab.trace("client", "10.0.0.99", "tcp", 80, source=foreign)
    assert trace.steps[0].because == "the source/destination check of eni-client is off"


def test_a_secondary_address_is_an_own_source():
    lab = lab_of_two(more_ips=["10.0.0.11"])
    trace = lab.trace("client", "server", "tcp", 80, source=lab.address("10.0.0.11"))
    assert trace.verdict is Verdict.DELIVERED


def test_a_route_to_a_machine_that_keeps_its_check_is_refused_there():
    lab = lab_of_two()
    lab.instance("box", "a", groups=["open"], ip="10.0.0.50")
    lab.table("a", {"10.0.1.0/24": "i-box"}, subnets=["a"])
    said = (
        Verdict.SPOOFED, "destination-check", "eni-box", Code.ENI_SOURCE_DEST_CHECK_RESTRICTION,
        "10.0.1.20 is not an address of eni-box, which checks destinations",
    )  # fmt: skip
    assert refusal(lab.trace("client", "server", "tcp", 80)) == said


# ---- the VPC's own services


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.169.253", "169.254.169.123", "10.0.0.2", "10.0.0.1", "10.0.1.1"],
    ids=["metadata", "resolver", "time", "resolver at base + 2", "own router", "the other subnet's router"],
)
def test_nothing_filters_the_services_of_the_vpc(address):
    lab = lab_of_two()
    lab.group("closed", egress=[])
    lab.acl("closed", ingress=[], egress=[])
    lab.use_acl("a", "closed")
    lab.instance("shut", "a", groups=["closed"])
    trace = lab.trace("shut", address, "udp", 53)
    assert (trace.verdict, trace.receiver, trace.steps[-1].layer) == (Verdict.DELIVERED, "vpc-v", "vpc-services")


def test_the_services_do_not_answer_forged_sources():
    lab = lab_of_two()
    trace = lab.trace("client", "169.254.169.254", "tcp", 80, source=lab.address("server"))
    assert trace.verdict is Verdict.SPOOFED
    lab.put(lab.world[Interface, "eni-client"], source_dest_check=False)
    trace = lab.trace("client", "169.254.169.254", "tcp", 80, source=lab.address("server"))
    assert trace.verdict is Verdict.NO_ANSWER


def test_plus_two_of_a_later_subnet_is_reserved_but_nobody():
    assert lab_of_two().trace("client", "10.0.1.2", "udp", 53).verdict is Verdict.NOBODY


def test_without_dns_support_there_is_no_resolver():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", dns_support=False)
    lab.subnet("a", "10.0.0.0/24")
    lab.instance("client", "a")
    said = Verdict.NOBODY, "vpc-services", "vpc-v", Code.NO_POSSIBLE_DESTINATION, "DNS support of vpc-v is off"
    assert refusal(lab.trace("client", "10.0.0.2", "udp", 53)) == said
    assert lab.trace("client", "169.254.169.254", "tcp", 80).verdict is Verdict.DELIVERED


# ---- inside a subnet


def test_neighbours_meet_neither_acl_nor_route_table():
    lab = lab_of_two()
    lab.acl("closed", ingress=[], egress=[])
    lab.use_acl("a", "closed")
    lab.instance("near", "a", groups=["open"])
    trace = lab.trace("client", "near", "tcp", 80)
    assert trace.verdict is Verdict.DELIVERED
    assert [s.layer for s in trace.steps] == ["egress-groups", "same-subnet", "ingress-groups", "delivery"]


def test_an_address_that_nobody_has_is_nobodys():
    lab = lab_of_two()
    near = Verdict.NOBODY, "same-subnet", "subnet-a", Code.NO_POSSIBLE_DESTINATION
    assert refusal(lab.trace("client", "10.0.0.200", "tcp", 80)) == (
        *near, "no interface of subnet-a has 10.0.0.200"
    )  # fmt: skip
    far = Verdict.NOBODY, "route-table", "vpc-v", Code.NO_POSSIBLE_DESTINATION
    assert refusal(lab.trace("client", "10.0.9.9", "tcp", 80)) == (*far, "no interface of vpc-v has 10.0.9.9")


@pytest.mark.parametrize("address", ["10.0.0.255", "255.255.255.255", "224.0.0.251"], ids=str)
def test_a_vpc_has_neither_broadcast_nor_multicast(address):
    assert lab_of_two().trace("client", address, "udp", 9).verdict in (Verdict.NOBODY, Verdict.NO_ROUTE)


# ---- route tables


def test_without_a_route_there_is_no_way():
    denied = lab_of_two().trace("client", "198.51.100.27", "tcp", 80)
    said = Verdict.NO_ROUTE, "route-table", "rtb-v", Code.NO_ROUTE_TO_DESTINATION
    assert refusal(denied) == (*said, "no route of rtb-v leads to 198.51.100.27")


def test_a_subnet_without_a_table_of_its_own_uses_the_main_one():
    lab = lab_of_two()
    lab.table("own", {}, subnets=["b"])
    asked = [lab.trace(name, "8.8.8.8", "tcp", 80).refusals[0].at for name in ("client", "server")]
    assert asked == ["rtb-v", "rtb-own"]


def test_the_longest_prefix_wins():
    lab = lab_of_two()
    lab.gateway("v")
    lab.outside("198.51.100.27", "198.51.100.28")
    lab.elastic_ip("203.0.113.1", "client")
    lab.table("a", {"0.0.0.0/0": "igw-v", "198.51.100.28/32": "eni-gone", "198.51.100.0/24": "igw-v"}, subnets=["a"])
    open_ = lab.trace("client", "198.51.100.27", "tcp", 80)
    assert open_.verdict is Verdict.DELIVERED
    assert any(s.because == "198.51.100.0/24 -> igw-v" for s in open_.steps)
    assert lab.trace("client", "198.51.100.28", "tcp", 80).verdict is Verdict.BLACKHOLE


@pytest.mark.parametrize("target", ["eni-gone", "igw-gone", "nat-1", "pcx-1", "vpce-1", "eni-spare", "i-off"])
def test_a_route_whose_target_is_not_there_is_a_blackhole(target):
    lab = lab_of_two()
    lab.interface("spare", "a", groups=["open"])
    lab.instance("off", "a", groups=["open"], state="stopped", check=False)
    lab.table("a", {"0.0.0.0/0": target}, subnets=["a"])
    verdict, layer, at, code, because = refusal(lab.trace("client", "8.8.8.8", "tcp", 80))
    assert (verdict, layer, at, code) == (Verdict.BLACKHOLE, "route-table", "rtb-a", Code.BAD_STATE_ROUTE)
    assert because.startswith("0.0.0.0/0 -> ")
    assert because.endswith(" of rtb-a is a blackhole")


def test_a_detached_gateway_is_a_blackhole():
    lab = lab_of_two()
    gateway = lab.gateway("v")
    lab.route("v", "0.0.0.0/0", "igw-v")
    lab.put(gateway, vpc_id=None)
    assert lab.trace("client", "8.8.8.8", "tcp", 80).verdict is Verdict.BLACKHOLE


def test_secondary_ranges_are_local_too():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", "10.100.0.0/16")
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.subnet("a", "10.0.0.0/24")
    lab.subnet("b", "10.100.1.0/24")
    lab.instance("client", "a", groups=["open"])
    lab.instance("server", "b", groups=["open"])
    trace = lab.trace("client", "server", "tcp", 80)
    assert (trace.verdict, trace.steps[2].because) == (Verdict.DELIVERED, "10.100.0.0/16 -> local")


def test_vpcs_with_one_cidr_do_not_see_each_other():
    lab = lab_of_two()
    lab.vpc("w", "10.0.0.0/16")
    lab.subnet("w", "10.0.2.0/24", vpc="w")
    lab.instance("alien", "w", ip="10.0.2.30")
    assert lab.trace("client", "10.0.2.30", "tcp", 80).verdict is Verdict.NOBODY
    assert lab.trace("alien", "10.0.0.10", "tcp", 80).verdict is Verdict.NOBODY
