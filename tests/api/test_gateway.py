"""Internet gateways through boto3."""

import pytest

from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging

GONE = "igw-0123456789abcdef0"


@pytest.fixture
def igw(ec2):
    return ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]


def show(ec2, id):
    return ec2.describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"][0]


def test_a_new_gateway_is_attached_to_nothing(ec2):
    made = ec2.create_internet_gateway(TagSpecifications=tagging("internet-gateway", Name="door"))["InternetGateway"]

    assert show(ec2, made["InternetGatewayId"]) == made
    assert made == {
        "InternetGatewayId": made["InternetGatewayId"],
        "OwnerId": ACCOUNT,
        "Attachments": [],
        "Tags": [{"Key": "Name", "Value": "door"}],
    }


def test_an_attached_gateway_is_available_to_its_vpc(ec2, vpc, igw):
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)

    assert show(ec2, igw)["Attachments"] == [{"State": "available", "VpcId": vpc}]
    for filters in (by(attachment__vpc_id=vpc), by(internet_gateway_id=igw), by(attachment__state="available")):
        assert igw in ids(ec2.describe_internet_gateways(Filters=filters)["InternetGateways"], "InternetGatewayId")
    ec2.get_waiter("internet_gateway_exists").wait(InternetGatewayIds=[igw])


def test_a_gateway_serves_one_vpc(ec2, vpc, igw):
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]

    for wanted in (vpc, other):
        assert refusal(ec2.attach_internet_gateway, InternetGatewayId=igw, VpcId=wanted) == (
            "Resource.AlreadyAssociated",
            f"resource {igw} is already attached to network {vpc}",
        )


def test_a_vpc_has_one_gateway(ec2, vpc, igw):
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    second = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]

    assert refusal(ec2.attach_internet_gateway, InternetGatewayId=second, VpcId=vpc) == (
        "InvalidParameterValue",
        f"Network {vpc} already has an internet gateway attached",
    )


def test_what_is_not_attached_cannot_be_detached(ec2, vpc, igw):
    assert refusal(ec2.detach_internet_gateway, InternetGatewayId=igw, VpcId=vpc) == (
        "Gateway.NotAttached",
        f"resource {igw} is not attached to network {vpc}",
    )


def test_an_attached_gateway_stays(ec2, vpc, igw):
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    assert refusal(ec2.delete_internet_gateway, InternetGatewayId=igw) == (
        "DependencyViolation",
        f"The internetGateway '{igw}' has dependencies and cannot be deleted.",
    )

    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=igw)

    assert refusal(ec2.describe_internet_gateways, InternetGatewayIds=[igw]) == (
        "InvalidInternetGatewayID.NotFound",
        f"The internetGateway ID '{igw}' does not exist",
    )


def test_a_gateway_that_public_addresses_need_stays_attached(ec2, vpc, subnet, igw):
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    eip = ec2.allocate_address(Domain="vpc")["AllocationId"]
    association = ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)["AssociationId"]

    assert refusal(ec2.detach_internet_gateway, InternetGatewayId=igw, VpcId=vpc) == (
        "DependencyViolation",
        f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching "
        "the gateway.",
    )

    ec2.disassociate_address(AssociationId=association)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)


def test_the_paginator_shows_every_gateway_once(ec2):
    for _ in range(6):
        ec2.create_internet_gateway()

    pages = list(ec2.get_paginator("describe_internet_gateways").paginate(PaginationConfig={"PageSize": 5}))

    assert [len(p["InternetGateways"]) for p in pages] == [5, 2]


def test_ids_that_name_no_gateway(ec2, stranger, abroad, vpc, igw):
    assert code(ec2.attach_internet_gateway, InternetGatewayId=GONE, VpcId=vpc) == "InvalidInternetGatewayID.NotFound"
    assert code(ec2.delete_internet_gateway, InternetGatewayId="door") == "InvalidInternetGatewayId.Malformed"
    for other in (stranger, abroad):
        assert code(other.describe_internet_gateways, InternetGatewayIds=[igw]) == "InvalidInternetGatewayID.NotFound"
        assert code(other.delete_internet_gateway, InternetGatewayId=igw) == "InvalidInternetGatewayID.NotFound"
