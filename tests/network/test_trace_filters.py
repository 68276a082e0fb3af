"""Security groups and network ACLs: which rule decides, and what is said when none allows."""

import pytest

from atoll.model.interface import Interface
from atoll.network.flow import Code, Verdict
from tests.network.lab import lab_of_two, refusal

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
    client = lab.world[Interface, "eni-client"]
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
