"""Load balancers and endpoints in the tracer: whom they lead to, what they refuse, and what it says then."""

import pytest

from atoll.network.flow import Code, Verdict
from tests.network.lab import refusal
from tests.network.worlds import Lab


def balanced(lab, vpc="v"):
    """Put a balancer with a healthy target in each of two zones into a VPC; a client beside it."""
    lab.vpc(vpc, "10.0.0.0/16")
    for n, zone in enumerate(("us-east-1a", "us-east-1b")):
        lab.subnet(f"{vpc}{n}", f"10.0.{n}.0/24", vpc=vpc, zone=zone)
    lab.group(f"{vpc}-open", ingress=["all 0.0.0.0/0"], vpc=vpc)
    open_group = [f"{vpc}-open"]
    lab.instance(f"{vpc}-client", f"{vpc}0", groups=open_group, ip="10.0.0.10")
    lab.instance(f"{vpc}-one", f"{vpc}0", groups=open_group, ip="10.0.0.20")
    lab.instance(f"{vpc}-two", f"{vpc}1", groups=open_group, ip="10.0.1.20")
    return lab


@pytest.fixture
def lab():
    """Return a VPC with a balancer in two zones and a target in each."""
    lab = balanced(Lab())
    lab.balancer("web", "v0", "v1", ips=["10.0.0.100", "10.0.1.100"])
    lab.targets("t", "web", "tcp 80", "10.0.0.20:6379", "10.0.1.20:6379")
    return lab


def test_a_target_sees_the_balancer_and_its_answer_comes_back(lab):
    trace = lab.trace("v-client", "10.0.0.100", "tcp", 80)
    assert trace.verdict is Verdict.DELIVERED
    assert str(trace.received) == "tcp 10.0.0.100:40000 -> 10.0.0.20:6379"
    assert trace.receiver == "eni-v-one", "it does not cross zones"


def test_a_port_without_a_listener_is_refused(lab):
    assert refusal(lab.trace("v-client", "10.0.0.100", "tcp", 81))[:4] == (
        Verdict.REFUSED, "load-balancer", "eni-web-v0", Code.ELBV2_LISTENERS_MISMATCH,
    )  # fmt: skip


@pytest.fixture
def two():
    """Return a consumer and a provider with the same ranges and addresses, and an endpoint between them."""
    lab = balanced(balanced(Lab(), "c"), "p")
    lab.balancer("cache", "p0", "p1", ips=["10.0.0.100", "10.0.1.100"])
    lab.targets("t", "cache", "tcp 6379", "10.0.0.20:6379")
    lab.service("s", "cache")
    lab.endpoint("e", "s", "c0", groups=["c-open"], ips=["10.0.0.100"])
    return lab


def test_a_consumer_reaches_a_provider_with_the_same_range(two):
    trace = two.trace("c-client", "10.0.0.100", "tcp", 6379)
    assert trace.verdict is Verdict.DELIVERED, trace.refusals
    assert trace.receiver == "eni-p-one"
    assert str(trace.received) == "tcp 10.0.0.100:40000 -> 10.0.0.20:6379"
