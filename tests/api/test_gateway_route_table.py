"""Gateway (edge) route tables, and local routes with another target."""

import pytest

from tests.api.machines import launch
from tests.api.paper import by, code, refusal


@pytest.fixture
def igw(ec2, vpc):
    made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc)
    return made


@pytest.fixture
def table(ec2, vpc):
    return ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]


@pytest.fixture
def box(ec2, vpc):
    """The interface of a middlebox in a subnet of its own."""
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24")["Subnet"]["SubnetId"]
    return ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]


@pytest.fixture
def edge(ec2, table, igw):
    """A table that is associated with the gateway."""
    ec2.associate_route_table(RouteTableId=table, GatewayId=igw)
    return table


def shown(ec2, table):
    return ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]


def test_a_gateway_has_a_table_of_its_own(ec2, paper, table, igw):
    waits = paper.backend.waits
    made = ec2.associate_route_table(RouteTableId=table, GatewayId=igw)
    assert made["AssociationState"] == {"State": "associated"}
    assert paper.backend.waits == waits + 1
    (association,) = shown(ec2, table)["Associations"]
    assert association == {
        "Main": False, "RouteTableAssociationId": made["AssociationId"], "RouteTableId": table, "GatewayId": igw,
        "AssociationState": {"State": "associated"},
    }  # fmt: skip
    (found,) = ec2.describe_route_tables(Filters=by(association__gateway_id=igw))["RouteTables"]
    assert found["RouteTableId"] == table
    again = ec2.associate_route_table(RouteTableId=table, GatewayId=igw)
    assert again["AssociationId"] == made["AssociationId"]


def test_a_gateway_has_one_table(ec2, vpc, edge, igw):
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    assert code(ec2.associate_route_table, RouteTableId=other, GatewayId=igw) == "Resource.AlreadyAssociated"
    (association,) = shown(ec2, edge)["Associations"]
    moved = ec2.replace_route_table_association(
        AssociationId=association["RouteTableAssociationId"], RouteTableId=other
    )
    assert shown(ec2, edge)["Associations"] == []
    assert shown(ec2, other)["Associations"][0]["GatewayId"] == igw
    ec2.disassociate_route_table(AssociationId=moved["NewAssociationId"])
    assert shown(ec2, other)["Associations"] == []


def test_only_a_gateway_of_the_vpc_can_use_a_table(ec2, table, subnet, igw):
    call = ec2.associate_route_table
    idle = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    assert code(call, RouteTableId=table, GatewayId=idle) == "InvalidParameterValue"
    assert code(call, RouteTableId=table, GatewayId="igw-0123456789abcdef0") == "InvalidGatewayID.NotFound"
    assert code(call, RouteTableId=table, GatewayId=igw, SubnetId=subnet) == "InvalidParameterCombination"
    assert code(call, RouteTableId=table) == "MissingParameter"


def test_a_gateway_table_leads_whole_subnets_to_an_interface(ec2, subnet, edge, box):
    ec2.create_route(RouteTableId=edge, DestinationCidrBlock="10.0.1.0/24", NetworkInterfaceId=box)
    assert shown(ec2, edge)["Routes"][1] == {
        "DestinationCidrBlock": "10.0.1.0/24", "NetworkInterfaceId": box, "Origin": "CreateRoute",
        "State": "blackhole",
    }, "nothing runs behind it yet"  # fmt: skip
    assert subnet


@pytest.mark.parametrize("cidr", ["10.0.1.0/25", "10.0.0.0/8", "0.0.0.0/0", "198.51.100.0/24", "10.0.9.7/32"])
@pytest.mark.usefixtures("subnet")
def test_a_gateway_table_has_no_other_destinations(ec2, edge, box, cidr):
    call = ec2.create_route
    assert code(call, RouteTableId=edge, DestinationCidrBlock=cidr, NetworkInterfaceId=box) == "InvalidParameterValue"


def test_a_gateway_table_has_no_other_targets(ec2, vpc, subnet, edge, igw):
    nat = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    where = {"RouteTableId": edge, "DestinationCidrBlock": "10.0.1.0/24"}
    assert refusal(ec2.create_route, **where, NatGatewayId=nat) == (
        "InvalidParameterValue",
        f"The target {nat} is not supported in the gateway route table {edge}: only local, a network interface or a "
        "Gateway Load Balancer endpoint is.",
    )
    assert code(ec2.create_route, **where, GatewayId=igw) == "InvalidParameterValue"
    made = ec2.create_managed_prefix_list(PrefixListName="p", MaxEntries=1, AddressFamily="IPv4")["PrefixList"]
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    listed = {"RouteTableId": edge, "DestinationPrefixListId": made["PrefixListId"], "NetworkInterfaceId": eni}
    assert refusal(ec2.create_route, **listed) == (
        "InvalidParameterValue",
        f"A prefix list cannot be the destination of a route in the gateway route table {edge}.",
    )
    assert vpc


