"""Gateway tables and local routes that lead elsewhere, in the tracer: who is asked, and what it says and mends."""

import pytest

from atoll.model.interface import Interface
from atoll.network.explain import explain
from atoll.network.flow import Code, Verdict
from atoll.network.mend import mend
from tests.network.edges import BOX, CLIENT, PUBLIC, edge_lab
from tests.network.lab import refusal
from tests.network.worlds import Lab


@pytest.fixture
def lab():
    """Return a server behind a middlebox: what comes in and what goes out passes it."""
    return edge_lab()


def at(steps, layer):
    return [step.at for step in steps if step.layer == layer]


def test_what_comes_in_asks_the_gateways_table_and_both_machines(lab):
    trace = lab.trace(CLIENT, PUBLIC, "tcp", 443)
    assert trace.verdict is Verdict.DELIVERED
    assert at(trace.steps, "gateway-route-table") == ["rtb-edge"]
    assert at(trace.steps, "ingress-groups") == ["eni-box", "eni-web"]
    assert at(trace.steps, "acl-in") == ["acl-v", "acl-v"]
    assert at(trace.back, "route-table") == ["rtb-web", "rtb-box"]
    assert "✓ gateway-route-table  10.0.1.0/24 -> eni-box" in explain(lab.world, trace)


def test_what_no_route_of_the_gateways_table_leads_away_goes_to_its_destination(lab):
    trace = lab.trace(CLIENT, BOX, "tcp", 443)
    (step,) = [step for step in trace.steps if step.layer == "gateway-route-table"]
    assert step.because == "10.0.0.0/16 -> local"
    assert trace.receiver == "eni-box"


def test_a_middlebox_without_a_public_address_gets_nothing_and_the_mend_gives_it_one():
    lab = edge_lab(box_is_public=False)
    trace = lab.trace(CLIENT, PUBLIC, "tcp", 443)
    verdict, layer, step_at, code, because = refusal(trace)
    assert (verdict, layer, step_at) == (Verdict.REFUSED, "gateway-route-table", "eni-box")
    assert code is Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS
    assert because == "10.0.1.0/24 -> eni-box of rtb-edge: eni-box has no public address, so igw-v sends it nothing"
    (advice,) = mend(lab.world, trace)
    allocation = "$(aws ec2 allocate-address --query AllocationId --output text)"
    assert advice.command == (
        f"aws ec2 associate-address --allocation-id {allocation} --network-interface-id eni-box"
    )


def test_a_stopped_middlebox_is_a_blackhole_and_the_mend_starts_it(lab):
    lab.set_state("box", "stopped")
    trace = lab.trace(CLIENT, PUBLIC, "tcp", 443)
    verdict, layer, step_at, code, because = refusal(trace)
    assert (verdict, layer, step_at, code) == (
        Verdict.BLACKHOLE, "gateway-route-table", "rtb-edge", Code.BAD_STATE_ROUTE,
    )  # fmt: skip
    assert because == "10.0.1.0/24 -> eni-box of rtb-edge is a blackhole"
    assert [m.command for m in mend(lab.world, trace)] == ["aws ec2 start-instances --instance-ids i-box"]


def test_a_middlebox_that_checks_takes_nothing_that_is_not_for_it_and_the_mend_is_its_check(lab):
    lab.put(lab.world[Interface, "eni-box"], source_dest_check=True)
    trace = lab.trace(CLIENT, PUBLIC, "tcp", 443)
    verdict, layer, step_at, code, _ = refusal(trace)
    assert (verdict, layer, step_at) == (Verdict.SPOOFED, "destination-check", "eni-box")
    assert code is Code.ENI_SOURCE_DEST_CHECK_RESTRICTION
    (advice,) = mend(lab.world, trace)
    assert advice.command == "aws ec2 modify-instance-attribute --instance-id i-box --no-source-dest-check"


def test_an_answer_that_belongs_to_another_flow_of_an_interface_needs_a_rule():
    """The box asks through a NAT gateway; the answer, which is for the gateway, is led to the box itself."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("box", "10.0.0.0/24"), lab.subnet("web", "10.0.1.0/24"), lab.subnet("nat", "10.0.2.0/24")
    lab.group("open", ingress=["all 0.0.0.0/0"]), lab.group("closed")
    lab.instance("box", "box", groups=["closed"], check=False)
    lab.instance("web", "web", groups=["open"])
    lab.nat_gateway("nat", "nat")
    lab.table("box", {"10.0.1.0/24": "nat-nat"}, subnets=["box"])
    lab.table("web", {"10.0.2.0/24": "i-box"}, subnets=["web"])
    trace = lab.trace("box", "web", "tcp", 443)
    assert trace.verdict is Verdict.NO_ANSWER
    assert refusal(trace)[1:3] == ("ingress-groups", "eni-box")
    lab.put(lab.world[Interface, "eni-box"], group_ids=("sg-open",))
    assert lab.trace("box", "web", "tcp", 443).verdict is Verdict.DELIVERED
