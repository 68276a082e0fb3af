"""Routes through boto3."""

import pytest

from tests.api.machines import launch, launch_running
from tests.api.paper import code, refusal


@pytest.fixture
def table(ec2, vpc):
    return ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]


@pytest.fixture
def igw(ec2, vpc):
    id = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=id, VpcId=vpc)
    return id


@pytest.fixture
def eni(ec2, subnet):
    return ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]


def routes(ec2, table):
    return ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"][1:]


def test_a_route_to_the_internet(ec2, vpc, table, igw):
    assert ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)["Return"]

    assert routes(ec2, table) == [
        {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": igw, "Origin": "CreateRoute", "State": "active"}
    ]
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    assert routes(ec2, table)[0]["State"] == "blackhole"


def test_a_route_to_an_instance_is_one_to_its_interface(paper, ec2, table, subnet):
    instance = launch_running(paper, ec2, SubnetId=subnet)
    eni = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]

    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", InstanceId=instance["InstanceId"])

    assert routes(ec2, table) == [
        {
            "DestinationCidrBlock": "0.0.0.0/0",
            "InstanceId": instance["InstanceId"],
            "InstanceOwnerId": "000000000000",
            "NetworkInterfaceId": eni,
            "Origin": "CreateRoute",
            "State": "active",
        }
    ]
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    paper.settle()
    assert routes(ec2, table)[0]["State"] == "blackhole"


def test_a_route_to_an_interface_that_is_plugged_into_nothing_is_a_blackhole(ec2, table, eni):
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.168.0.0/16", NetworkInterfaceId=eni)

    assert routes(ec2, table) == [
        {
            "DestinationCidrBlock": "192.168.0.0/16",
            "NetworkInterfaceId": eni,
            "Origin": "CreateRoute",
            "State": "blackhole",
        }
    ]


def test_host_bits_are_cleared(ec2, table, igw):
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="100.68.0.18/18", GatewayId=igw)

    assert routes(ec2, table)[0]["DestinationCidrBlock"] == "100.68.0.0/18"


def test_a_destination_has_one_route(ec2, table, igw):
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)

    assert refusal(ec2.create_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw) == (
        "RouteAlreadyExists",
        "The route identified by 0.0.0.0/0 already exists.",
    )


def test_a_route_can_get_another_target(ec2, table, igw, eni):
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)

    ec2.replace_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=eni)

    assert [r["NetworkInterfaceId"] for r in routes(ec2, table)] == [eni]


def test_only_a_route_that_exists_is_replaced_or_deleted(ec2, table, igw):
    assert refusal(ec2.replace_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw) == (
        "InvalidParameterValue",
        "There is no route defined for '0.0.0.0/0' in the route table. Use CreateRoute instead.",
    )
    assert refusal(ec2.delete_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0") == (
        "InvalidRoute.NotFound",
        f"no route with destination-cidr-block 0.0.0.0/0 in route table {table}",
    )


def test_the_local_route_stays(ec2, table, igw):
    assert refusal(ec2.delete_route, RouteTableId=table, DestinationCidrBlock="10.0.0.0/16") == (
        "InvalidParameterValue",
        f"cannot remove local route 10.0.0.0/16 in route table {table}",
    )
    assert (
        code(ec2.replace_route, RouteTableId=table, DestinationCidrBlock="10.0.0.0/16", GatewayId=igw)
        == "InvalidParameterValue"
    )


def test_a_deleted_route_is_gone(ec2, table, igw):
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)

    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")

    assert routes(ec2, table) == []


def test_inside_the_vpc_only_a_whole_subnet_can_be_routed_to_an_interface(ec2, table, igw, eni):
    assert ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.1.0/24", NetworkInterfaceId=eni)["Return"]

    assert refusal(
        ec2.create_route, RouteTableId=table, DestinationCidrBlock="10.0.1.0/25", NetworkInterfaceId=eni
    ) == (
        "InvalidParameterValue",
        "Route destination 10.0.1.0/25 doesn't match any subnet CIDR blocks.",
    )
    refused, message = refusal(
        ec2.create_route, RouteTableId=table, DestinationCidrBlock="10.0.9.0/24", GatewayId=igw
    )
    assert refused == "InvalidParameterValue"
    assert message.endswith("This route can target only a NAT gateway, an interface or an instance.")


