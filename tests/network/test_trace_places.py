"""What people call the ends of a flow."""

import pytest

from atoll.model.cache import CacheCluster
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.names import endpoint_hash, region_code
from atoll.model.world import Caller
from atoll.network.places import AmbiguousPlace, UnknownPlace, endpoint, receiver
from tests.network.worlds import ACCOUNT, CALLER, REGION, Lab

H = endpoint_hash(ACCOUNT, REGION)
RC = region_code(REGION)
DOMAIN = f"{RC}.cache.amazonaws.com"


@pytest.fixture
def lab(prod) -> Lab:
    """The documents' world with a replication group `orders` of three."""
    prod.replication_group("orders", "private", members=3)
    return prod


@pytest.mark.parametrize(
    ("text", "at", "address"),
    [
        ("i-app", "eni-app", "10.0.1.10"),
        ("eni-app", "eni-app", "10.0.1.10"),
        ("app", "eni-app", "10.0.1.10"),
        (" app ", "eni-app", "10.0.1.10"),
        ("10.0.1.10", "eni-app", "10.0.1.10"),
        ("ip-10-0-1-10.ec2.internal", "eni-app", "10.0.1.10"),
        ("203.0.113.73", "eni-nat", "203.0.113.73"),
        ("203.0.113.60", "eni-bastion", "203.0.113.60"),
        ("ec2-203-0-113-73.compute-1.amazonaws.com", "eni-nat", "203.0.113.73"),
        ("sessions-001", "eni-sessions-001-0001", "10.0.1.230"),
        ("Sessions-001", "eni-sessions-001-0001", "10.0.1.230"),
        ("sessions-001:0001", "eni-sessions-001-0001", "10.0.1.230"),
        ("mc:0002", "eni-mc-0002", "10.0.1.232"),
        ("orders", "eni-orders-001-0001", "10.0.1.4"),
        ("orders-003", "eni-orders-003-0001", "10.0.1.6"),
        (f"sessions-001.{H}.0001.{DOMAIN}", "eni-sessions-001-0001", "10.0.1.230"),
        (f"sessions-001.{H}.0001.{DOMAIN}:6379", "eni-sessions-001-0001", "10.0.1.230"),
        (f"mc.{H}.0002.{DOMAIN}", "eni-mc-0002", "10.0.1.232"),
        (f"orders.{H}.ng.0001.{DOMAIN}", "eni-orders-001-0001", "10.0.1.4"),
        (f"master.orders.{H}.{DOMAIN}", "eni-orders-001-0001", "10.0.1.4"),
        (f"orders-002.orders.{H}.{DOMAIN}", "eni-orders-002-0001", "10.0.1.5"),
    ],
)
def test_people_name_places_so(lab, text, at, address):
    place = endpoint(lab.world, CALLER, text)
    assert (place.at, str(place.address)) == (at, address)


def test_outside_is_the_usual_client_unless_something_is_called_so(lab):
    assert str(endpoint(lab.world, CALLER, "outside").at) == "198.51.100.27"

    lab.put(lab.world[Instance, "i-app"], tags={"Name": "outside"})
    assert endpoint(lab.world, CALLER, "outside").at == "eni-app"


@pytest.mark.parametrize(
    ("sender", "text", "address"),
    [
        ("outside", "i-bastion", "203.0.113.60"),
        ("outside", "eni-nat", "203.0.113.73"),
        ("outside", "10.0.0.55", "10.0.0.55"),
        ("outside", "203.0.113.73", "203.0.113.73"),
        ("outside", "app", "10.0.1.10"),
        ("outside", "sessions-001", "10.0.1.230"),
        ("outside", "198.51.100.28", "198.51.100.28"),
        ("app", "eni-nat", "10.0.0.55"),
    ],
)
def test_who_is_outside_speaks_to_a_machine_by_its_public_address(lab, sender, text, address):
    from_there = endpoint(lab.world, CALLER, sender)

    assert str(receiver(lab.world.seen_by(CALLER), from_there, text).address) == address


@pytest.mark.parametrize("text", ["198.51.100.27", "8.8.8.8", "169.254.169.254"])
def test_other_addresses_are_themselves(lab, text):
    place = endpoint(lab.world, CALLER, text)
    assert (str(place.at), str(place.address), place.name) == (text, text, text)


