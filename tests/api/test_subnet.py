"""Subnets through boto3."""

import pytest

from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging

GONE = "subnet-0123456789abcdef0"


def test_a_new_subnet_has_every_member_that_aws_shows(ec2, vpc):
    made = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock="10.0.1.0/24",
        AvailabilityZone="us-east-1b",
        TagSpecifications=tagging("subnet", Name="private"),
    )["Subnet"]

    assert ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"] == [made]
    assert made == {
        "SubnetId": made["SubnetId"],
        "SubnetArn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:subnet/{made['SubnetId']}",
        "VpcId": vpc,
        "OwnerId": ACCOUNT,
        "CidrBlock": "10.0.1.0/24",
        "AvailabilityZone": "us-east-1b",
        "AvailabilityZoneId": "use1-az2",
        "AvailableIpAddressCount": 251,
        "State": "available",
        "DefaultForAz": False,
        "MapPublicIpOnLaunch": False,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "Ipv6CidrBlockAssociationSet": [],
        "Ipv6Native": False,
        "EnableDns64": False,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Tags": [{"Key": "Name", "Value": "private"}],
    }


def test_a_subnet_uses_the_default_acl_of_its_vpc(ec2, vpc, subnet):
    (acl,) = ec2.describe_network_acls(Filters=by(association__subnet_id=subnet))["NetworkAcls"]

    assert acl["IsDefault"]
    assert acl["VpcId"] == vpc


def test_without_a_zone_subnets_spread(ec2, vpc):
    zones = {ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["AvailabilityZone"] for n in range(6)}

    assert len(zones) == 6


def test_a_zone_may_be_named_by_its_id(ec2, vpc):
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZoneId="use1-az3")["Subnet"]

    assert made["AvailabilityZone"] == "us-east-1c"


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        ({"CidrBlock": "10.1.0.0/24"}, ("InvalidSubnet.Range", "The CIDR '10.1.0.0/24' is invalid.")),
        ({"CidrBlock": "10.0.0.0/15"}, ("InvalidSubnet.Range", "The CIDR '10.0.0.0/15' is invalid.")),
        ({"CidrBlock": "10.0.0.0/29"}, ("InvalidSubnet.Range", "The CIDR '10.0.0.0/29' is invalid.")),
        (
            {"CidrBlock": "10.0.1.128/25"},
            ("InvalidSubnet.Conflict", "The CIDR '10.0.1.128/25' conflicts with another subnet"),
        ),
        (
            {"CidrBlock": "everything"},
            (
                "InvalidParameterValue",
                "Value (everything) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
            ),
        ),
        ({}, ("MissingParameter", "The request must contain the parameter cidrBlock")),
        (
            {"CidrBlock": "10.0.2.0/24", "AvailabilityZone": "us-east-1z"},
            (
                "InvalidParameterValue",
                "Value (us-east-1z) for parameter availabilityZone is invalid. Subnets can currently only be created "
                "in the following availability zones: us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e, "
                "us-east-1f.",
            ),
        ),
        (
            {"CidrBlock": "10.0.2.0/24", "AvailabilityZoneId": "use1-az1", "AvailabilityZone": "us-east-1a"},
            (
                "InvalidParameterCombination",
                "availabilityZone and availabilityZoneId must not be used together.",
            ),
        ),
        (
            {"CidrBlock": "10.0.2.0/24", "Ipv6CidrBlock": "2001:db8::/64"},
            ("InvalidSubnet.Range", "The CIDR '2001:db8::/64' is invalid."),
        ),
        (
            {"CidrBlock": "10.0.2.0/24", "TagSpecifications": tagging("vpc", Name="x")},
            (
                "InvalidParameterValue",
                "'vpc' is not a valid taggable resource type for this operation.",
            ),
        ),
    ],
    ids=["outside", "too large", "too small", "overlap", "no block", "none", "zone", "two zones", "ipv6", "tag type"],
)
@pytest.mark.usefixtures("subnet")
def test_a_subnet_that_cannot_be_is_refused(ec2, vpc, parameters, refused):
    assert refusal(ec2.create_subnet, VpcId=vpc, **parameters) == refused
    assert len(ec2.describe_subnets(Filters=by(vpc_id=vpc))["Subnets"]) == 1


def test_the_free_addresses_are_counted_down(ec2, subnet):
    ec2.create_network_interface(SubnetId=subnet)
    ec2.create_network_interface(SubnetId=subnet, SecondaryPrivateIpAddressCount=2)

    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] == 251 - 4


@pytest.mark.parametrize(
    "filters",
    [
        by(availability_zone="us-east-1a"),
        by(availabilityZone="us-east-1a"),
        by(availability_zone_id="use1-az1"),
        by(available_ip_address_count="251"),
        by(cidr_block="10.0.1.0/24"),
        by(cidr="10.0.1.*"),
        by(cidrBlock="10.0.1.0/??"),
        by(default_for_az="false"),
        by(defaultForAz="false"),
        by(map_public_ip_on_launch="false"),
        by(owner_id=ACCOUNT, availability_zone="*a", cidr="10*"),
        by(private_dns_name_options_on_launch__hostname_type="ip-name"),
        by(state="available"),
        by(subnet_arn="arn:aws:ec2:*"),
        by(ipv6_native="false"),
        by(tag_key="tier"),
        [{"Name": "tag:tier", "Values": ["cache", "web"]}],
    ],
    ids=str,
)
def test_filters_that_admit_it(ec2, vpc, filters):
    made = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock="10.0.1.0/24",
        AvailabilityZone="us-east-1a",
        TagSpecifications=tagging("subnet", tier="cache"),
    )["Subnet"]["SubnetId"]

    assert ids(ec2.describe_subnets(Filters=[*filters, *by(vpc_id=vpc)])["Subnets"], "SubnetId") == [made]


