"""Rows 131, 146, 150 and 151: the three ways from a VPC to the internet, of which a proxy instance is the third."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.scenario.stage import ANYWHERE, NAT_IMAGE, QUICK, STRANGER, Stage

# What listens on the internet: it tells everybody who he seems to be.
SERVER = """
import socket, threading
listener = socket.create_server(("0.0.0.0", 8080), backlog=100)
print("ready")
def serve(link, seen):
    link.recv(100)
    link.sendall(f"you are {seen[0]}\\n".encode())
    link.recv(100)
while True:
    threading.Thread(target=serve, args=listener.accept(), daemon=True).start()
"""

# A forward proxy: it understands CONNECT, says whom it stands in for, and carries bytes both ways.
PROXY = """
import socket, threading
listener = socket.create_server(("0.0.0.0", 3128), backlog=100)
print("ready")
def pump(source, sink):
    while said := source.recv(65536):
        sink.sendall(said)
    sink.shutdown(socket.SHUT_WR)
def serve(client):
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        head += client.recv(1)
    host, _, port = head.split()[1].decode().rpartition(":")
    try:
        server = socket.create_connection((host, int(port)), 2)
    except OSError:
        client.sendall(b"HTTP/1.1 504 Gateway Timeout\\r\\n\\r\\n")
        return client.close()
    client.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
    pump(client, server)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

# A client of the proxy, and whoever its packets are addressed to: seen on its own interface.
ASK_PROXY = """
import socket, sys
proxy, server = sys.argv[1:]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
wire.bind(("eth0", 0x0800))
wire.settimeout(0.3)
link = socket.create_connection((proxy, 3128), 5)
link.sendall(f"CONNECT {server}:8080 HTTP/1.1\\r\\n\\r\\n".encode())
said = link.makefile("rb")
status = said.readline().split()[1].decode()
said.readline()
answer = ""
if status == "200":
    link.sendall(b"who am I?")
    answer = said.readline().decode().strip()
own, peers = link.getsockname()[0], set()
try:
    while True:
        packet = wire.recv(2000)
        if packet[9] == 6:
            peers |= {socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])}
except TimeoutError:
    pass
print(status, "|", answer, "|", *sorted(peers - {own}))
"""


@dataclass(frozen=True)
class Ways:
    """A VPC with a public subnet, a private one without any route, and an instance in each."""

    vpc: str
    public: str
    private: str
    table: str  # of the private subnet
    group: str
    app: str  # in the private subnet
    front: str  # in the public one, with an Elastic IP
    address: str  # that Elastic IP


@pytest.fixture(scope="module")
def ways(stage: Stage) -> Iterator[Ways]:
    vpc = stage.vpc()
    public, private = stage.subnet(vpc, "10.0.0.0/24", public=True), stage.subnet(vpc, "10.0.1.0/24")
    table = stage.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    stage.ec2.associate_route_table(RouteTableId=table, SubnetId=private)
    group = stage.group(vpc)
    stage.allow(group, "0-65535", "10.0.0.0/16")
    front = stage.instance(public, group)
    address = stage.elastic_ip(front)["PublicIp"]
    app = stage.instance(private, group)
    with stage.program(STRANGER, SERVER):
        yield Ways(vpc, public, private, table, group, app, front, address)


def who(stage: Stage, here: str) -> str:
    """Return who an instance is to a server on the internet."""
    return stage.reach(here, STRANGER, 8080, "who am I?").removeprefix("connected you are ")


