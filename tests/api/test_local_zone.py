"""Local Zones: opted in to, then used as any other zone, with addresses of their own border group."""

import pytest

from tests.api import caches
from tests.api.machines import launch, refused
from tests.api.paper import by

LAX = "us-west-2-lax-1"


@pytest.fixture
def west(paper):
    """A client in the region of Los Angeles."""
    return paper.client(region="us-west-2")


@pytest.fixture
def vpc(west):
    return west.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def opted_in(west):
    assert west.modify_availability_zone_group(GroupName=LAX, OptInStatus="opted-in")["Return"]


@pytest.fixture
def local(west, vpc, opted_in):  # noqa: ARG001
    """A subnet in Los Angeles."""
    made = west.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24", AvailabilityZone=f"{LAX}a")
    return made["Subnet"]["SubnetId"]


@pytest.fixture
def subnet(west, vpc):
    """A subnet in the region itself."""
    return west.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-west-2a")["Subnet"]["SubnetId"]


def named(client, **more):
    found = client.describe_availability_zones(**more)["AvailabilityZones"]
    return {zone["ZoneName"]: zone for zone in found}


def test_local_zones_are_listed_when_they_are_asked_for(west):
    assert f"{LAX}a" not in named(west)

    zone = named(west, AllAvailabilityZones=True)[f"{LAX}a"]

    assert zone == {
        "ZoneName": "us-west-2-lax-1a",
        "ZoneId": "usw2-lax1-az1",
        "ZoneType": "local-zone",
        "RegionName": "us-west-2",
        "GroupName": LAX,
        "GroupLongName": "US West (Los Angeles)",
        "NetworkBorderGroup": LAX,
        "OptInStatus": "not-opted-in",
        "ParentZoneName": "us-west-2a",
        "ParentZoneId": "usw2-az1",
        "State": "available",
        "Messages": [],
    }


@pytest.mark.usefixtures("opted_in")
def test_opting_in_is_for_an_account_in_a_region_and_for_the_whole_group(paper, west):
    other = paper.client(account="210987654321", region="us-west-2")

    mine = named(west)

    assert {z for z in mine if "lax" in z} == {f"{LAX}a", f"{LAX}b"}
    assert mine[f"{LAX}b"]["OptInStatus"] == "opted-in"
    assert f"{LAX}a" not in named(other)
    west.modify_availability_zone_group(GroupName=LAX, OptInStatus="opted-in")  # again changes nothing


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (by(zone_type="local-zone", opt_in_status="not-opted-in", group_name=f"{LAX}*"), [f"{LAX}a", f"{LAX}b"]),
        (by(group_long_name="*Denver*"), ["us-west-2-den-1a"]),
        (by(parent_zone_name="us-west-2a", zone_id="usw2-sea1-*"), ["us-west-2-sea-1a"]),
        (by(parent_zone_id="usw2-az9"), []),
        (by(opt_in_status="opted-in"), []),
    ],
)
def test_local_zones_are_filtered(west, filters, found):
    assert list(named(west, AllAvailabilityZones=True, Filters=filters)) == found


@pytest.mark.usefixtures("opted_in")
def test_what_cannot_be_opted_in_to_is_refused(west):
    with refused("InvalidParameterValue", "Invalid availability zone group: [us-east-1-bos-1]"):
        west.modify_availability_zone_group(GroupName="us-east-1-bos-1", OptInStatus="opted-in")
    with refused("InvalidParameterValue", "does not need to be opted in to"):
        west.modify_availability_zone_group(GroupName="us-west-2-zg-1", OptInStatus="opted-in")
    with refused("UnsupportedOperation", "contact AWS Support"):
        west.modify_availability_zone_group(GroupName=LAX, OptInStatus="not-opted-in")
    assert west.modify_availability_zone_group(GroupName="us-west-2-den-1", OptInStatus="not-opted-in")["Return"]


def test_a_subnet_in_a_local_zone_needs_the_opt_in_first(west, vpc):
    asked = {"VpcId": vpc, "CidrBlock": "10.0.9.0/24", "AvailabilityZone": f"{LAX}b"}

    with refused(
        "InvalidParameterValue",
        "Value (us-west-2-lax-1b) for parameter availabilityZone is invalid. Subnets can currently only be created "
        "in the following availability zones: us-west-2a, us-west-2b, us-west-2c, us-west-2d.",
    ):
        west.create_subnet(**asked)
    west.modify_availability_zone_group(GroupName=LAX, OptInStatus="opted-in")
    made = west.create_subnet(**asked)["Subnet"]

    assert (made["AvailabilityZone"], made["AvailabilityZoneId"]) == (f"{LAX}b", "usw2-lax1-az2")


