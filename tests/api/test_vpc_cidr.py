"""Secondary ranges of VPCs through boto3."""

import pytest

from tests.api.paper import by, code, refusal


def ranges(ec2, vpc):
    (shown,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    return [r["CidrBlock"] for r in shown["CidrBlockAssociationSet"]]


def local_routes(ec2, vpc):
    tables = ec2.describe_route_tables(Filters=by(vpc_id=vpc))["RouteTables"]
    return [[r["DestinationCidrBlock"] for r in t["Routes"] if r["GatewayId"] == "local"] for t in tables]


def test_a_further_range_has_room_for_subnets_and_a_local_route_in_every_table(ec2, vpc):
    ec2.create_route_table(VpcId=vpc)

    made = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")

    assert made["VpcId"] == vpc
    assert made["CidrBlockAssociation"]["CidrBlockState"] == {"State": "associated"}
    assert ranges(ec2, vpc) == ["10.0.0.0/16", "10.1.0.0/16"]
    assert local_routes(ec2, vpc) == [["10.0.0.0/16", "10.1.0.0/16"]] * 2
    assert ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.7.0/24")


def test_a_range_can_be_taken_away_again(ec2, vpc):
    id = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]["AssociationId"]

    gone = ec2.disassociate_vpc_cidr_block(AssociationId=id)

    assert gone["CidrBlockAssociation"]["CidrBlockState"] == {"State": "disassociating"}
    assert ranges(ec2, vpc) == ["10.0.0.0/16"]
    assert local_routes(ec2, vpc) == [["10.0.0.0/16"]]


@pytest.mark.parametrize(
    ("primary", "cidr", "admitted"),
    [
        ("10.0.0.0/16", "10.9.0.0/16", True),
        ("10.0.0.0/16", "100.64.0.0/16", True),
        ("10.0.0.0/16", "54.0.0.0/24", True),
        ("10.0.0.0/16", "172.16.0.0/16", False),
        ("10.0.0.0/16", "192.168.0.0/16", False),
        ("10.0.0.0/16", "198.19.0.0/16", False),
        ("172.16.0.0/16", "172.17.0.0/16", True),
        ("172.16.0.0/16", "172.31.0.0/16", False),
        ("172.16.0.0/16", "10.0.0.0/16", False),
        ("192.168.0.0/24", "192.168.1.0/24", True),
        ("192.168.0.0/24", "10.0.0.0/16", False),
        ("100.64.0.0/16", "10.0.0.0/16", False),
        ("100.64.0.0/16", "100.65.0.0/16", True),
    ],
)
def test_the_private_families_do_not_mix(ec2, primary, cidr, admitted):
    vpc = ec2.create_vpc(CidrBlock=primary)["Vpc"]["VpcId"]

    if admitted:
        assert ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock=cidr)
    else:
        refused, message = refusal(ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock=cidr)
        assert refused == "InvalidVpc.Range"
        assert message.startswith(f"The CIDR '{cidr}' is restricted.")


def test_ranges_do_not_overlap(ec2, vpc):
    assert refusal(ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.0.128.0/20") == (
        "InvalidVpc.Range",
        f"The CIDR '10.0.128.0/20' conflicts with another CIDR block of the vpc '{vpc}'",
    )


def test_a_vpc_has_at_most_five_ranges(ec2, vpc):
    for n in range(1, 5):
        ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock=f"10.{n}.0.0/16")

    assert refusal(ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.9.0.0/16") == (
        "CidrLimitExceeded",
        f"This network '{vpc}' has met its maximum number of allowed CIDRs: 5",
    )


def test_the_primary_range_stays(ec2, vpc):
    (shown,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    id = shown["CidrBlockAssociationSet"][0]["AssociationId"]

    refused, message = refusal(ec2.disassociate_vpc_cidr_block, AssociationId=id)

    assert refused == "OperationNotPermitted"
    assert "It is the primary IPv4 CIDR block of the VPC" in message


def test_a_range_with_a_subnet_stays(ec2, vpc):
    id = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.7.0/24")

    assert refusal(ec2.disassociate_vpc_cidr_block, AssociationId=id) == (
        "InvalidCidrBlock.InUse",
        f"The vpc {vpc} currently has a subnet within CIDR block 10.1.0.0/16",
    )


def test_a_range_that_is_routed_elsewhere_is_refused(ec2, vpc):
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.1.4.0/24", GatewayId=igw)

    assert code(ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.1.0.0/16") == "InvalidVpc.Range"


def test_an_unknown_association_is_refused(ec2):
    assert refusal(ec2.disassociate_vpc_cidr_block, AssociationId="vpc-cidr-assoc-0123456789abcdef0") == (
        "InvalidVpcCidrBlockAssociationID.NotFound",
        "The vpc CIDR block association ID 'vpc-cidr-assoc-0123456789abcdef0' does not exist",
    )


def test_nobody_else_changes_a_range(stranger, ec2, vpc):
    id = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]["AssociationId"]

    assert code(stranger.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.2.0.0/16") == "InvalidVpcID.NotFound"
    assert code(stranger.disassociate_vpc_cidr_block, AssociationId=id) == "InvalidVpcCidrBlockAssociationID.NotFound"
