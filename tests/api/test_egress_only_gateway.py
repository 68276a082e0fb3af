"""Egress-only internet gateways through boto3, and the IPv6 routes of tables."""

import pytest

from tests.api.paper import by, code, refusal, tagging

GONE = "eigw-0123456789abcdef0"


@pytest.fixture
def dual(ec2):
    """The id of a VPC with IPv6."""
    return ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]


@pytest.fixture
def table(ec2, dual):
    (main,) = ec2.describe_route_tables(Filters=by(vpc_id=dual))["RouteTables"]
    return main["RouteTableId"]


@pytest.fixture
def eigw(ec2, dual):
    made = ec2.create_egress_only_internet_gateway(VpcId=dual)["EgressOnlyInternetGateway"]
    return made["EgressOnlyInternetGatewayId"]


def default_route(ec2, table):
    (shown,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return next((r for r in shown["Routes"] if r.get("DestinationIpv6CidrBlock") == "::/0"), None)


def test_a_gateway_is_attached_to_its_vpc(ec2, dual):
    made = ec2.create_egress_only_internet_gateway(
        VpcId=dual, TagSpecifications=tagging("egress-only-internet-gateway", Name="out")
    )["EgressOnlyInternetGateway"]
    id = made["EgressOnlyInternetGatewayId"]

    assert id.startswith("eigw-0")
    assert made == {
        "EgressOnlyInternetGatewayId": id,
        "Attachments": [{"State": "attached", "VpcId": dual}],
        "Tags": [{"Key": "Name", "Value": "out"}],
    }
    for asked in ({"EgressOnlyInternetGatewayIds": [id]}, {"Filters": by(tag_key="Name")}):
        found = ec2.describe_egress_only_internet_gateways(**asked)["EgressOnlyInternetGateways"]
        assert found == [made]
    tags = ec2.describe_tags(Filters=by(resource_type="egress-only-internet-gateway"))["Tags"]
    assert [t["ResourceId"] for t in tags] == [id]


def test_a_vpc_has_one_and_waits_for_it_to_go(ec2, dual, eigw):
    assert refusal(ec2.create_egress_only_internet_gateway, VpcId=dual) == (
        "InvalidParameterValue", f"Network {dual} already has an egress only internet gateway attached",
    )  # fmt: skip
    assert code(ec2.delete_vpc, VpcId=dual) == "DependencyViolation"
    assert ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=eigw)["ReturnCode"] is True
    ec2.delete_vpc(VpcId=dual)


def test_ids_that_name_none_are_refused(ec2):
    assert refusal(ec2.delete_egress_only_internet_gateway, EgressOnlyInternetGatewayId=GONE) == (
        "InvalidEgressOnlyInternetGatewayId.NotFound", f"The eigw ID '{GONE}' does not exist",
    )  # fmt: skip
    assert code(ec2.describe_egress_only_internet_gateways, EgressOnlyInternetGatewayIds=["eigw-x"]) == (
        "InvalidEgressOnlyInternetGatewayId.Malformed"
    )
    assert code(ec2.create_egress_only_internet_gateway, VpcId="vpc-0123456789abcdef0") == "InvalidVpcID.NotFound"


def test_others_do_not_see_it(eigw, stranger):
    assert stranger.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"] == []
    assert code(stranger.delete_egress_only_internet_gateway, EgressOnlyInternetGatewayId=eigw) == (
        "InvalidEgressOnlyInternetGatewayId.NotFound"
    )


def test_a_route_leads_to_it_and_becomes_a_blackhole(ec2, table, eigw):
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=eigw)

    assert default_route(ec2, table) == {
        "DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": eigw, "Origin": "CreateRoute",
        "State": "active",
    }  # fmt: skip
    for name, value in (("egress-only-internet-gateway-id", eigw), ("destination-ipv6-cidr-block", "::/0")):
        filters = [{"Name": f"route.{name}", "Values": [value]}]
        assert [t["RouteTableId"] for t in ec2.describe_route_tables(Filters=filters)["RouteTables"]] == [table]
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=eigw)
    assert default_route(ec2, table)["State"] == "blackhole"


def test_routes_of_ipv6_are_replaced_and_deleted(ec2, dual, table, eigw):
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=dual)
    to = {"RouteTableId": table, "DestinationIpv6CidrBlock": "::/0"}
    ec2.create_route(**to, GatewayId=igw)
    assert code(ec2.create_route, **to, GatewayId=igw) == "RouteAlreadyExists"

    ec2.replace_route(**to, EgressOnlyInternetGatewayId=eigw)
    assert default_route(ec2, table)["EgressOnlyInternetGatewayId"] == eigw
    ec2.delete_route(**to)
    assert default_route(ec2, table) is None
    assert refusal(ec2.delete_route, **to) == (
        "InvalidRoute.NotFound", f"no route with destination-ipv6-cidr-block ::/0 in route table {table}",
    )  # fmt: skip
    local = {"RouteTableId": table, "DestinationIpv6CidrBlock": "2001:db8:1000::/56"}
    assert code(ec2.delete_route, **local) == "InvalidParameterValue"


def test_a_new_table_has_a_local_route_for_each_range(ec2, dual):
    made = ec2.create_route_table(VpcId=dual)["RouteTable"]
    assert [(r.get("DestinationCidrBlock"), r.get("DestinationIpv6CidrBlock")) for r in made["Routes"]] == [
        ("10.0.0.0/16", None), (None, "2001:db8:1000::/56"),
    ]  # fmt: skip


def test_targets_that_take_no_such_route(ec2, table, eigw, vpc):
    assert refusal(
        ec2.create_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", EgressOnlyInternetGatewayId=eigw
    ) == (
        "InvalidParameterValue",
        "The destination CIDR block 0.0.0.0/0 is not IPv6: an egress-only internet gateway takes no other.",
    )
    inside = {"RouteTableId": table, "DestinationIpv6CidrBlock": "2001:db8:1000:1::/64"}
    assert code(ec2.create_route, **inside, EgressOnlyInternetGatewayId=eigw) == "InvalidParameterValue"
    other = ec2.describe_route_tables(Filters=by(vpc_id=vpc))["RouteTables"][0]["RouteTableId"]
    assert refusal(
        ec2.create_route, RouteTableId=other, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=eigw
    ) == (
        "InvalidParameterValue",
        f"route table {other} and egress only internet gateway {eigw} belong to different networks",
    )