def test_its_subnet_is_as_any_other(west, vpc, local):
    (acl,) = west.describe_network_acls(Filters=by(vpc_id=vpc))["NetworkAcls"]
    (table,) = west.describe_route_tables(Filters=by(vpc_id=vpc))["RouteTables"]

    instance = launch(west, ImageId=_image(west), SubnetId=local)

    assert local in {a["SubnetId"] for a in acl["Associations"]}
    assert [r["DestinationCidrBlock"] for r in table["Routes"]] == ["10.0.0.0/16"]
    assert instance["Placement"]["AvailabilityZone"] == f"{LAX}a"
    assert instance["Placement"]["AvailabilityZoneId"] == "usw2-lax1-az1"
    offers = west.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=by(location=f"{LAX}a", instance_type="t3.micro")
    )
    assert len(offers["InstanceTypeOfferings"]) == 1


@pytest.mark.usefixtures("opted_in")
def test_without_being_asked_nothing_goes_into_a_local_zone(west, vpc):
    zones = {
        west.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["AvailabilityZone"] for n in range(8)
    }

    assert zones == {f"us-west-2{letter}" for letter in "abcd"}
    with refused("InvalidParameterValue", "has no default subnet"):
        west.create_default_subnet(AvailabilityZone=f"{LAX}a")


def test_an_address_is_for_its_own_border_group_only(paper, west, vpc, local, subnet):
    gateway = west.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    west.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    here, there = (launch(west, ImageId=_image(west), SubnetId=s)["InstanceId"] for s in (subnet, local))
    paper.settle()
    regional = west.allocate_address()
    mine = west.allocate_address(NetworkBorderGroup=LAX)

    assert mine["NetworkBorderGroup"] == LAX
    west.associate_address(AllocationId=mine["AllocationId"], InstanceId=there)
    west.associate_address(AllocationId=regional["AllocationId"], InstanceId=here)
    with refused("InvalidParameterCombination", f"belongs to the network border group {LAX}"):
        west.associate_address(AllocationId=mine["AllocationId"], InstanceId=here)
    with refused("InvalidParameterCombination", "belongs to the network border group us-west-2"):
        west.associate_address(AllocationId=regional["AllocationId"], InstanceId=there)
    (shown,) = west.describe_addresses(Filters=by(network_border_group=LAX))["Addresses"]
    assert shown["PublicIp"] == mine["PublicIp"]


def test_a_nat_gateway_takes_addresses_of_its_border_group_only(west, vpc, local):
    gateway = west.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    west.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    regional = west.allocate_address()["AllocationId"]

    with refused("InvalidParameterCombination", "belongs to the network border group us-west-2"):
        west.create_nat_gateway(SubnetId=local, AllocationId=regional)

    assert west.create_nat_gateway(
        SubnetId=local, AllocationId=west.allocate_address(NetworkBorderGroup=LAX)["AllocationId"]
    )["NatGateway"]["State"] == "pending"  # fmt: skip


def test_an_address_needs_the_opt_in_and_is_released_by_its_group(west):
    with refused("InvalidParameterValue", "Expecting one of us-west-2."):
        west.allocate_address(NetworkBorderGroup=LAX)
    west.modify_availability_zone_group(GroupName=LAX, OptInStatus="opted-in")
    id = west.allocate_address(NetworkBorderGroup=LAX)["AllocationId"]

    with refused("InvalidAddress.NotFound"):
        west.release_address(AllocationId=id, NetworkBorderGroup="us-west-2")
    west.release_address(AllocationId=id, NetworkBorderGroup=LAX)


@pytest.fixture
def cache(paper, local):
    caches.install(paper)
    cache = caches.Caches(paper.client("elasticache", region="us-west-2"))
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="la", CacheSubnetGroupDescription="Los Angeles", SubnetIds=[local]
    )
    return cache


@pytest.mark.parametrize("type", ["cache.t3.micro", "cache.m5.large", "cache.r5.large"])
def test_a_cache_in_los_angeles_has_a_node_of_one_of_three_families(cache, type):
    assert cache.memcached(CacheSubnetGroupName="la", CacheNodeType=type)["CacheClusterStatus"] == "creating"


def test_other_families_are_refused_there(cache):
    with refused("InvalidParameterValue", "cache.m6g.large is not supported in the Local Zone us-west-2-lax-1a"):
        cache.memcached(CacheSubnetGroupName="la", CacheNodeType="cache.m6g.large")


def test_other_local_zones_have_no_caches(west, vpc, cache):
    west.modify_availability_zone_group(GroupName="us-west-2-den-1", OptInStatus="opted-in")
    denver = west.create_subnet(VpcId=vpc, CidrBlock="10.0.8.0/24", AvailabilityZone="us-west-2-den-1a")
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="denver", CacheSubnetGroupDescription="x", SubnetIds=[denver["Subnet"]["SubnetId"]]
    )

    with refused("InvalidParameterValue", "ElastiCache is not available in the Local Zone us-west-2-den-1a."):
        cache.memcached(CacheSubnetGroupName="denver")


def _image(client):
    found = client.describe_images(Owners=["amazon"], Filters=by(name="al2023-ami-2023*-x86_64"))["Images"]
    return found[0]["ImageId"]
