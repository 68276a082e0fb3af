"""Names that must be spelt alike everywhere."""

from ipaddress import IPv4Address

import pytest

from atoll.model.names import (
    arn,
    endpoint_hash,
    key,
    link_name,
    mac_address,
    private_dns,
    public_dns,
    region_code,
)
from atoll.model.zones import zone, zones


@pytest.mark.parametrize(
    ("region", "code"),
    [("us-east-1", "use1"), ("ap-northeast-2", "apn2"), ("ap-northeast-1", "apne1"), ("af-south-1", "afs1")],
)
def test_regions_have_short_codes(region, code):
    assert region_code(region) == code


@pytest.mark.parametrize(
    ("region", "private", "public"),
    [
        ("us-east-1", "ip-10-0-0-1.ec2.internal", "ec2-10-0-0-1.compute-1.amazonaws.com"),
        (
            "eu-west-1",
            "ip-10-0-0-1.eu-west-1.compute.internal",
            "ec2-10-0-0-1.eu-west-1.compute.amazonaws.com",
        ),
    ],
)
def test_instances_have_names(region, private, public):
    address = IPv4Address("10.0.0.1")
    assert (private_dns(address, region), public_dns(address, region)) == (private, public)


def test_kernel_names_fit_into_linux_and_depend_on_the_id_alone():
    ids = [f"eni-{n:017x}" for n in range(2000)]
    assert len({link_name(i) for i in ids}) == len({mac_address(i) for i in ids}) == len(ids)
    assert all(len(link_name(i)) <= 15 for i in ids)
    assert link_name(ids[0]) == link_name(ids[0])


def test_the_hash_of_endpoints_is_one_per_account_and_region():
    assert endpoint_hash("1", "us-east-1") == endpoint_hash("1", "us-east-1")
    others = {endpoint_hash("1", "us-east-1"), endpoint_hash("2", "us-east-1"), endpoint_hash("1", "eu-west-1")}
    assert len(others) == 3
    assert all(len(h) == 6 and h.isalnum() and h == h.lower() for h in others)


def test_composite_names():
    assert key("1", "us-east-1", "sessions") == "1/us-east-1/sessions"
    assert arn("ec2", "us-east-1", "1", "vpc/vpc-1") == "arn:aws:ec2:us-east-1:1:vpc/vpc-1"


def test_zones_are_found_by_name_and_by_id():
    assert [z.name for z in zones("us-west-1")] == ["us-west-1a", "us-west-1b"]
    assert zone("us-east-1", "us-east-1b") == zone("us-east-1", "use1-az2")
    assert zone("us-east-1", "eu-west-1a") is None
    assert len(zones("xx-nowhere-9")) == 3
