"""A real machine at the edge of a VPC and in its middle: it sees what comes in and what goes out, or refuses it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.scenario.stage import ANYWHERE, CLIENT, STRANGER, Stage

SERVER = """
import socket, sys
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=100)
print("ready")
while True:
    link, _ = listener.accept()
    link.close()
"""


@dataclass(frozen=True)
class Net:
    """A web server and a database behind a machine that forwards."""

    box: str
    web: str
    database: str
    address: str  # the web server's, outside
    edge: str  # the gateway's table
    web_table: str
    clients: str  # the prefix list by which the web server's subnet finds its way out


@pytest.fixture(scope="module")
def net(stage: Stage) -> Iterator[Net]:
    ec2, vpc = stage.ec2, stage.vpc("10.0.0.0/16")
    front = stage.subnet(vpc, "10.0.0.0/24", public=True)
    middle, back = stage.subnet(vpc, "10.0.1.0/24"), stage.subnet(vpc, "10.0.2.0/24")
    group = stage.group(vpc)
    stage.allow(group, "0-65535", ANYWHERE)
    box = stage.instance(front, group)
    ec2.modify_instance_attribute(InstanceId=box, SourceDestCheck={"Value": False})
    stage.elastic_ip(box)
    stage.typed(box, "sysctl -w net.ipv4.ip_forward=1")
    for way in ("-s", "-d"):
        stage.typed(box, f"iptables -A FORWARD {way} 10.0.1.0/24")
    entries = [{"Cidr": f"{CLIENT}/32"}, {"Cidr": f"{STRANGER}/32"}]
    listed = ec2.create_managed_prefix_list(
        PrefixListName="clients", AddressFamily="IPv4", MaxEntries=4, Entries=entries
    )["PrefixList"]["PrefixListId"]
    tables = {}
    for subnet in (middle, back):
        tables[subnet] = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=tables[subnet], SubnetId=subnet)
    ec2.create_route(RouteTableId=tables[middle], DestinationPrefixListId=listed, InstanceId=box)
    ec2.create_route(RouteTableId=tables[middle], DestinationCidrBlock="10.0.2.0/24", InstanceId=box)
    ec2.create_route(RouteTableId=tables[back], DestinationCidrBlock="10.0.1.0/24", InstanceId=box)
    edge = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=edge, DestinationCidrBlock="10.0.1.0/24", InstanceId=box)
    filters = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    gateway = ec2.describe_internet_gateways(Filters=filters)["InternetGateways"][0]["InternetGatewayId"]
    ec2.associate_route_table(RouteTableId=edge, GatewayId=gateway)
    web, database = stage.instance(middle, group), stage.instance(back, group, PrivateIpAddress="10.0.2.30")
    address = stage.elastic_ip(web)["PublicIp"]
    with stage.program(web, SERVER, "443"), stage.program(database, SERVER, "5432"):
        yield Net(box, web, database, address, edge, tables[middle], listed)


def inspected(stage: Stage, net: Net) -> tuple[int, int]:
    """Return how many packets from the web server's subnet, and how many to it, the box has seen."""
    lines = stage.typed(net.box, "iptables -vxnL FORWARD").splitlines()[-2:]
    out, to = (int(line.split()[0]) for line in lines)
    return out, to


def test_row_096_the_signpost_of_a_gateway_leads_what_comes_in_through_a_machine(stage: Stage, net: Net) -> None:
    before = inspected(stage, net)
    assert stage.connects(CLIENT, net.address, 443)
    assert all(now > was for now, was in zip(inspected(stage, net), before, strict=True)), "in both directions"
    steps = stage.trace(CLIENT, net.address, 443)["steps"]
    assert "gateway-route-table" in [step["layer"] for step in steps]


def test_row_096_the_machine_may_refuse_what_it_sees(stage: Stage, net: Net) -> None:
    stage.typed(net.box, f"iptables -I FORWARD 1 -s {STRANGER} -j DROP")
    try:
        assert stage.is_dropped(STRANGER, net.address, 443)
        assert stage.connects(CLIENT, net.address, 443)
    finally:
        stage.typed(net.box, "iptables -D FORWARD 1")
    assert stage.connects(STRANGER, net.address, 443)


def test_row_096_a_route_inside_the_vpc_leads_one_subnet_to_the_other_through_the_machine(
    stage: Stage, net: Net
) -> None:
    before = inspected(stage, net)
    assert stage.connects(net.web, "10.0.2.30", 5432)
    assert all(now > was for now, was in zip(inspected(stage, net), before, strict=True))


def test_row_097_what_a_list_no_longer_holds_has_no_route_at_once(stage: Stage, net: Net) -> None:
    ec2 = stage.ec2
    ec2.modify_managed_prefix_list(
        PrefixListId=net.clients, CurrentVersion=1, RemoveEntries=[{"Cidr": f"{STRANGER}/32"}]
    )
    assert stage.is_dropped(STRANGER, net.address, 443)
    assert stage.refusal(STRANGER, net.address, 443).layer == "route-table"
    assert stage.connects(CLIENT, net.address, 443)
    ec2.restore_managed_prefix_list_version(PrefixListId=net.clients, PreviousVersion=1, CurrentVersion=2)
    assert stage.connects(STRANGER, net.address, 443)


def test_row_097_a_machine_that_stops_is_a_blackhole_on_the_way_in(stage: Stage, net: Net) -> None:
    stage.stop(net.box)
    assert stage.is_dropped(CLIENT, net.address, 443)
    refusal = stage.refusal(CLIENT, net.address, 443)
    assert (refusal.layer, refusal.code) == ("gateway-route-table", "BAD_STATE_ROUTE")
    stage.ec2.delete_route(RouteTableId=net.edge, DestinationCidrBlock="10.0.1.0/24")
    stage.ec2.replace_route(
        RouteTableId=net.web_table, DestinationPrefixListId=net.clients, GatewayId=_gateway(stage, net)
    )
    assert stage.connects(CLIENT, net.address, 443), "past the machine, in and out"


def _gateway(stage: Stage, net: Net) -> str:
    (table,) = stage.ec2.describe_route_tables(RouteTableIds=[net.edge])["RouteTables"]
    found: str = table["Associations"][0]["GatewayId"]
    return found
