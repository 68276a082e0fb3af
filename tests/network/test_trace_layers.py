"""Each layer of the tracer: what it lets through, and what it says when it does not."""

import pytest

from atoll.network.flow import Code, Trace, Verdict
from atoll.network.trace import LAYERS
from tests.network.worlds import Lab


def refusal(trace: Trace) -> tuple[Verdict, str, str, Code | None, str]:
    """Say what became of a flow, and who said why."""
    step = trace.refusals[0]
    return trace.verdict, step.layer, step.at, step.code, step.because


def lab_of_two(**app: object) -> Lab:
    """A client in one subnet, a server in another, everything open."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.subnet("a", "10.0.0.0/24")
    lab.subnet("b", "10.0.1.0/24")
    lab.instance("client", "a", groups=["open"], ip="10.0.0.10", **app)  # type: ignore[arg-type]
    lab.instance("server", "b", groups=["open"], ip="10.0.1.20")
    return lab


def test_the_order_of_the_layers_is_the_order_of_a_packet():
    assert [name for name, _ in LAYERS] == [
        "sender", "source-check", "vpc-services", "egress-groups", "same-subnet", "acl-out", "route-table",
        "internet-gateway-out", "internet", "internet-gateway-in", "acl-in", "destination-check", "ingress-groups",
        "delivery",
    ]  # fmt: skip


def test_a_packet_between_subnets_meets_every_layer_on_its_way_and_back():
    trace = lab_of_two().trace("client", "server", "tcp", 80)
    way = ["egress-groups", "acl-out", "route-table", "acl-in", "ingress-groups", "delivery"]
    assert trace.verdict is Verdict.DELIVERED
    assert [s.layer for s in trace.steps] == [s.layer for s in trace.back] == way
    assert trace.receiver == "eni-server"


# ---- who sends


@pytest.mark.parametrize("state", ["pending", "stopping", "stopped", "shutting-down"])
def test_an_instance_that_does_not_run_sends_nothing(state):
    lab = lab_of_two(state=state)
    said = Verdict.DOWN, "sender", "i-client", Code.BAD_STATE, f"i-client is {state}"
    assert refusal(lab.trace("client", "server", "tcp", 80)) == said


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
    lab.put(lab.world[type(lab.interface("x", "a")), "eni-client"], group_ids=("sg-closed",))
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
    lab.put(lab.world[type(lab.interface("x", "a")), "eni-client"], source_dest_check=False)
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
    lab.put(lab.world[type(lab.interface("x", "a")), "eni-client"], source_dest_check=False)
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


# ---- security groups


RULES = [
    ("tcp 6379 0.0.0.0/0", "tcp", 6379, None, True, "its port"),
    ("tcp 6379 0.0.0.0/0", "tcp", 6380, None, False, "another port"),
    ("tcp 6379 0.0.0.0/0", "udp", 6379, None, False, "another protocol"),
    ("tcp 6379-6381 0.0.0.0/0", "tcp", 6381, None, True, "the last of a range"),
    ("tcp 6379-6381 0.0.0.0/0", "tcp", 6382, None, False, "past a range"),
    ("6 6379 0.0.0.0/0", "tcp", 6379, None, True, "tcp by its number"),
    ("all 0.0.0.0/0", "udp", 9, None, True, "everything"),
    ("all 10.0.0.10/32", "tcp", 9, None, True, "its address"),
    ("all 10.0.0.11/32", "tcp", 9, None, False, "another address"),
    ("icmp 0.0.0.0/0", "icmp", 0, 13, True, "all of icmp"),
    ("icmp 8 0.0.0.0/0", "icmp", 0, 8, True, "an icmp type"),
    ("icmp 8 0.0.0.0/0", "icmp", 0, 13, False, "another icmp type"),
    ("icmp 3/4 0.0.0.0/0", "icmp", 4, 3, True, "an icmp type and code"),
    ("icmp 3/4 0.0.0.0/0", "icmp", 1, 3, False, "another icmp code"),
    ("icmp 0.0.0.0/0", "tcp", 80, None, False, "icmp is not tcp"),
    ("50 0.0.0.0/0", 50, 0, 0, True, "a protocol without ports"),
    ("50 0.0.0.0/0", 51, 0, 0, False, "another protocol without ports"),
]


@pytest.mark.parametrize(
    ("rule", "protocol", "port", "kind", "allowed"), [r[:5] for r in RULES], ids=[r[5] for r in RULES]
)
def test_a_group_allows_what_its_rule_says(rule, protocol, port, kind, allowed):
    lab = lab_of_two()
    lab.group("tight", ingress=[rule])
    lab.instance("target", "b", groups=["tight"], ip="10.0.1.40")
    trace = lab.trace("client", "target", protocol, port, source_port=kind)
    assert trace.arrived is allowed
    if not allowed:
        assert refusal(trace)[:4] == (
            Verdict.DENIED, "ingress-groups", "eni-target", Code.ENI_SG_RULES_MISMATCH
        )  # fmt: skip


def test_the_rule_that_decides_is_named():
    lab = lab_of_two()
    lab.group("one", ingress=["tcp 22 0.0.0.0/0"])
    rule = lab.group("two", ingress=["tcp 80 0.0.0.0/0", "tcp 443 10.0.0.0/8"]).rules[1]
    lab.instance("target", "b", groups=["one", "two"])
    trace = lab.trace("client", "target", "tcp", 443)
    assert trace.steps[-2].because == f"{rule.id} in sg-two"
    denied = lab.trace("client", "target", "tcp", 444)
    assert refusal(denied)[4] == "no rule of sg-one or sg-two allows tcp 444 from 10.0.0.10"


def test_groups_without_rules_say_so():
    lab = lab_of_two()
    lab.group("mute", egress=[])
    lab.instance("mute", "a", groups=["mute"])
    out = lab.trace("mute", "server", "tcp", 80)
    assert refusal(out)[1:] == ("egress-groups", "eni-mute", Code.SG_HAS_NO_RULES, "sg-mute has no outbound rules")
    into = lab.trace("server", "mute", "tcp", 80)
    assert refusal(into)[1:] == ("ingress-groups", "eni-mute", Code.SG_HAS_NO_RULES, "sg-mute has no inbound rules")


@pytest.mark.parametrize(
    ("source", "port", "verdict", "because"),
    [
        ("app", 6379, Verdict.DELIVERED, "sgr-9 in sg-cache"),
        ("app", 6380, Verdict.DENIED, "no rule of sg-cache allows tcp 6380 from 10.0.1.10"),
        ("bastion", 6379, Verdict.DENIED, "no rule of sg-cache allows tcp 6379 from 10.0.0.60"),
    ],
    ids=["the open port", "another port", "another group"],
)
def test_the_cache_admits_only_the_application(prod, source, port, verdict, because):
    trace = prod.trace(source, "sessions-001-0001", "tcp", port)
    (said,) = [s.because for s in trace.steps if s.layer == "ingress-groups"]
    assert (trace.verdict, said) == (verdict, because)


def test_a_group_without_members_admits_nobody():
    lab = lab_of_two()
    lab.group("empty")
    lab.group("cache", ingress=["tcp 6379 sg-empty"])
    lab.instance("cache", "b", groups=["cache"])
    assert refusal(lab.trace("client", "cache", "tcp", 6379))[:2] == (Verdict.DENIED, "ingress-groups")


def test_a_reference_follows_membership_and_not_the_address():
    lab = lab_of_two()
    lab.group("nat")
    lab.group("cache", ingress=["tcp 6379 sg-nat"])
    lab.instance("cache", "b", groups=["cache"])
    assert lab.trace("client", "cache", "tcp", 6379).verdict is Verdict.DENIED
    client = lab.world[type(lab.interface("x", "a")), "eni-client"]
    lab.put(client, group_ids=("sg-nat",))
    assert lab.trace("client", "cache", "tcp", 6379).verdict is Verdict.DELIVERED
    lab.put(client, group_ids=("sg-open",))
    assert lab.trace("client", "cache", "tcp", 6379).verdict is Verdict.DENIED


def test_a_reference_to_a_group_does_not_copy_its_rules():
    lab = lab_of_two()
    lab.group("wide", ingress=["all 0.0.0.0/0"])
    lab.group("cache", ingress=["tcp 6379 sg-wide"])
    lab.instance("cache", "b", groups=["cache"])
    assert lab.trace("client", "cache", "tcp", 22).verdict is Verdict.DENIED


def test_a_reference_matches_private_addresses_only():
    lab = lab_of_two()
    lab.gateway("v")
    lab.route("v", "0.0.0.0/0", "igw-v")
    lab.elastic_ip("203.0.113.1", "client")
    lab.group("cache", ingress=["tcp 6379 sg-open"])
    lab.instance("cache", "b", groups=["cache"], public="203.0.113.2")
    assert lab.trace("client", "cache", "tcp", 6379).verdict is Verdict.DELIVERED
    denied = lab.trace("client", "203.0.113.2", "tcp", 6379)  # the same two, by the public address
    assert refusal(denied)[4] == "no rule of sg-cache allows tcp 6379 from 203.0.113.1"


def test_an_outbound_reference_matches_members_only():
    lab = lab_of_two()
    lab.group("nat", egress=["tcp 6379 sg-cache"])
    lab.group("cache", ingress=["all 0.0.0.0/0"])
    lab.instance("nat", "a", groups=["nat"])
    lab.instance("cache", "b", groups=["cache"])
    assert lab.trace("nat", "cache", "tcp", 6379).verdict is Verdict.DELIVERED
    denied = lab.trace("nat", "server", "tcp", 6379)
    assert refusal(denied)[1:5:3] == ("egress-groups", "no rule of sg-nat allows tcp 6379 to 10.0.1.20")


def test_a_reference_does_not_reach_into_another_vpc():
    lab = lab_of_two()
    lab.vpc("w", "10.0.0.0/16")
    lab.group("far", vpc="w")
    lab.subnet("w", "10.0.0.0/24", vpc="w")
    lab.instance("far", "w", groups=["far"], ip="10.0.0.10")  # the same address as the client has in its VPC
    lab.group("cache", ingress=["tcp 6379 sg-far"], vpc="v")
    lab.instance("cache", "b", groups=["cache"])
    assert refusal(lab.trace("client", "cache", "tcp", 6379))[:2] == (Verdict.DENIED, "ingress-groups")


def test_groups_are_asked_also_inside_a_subnet():
    lab = lab_of_two()
    lab.instance("near", "a", groups=["v"])
    assert refusal(lab.trace("client", "near", "tcp", 80))[:2] == (Verdict.DENIED, "ingress-groups")


def test_an_answer_needs_no_rule_of_any_group():
    lab = lab_of_two()
    lab.group("asks", egress=["tcp 6379 10.0.0.0/16"])
    lab.group("answers", ingress=["tcp 6379 10.0.0.0/16"], egress=[])
    lab.instance("asks", "a", groups=["asks"])
    lab.instance("answers", "b", groups=["answers"])
    trace = lab.trace("asks", "answers", "tcp", 6379)
    assert trace.verdict is Verdict.DELIVERED
    assert trace.back[0].because == "it answers what was allowed the other way"


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


# ---- network ACLs


ACLS = [
    (["100 allow all 0.0.0.0/0"], True, "rule 100 of acl-t", "allow all"),
    ([], False, "inbound rule * of acl-t denies tcp 6379 from 10.0.0.10", "no rule"),
    (
        ["90 deny tcp 6379 0.0.0.0/0", "100 allow all 0.0.0.0/0"],
        False,
        "inbound rule 90 of acl-t denies tcp 6379 from 10.0.0.10",
        "a deny before",
    ),
    (
        ["100 allow all 0.0.0.0/0", "110 deny tcp 6379 0.0.0.0/0"],
        True,
        "rule 100 of acl-t",
        "a deny after",
    ),
    (
        ["200 allow all 0.0.0.0/0", "9 deny tcp 6379 10.0.0.10/32"],
        False,
        "inbound rule 9 of acl-t denies tcp 6379 from 10.0.0.10",
        "numbers decide, not the order of writing",
    ),
    (
        ["9 deny tcp 6379 10.0.0.11/32", "10 allow tcp 6379 10.0.0.0/24"],
        True,
        "rule 10 of acl-t",
        "a deny for another",
    ),
    (["10 allow tcp 1024-6378 0.0.0.0/0"], False, "inbound rule * of acl-t denies tcp 6379 from 10.0.0.10", "ports"),
    (["10 allow udp 6379 0.0.0.0/0"], False, "inbound rule * of acl-t denies tcp 6379 from 10.0.0.10", "protocol"),
]


@pytest.mark.parametrize(("entries", "allowed", "because"), [a[:3] for a in ACLS], ids=[a[3] for a in ACLS])
def test_the_first_matching_number_of_an_acl_decides(entries, allowed, because):
    lab = lab_of_two()
    lab.acl("t", ingress=entries)
    lab.use_acl("b", "t")
    trace = lab.trace("client", "server", "tcp", 6379)
    step = next(s for s in trace.steps if s.layer == "acl-in")
    assert (trace.arrived, step.because) == (allowed, because)
    assert step.code is (None if allowed else Code.SUBNET_ACL_RESTRICTION)


def test_an_acl_is_asked_on_the_way_out_too():
    lab = lab_of_two()
    lab.acl("t", egress=["100 allow tcp 80 0.0.0.0/0"])
    lab.use_acl("a", "t")
    denied = lab.trace("client", "server", "tcp", 6379)
    assert refusal(denied)[:3] == (Verdict.DENIED, "acl-out", "acl-t")
    assert denied.steps[-1].because == "outbound rule * of acl-t denies tcp 6379 to 10.0.1.20"


def test_an_acl_without_ephemeral_ports_stops_the_answer():
    lab = lab_of_two()
    lab.acl("t", ingress=["100 allow tcp 6379 0.0.0.0/0"], egress=["100 allow tcp 6379 0.0.0.0/0"])
    lab.use_acl("b", "t")
    trace = lab.trace("client", "server", "tcp", 6379)
    assert (trace.verdict, trace.arrived, trace.receiver) == (Verdict.NO_ANSWER, True, "eni-server")
    assert trace.back[-1].because == "outbound rule * of acl-t denies tcp 40000 to 10.0.0.10"
    lab.acl("t", ingress=["100 allow tcp 6379 0.0.0.0/0"], egress=["100 allow tcp 32768-60999 0.0.0.0/0"])
    assert lab.trace("client", "server", "tcp", 6379).verdict is Verdict.DELIVERED
    assert lab.trace("client", "server", "tcp", 6379, source_port=1023).verdict is Verdict.NO_ANSWER


def test_an_acl_and_a_group_must_both_allow():
    lab = lab_of_two()
    lab.acl("t", ingress=["50 deny tcp 6379 10.0.0.0/24", "100 allow all 0.0.0.0/0"])
    lab.use_acl("b", "t")
    assert refusal(lab.trace("client", "server", "tcp", 6379))[1] == "acl-in"  # whatever the group says


def test_an_icmp_answer_is_another_type_for_an_acl():
    lab = lab_of_two()
    lab.acl("t", ingress=["1 allow icmp 8 0.0.0.0/0"], egress=["1 allow icmp 0 0.0.0.0/0"])
    lab.use_acl("b", "t")
    assert lab.trace("client", "server", "icmp").verdict is Verdict.DELIVERED
    lab.acl("t", ingress=["1 allow icmp 8 0.0.0.0/0"], egress=["1 allow icmp 8 0.0.0.0/0"])
    assert lab.trace("client", "server", "icmp").verdict is Verdict.NO_ANSWER


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