def test_a_table_with_other_routes_cannot_become_a_gateways(ec2, vpc, table, igw, box):
    call, user = ec2.associate_route_table, {"RouteTableId": table, "GatewayId": igw}
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=box)
    assert code(call, **user) == "InvalidParameterValue"
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    made = ec2.create_managed_prefix_list(PrefixListName="p", MaxEntries=1, AddressFamily="IPv4")["PrefixList"]
    where = {"RouteTableId": table, "DestinationPrefixListId": made["PrefixListId"]}
    ec2.create_route(**where, NetworkInterfaceId=box)
    assert code(call, **user) == "InvalidParameterValue"
    ec2.delete_route(**where)
    call(**user)
    main = ec2.describe_route_tables(Filters=by(vpc_id=vpc, association__main="true"))["RouteTables"][0]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    (association,) = shown(ec2, table)["Associations"]
    moved = {"AssociationId": association["RouteTableAssociationId"], "RouteTableId": main["RouteTableId"]}
    assert code(ec2.replace_route_table_association, **moved) == "InvalidParameterValue"
    assert shown(ec2, table)["Associations"] == [association], "nothing has changed"


@pytest.mark.parametrize("kind", ["gateway", "subnet"])
def test_a_local_route_can_lead_to_an_interface_and_back(ec2, table, igw, box, kind):
    if kind == "gateway":
        ec2.associate_route_table(RouteTableId=table, GatewayId=igw)
    where = {"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/16"}
    ec2.replace_route(**where, NetworkInterfaceId=box)
    (route,) = shown(ec2, table)["Routes"]
    assert (route["NetworkInterfaceId"], route["Origin"]) == (box, "CreateRouteTable")
    assert refusal(ec2.delete_route, **where) == (
        "InvalidParameterValue", f"cannot remove local route 10.0.0.0/16 in route table {table}",
    )  # fmt: skip
    assert code(ec2.replace_route, **where, NetworkInterfaceId=box, LocalTarget=True) == "InvalidParameterCombination"
    ec2.replace_route(**where, LocalTarget=True)
    (route,) = shown(ec2, table)["Routes"]
    assert (route["GatewayId"], route["State"]) == ("local", "active")


def test_a_local_route_has_no_other_target(ec2, table, igw):
    where = {"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/16"}
    assert code(ec2.replace_route, **where, GatewayId=igw) == "InvalidParameterValue"


@pytest.mark.usefixtures("subnet")
def test_only_a_local_route_can_be_restored(ec2, table, box):
    where = {"RouteTableId": table, "DestinationCidrBlock": "10.0.1.0/24"}
    ec2.create_route(**where, NetworkInterfaceId=box)
    assert code(ec2.replace_route, **where, LocalTarget=True) == "InvalidParameterValue"


def test_a_secondary_range_gets_its_local_route_in_a_gateway_table_too(ec2, vpc, edge):
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")
    assert [r["DestinationCidrBlock"] for r in shown(ec2, edge)["Routes"]] == ["10.0.0.0/16", "10.1.0.0/16"]


def test_a_table_in_use_by_a_gateway_cannot_be_deleted_until_the_gateway_is_detached(ec2, vpc, edge, igw):
    assert code(ec2.delete_route_table, RouteTableId=edge) == "DependencyViolation"
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    assert shown(ec2, edge)["Associations"] == []
    ec2.delete_route_table(RouteTableId=edge)


@pytest.mark.parametrize(
    ("cidr", "expected"), [("10.0.1.0/24", None), ("10.0.1.0/25", "no subnet"), ("10.0.0.0/17", "no subnet")]
)
@pytest.mark.usefixtures("subnet")
def test_a_route_inside_the_vpc_is_for_a_whole_subnet(ec2, table, box, cidr, expected):
    where = {"RouteTableId": table, "DestinationCidrBlock": cidr, "NetworkInterfaceId": box}
    if expected is None:
        ec2.create_route(**where)
        return
    assert refusal(ec2.create_route, **where) == (
        "InvalidParameterValue", f"Route destination {cidr} doesn't match any subnet CIDR blocks.",
    )  # fmt: skip


def test_a_route_to_an_instance_says_whether_it_runs(ec2, paper, subnet, edge):
    id = launch(ec2, SubnetId=subnet)["InstanceId"]
    paper.settle()
    ec2.create_route(RouteTableId=edge, DestinationCidrBlock="10.0.1.0/24", InstanceId=id)
    assert shown(ec2, edge)["Routes"][1]["State"] == "active"
    ec2.stop_instances(InstanceIds=[id])
    paper.settle()
    assert shown(ec2, edge)["Routes"][1]["State"] == "blackhole"
