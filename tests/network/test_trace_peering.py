"""The tracer and the plan on VPC peering: what passes between two VPCs, and what does not."""

import pytest

from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.peering import Peering
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.network.decide import Kernel
from atoll.network.flow import Code, Packet, Verdict
from atoll.network.mend import mend
from atoll.network.plan import compile
from tests.network.lab import Lab, refusal


@pytest.fixture
def lab():
    """Three VPCs in a row, a - b - c, each with one instance; a and b are routed to each other."""
    lab = Lab()
    for n, name in enumerate("abc"):
        lab.vpc(name, f"10.{n}.0.0/16")
        lab.group(f"{name}-open", vpc=name, ingress=["tcp 6379 0.0.0.0/0"])
        lab.subnet(name, f"10.{n}.0.0/24", vpc=name)
        lab.instance(name, name, groups=[f"{name}-open"], ip=f"10.{n}.0.10")
    lab.peering("ab", "a", "b")
    lab.peering("bc", "b", "c")
    lab.route("a", "10.1.0.0/16", "pcx-ab")
    lab.route("b", "10.0.0.0/16", "pcx-ab")
    return lab


def ask(lab, sender, destination, port=6379, **options):
    """Return what the tracer says, which the plan must confirm."""
    trace = lab.trace(sender, destination, port=port, **options)
    source = options.get("source") or lab.address(sender)
    packet = Packet(source, lab.address(destination), 6, 40000, port)
    decision = Kernel(compile(lab.world).facts()).ask(lab.at(sender), packet)
    assert (decision.receiver, decision.answered) == (trace.receiver, trace.verdict is Verdict.DELIVERED)
    return trace


def reference(lab, rule):
    group = lab.world[SecurityGroup, "sg-b-open"]
    lab.put(group, rules=(lab._rule(rule, egress=False),))


def test_a_packet_passes_between_two_peered_vpcs(lab):
    trace = ask(lab, "a", "b")
    assert trace.verdict is Verdict.DELIVERED
    assert [s.because for s in (*trace.steps, *trace.back) if s.layer == "peering"] == [
        "vpc-a -> vpc-b",
        "vpc-b -> vpc-a",
    ]


def test_without_a_route_back_there_is_no_answer(lab):
    table = next(t for t in lab.world if t.id == "rtb-b")
    lab.put(table, routes=table.routes[:1])
    assert ask(lab, "a", "b").verdict is Verdict.NO_ANSWER


@pytest.mark.parametrize("status", ["pending-acceptance", "deleting", "deleted", "rejected", "expired", "failed"])
def test_a_route_to_a_connection_that_is_not_open_is_a_blackhole(lab, status):
    lab.put(lab.world[Peering, "pcx-ab"], status=status)
    verdict, layer, at, code, because = refusal(ask(lab, "a", "b"))
    assert (verdict, layer, at, code) == (Verdict.BLACKHOLE, "route-table", "rtb-a", Code.BAD_STATE_ROUTE)
    assert because == "10.1.0.0/16 -> pcx-ab of rtb-a is a blackhole"


def test_peering_is_not_transitive(lab):
    lab.route("a", "10.2.0.0/16", "pcx-ab")
    lab.route("c", "10.0.0.0/16", "pcx-bc")
    assert refusal(ask(lab, "a", "c")) == (
        Verdict.REFUSED,
        "peering",
        "pcx-ab",
        Code.PCX_REQUIRES_ADDRESS_IN_VPC_CIDR,
        "the destination 10.2.0.10 is in no range of vpc-b: a peering leads no further",
    )


def test_the_peer_s_gateway_is_out_of_reach(lab):
    lab.gateway("b")
    lab.outside("198.51.100.27")
    lab.route("a", "0.0.0.0/0", "pcx-ab")
    lab.route("b", "0.0.0.0/0", "igw-b")
    trace = ask(lab, "a", "198.51.100.27")
    assert refusal(trace)[:4] == (
        Verdict.REFUSED, "peering", "pcx-ab", Code.PCX_REQUIRES_ADDRESS_IN_VPC_CIDR,
    )  # fmt: skip


def test_a_foreign_source_does_not_pass(lab):
    lab.put(lab.world[Interface, "eni-a"], source_dest_check=False)
    foreign = lab.address("c")
    trace = ask(lab, "a", "b", source=foreign)
    assert refusal(trace)[4] == "the source 10.2.0.10 is in no range of vpc-a: a peering leads no further"


@pytest.mark.parametrize("service", ["10.1.0.2", "10.1.0.1"], ids=["resolver", "router"])
def test_the_peer_s_services_are_out_of_reach(lab, service):
    assert refusal(ask(lab, "a", service))[:4] == (
        Verdict.NOBODY, "peering", "vpc-b", Code.NO_POSSIBLE_DESTINATION,
    )  # fmt: skip


def test_nobody_has_the_address(lab):
    assert refusal(ask(lab, "a", "10.1.0.99"))[0] is Verdict.NOBODY


def test_a_peer_without_an_interface_takes_nothing(lab):
    lab.vpc("empty", "10.7.0.0/16")
    lab.peering("aempty", "empty", "a")
    lab.route("a", "10.7.0.0/16", "pcx-aempty")
    assert ask(lab, "a", "10.7.0.10").verdict is Verdict.NOBODY