def test_row_131_a_gateway_a_nat_device_and_a_proxy_each_lead_out(stage: Stage, ways: Ways) -> None:
    ec2 = stage.ec2
    assert who(stage, ways.front) == ways.address  # 1. the internet gateway
    assert stage.is_dropped(ways.app, STRANGER, 8080)
    assert stage.refusal(ways.app, STRANGER, 8080).code == "NO_ROUTE_TO_DESTINATION"

    with stage.program(ways.front, PROXY):  # 3. the proxy, which needs no route
        assert f"| you are {ways.address} |" in through_proxy(stage, ways)
        assert stage.is_dropped(ways.app, STRANGER, 8080)

    eip = stage.elastic_ip()  # 2. a NAT device
    made = ec2.create_nat_gateway(SubnetId=ways.public, AllocationId=eip["AllocationId"])["NatGateway"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[made["NatGatewayId"]], WaiterConfig=QUICK)
    route = {"RouteTableId": ways.table, "DestinationCidrBlock": ANYWHERE}
    ec2.create_route(**route, NatGatewayId=made["NatGatewayId"])
    assert who(stage, ways.app) == eip["PublicIp"]
    ec2.delete_route(**route)
    assert stage.is_dropped(ways.app, STRANGER, 8080)


def through_proxy(stage: Stage, ways: Ways) -> str:
    """Ask the server through the proxy: the proxy's status, the server's answer, and whom packets went to."""
    command = [stage.python, "-c", ASK_PROXY, stage.address(ways.front), STRANGER]
    return stage.run(ways.app, command).output.strip()


def test_row_150_a_proxy_instance_stands_in_for_the_server(stage: Stage, ways: Ways) -> None:
    with stage.program(ways.front, PROXY):
        assert through_proxy(stage, ways).startswith(f"200 | you are {ways.address} |")
        (found,) = stage.ec2.describe_addresses(PublicIps=[ways.address])["Addresses"]
        stage.ec2.disassociate_address(AssociationId=found["AssociationId"])
        try:
            assert through_proxy(stage, ways).startswith("504 |")  # the proxy itself must get out
        finally:
            stage.associate(found["AllocationId"], ways.front)
    assert stage.reach(ways.app, stage.address(ways.front), 3128) == "refused"  # and it must run


def test_row_151_the_clients_packets_are_addressed_to_the_proxy(stage: Stage, ways: Ways) -> None:
    """And so the source/destination check stays as it is: the proxy is one end of each of the two connections."""
    eni = stage.primary_interface(ways.front)
    with stage.program(ways.front, PROXY):
        (interface,) = stage.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
        assert interface["SourceDestCheck"] is True
        assert through_proxy(stage, ways).rpartition("| ")[2] == stage.address(ways.front)
    route = {"RouteTableId": ways.table, "DestinationCidrBlock": ANYWHERE}
    stage.ec2.create_route(**route, NetworkInterfaceId=eni)  # where the packets go to the server itself, it is not
    try:
        assert stage.is_dropped(ways.app, STRANGER, 8080)
        assert stage.refusal(ways.app, STRANGER, 8080).layer == "destination-check"
    finally:
        stage.ec2.delete_route(**route)


def test_row_146_a_nat_instance_masquerades(stage: Stage, ways: Ways) -> None:
    """Its connection table shows the inner address and port, and what they became: its own."""
    nat = stage.instance(ways.public, ways.group, image=NAT_IMAGE)
    stage.ec2.modify_instance_attribute(InstanceId=nat, SourceDestCheck={"Value": False})
    outside = stage.elastic_ip(nat)["PublicIp"]
    route = {"RouteTableId": ways.table, "DestinationCidrBlock": ANYWHERE}
    stage.ec2.create_route(**route, InstanceId=nat)
    try:
        assert who(stage, ways.app) == outside
        inner, own = stage.address(ways.app), stage.address(nat)
        (entry,) = stage.typed(nat, f"conntrack -L -p tcp -s {inner} -d {STRANGER} 2>/dev/null").splitlines()
        words = entry.split()
        ports = [word.removeprefix("sport=") for word in words if word.startswith("sport=")]
        assert f"src={inner} dst={STRANGER}" in entry
        assert f"src={STRANGER} dst={own}" in entry
        assert f"dport={ports[0]}" in words  # nobody else wanted that port
        stage.typed(nat, "iptables -t nat -F POSTROUTING")
        assert stage.is_dropped(ways.app, STRANGER, 8080)  # and without masquerade nothing comes out
    finally:
        stage.ec2.delete_route(**route)
        stage.terminate(nat)
