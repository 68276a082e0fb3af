"""What `atoll chaos` breaks, as the tracer sees it."""

import pytest

from atoll.model.hardware import rack_of
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.network.flow import Code, Verdict
from atoll.network.mend import mend
from tests.network.lab import Lab

A, B = "us-east-1a", "us-east-1b"


@pytest.fixture
def lab():
    """Two zones of a VPC, and a peer with a subnet in each of them; everybody may reach everybody."""
    lab = Lab()
    for name, n in (("near", 0), ("far", 1)):
        lab.vpc(name, f"10.{n}.0.0/16")
        lab.gateway(name)
    lab.peering("nf", "near", "far")
    for name, n in (("near", 0), ("far", 1)):
        lab.group(f"{name}-open", vpc=name, ingress=["all 0.0.0.0/0"])
        for i, zone in enumerate((A, B)):
            subnet = f"{name}{zone[-1]}"
            lab.subnet(subnet, f"10.{n}.{i}.0/24", vpc=name, zone=zone)
            lab.instance(
                subnet, subnet, groups=[f"{name}-open"], ip=f"10.{n}.{i}.10", public=f"203.0.113.{n * 2 + i + 1}"
            )
        lab.route(name, f"10.{1 - n}.0.0/16", "pcx-nf")
        lab.route(name, "0.0.0.0/0", f"igw-{name}")
    lab.instance("neighbour", "neara", groups=["near-open"], ip="10.0.0.11")
    lab.outside("198.51.100.27")
    return lab


def fate(lab, sender, destination):
    return lab.trace(sender, destination, "tcp", 6379).verdict


def test_nothing_passes_between_a_parted_zone_and_another(lab):
    assert fate(lab, "neara", "nearb") is Verdict.DELIVERED
    lab.fault("partition-zone", A)

    for one, other in (("neara", "nearb"), ("nearb", "neara"), ("neara", "farb"), ("nearb", "fara")):
        trace = lab.trace(one, other, "tcp", 6379)
        assert trace.verdict is Verdict.CUT
        (step,) = trace.refusals
        assert (step.layer, step.at, step.code) == ("fault-out", "fault-1", Code.ATOLL_FAULT)
        assert step.because == "fault-1 cuts us-east-1a off (partition-zone)"
        assert [m.command for m in mend(lab.world, trace)] == ["atoll chaos revert fault-1"]


def test_a_parted_zone_is_whole_in_itself_and_on_the_internet(lab):
    lab.fault("partition-zone", A)

    assert fate(lab, "neara", "neighbour") is Verdict.DELIVERED
    assert fate(lab, "neara", "fara") is Verdict.DELIVERED  # the peer's subnet is in the same zone
    assert fate(lab, "nearb", "farb") is Verdict.DELIVERED
    assert fate(lab, "neara", "198.51.100.27") is Verdict.DELIVERED
    assert fate(lab, "198.51.100.27", "203.0.113.1") is Verdict.DELIVERED


def test_an_instance_that_is_cut_off_reaches_nobody_and_nobody_it(lab):
    lab.fault("partition-instance", "i-neara")

    for one, other in (("neara", "neighbour"), ("neighbour", "neara"), ("neara", "198.51.100.27"), ("farb", "neara")):
        assert fate(lab, one, other) is Verdict.CUT
    from_outside = lab.trace("198.51.100.27", "203.0.113.1", "tcp", 6379)
    assert (from_outside.verdict, from_outside.refusals[0].layer) == (Verdict.CUT, "fault-in")
    assert fate(lab, "neighbour", "nearb") is Verdict.DELIVERED


def test_its_host_s_own_services_still_answer_an_instance_that_is_cut_off(lab):
    lab.fault("partition-instance", "i-neara")

    assert lab.trace("neara", "169.254.169.254", "tcp", 80).verdict is Verdict.DELIVERED


@pytest.mark.parametrize("act", ["kill-host", "kill-rack", "kill-zone"])
def test_nothing_runs_on_hardware_that_is_down(lab, act):
    host = lab.world[Instance, "i-neara"].host
    target = {"kill-host": host, "kill-rack": rack_of(host), "kill-zone": A}[act]
    lab.fault(act, target)

    trace = lab.trace("nearb", "neara", "tcp", 6379)

    assert (trace.verdict, trace.refusals[0].code) == (Verdict.DOWN, Code.ATOLL_FAULT)
    assert trace.refusals[0].because == f"{target} is down ({act})"
    assert [m.command for m in mend(lab.world, trace)] == ["atoll chaos revert fault-1"]
    assert fate(lab, "neara", "nearb") is Verdict.DOWN
    assert (fate(lab, "nearb", "neighbour") is Verdict.DOWN) is (act == "kill-zone")


def test_a_cache_node_and_a_nat_gateway_fall_with_what_they_stand_on(lab):
    lab.cache("sessions", "neara", ips=["10.0.0.20"], groups=["near-open"])
    lab.nat_gateway("nat", "neara", ips=["10.0.0.30"], publics=["203.0.113.99"])
    lab.table("nearb", {"198.51.100.27/32": "nat-nat"}, subnets=["nearb"], vpc="near")
    assert fate(lab, "nearb", "10.0.0.20") is Verdict.DELIVERED
    assert fate(lab, "nearb", "198.51.100.27") is Verdict.DELIVERED
    host = lab.world[Interface, "eni-sessions-0001"].host

    lab.fault("kill-host", host)

    assert fate(lab, "nearb", "10.0.0.20") is Verdict.DOWN
    assert fate(lab, "nearb", "198.51.100.27") is Verdict.DELIVERED
    lab.fault("kill-zone", A)
    trace = lab.trace("nearb", "198.51.100.27", "tcp", 6379)
    assert trace.verdict is Verdict.DOWN
    assert [m.command for m in mend(lab.world, trace)] == ["atoll chaos revert fault-2"]