@pytest.mark.parametrize(
    "filters",
    [by(availability_zone="us-east-1b"), by(default_for_az="true"), by(outpost_arn="*"), by(state="pending")],
    ids=str,
)
@pytest.mark.usefixtures("subnet")
def test_filters_that_do_not(ec2, vpc, filters):
    assert ec2.describe_subnets(Filters=[*filters, *by(vpc_id=vpc)])["Subnets"] == []


def test_the_paginator_and_the_waiter(ec2, subnet):
    pages = list(ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5}))
    ec2.get_waiter("subnet_available").wait(SubnetIds=[subnet])

    assert [len(p["Subnets"]) for p in pages] == [5, 2]  # with the six default ones
    assert code(ec2.describe_subnets, SubnetIds=[subnet], MaxResults=5) == "InvalidParameterCombination"
    assert code(ec2.describe_subnets, MaxResults=4) == "InvalidParameterValue"
    assert code(ec2.describe_subnets, MaxResults=5, NextToken="x") == "InvalidNextToken"


@pytest.mark.parametrize(
    ("change", "member", "value"),
    [
        ({"MapPublicIpOnLaunch": {"Value": True}}, "MapPublicIpOnLaunch", True),
        ({"EnableDns64": {"Value": False}}, "EnableDns64", False),
        ({"AssignIpv6AddressOnCreation": {"Value": False}}, "AssignIpv6AddressOnCreation", False),
    ],
    ids=["public", "dns64", "ipv6"],
)
def test_attributes(ec2, subnet, change, member, value):
    ec2.modify_subnet_attribute(SubnetId=subnet, **change)

    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0][member] is value


def test_names_of_instances(ec2, subnet):
    ec2.modify_subnet_attribute(SubnetId=subnet, PrivateDnsHostnameTypeOnLaunch="resource-name")
    ec2.modify_subnet_attribute(SubnetId=subnet, EnableResourceNameDnsARecordOnLaunch={"Value": True})

    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["PrivateDnsNameOptionsOnLaunch"] == {
        "HostnameType": "resource-name",
        "EnableResourceNameDnsARecord": True,
        "EnableResourceNameDnsAAAARecord": False,
    }


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, "MissingParameter"),
        (
            {"MapPublicIpOnLaunch": {"Value": True}, "EnableDns64": {"Value": False}},
            "InvalidParameterCombination",
        ),
        ({"EnableDns64": {"Value": True}}, "UnsupportedOperation"),
        ({"AssignIpv6AddressOnCreation": {"Value": True}}, "InvalidParameterValue"),
        ({"EnableLniAtDeviceIndex": 1}, "UnsupportedOperation"),
        ({"PrivateDnsHostnameTypeOnLaunch": "nickname"}, "InvalidParameterValue"),
    ],
    ids=["none", "two", "dns64", "ipv6", "outpost", "no type"],
)
def test_attributes_that_cannot_be(ec2, subnet, change, refused):
    assert code(ec2.modify_subnet_attribute, SubnetId=subnet, **change) == refused


def test_a_subnet_with_an_interface_stays(ec2, subnet):
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]

    assert refusal(ec2.delete_subnet, SubnetId=subnet) == (
        "DependencyViolation",
        f"The subnet '{subnet}' has dependencies and cannot be deleted.",
    )

    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_subnet(SubnetId=subnet)
    assert refusal(ec2.describe_subnets, SubnetIds=[subnet]) == (
        "InvalidSubnetID.NotFound",
        f"The subnet ID '{subnet}' does not exist",
    )


def test_a_deleted_subnet_leaves_its_route_table(ec2, vpc, subnet):
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)

    ec2.delete_subnet(SubnetId=subnet)

    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"] == []
    ec2.delete_route_table(RouteTableId=table)


def test_nobody_else_sees_a_subnet(stranger, abroad, subnet):
    for other in (stranger, abroad):
        assert subnet not in ids(other.describe_subnets()["Subnets"], "SubnetId")
        assert code(other.describe_subnets, SubnetIds=[subnet]) == "InvalidSubnetID.NotFound"
        assert code(other.create_network_interface, SubnetId=subnet) == "InvalidSubnetID.NotFound"
        assert code(other.delete_subnet, SubnetId=subnet) == "InvalidSubnetID.NotFound"


def test_ids_that_name_no_subnet(ec2):
    assert code(ec2.delete_subnet, SubnetId=GONE) == "InvalidSubnetID.NotFound"
    assert code(ec2.delete_subnet, SubnetId="mine") == "InvalidSubnetID.Malformed"
    assert code(ec2.modify_subnet_attribute, SubnetId=GONE, MapPublicIpOnLaunch={"Value": True}) == (
        "InvalidSubnetID.NotFound"
    )