@pytest.mark.parametrize("text", ["10.0.0.1", "10.0.1.1", "10.0.0.2"], ids=["router", "a router", "resolver"])
def test_addresses_of_services_belong_to_their_vpc(lab, text):
    assert endpoint(lab.world, CALLER, text).at == "vpc-prod"


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("mc", ("mc:0001", "mc:0002")),
        (f"mc.{H}.cfg.{DOMAIN}", ("mc:0001", "mc:0002")),
        (f"orders-ro.{H}.ng.0001.{DOMAIN}", ("orders-002", "orders-003")),
        (f"replica.orders.{H}.{DOMAIN}", ("orders-002", "orders-003")),
    ],
)
def test_a_name_of_several_nodes_lists_them(lab, text, candidates):
    with pytest.raises(AmbiguousPlace) as refusal:
        endpoint(lab.world, CALLER, text)
    assert refusal.value.candidates == candidates
    assert str(refusal.value) == f"{text!r} may be any of these: {', '.join(candidates)}"


def test_two_instances_of_one_name_are_ambiguous(lab):
    lab.put(lab.world[Instance, "i-web"], tags={"Name": "app"})
    with pytest.raises(AmbiguousPlace) as refusal:
        endpoint(lab.world, CALLER, "app")
    assert sorted(refusal.value.candidates) == ["i-app (app)", "i-web (app)"]


def test_one_address_in_two_vpcs_is_ambiguous(lab):
    lab.vpc("two", "10.0.0.0/16")
    lab.subnet("two", "10.0.1.0/24", vpc="two")
    lab.instance("twin", "two", ip="10.0.1.10")
    with pytest.raises(AmbiguousPlace) as refusal:
        endpoint(lab.world, CALLER, "10.0.1.10")
    assert refusal.value.candidates == ("10.0.1.10 (eni-app in vpc-prod)", "10.0.1.10 (eni-twin in vpc-two)")


def test_an_unknown_name_lists_what_is_near(lab):
    with pytest.raises(UnknownPlace) as refusal:
        endpoint(lab.world, CALLER, "sesions-001")
    assert refusal.value.candidates[0] == "sessions-001"
    assert str(refusal.value).startswith("nothing is called 'sesions-001'; there is: sessions-001")


@pytest.mark.parametrize(
    "text",
    ["10.0.1.99", f"gone.{H}.0001.{DOMAIN}", f"sessions-001.zzzzzz.0001.{DOMAIN}", "mc:0009", "i-gone", ""],
    ids=[
        "a free address",
        "a cache that is not",
        "another account's endpoint",
        "no such node",
        "an old id",
        "nothing",
    ],
)
def test_what_is_not_there_is_refused(lab, text):
    with pytest.raises(UnknownPlace):
        endpoint(lab.world, CALLER, text)


def test_a_terminated_instance_is_no_place_any_more(lab):
    lab.set_state("app", "terminated")
    lab.tx.delete(lab.world[Interface, "eni-app"])
    with pytest.raises(UnknownPlace, match="i-app is terminated"):
        endpoint(lab.world, CALLER, "i-app")


def test_a_group_that_lost_its_primary_is_no_place_any_more(lab):
    lab.tx.delete(next(c for c in lab.world.all(CacheCluster) if c.name == "orders-001"))
    lab.tx.delete(lab.world[Interface, "eni-orders-002-0001"])
    for text in ("orders", "orders-001", "orders-002", f"orders.{H}.ng.0001.{DOMAIN}"):
        with pytest.raises(UnknownPlace):
            endpoint(lab.world, CALLER, text)
    assert endpoint(lab.world, CALLER, f"orders-ro.{H}.ng.0001.{DOMAIN}").at == "eni-orders-003-0001"


def test_nobody_finds_what_belongs_to_another_account(lab):
    other = Caller(account="999999999999", region=REGION, arn="arn:aws:iam::999999999999:root")
    for text in ("i-app", "eni-app", "app", "sessions-001", "10.0.1.10"):
        with pytest.raises(UnknownPlace):
            endpoint(lab.world, other, text)
    assert str(endpoint(lab.world, other, "203.0.113.73").at) == "203.0.113.73"  # theirs to reach, not to see


def test_the_console_of_nobody_sees_everything(lab):
    assert endpoint(lab.world, None, "app").at == "eni-app"
