"""Load balancers and endpoints in the tracer: whom they lead to, what they refuse, and what it says then."""

import pytest

from atoll.model.balancer import LoadBalancer
from atoll.model.endpoint import VpcEndpoint
from atoll.model.route import Route, RouteTable
from atoll.network.flow import Code, Verdict
from atoll.network.mend import mend
from atoll.network.places import AmbiguousPlace, endpoint
from tests.network.lab import CALLER, refusal
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


def test_balancers_and_endpoints_have_names(two):
    world = two.world
    every, zonal = world[VpcEndpoint, "vpce-e"].dns_names
    for name in ("vpce-e", every, zonal):
        assert endpoint(world, CALLER, name).at == "eni-e-c0", name
    balancer = world[LoadBalancer, "lb-cache"]
    with pytest.raises(AmbiguousPlace, match="cache in us-east-1a, cache in us-east-1b"):
        endpoint(world, CALLER, "cache")
    assert endpoint(world, CALLER, f"us-east-1b.{balancer.dns_name}").at == "eni-cache-p1"


def advice(lab, trace):
    (found,) = mend(lab.world, trace)
    return found.command or found.says


def test_each_refusal_says_what_mends_it(lab):
    trace = lab.trace("v-client", "10.0.0.100", "tcp", 81)
    assert advice(lab, trace) == (
        "aws elbv2 create-listener --load-balancer-arn lb-web --protocol TCP --port 81 "
        "--default-actions Type=forward,TargetGroupArn=GROUP"
    )
    assert "answers nothing itself" in advice(lab, lab.trace("v-client", "10.0.0.100", "icmp"))
    lab.targets("none", "web", "tcp 90")
    trace = lab.trace("v-client", "10.0.0.100", "tcp", 90)
    assert refusal(trace)[3] is Code.ELBV2_LISTENER_HAS_NO_TG
    assert advice(lab, trace) == "aws elbv2 register-targets --target-group-arn tg-none --targets Id=TARGET,Port=90"
    lab.targets("far", "web", "tcp 91", "10.0.1.20:6379")
    trace = lab.trace("v-client", "10.0.0.100", "tcp", 91)
    assert refusal(trace)[3] is Code.ELB_NOT_CROSSZONE
    assert "Key=load_balancing.cross_zone.enabled,Value=true" in advice(lab, trace)
    lab.targets("off", "web", "tcp 92", "i-v-one:6379")
    lab.set_state("v-one", "stopped")
    trace = lab.trace("v-client", "10.0.0.100", "tcp", 92)
    assert refusal(trace)[:2] == (Verdict.REFUSED, "load-balancer")
    assert advice(lab, trace) == "start an instance that is a target of off, or register one that runs"


def test_an_endpoint_says_what_it_waits_for(two):
    two.put(two.world[VpcEndpoint, "vpce-e"], state="pendingAcceptance")
    trace = two.trace("c-client", "10.0.0.100", "tcp", 6379)
    assert refusal(trace)[:4] == (Verdict.REFUSED, "endpoint", "vpce-e", Code.BAD_STATE)
    assert advice(two, trace) == (
        "aws ec2 accept-vpc-endpoint-connections --service-id vpce-svc-s --vpc-endpoint-ids vpce-e"
    )
    two.put(two.world[VpcEndpoint, "vpce-e"], state="available")
    assert refusal(two.trace("c-client", "10.0.0.100", "icmp"))[1] == "endpoint"
    assert refusal(two.trace("c-client", "10.0.0.100", "tcp", 6380))[1] == "load-balancer"


def test_an_endpoint_of_the_api_takes_what_its_groups_and_ports_admit(lab):
    lab.group("tight", vpc="v")
    lab.endpoint("api", "ec2", "v0", groups=["tight"], ips=["10.0.0.60"])
    assert refusal(lab.trace("v-client", "10.0.0.60", "tcp", 443))[1] == "ingress-groups"
    lab.endpoint("open", "sts", "v0", groups=["v-open"], ips=["10.0.0.61"])
    assert lab.trace("v-client", "10.0.0.61", "tcp", 443).verdict is Verdict.DELIVERED
    assert refusal(lab.trace("v-client", "10.0.0.61", "tcp", 22))[1] == "endpoint"


def test_a_gateway_endpoint_carries_http_of_its_vpc_to_the_store(lab):
    made = lab.gateway_endpoint("v", "s3", ["rtb-v"])
    table = lab.world[RouteTable, "rtb-v"]
    lab.put(table, routes=(*table.routes, Route(prefix_list_id="pl-63a5400a", target=made.id)))
    trace = lab.trace("v-client", "52.216.0.1", "tcp", 443)
    assert trace.verdict is Verdict.DELIVERED
    assert trace.receiver == made.id
    refused = refusal(lab.trace("v-client", "52.216.0.1", "tcp", 22))
    assert refused[3] is Code.VPCE_GATEWAY_PROTOCOL_RESTRICTION
    assert refusal(lab.trace("v-client", "52.216.0.2", "tcp", 443))[:2] == (Verdict.NOBODY, "gateway-endpoint")
    lab.put(made, state="deleting")
    assert refusal(lab.trace("v-client", "52.216.0.1", "tcp", 443))[3] is Code.BAD_STATE_ROUTE
