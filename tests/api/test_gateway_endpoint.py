"""Gateway endpoints through boto3: the routes that come and go with them."""

import pytest

from tests.api.balancers import Ground
from tests.api.paper import code, refusal

S3, PREFIX = "com.amazonaws.us-east-1.s3", "pl-63a5400a"


@pytest.fixture
def ground(paper):
    return Ground(paper)


def table(ground):
    return ground.ec2.create_route_table(VpcId=ground.vpc)["RouteTable"]["RouteTableId"]


def gate(ground, *tables, **more):
    call = {"VpcId": ground.vpc, "ServiceName": S3, "RouteTableIds": list(tables)}
    return ground.ec2.create_vpc_endpoint(**(call | more))["VpcEndpoint"]


def routes(ground, id):
    shown = ground.ec2.describe_route_tables(RouteTableIds=[id])["RouteTables"][0]["Routes"]
    listed = [r for r in shown if "DestinationPrefixListId" in r]
    return {r["DestinationPrefixListId"]: (r["GatewayId"], r["State"]) for r in listed}


def test_routes_come_and_go_with_the_endpoint_and_its_list(ground, paper):
    one, two = table(ground), table(ground)
    made = gate(ground, one)
    id = made["VpcEndpointId"]
    assert (made["VpcEndpointType"], made["RouteTableIds"], made["NetworkInterfaceIds"]) == ("Gateway", [one], [])
    assert routes(ground, one) == {PREFIX: (id, "active")}
    paper.settle()
    assert ground.ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["State"] == "available"
    ground.ec2.modify_vpc_endpoint(VpcEndpointId=id, AddRouteTableIds=[two], RemoveRouteTableIds=[one])
    assert (routes(ground, one), routes(ground, two)) == ({}, {PREFIX: (id, "active")})
    ground.ec2.delete_vpc_endpoints(VpcEndpointIds=[id])
    assert routes(ground, two) == {}


def test_its_routes_are_its_own(ground):
    id = table(ground)
    endpoint = gate(ground, id)["VpcEndpointId"]
    change = {"RouteTableId": id, "DestinationPrefixListId": PREFIX}
    said = refusal(ground.ec2.delete_route, **change)
    assert said[0] == "InvalidParameterValue"
    assert said[1].startswith(f"cannot remove VPC endpoint route {PREFIX} in route table {id}")
    igw = ground.gateway()
    assert code(ground.ec2.replace_route, **change, GatewayId=igw) == "InvalidParameterValue"
    assert code(gate, ground, id) == "RouteAlreadyExists"
    to_it = {"RouteTableId": id, "DestinationCidrBlock": "1.2.3.0/24", "VpcEndpointId": endpoint}
    assert code(ground.ec2.create_route, **to_it) == "UnsupportedOperation"
    ground.ec2.delete_route_table(RouteTableId=id)
    assert ground.ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["RouteTableIds"] == []


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"RouteTableIds": ["rtb-00000000000000000"]}, "InvalidRouteTableID.NotFound"),
        ({"SubnetIds": ["subnet-00000000000000000"]}, "InvalidParameter"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidParameter"),
        ({"PrivateDnsEnabled": True}, "InvalidParameter"),
        ({"ServiceName": "com.amazonaws.us-east-1.ec2"}, "InvalidParameter"),
        ({"ServiceName": "com.amazonaws.eu-west-1.s3"}, "InvalidServiceName"),
    ],
)
def test_what_may_not_be_is_refused(ground, more, refused):
    assert code(gate, ground, **more) == refused


def test_a_table_is_of_the_vpc(ground, paper):
    other = Ground(paper)
    assert code(gate, ground, table(other)) == "InvalidParameterValue"
    id = gate(ground)["VpcEndpointId"]
    assert code(ground.ec2.modify_vpc_endpoint, VpcEndpointId=id, AddSubnetIds=ground.subnets) == "InvalidParameter"
