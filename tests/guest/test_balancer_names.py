"""Names of load balancers and endpoints: to whom they lead, from where."""

import pytest

from atoll.guest.resolve import addresses
from atoll.model.balancer import LoadBalancer
from atoll.model.endpoint import EndpointService, VpcEndpoint
from tests.network.lab import Lab
from tests.network.test_trace_balancer import balanced


@pytest.fixture
def lab():
    lab = balanced(balanced(Lab(), "c"), "p")
    lab.balancer("cache", "p0", "p1", ips=["10.0.0.100", "10.0.1.100"])
    lab.targets("t", "cache", "tcp 6379", "10.0.0.20:6379", "10.0.1.20:6379 unhealthy")
    lab.service("s", "cache")
    lab.endpoint("e", "s", "c0", "c1", ips=["10.0.0.50", "10.0.1.50"])
    return lab


def meaning(lab, name, vpc="c"):
    found = addresses(lab.world, f"vpc-{vpc}" if vpc else None, name)
    return None if found is None else sorted(map(str, found))


def test_a_balancer_is_its_nodes_with_a_healthy_target(lab):
    name = lab.world[LoadBalancer, "lb-cache"].dns_name
    assert meaning(lab, name) == meaning(lab, name, None) == ["10.0.0.100"]
    assert meaning(lab, f"us-east-1b.{name}") == ["10.0.1.100"]
    assert meaning(lab, f"x{name}") is None
    lab.targets("u", "cache", "udp 53", "10.0.0.20:53 unhealthy")
    assert meaning(lab, name) == ["10.0.0.100", "10.0.1.100"], "no node has what all listeners need"


def test_a_balancer_that_faces_the_internet_is_its_public_addresses(lab):
    lab.gateway("p")
    lab.balancer("web", "p0", ips=["10.0.0.101"], scheme="internet-facing")
    lab.elastic_ip("203.0.113.9", "web-p0")
    assert meaning(lab, lab.world[LoadBalancer, "lb-web"].dns_name, None) == ["203.0.113.9"]


def test_an_endpoint_has_a_name_and_one_for_each_zone(lab):
    every, first, second = lab.world[VpcEndpoint, "vpce-e"].dns_names
    assert meaning(lab, every) == meaning(lab, every, "p") == ["10.0.0.50", "10.0.1.50"]
    assert (meaning(lab, first), meaning(lab, second)) == (["10.0.0.50"], ["10.0.1.50"])
    assert meaning(lab, "vpce-other.vpce-svc-s.us-east-1.vpce.amazonaws.com") is None


def test_a_private_name_means_the_endpoint_in_its_vpc_only(lab):
    lab.put(lab.world[EndpointService, "vpce-svc-s"], private_dns_name="cache.example.com")
    assert meaning(lab, "cache.example.com") is None
    lab.put(lab.world[VpcEndpoint, "vpce-e"], private_dns=True)
    for vpc in ("c", "p"):
        lab.set_names(vpc)
    assert meaning(lab, "cache.example.com") == ["10.0.0.50", "10.0.1.50"]
    assert meaning(lab, "cache.example.com", "p") is None
    lab.put(lab.world[VpcEndpoint, "vpce-e"], state="pending")
    assert meaning(lab, "cache.example.com") is None


def test_the_api_has_its_own_name_where_there_is_an_endpoint(lab):
    api = lab.endpoint("api", "ec2", "c0", ips=["10.0.0.60"])
    lab.put(api, private_dns=True), lab.set_names("c")
    assert meaning(lab, "ec2.us-east-1.amazonaws.com") == ["10.0.0.60"]
    assert meaning(lab, "ec2.us-east-1.amazonaws.com", "p") is None
    assert meaning(lab, "sts.us-east-1.amazonaws.com") is None
    assert meaning(lab, "seeds.s3.us-east-1.amazonaws.com") == meaning(lab, "s3.amazonaws.com") == ["52.216.0.1"]
