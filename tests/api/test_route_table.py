"""Route tables and their associations through boto3."""

import pytest

from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging

GONE = "rtb-0123456789abcdef0"


@pytest.fixture
def table(ec2, vpc):
    return ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]


def show(ec2, id):
    return ec2.describe_route_tables(RouteTableIds=[id])["RouteTables"][0]


def main_of(ec2, vpc):
    (table,) = ec2.describe_route_tables(Filters=by(vpc_id=vpc, association__main="true"))["RouteTables"]
    return table


def test_a_new_table_has_only_the_local_route(ec2, vpc):
    made = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagging("route-table", Name="private"))["RouteTable"]

    assert show(ec2, made["RouteTableId"]) == made
    assert made == {
        "RouteTableId": made["RouteTableId"],
        "VpcId": vpc,
        "OwnerId": ACCOUNT,
        "Associations": [],
        "PropagatingVgws": [],
        "Routes": [
            {
                "DestinationCidrBlock": "10.0.0.0/16",
                "GatewayId": "local",
                "Origin": "CreateRouteTable",
                "State": "active",
            }
        ],
        "Tags": [{"Key": "Name", "Value": "private"}],
    }


def test_a_subnet_uses_the_table_it_is_associated_with(ec2, table, subnet):
    made = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)

    assert made["AssociationState"] == {"State": "associated"}
    assert show(ec2, table)["Associations"] == [
        {
            "Main": False,
            "RouteTableAssociationId": made["AssociationId"],
            "RouteTableId": table,
            "SubnetId": subnet,
            "AssociationState": {"State": "associated"},
        }
    ]
    assert ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"] == made["AssociationId"]


def test_a_subnet_has_one_table_of_its_own(ec2, vpc, table, subnet):
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]

    assert code(ec2.associate_route_table, RouteTableId=other, SubnetId=subnet) == "Resource.AlreadyAssociated"


def test_a_table_and_a_subnet_are_of_one_vpc(ec2, subnet):
    elsewhere = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=elsewhere)["RouteTable"]["RouteTableId"]

    assert refusal(ec2.associate_route_table, RouteTableId=table, SubnetId=subnet) == (
        "InvalidParameterValue",
        f"route table {table} and subnet {subnet} belong to different networks",
    )


def test_without_its_own_table_a_subnet_uses_the_main_one(ec2, table, subnet):
    id = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]

    ec2.disassociate_route_table(AssociationId=id)

    assert show(ec2, table)["Associations"] == []
    assert refusal(ec2.disassociate_route_table, AssociationId=id) == (
        "InvalidAssociationID.NotFound",
        f"The association ID '{id}' does not exist",
    )


def test_the_main_association_can_be_moved_but_not_removed(ec2, vpc, table):
    main = main_of(ec2, vpc)
    id = main["Associations"][0]["RouteTableAssociationId"]
    assert code(ec2.disassociate_route_table, AssociationId=id) == "InvalidParameterValue"

    made = ec2.replace_route_table_association(AssociationId=id, RouteTableId=table)

    assert made["NewAssociationId"] != id
    assert main_of(ec2, vpc)["RouteTableId"] == table
    ec2.delete_route_table(RouteTableId=main["RouteTableId"])
    assert code(ec2.delete_route_table, RouteTableId=table) == "DependencyViolation"


def test_an_association_can_be_moved(ec2, vpc, table, subnet):
    id = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]

    new = ec2.replace_route_table_association(AssociationId=id, RouteTableId=other)["NewAssociationId"]

    assert show(ec2, table)["Associations"] == []
    (association,) = show(ec2, other)["Associations"]
    assert (association["RouteTableAssociationId"], association["SubnetId"]) == (new, subnet)
    same = ec2.replace_route_table_association(AssociationId=new, RouteTableId=other)["NewAssociationId"]
    assert [a["RouteTableAssociationId"] for a in show(ec2, other)["Associations"]] == [same]


def test_a_table_in_use_stays(ec2, table, subnet):
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)

    assert refusal(ec2.delete_route_table, RouteTableId=table) == (
        "DependencyViolation",
        f"The routeTable '{table}' has dependencies and cannot be deleted.",
    )


@pytest.fixture
def routed(ec2, vpc, table, subnet):
    """A table with a gateway and an association."""
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_tags(Resources=[table], Tags=[{"Key": "tier", "Value": "public"}])
    return table


@pytest.mark.parametrize(
    "filters",
    [
        by(association__main="false"),
        by(association__subnet_id="subnet-*"),
        by(association__route_table_association_id="rtbassoc-*", association__main="false"),
        by(association__route_table_id="rtb-*", association__main="false"),
        by(route__destination_cidr_block="0.0.0.0/0"),
        by(route__gateway_id="igw-*"),
        by(route__origin="CreateRoute"),
        by(route__state="active", route__gateway_id="igw-*"),
        by(owner_id=ACCOUNT, tag_key="tier"),
        [{"Name": "tag:tier", "Values": ["pub*"]}],
    ],
    ids=str,
)
def test_filters(ec2, vpc, routed, filters):
    assert ids(ec2.describe_route_tables(Filters=[*filters, *by(vpc_id=vpc)])["RouteTables"], "RouteTableId") == [
        routed
    ]


@pytest.mark.usefixtures("routed")
def test_filters_on_what_no_table_has_find_none(ec2):
    for name in ("route.nat-gateway-id", "association.gateway-id", "route.destination-ipv6-cidr-block"):
        assert ec2.describe_route_tables(Filters=[{"Name": name, "Values": ["*"]}])["RouteTables"] == []


def test_the_paginator_shows_every_table_once(ec2, vpc):
    for _ in range(7):
        ec2.create_route_table(VpcId=vpc)

    pages = list(ec2.get_paginator("describe_route_tables").paginate(PaginationConfig={"PageSize": 5}))

    assert [len(p["RouteTables"]) for p in pages] == [5, 4]


def test_ids_that_name_no_table(ec2, stranger, abroad, table, subnet):
    refused = "InvalidRouteTableID.NotFound", f"The routeTable ID '{GONE}' does not exist"
    assert refusal(ec2.describe_route_tables, RouteTableIds=[GONE]) == refused
    assert refusal(ec2.delete_route_table, RouteTableId=GONE) == refused
    assert refusal(ec2.associate_route_table, RouteTableId=GONE, SubnetId=subnet) == refused
    assert code(ec2.delete_route_table, RouteTableId="main") == "InvalidRouteTableId.Malformed"
    for other in (stranger, abroad):
        assert code(other.describe_route_tables, RouteTableIds=[table]) == "InvalidRouteTableID.NotFound"
        assert code(other.delete_route_table, RouteTableId=table) == "InvalidRouteTableID.NotFound"
