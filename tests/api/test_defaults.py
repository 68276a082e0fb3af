"""The default VPC of an account that has never been in a region."""

from atoll.ec2.defaults import open_territory
from atoll.model.vpc import Vpc
from atoll.model.world import Caller
from tests.api.paper import ACCOUNT, REGION, by, code, ids, refusal


def default(ec2):
    return ec2.describe_vpcs(Filters=by(is_default="true"))["Vpcs"]


def test_the_first_call_finds_a_default_vpc(ec2, abroad, stranger):
    for client, zones in ((ec2, 6), (abroad, 3), (stranger, 6)):
        (vpc,) = default(client)
        assert vpc["CidrBlock"] == "172.31.0.0/16"
        subnets = client.describe_subnets(Filters=by(vpc_id=vpc["VpcId"]))["Subnets"]
        assert len(subnets) == len({s["AvailabilityZone"] for s in subnets}) == zones
        assert {s["MapPublicIpOnLaunch"] for s in subnets} == {s["DefaultForAz"] for s in subnets} == {True}
        assert subnets[1]["CidrBlock"] == "172.31.16.0/20"
        assert subnets[1]["AvailableIpAddressCount"] == 4091


def test_the_default_vpc_leads_to_the_internet_and_gives_names(ec2):
    (vpc,) = default(ec2)
    (gateway,) = ec2.describe_internet_gateways(Filters=by(attachment__vpc_id=vpc["VpcId"]))["InternetGateways"]
    (table,) = ec2.describe_route_tables(Filters=by(vpc_id=vpc["VpcId"], association__main="true"))["RouteTables"]

    assert [(r["DestinationCidrBlock"], r["GatewayId"], r["State"]) for r in table["Routes"]] == [
        ("172.31.0.0/16", "local", "active"),
        ("0.0.0.0/0", gateway["InternetGatewayId"], "active"),
    ]
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        shown = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=name)
        assert shown[name[0].upper() + name[1:]]["Value"]


def remove(ec2):
    (vpc,) = default(ec2)
    for subnet in ec2.describe_subnets(Filters=by(vpc_id=vpc["VpcId"]))["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for gateway in ec2.describe_internet_gateways()["InternetGateways"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc["VpcId"])
        ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    ec2.delete_vpc(VpcId=vpc["VpcId"])


def test_a_deleted_default_vpc_comes_back_only_when_asked(ec2):
    remove(ec2)
    assert default(ec2) == []
    assert code(ec2.create_default_subnet, AvailabilityZone="us-east-1a") == "DefaultVpcDoesNotExist"
    assert code(ec2.create_security_group, GroupName="web", Description="web") == "VPCIdNotSpecified"

    made = ec2.create_default_vpc()["Vpc"]

    assert made["IsDefault"]
    assert default(ec2) == [made]
    assert len(ec2.describe_subnets(Filters=by(vpc_id=made["VpcId"]))["Subnets"]) == 6


def test_there_is_only_one_default_vpc(ec2):
    assert refusal(ec2.create_default_vpc) == (
        "DefaultVpcAlreadyExists",
        "A Default VPC already exists for this account in this region.",
    )


def test_a_zone_has_one_default_subnet(ec2):
    (old,) = ec2.describe_subnets(Filters=by(availability_zone="us-east-1c"))["Subnets"]
    assert refusal(ec2.create_default_subnet, AvailabilityZone="us-east-1c") == (
        "DefaultSubnetAlreadyExistsInAvailabilityZone",
        f"'{old['SubnetId']}' is already the default subnet in us-east-1c.",
    )
    ec2.delete_subnet(SubnetId=old["SubnetId"])

    made = ec2.create_default_subnet(AvailabilityZone="us-east-1c")["Subnet"]

    assert (made["CidrBlock"], made["DefaultForAz"], made["MapPublicIpOnLaunch"]) == (old["CidrBlock"], True, True)
    assert code(ec2.create_default_subnet) == "MissingParameter"
    assert code(ec2.create_default_subnet, AvailabilityZone="us-east-1z") == "InvalidParameterValue"


def test_what_is_default_is_everybodys_own(ec2, stranger):
    mine, theirs = (
        ids(ec2.describe_subnets()["Subnets"], "SubnetId"),
        ids(stranger.describe_subnets()["Subnets"], "SubnetId"),
    )

    assert not set(mine) & set(theirs)


def test_a_territory_is_opened_once(paper, ec2):
    ec2.describe_vpcs()
    before = dict(paper.world.bucket(Vpc, "is_default", True))

    paper.store.write(open_territory, caller=Caller(account=ACCOUNT, region=REGION, arn=""))

    assert dict(paper.world.bucket(Vpc, "is_default", True)) == before
