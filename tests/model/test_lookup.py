"""Joins over the World."""

import pytest

from atoll.model.gateway import InternetGateway
from atoll.model.interface import Interface
from atoll.model.lookup import (
    cache_node_of,
    elastic_ip_of,
    interfaces_of,
    internet_gateway_of,
    is_public,
    main_route_table,
    primary_interface,
    public_ip_of,
    route_state,
    route_table_of,
    vpc_of,
)
from atoll.model.subnet import Subnet
from tests.network.worlds import Lab, prod_lab


@pytest.fixture
def lab() -> Lab:
    return prod_lab()


def test_a_subnet_uses_its_own_table_or_else_the_main_one(lab):
    tables = {s.id: route_table_of(lab.world, s).id for s in lab.world.all(Subnet)}
    assert tables == {"subnet-public": "rtb-public", "subnet-private": "rtb-prod"}
    assert main_route_table(lab.world, "vpc-prod").id == "rtb-prod"


def test_a_subnet_is_public_by_its_route_to_a_gateway(lab):
    public = {s.id: is_public(lab.world, s) for s in lab.world.all(Subnet)}
    assert public == {"subnet-public": True, "subnet-private": False}


def test_an_instances_interfaces_come_by_device_index(lab):
    first = lab.world[Interface, "eni-app"]
    assert first.attachment
    second = lab.interface("second", "private")
    plug = first.attachment.__class__(
        id="eni-attach-2", instance_owner="x", time=first.attachment.time, instance_id="i-app", device_index=1
    )
    lab.put(second, attachment=plug)
    lab.put(first, tags={"touched": "later"})
    assert [i.id for i in interfaces_of(lab.world, "i-app")] == ["eni-app", "eni-second"]
    assert primary_interface(lab.world, "i-app") == lab.world[Interface, "eni-app"]
    assert primary_interface(lab.world, "i-gone") is None


def test_an_elastic_ip_takes_precedence_over_an_automatic_address(lab):
    bastion = lab.world[Interface, "eni-bastion"]
    assert str(public_ip_of(lab.world, bastion)) == "203.0.113.60"
    assert elastic_ip_of(lab.world, bastion.id) is None
    lab.elastic_ip("203.0.113.99", "bastion")
    assert str(public_ip_of(lab.world, bastion)) == "203.0.113.99"
    assert public_ip_of(lab.world, lab.world[Interface, "eni-app"]) is None


def test_an_elastic_ip_of_another_address_is_not_the_primarys(lab):
    lab.instance("two", "public", ip="10.0.0.30", more_ips=["10.0.0.31"])
    lab.elastic_ip("203.0.113.98", "two", "10.0.0.31")
    two = lab.world[Interface, "eni-two"]
    assert public_ip_of(lab.world, two) is None
    found = elastic_ip_of(lab.world, two.id, lab.address("10.0.0.31"))
    assert found
    assert str(found.public_ip) == "203.0.113.98"


def test_a_vpcs_gateway_is_the_one_attached_to_it(lab):
    gateway = internet_gateway_of(lab.world, "vpc-prod")
    assert gateway
    assert gateway.id == "igw-prod"
    lab.put(gateway, vpc_id=None)
    assert internet_gateway_of(lab.world, "vpc-prod") is None


@pytest.mark.parametrize(
    ("target", "state"),
    [
        ("local", "active"),
        ("igw-prod", "active"),
        ("igw-other", "blackhole"),
        ("igw-gone", "blackhole"),
        ("eni-nat", "active"),
        ("eni-booting", "active"),
        ("eni-halting", "active"),
        ("eni-off", "blackhole"),
        ("eni-loose", "blackhole"),
        ("eni-gone", "blackhole"),
        ("eni-sessions-001-0001", "active"),
        ("nat-1", "blackhole"),
    ],
)
def test_a_route_is_a_blackhole_when_its_target_is_not_there(lab, target, state):
    lab.tx.make(InternetGateway, "igw-other", vpc_id="vpc-other")
    lab.instance("off", "public", state="stopped")
    lab.instance("halting", "public", state="stopping")
    lab.instance("booting", "public", state="pending")
    lab.interface("loose", "public")
    assert route_state(lab.world, "vpc-prod", target) == state


def test_a_cache_nodes_interface_leads_to_its_node(lab):
    found = cache_node_of(lab.world, lab.world[Interface, "eni-mc-0002"])
    assert found
    assert (found.cluster.name, found.node.id) == ("mc", "0002")
    assert cache_node_of(lab.world, lab.world[Interface, "eni-app"]) is None
    assert vpc_of(lab.world, lab.world[Interface, "eni-app"]).id == "vpc-prod"