@pytest.mark.parametrize(
    ("target", "refused"),
    [
        (
            {"GatewayId": "igw-0123456789abcdef0"},
            ("InvalidGatewayID.NotFound", "The gateway ID 'igw-0123456789abcdef0' does not exist"),
        ),
        (
            {"NatGatewayId": "nat-0123456789abcdef0"},
            ("InvalidNatGatewayID.NotFound", "The natGateway ID 'nat-0123456789abcdef0' does not exist"),
        ),
        (
            {"VpcPeeringConnectionId": "pcx-0123456789abcdef0"},
            (
                "InvalidVpcPeeringConnectionID.NotFound",
                "The vpcPeeringConnection ID 'pcx-0123456789abcdef0' does not exist",
            ),
        ),
        (
            {"VpcEndpointId": "vpce-0123456789abcdef0"},
            ("InvalidVpcEndpointId.NotFound", "The vpcEndpoint ID 'vpce-0123456789abcdef0' does not exist"),
        ),
        (
            {"TransitGatewayId": "tgw-0123456789abcdef0"},
            ("InvalidTransitGatewayID.NotFound", "The transitGateway ID 'tgw-0123456789abcdef0' does not exist"),
        ),
        (
            {"NetworkInterfaceId": "eni-0123456789abcdef0"},
            (
                "InvalidNetworkInterfaceID.NotFound",
                "The networkInterface ID 'eni-0123456789abcdef0' does not exist",
            ),
        ),
        (
            {"InstanceId": "i-0123456789abcdef0"},
            ("InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"),
        ),
        (
            {"NatGatewayId": "mine"},
            ("InvalidNatGatewayID.Malformed", 'Invalid id: "mine" (expecting "nat-...")'),
        ),
        (
            {"CarrierGatewayId": "cagw-0123456789abcdef0"},
            (
                "UnsupportedOperation",
                "Atoll does not support the parameter CarrierGatewayId of CreateRoute.",
            ),
        ),
        (
            {"EgressOnlyInternetGatewayId": "eigw-0123456789abcdef0"},
            ("InvalidGatewayID.NotFound", "The eigw ID 'eigw-0123456789abcdef0' does not exist"),
        ),
        (
            {},
            (
                "MissingParameter",
                "The request must contain the parameter gatewayId, instanceId or networkInterfaceId",
            ),
        ),
        (
            {"GatewayId": "igw-0123456789abcdef0", "InstanceId": "i-0123456789abcdef0"},
            (
                "InvalidParameterCombination",
                "Exactly one route target may be specified, but several are: gateway_id, instance_id",
            ),
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_target_that_cannot_be_is_refused(ec2, table, target, refused):
    assert refusal(ec2.create_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target) == refused
    assert routes(ec2, table) == []


@pytest.mark.parametrize(
    ("destination", "refused"),
    [
        ({}, "MissingParameter"),
        ({"DestinationCidrBlock": "everything"}, "InvalidParameterValue"),
        ({"DestinationCidrBlock": "169.254.168.0/24"}, "InvalidParameterValue"),
        ({"DestinationIpv6CidrBlock": "0.0.0.0/0"}, "InvalidParameterValue"),
        ({"DestinationIpv6CidrBlock": "::/0", "DestinationCidrBlock": "0.0.0.0/0"}, "InvalidParameterCombination"),
        ({"DestinationIpv6CidrBlock": "fd00:ec2::/64"}, "InvalidParameterValue"),
        ({"DestinationPrefixListId": "pl-0123456789abcdef0"}, "InvalidPrefixListID.NotFound"),
    ],
    ids=str,
)
def test_a_destination_that_cannot_be_is_refused(ec2, table, igw, destination, refused):
    assert code(ec2.create_route, RouteTableId=table, GatewayId=igw, **destination) == refused


def test_a_target_is_in_the_vpc_of_the_table(ec2, igw):
    elsewhere = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=elsewhere)["RouteTable"]["RouteTableId"]
    loose = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]

    for gateway in (igw, loose):
        assert refusal(ec2.create_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway) == (
            "InvalidParameterValue",
            f"route table {table} and network gateway {gateway} belong to different networks",
        )


def test_an_interface_of_another_vpc_is_no_target(ec2, eni):
    elsewhere = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=elsewhere)["RouteTable"]["RouteTableId"]

    assert refusal(
        ec2.create_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=eni
    ) == (
        "InvalidParameterValue",
        f"route table {table} and interface {eni} belong to different networks",
    )


def test_an_instance_with_two_interfaces_is_no_target(paper, ec2, table, subnet, eni):
    instance = launch(ec2, SubnetId=subnet)["InstanceId"]
    paper.settle()
    ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)

    assert refusal(ec2.create_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", InstanceId=instance) == (
        "InvalidInstanceID",
        f"There are multiple interfaces attached to instance '{instance}'. Please specify an interface ID for the "
        "operation instead.",
    )


def test_a_call_that_changes_routes_waits_for_the_network(paper, ec2, table, igw):
    before = paper.backend.waits

    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")

    assert paper.backend.waits == before + 2
