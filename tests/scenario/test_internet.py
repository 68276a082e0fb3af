"""Rows 130 to 135: what the way between a VPC and the internet takes."""

from dataclasses import dataclass

import pytest

from tests.scenario.stage import ANYWHERE, CLIENT, Stage, refused_with

SSH = 22
PEER = """
import socket
link = socket.create_server(("0.0.0.0", 80))
print("ready")
while True:
    talk, (address, port) = link.accept()
    talk.recv(100)
    talk.sendall(f"{address}:{port}".encode())
    talk.close()
"""
ASK = """
import socket, sys
link = socket.create_connection((sys.argv[1], 80), 10)
link.sendall(b"who")
print(link.getsockname()[0], link.getsockname()[1], link.recv(100).decode())
"""


@dataclass(frozen=True)
class Open:
    """An instance that the internet reaches."""

    vpc: str
    subnet: str
    table: str
    gateway: str
    instance: str
    group: str
    address: str
    allocation: str


@pytest.fixture(scope="module")
def server(stage: Stage) -> Open:
    vpc = stage.vpc()
    subnet, group = stage.subnet(vpc, "10.0.0.0/24", public=True), stage.group(vpc)
    stage.allow(group, SSH, ANYWHERE)
    tables = stage.ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
    gateways = stage.ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])
    instance = stage.instance(subnet, group)
    eip = stage.elastic_ip(instance)
    return Open(
        vpc=vpc,
        subnet=subnet,
        table=tables["RouteTables"][0]["RouteTableId"],
        gateway=gateways["InternetGateways"][0]["InternetGatewayId"],
        instance=instance,
        group=group,
        address=eip["PublicIp"],
        allocation=eip["AllocationId"],
    )


def test_row_130_each_of_the_four_conditions_is_needed(stage, server):
    def is_closed(layer: str | None = None) -> bool:
        if stage.reach(CLIENT, server.address, SSH, seconds=0.6) == "connected":
            return False
        found = stage.refusal(CLIENT, server.address, SSH)
        return layer is None or found.layer == layer

    assert stage.connects(CLIENT, server.address, SSH)
    route = {"RouteTableId": server.table, "DestinationCidrBlock": ANYWHERE}
    stage.ec2.delete_route(**route)
    assert is_closed("route-table")
    stage.ec2.create_route(**route, GatewayId=server.gateway)
    with stage.without(server.group, SSH, ANYWHERE):
        assert is_closed("ingress-groups")
    (found,) = stage.ec2.describe_addresses(PublicIps=[server.address])["Addresses"]
    stage.ec2.disassociate_address(AssociationId=found["AssociationId"])
    assert is_closed()
    refused_with("DependencyViolation", stage.ec2.delete_internet_gateway, InternetGatewayId=server.gateway)
    stage.ec2.detach_internet_gateway(InternetGatewayId=server.gateway, VpcId=server.vpc)
    stage.ec2.attach_internet_gateway(InternetGatewayId=server.gateway, VpcId=server.vpc)
    stage.associate(server.allocation, server.instance)
    assert stage.connects(CLIENT, server.address, SSH)


def test_row_132_the_gateway_translates_one_address_to_one_and_no_port(stage, server):
    with stage.program(CLIENT, PEER):
        said = stage.run(server.instance, [stage.python, "-c", ASK, CLIENT]).output.split()
    private, port, seen = said
    assert private == stage.address(server.instance)
    assert seen == f"{server.address}:{port}"
    assert server.address not in stage.typed(server.instance, "ip -4 addr")


def test_row_133_an_elastic_ip_is_one_interfaces_alone(stage, server):
    other = stage.instance(server.subnet, server.group)
    call = {"AllocationId": server.allocation, "InstanceId": other, "AllowReassociation": False}
    refused_with("Resource.AlreadyAssociated", stage.ec2.associate_address, **call)
    stage.terminate(other)


def test_row_134_an_instance_is_reached_by_its_public_address(stage, server):
    assert stage.connects(CLIENT, server.address, SSH)
    assert stage.reach(CLIENT, stage.address(server.instance), SSH, seconds=0.6) != "connected"


def test_row_135_a_vpc_has_one_internet_gateway(stage, server):
    second = stage.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    call = {"InternetGatewayId": second, "VpcId": server.vpc}
    refused_with("InvalidParameterValue", stage.ec2.attach_internet_gateway, **call)