def test_each_side_s_own_acl_is_asked(lab):
    lab.acl("closed", vpc="b", ingress=["100 deny all 10.0.0.0/16"])
    lab.put(lab.world[Subnet, "subnet-b"], acl_id="acl-closed")
    assert refusal(ask(lab, "a", "b"))[:3] == (Verdict.DENIED, "acl-in", "acl-closed")


def test_a_rule_may_name_the_peer_s_group(lab):
    reference(lab, "tcp 6379 vpc-a/sg-a-open")
    assert ask(lab, "a", "b").verdict is Verdict.DELIVERED
    lab.put(lab.world[Interface, "eni-a"], group_ids=("sg-a",))
    assert refusal(ask(lab, "a", "b"))[:2] == (Verdict.DENIED, "ingress-groups")


def test_a_rule_that_lets_out_may_name_the_peer_s_group(lab):
    group = lab.world[SecurityGroup, "sg-a-open"]
    lab.put(group, rules=(lab._rule("tcp 6379 vpc-b/sg-b-open", egress=True),))
    assert ask(lab, "a", "b").verdict is Verdict.DELIVERED
    assert refusal(ask(lab, "a", "b", port=22))[:2] == (Verdict.DENIED, "egress-groups")


def test_a_rule_does_not_name_a_group_of_another_region(lab):
    reference(lab, "tcp 6379 vpc-a/sg-a-open")
    lab.put(lab.world[Vpc, "vpc-a"], region="eu-west-1")
    assert refusal(ask(lab, "a", "b"))[:2] == (Verdict.DENIED, "ingress-groups")
    reference(lab, "tcp 6379 10.0.0.0/16")
    assert ask(lab, "a", "b").verdict is Verdict.DELIVERED


def test_a_reference_matches_by_address_whichever_machine_of_the_peer_sends(lab):
    reference(lab, "tcp 6379 vpc-a/sg-a-open")
    lab.instance("box", "a", groups=["a"], ip="10.0.0.20", check=False)
    trace = lab.trace("box", "b", port=6379, source=lab.address("a"))
    packet = Packet(lab.address("a"), lab.address("b"), 6, 40000, 6379)
    decision = Kernel(compile(lab.world).facts()).ask("eni-box", packet)
    assert decision.receiver == trace.receiver == "eni-b"


def test_a_change_in_one_vpc_costs_its_peer_only_what_it_needs(lab):
    before = compile(lab.world)
    lab.put(lab.world[Interface, "eni-a"], group_ids=("sg-a",))
    after = compile(lab.world, before)
    assert all(after.parts["vpc-b", kind] is before.parts["vpc-b", kind] for kind in ("peerings", "groups", "routes"))

    reference(lab, "tcp 6379 vpc-a/sg-a-open")
    before = compile(lab.world, after)
    lab.put(lab.world[Interface, "eni-a"], group_ids=("sg-a-open",))
    after = compile(lab.world, before)
    assert after.parts["vpc-b", "peerings"] is not before.parts["vpc-b", "peerings"]
    assert all(after.parts["vpc-b", kind] is before.parts["vpc-b", kind] for kind in ("groups", "routes", "router"))
    assert set(after.facts()) == set(compile(lab.world).facts())


def mends(lab):
    return [(m.says, m.command) for m in mend(lab.world, lab.trace("a", "b", port=6379))]


def test_a_mend_leads_step_by_step_to_a_peer(lab):
    for table in ("rtb-a", "rtb-b"):
        lab.put(lab.world[RouteTable, table], routes=lab.world[RouteTable, table].routes[:1])
    peering = lab.world[Peering, "pcx-ab"]
    lab.put(peering, status="deleted")
    assert mends(lab) == [
        (
            "peer vpc-a with vpc-b, which has 10.1.0.10; then accept it and add routes",
            "aws ec2 create-vpc-peering-connection --vpc-id vpc-a --peer-vpc-id vpc-b",
        )
    ]
    accept = "aws ec2 accept-vpc-peering-connection --vpc-peering-connection-id pcx-ab"
    lab.put(peering, status="pending-acceptance")
    assert [command for _, command in mends(lab)] == [accept]
    lab.route("a", "10.1.0.0/16", "pcx-ab")
    assert [command for _, command in mends(lab)] == [accept]
    lab.put(peering)
    assert mends(lab) == [
        (
            "route 10.0.0.0/16 of rtb-b to pcx-ab",
            "aws ec2 create-route --route-table-id rtb-b --destination-cidr-block 10.0.0.0/16 "
            "--vpc-peering-connection-id pcx-ab",
        )
    ]
    lab.route("b", "10.0.0.0/16", "pcx-ab")
    assert mends(lab) == []


def test_a_route_to_a_connection_that_has_ended_is_taken_away(lab):
    lab.put(lab.world[Peering, "pcx-ab"], status="deleted")
    assert [command for _, command in mends(lab)] == [
        "aws ec2 delete-route --route-table-id rtb-a --destination-cidr-block 10.1.0.0/16"
    ]
