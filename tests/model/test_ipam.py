"""Addresses and numbers: what is free."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.model.address import ElasticIp
from atoll.model.interface import Interface
from atoll.model.subnet import Subnet
from atoll.network.ipam import (
    NoFreeAddress,
    NoFreePublicAddress,
    free_address,
    free_addresses,
    free_number,
    free_public_ip,
    is_reserved,
    new_interface,
    taken,
)
from tests.network.worlds import Lab


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("a", "10.0.0.0/28")
    return lab


def subnet(lab: Lab) -> Subnet:
    return lab.world[Subnet, "subnet-a"]


@pytest.mark.parametrize(
    ("address", "reserved"),
    [
        ("10.0.0.0", True), ("10.0.0.1", True), ("10.0.0.2", True), ("10.0.0.3", True), ("10.0.0.4", False),
        ("10.0.0.14", False), ("10.0.0.15", True),
    ],
)  # fmt: skip
def test_aws_keeps_the_first_four_and_the_last(address, reserved):
    assert is_reserved(IPv4Network("10.0.0.0/28"), IPv4Address(address)) is reserved


def test_the_smallest_subnet_has_eleven_addresses(lab):
    assert free_addresses(lab.world, subnet(lab)) == 11


def test_the_lowest_free_address_is_taken_first_and_taken_again_when_it_is_free(lab):
    got = [str(new_interface(lab.tx, subnet(lab), ["sg-v"]).address) for _ in range(3)]
    assert got == ["10.0.0.4", "10.0.0.5", "10.0.0.6"]
    lab.tx.delete(next(i for i in lab.world.all(Interface) if str(i.address) == "10.0.0.5"))
    assert str(free_address(lab.world, subnet(lab))) == "10.0.0.5"
    assert str(free_address(lab.world, subnet(lab), [IPv4Address("10.0.0.5")])) == "10.0.0.7"


def test_secondary_addresses_are_taken_too(lab):
    lab.interface("x", "a", ip="10.0.0.4", more_ips=["10.0.0.5"])
    assert {str(a) for a in taken(lab.world, subnet(lab))} == {"10.0.0.4", "10.0.0.5"}
    assert free_addresses(lab.world, subnet(lab)) == 9
    assert str(free_address(lab.world, subnet(lab))) == "10.0.0.6"


def test_a_full_subnet_says_so(lab):
    for _ in range(11):
        new_interface(lab.tx, subnet(lab), ["sg-v"])
    assert free_addresses(lab.world, subnet(lab)) == 0
    with pytest.raises(NoFreeAddress, match="subnet-a"):
        new_interface(lab.tx, subnet(lab), ["sg-v"])


def test_a_new_interface_has_all_it_needs(lab):
    made = new_interface(lab.tx, subnet(lab), ["sg-v"], address=IPv4Address("10.0.0.9"), description="mine")
    assert (str(made.address), made.group_ids, made.description) == ("10.0.0.9", ("sg-v",), "mine")
    assert (made.vpc_id, made.subnet_id, made.status) == ("vpc-v", "subnet-a", "available")
    assert made.mac.startswith("02:")


@given(st.sets(st.integers(4, 14)))
def test_the_free_address_is_the_lowest_that_nobody_has(used):
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("a", "10.0.0.0/28")
    for n in used:
        lab.interface(f"i{n}", "a", ip=f"10.0.0.{n}")
    left = sorted(set(range(4, 15)) - used)
    assert free_addresses(lab.world, subnet(lab)) == len(left)
    if left:
        assert free_address(lab.world, subnet(lab)) == IPv4Address(f"10.0.0.{left[0]}")


@given(st.lists(st.integers(4, 14), max_size=30))
def test_the_lowest_is_found_while_others_come_and_go(steps):
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("a", "10.0.0.0/28")
    used: dict[int, Interface] = {}
    for n in steps:  # one that is there goes
        if n in used:
            lab.tx.delete(used.pop(n))
        else:
            number = free_number(lab.world, Interface, "vpc-v")
            used[n] = new_interface(lab.tx, subnet(lab), ["sg-v"], address=IPv4Address(f"10.0.0.{n}"))
            assert used[n].number == number
        numbers = {one.number for one in used.values()}
        assert free_number(lab.world, Interface, "vpc-v") == min(set(range(1, 20)) - numbers)
        left = sorted(set(range(4, 15)) - used.keys())
        if left:
            assert free_address(lab.world, subnet(lab)) == IPv4Address(f"10.0.0.{left[0]}")
        if len(left) > 1:
            assert free_address(lab.world, subnet(lab), [IPv4Address(f"10.0.0.{left[0]}")]) == IPv4Address(
                f"10.0.0.{left[1]}"
            )


def test_numbers_are_unique_in_a_vpc_and_used_again(lab):
    lab.subnet("b", "10.0.1.0/24")
    lab.vpc("w", "10.0.0.0/16")
    assert free_number(lab.world, Subnet, "vpc-v") == 3
    assert free_number(lab.world, Subnet, "vpc-w") == 1
    lab.tx.delete(subnet(lab))
    assert free_number(lab.world, Subnet, "vpc-v") == 1


def test_public_addresses_are_shared_by_everybody(lab):
    assert str(free_public_ip(lab.world)) == "203.0.113.1"
    lab.elastic_ip("203.0.113.1")
    lab.interface("x", "a", public="203.0.113.2")
    assert str(free_public_ip(lab.world)) == "203.0.113.3"
    assert str(free_public_ip(lab.world, IPv4Address("203.0.113.73"))) == "203.0.113.73"


@pytest.mark.parametrize("wanted", ["203.0.113.1", "192.0.2.1"], ids=["taken", "not in the pool"])
def test_a_public_address_that_cannot_be_had_is_refused(lab, wanted):
    lab.elastic_ip("203.0.113.1")
    with pytest.raises(NoFreePublicAddress):
        free_public_ip(lab.world, IPv4Address(wanted))


def test_the_public_pool_ends(lab):
    for n in range(1, 255):
        lab.tx.make(ElasticIp, f"eipalloc-{n}", public_ip=IPv4Address(f"203.0.113.{n}"), border_group="us-east-1")
    with pytest.raises(NoFreePublicAddress):
        free_public_ip(lab.world)
