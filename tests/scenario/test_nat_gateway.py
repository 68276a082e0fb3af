"""NAT devices, as the course teaches them: rows 109 to 111 and 136 to 149, with the gateway and with the instance."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.daemon.atoll import until
from tests.scenario.stage import ANYWHERE, CLIENT, NAT_IMAGE, QUICK, STRANGER, Stage, refused_with

# What listens on the internet: it tells everybody from where he seems to come.
SERVER = """
import socket, threading
listener = socket.create_server(("0.0.0.0", 8080), backlog=100)
print("ready")
def serve(link, seen):
    link.sendall(f"{seen[0]}:{seen[1]}\\n".encode())
    while said := link.recv(100):
        link.sendall(said)
while True:
    threading.Thread(target=serve, args=listener.accept(), daemon=True).start()
"""

# A client that connects from a port of its own choice, says how it was seen, and then repeats what it is told to ask.
ASKER = """
import socket, sys
link = socket.create_connection((sys.argv[1], 8080), 10, ("0.0.0.0", int(sys.argv[2])))
seen = link.makefile().readline().strip()
print("ready")
print(seen)
for line in sys.stdin:
    link.sendall(line.encode())
    print(link.recv(100).decode().strip())
"""

UPDATES = """
import http.server
class Shelf(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"firmware 2")
    def log_message(self, *_):
        pass
shelf = http.server.HTTPServer(("0.0.0.0", 80), Shelf)
print("ready")
shelf.serve_forever()
"""
DOWNLOAD = (
    "import sys, urllib.request as u; print(u.urlopen('http://' + sys.argv[1] + '/firmware', timeout=10).read())"
)


@dataclass(frozen=True)
class Net:
    """The VPC of the example table: 10.20.1.0/24 is public, 10.40.2.0/24 private, and two instances are in it."""

    vpc: str
    public: str
    private: str
    table: str  # of the private subnet
    group: str
    one: str  # 10.40.2.101
    two: str  # 10.40.2.201
    gateway: str  # 10.20.1.100
    allocation: str
    address: str
    instance: str  # a NAT instance, 10.20.1.55

    def lead(self, stage: Stage, **target: str) -> None:
        """Lead the private subnet's traffic to a NAT device."""
        stage.ec2.replace_route(RouteTableId=self.table, DestinationCidrBlock=ANYWHERE, **target)


@pytest.fixture(scope="module")
def net(stage: Stage) -> Iterator[Net]:
    ec2 = stage.ec2
    vpc = stage.vpc("10.20.0.0/16")
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.40.0.0/16")
    public, private = stage.subnet(vpc, "10.20.1.0/24", public=True), stage.subnet(vpc, "10.40.2.0/24")
    group = stage.group(vpc)
    stage.allow(group, "0-65535", "10.0.0.0/8")
    eip = stage.elastic_ip()
    gateway = ec2.create_nat_gateway(
        SubnetId=public, AllocationId=eip["AllocationId"], PrivateIpAddress="10.20.1.100"
    )["NatGateway"]["NatGatewayId"]  # fmt: skip
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[gateway], WaiterConfig=QUICK)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=private)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, NatGatewayId=gateway)
    instance = stage.instance(public, group, image=NAT_IMAGE, PrivateIpAddress="10.20.1.55")
    ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})
    # As on AWS, the image's own rule is for the VPC's primary range only.
    stage.typed(instance, "iptables -t nat -A POSTROUTING -s 10.40.0.0/16 -j MASQUERADE")
    stage.elastic_ip(instance)
    with stage.program(STRANGER, SERVER), stage.program(STRANGER, UPDATES):
        yield Net(
            vpc=vpc, public=public, private=private, table=table, group=group,
            one=stage.instance(private, group, PrivateIpAddress="10.40.2.101"),
            two=stage.instance(private, group, PrivateIpAddress="10.40.2.201"),
            gateway=gateway, allocation=eip["AllocationId"], address=eip["PublicIp"], instance=instance,
        )  # fmt: skip


def seen_of(asker: Any) -> tuple[str, int]:
    """Return how the server on the internet sees a client."""
    address, _, port = asker.stdout.readline().decode().strip().rpartition(":")
    return address, int(port)


def asks(asker: Any, word: str) -> str:
    """Say a word over an open connection; returns what comes back."""
    asker.stdin.write(f"{word}\n".encode())
    asker.stdin.flush()
    said: str = asker.stdout.readline().decode().strip()
    return said


def test_row_109_a_private_subnet_reaches_the_internet_and_not_the_other_way(stage: Stage, net: Net) -> None:
    assert stage.reach(net.one, STRANGER, 8080, "hello").startswith(f"connected {net.address}:")
    assert stage.is_dropped(CLIENT, net.address, 8080)
    refusal = stage.refusal(CLIENT, net.address, 8080)
    assert (refusal.verdict, refusal.layer) == ("refused", "nat-gateway")
    assert "nobody behind" in refusal.because


def test_row_110_updates_are_downloaded_from_a_private_instance(stage: Stage, net: Net) -> None:
    assert "firmware 2" in stage.run(net.one, [stage.python, "-c", DOWNLOAD, STRANGER]).output
    stage.ec2.delete_route(RouteTableId=net.table, DestinationCidrBlock=ANYWHERE)
    try:
        assert stage.is_dropped(net.one, STRANGER, 80)
        assert stage.refusal(net.one, STRANGER, 80).code == "NO_ROUTE_TO_DESTINATION"
    finally:
        stage.ec2.create_route(RouteTableId=net.table, DestinationCidrBlock=ANYWHERE, NatGatewayId=net.gateway)


def test_row_111_it_hands_traffic_to_the_internet_gateway_of_its_subnet(stage: Stage, net: Net) -> None:
    layers = [step["layer"] for step in stage.trace(net.one, STRANGER, 8080)["steps"]]
    assert layers.index("nat-gateway") < layers.index("internet-gateway-out")
    eip = stage.elastic_ip()["AllocationId"]
    wrong = stage.ec2.create_nat_gateway(SubnetId=net.private, AllocationId=eip)["NatGateway"]["NatGatewayId"]
    net.lead(stage, NatGatewayId=wrong)
    try:  # in a subnet without a route to the internet gateway it leads nowhere
        assert stage.is_dropped(net.one, STRANGER, 8080)
        assert stage.refusal(net.one, STRANGER, 8080).verdict == "loop"
    finally:
        net.lead(stage, NatGatewayId=net.gateway)
        stage.ec2.delete_nat_gateway(NatGatewayId=wrong)


def test_row_111_a_vpc_without_internet_gateway_has_no_public_nat_gateway(stage: Stage) -> None:
    subnet = stage.subnet(stage.vpc("10.60.0.0/16", internet=False), "10.60.0.0/24")
    made = stage.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=stage.elastic_ip()["AllocationId"])
    id = made["NatGateway"]["NatGatewayId"]
    assert made["NatGateway"]["State"] == "pending"

    def failure() -> Any:
        found = stage.ec2.describe_nat_gateways(NatGatewayIds=[id])["NatGateways"][0]
        return found if found["State"] == "failed" else None

    assert until(failure)["FailureCode"] == "Gateway.NotAttached"


@pytest.mark.parametrize("device", ["gateway", "instance"])
def test_row_136_both_nat_devices_lead_out_and_nothing_leads_in(stage: Stage, net: Net, device: str) -> None:
    through(stage, net, device)
    try:
        assert stage.connects(net.one, STRANGER, 8080)
        assert stage.is_dropped(CLIENT, net.address, 8080)
    finally:
        through(stage, net, "gateway")


def through(stage: Stage, net: Net, device: str) -> None:
    net.lead(stage, **({"NatGatewayId": net.gateway} if device == "gateway" else {"InstanceId": net.instance}))


def port_of(device: str, port: int) -> str:
    """Return a source port that the other device has not used a moment ago."""
    return str(port + 500 * (device == "instance"))


def test_row_137_two_private_instances_share_one_address_at_the_same_time(stage: Stage, net: Net) -> None:
    with ExitStack() as stack:
        askers = [stack.enter_context(stage.program(i, ASKER, STRANGER, "41000")) for i in (net.one, net.two)]
        assert {seen_of(asker)[0] for asker in askers} == {net.address}
        assert [asks(asker, word) for asker, word in zip(askers, ("one", "two"), strict=True)] == ["one", "two"]


def test_row_138_private_subnets_use_it_to_reach_the_internet(stage: Stage, net: Net) -> None:
    assert stage.connects(net.two, STRANGER, 8080)
    with denied(stage, net):
        assert stage.is_dropped(net.two, STRANGER, 8080)
        assert stage.refusal(net.two, STRANGER, 8080).code == "SUBNET_ACL_RESTRICTION"


def denied(stage: Stage, net: Net) -> ExitStack:
    """Deny the server in the network ACL of the gateway's subnet, for a while."""
    filters = [{"Name": "association.subnet-id", "Values": [net.public]}]
    acl = stage.ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "RuleNumber": 50, "Egress": True}
    stage.ec2.create_network_acl_entry(**entry, Protocol="-1", RuleAction="deny", CidrBlock=f"{STRANGER}/32")
    stack = ExitStack()
    stack.callback(stage.ec2.delete_network_acl_entry, **entry)
    return stack


def test_row_139_what_comes_in_unasked_is_dropped(stage: Stage, net: Net) -> None:
    for port in (22, 80, 8080, 40001):
        assert stage.is_dropped(CLIENT, net.address, port)
    assert stage.udp(CLIENT, net.address, 53) == "dropped"
    assert stage.shell(CLIENT, f"ping -c 1 -W 1 {net.address}").code != 0


def test_row_140_it_stands_in_the_public_subnet(stage: Stage, net: Net) -> None:
    found = stage.ec2.describe_nat_gateways(NatGatewayIds=[net.gateway])["NatGateways"][0]
    assert (found["SubnetId"], found["NatGatewayAddresses"][0]["PrivateIp"]) == (net.public, "10.20.1.100")
    message = refused_with("DependencyViolation", stage.ec2.delete_subnet, SubnetId=net.public)
    assert net.public in message


def test_row_143_its_interface_is_not_the_users_to_change(stage: Stage, net: Net) -> None:
    found = stage.ec2.describe_nat_gateways(NatGatewayIds=[net.gateway])["NatGateways"][0]
    eni = found["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    change = stage.ec2.modify_network_interface_attribute
    refused_with("AuthFailure", change, NetworkInterfaceId=eni, Groups=[net.group])
    change(NetworkInterfaceId=stage.primary_interface(net.instance), Groups=[net.group])  # the instance's is


def test_row_144_the_traffic_and_the_hours_of_either_device_are_counted(stage: Stage, net: Net) -> None:
    """What is paid for: a gateway by its hours and its traffic, an instance by its hours and the network's."""

    def used(kind: str, id: str) -> dict[str, Any]:
        found: dict[str, Any] = next(it for it in stage.atoll.get("/_atoll/usage")[kind] if it["id"] == id)
        return found

    before, idle = used("nat_gateways", net.gateway), used("instances", net.instance)
    assert stage.reach(net.one, STRANGER, 8080, "x" * 90).startswith("connected")
    after = used("nat_gateways", net.gateway)
    more = {name: after["metrics"][name] - before["metrics"][name] for name in after["metrics"]}
    assert more["ConnectionAttemptCount"] == more["ConnectionEstablishedCount"] == 1
    assert more["BytesOutToDestination"] == more["BytesInFromSource"] > 90
    assert after["hours"] > 0
    assert used("instances", net.instance)["metrics"]["NetworkOut"] - idle["metrics"]["NetworkOut"] < 90

    through(stage, net, "instance")
    try:
        assert stage.reach(net.one, STRANGER, 8080, "x" * 90).startswith("connected")
    finally:
        through(stage, net, "gateway")
    carried = used("instances", net.instance)["metrics"]["NetworkOut"] - idle["metrics"]["NetworkOut"]
    assert carried > 180, "it is paid for what it sends on, in both directions"
    assert (
        used("nat_gateways", net.gateway)["metrics"]["ConnectionAttemptCount"]
        == (after["metrics"]["ConnectionAttemptCount"])
    )


@pytest.mark.parametrize("device", ["gateway", "instance"])
def test_row_145_the_same_client_works_with_either_device(stage: Stage, net: Net, device: str) -> None:
    through(stage, net, device)
    try:
        with stage.program(net.one, ASKER, STRANGER, port_of(device, 42000)) as asker:
            address, _ = seen_of(asker)
            assert (address == net.address) is (device == "gateway")
            assert asks(asker, "still there") == "still there"
    finally:
        through(stage, net, "gateway")


@pytest.mark.parametrize("device", ["gateway", "instance"])
def test_row_147_sources_that_share_an_address_are_told_apart_by_port(stage: Stage, net: Net, device: str) -> None:
    through(stage, net, device)
    try:
        with ExitStack() as stack:
            ports = (port_of(device, 43000), port_of(device, 43001))
            askers = [stack.enter_context(stage.program(net.one, ASKER, STRANGER, port)) for port in ports]
            (first, one), (second, two) = map(seen_of, askers)
        assert first == second
        assert one != two
    finally:
        through(stage, net, "gateway")


@pytest.mark.parametrize("device", ["gateway", "instance"])
def test_row_148_equal_source_ports_become_different_ones(stage: Stage, net: Net, device: str) -> None:
    through(stage, net, device)
    try:
        with ExitStack() as stack:
            askers = [
                stack.enter_context(stage.program(i, ASKER, STRANGER, port_of(device, 44000)))
                for i in (net.one, net.two)
            ]
            (_, one), (_, two) = map(seen_of, askers)
            assert [asks(asker, "both work") for asker in askers] == ["both work"] * 2
        assert one != two
    finally:
        through(stage, net, "gateway")


def test_row_149_the_example_table_comes_true(stage: Stage, net: Net) -> None:
    """10.40.2.101:40001 keeps its port at 10.20.1.100, and 10.40.2.201:40001 is given another."""
    assert (stage.address(net.one), stage.address(net.two)) == ("10.40.2.101", "10.40.2.201")
    with ExitStack() as stack:
        askers = [stack.enter_context(stage.program(i, ASKER, STRANGER, "40001")) for i in (net.one, net.two)]
        one, two = map(seen_of, askers)
    assert one == (net.address, 40001)
    assert two[0] == net.address
    assert two[1] not in (40001, 0)


def test_row_142_the_gateway_works_on_while_the_daemon_is_dead(stage: Stage, net: Net) -> None:
    """Its availability is AWS's affair, and a NAT instance's is its owner's: it ends with its machine."""
    with stage.program(net.one, ASKER, STRANGER, "45000") as asker:
        assert seen_of(asker)[0] == net.address
        stage.atoll.kill()
        try:
            assert asks(asker, "nobody looks after me") == "nobody looks after me"
        finally:
            stage.atoll.up()
        assert asks(asker, "and now") == "and now"
    assert stage.connects(net.two, STRANGER, 8080)
    through(stage, net, "instance")
    try:
        assert stage.connects(net.two, STRANGER, 8080)
        stage.stop(net.instance)
        assert stage.is_dropped(net.two, STRANGER, 8080)
        assert stage.refusal(net.two, STRANGER, 8080).code == "BAD_STATE_ROUTE"
    finally:
        through(stage, net, "gateway")


def test_row_189_a_gateway_needs_an_elastic_ip_and_an_instance_may_do_without(stage: Stage, net: Net) -> None:
    message = refused_with("MissingParameter", stage.ec2.create_nat_gateway, SubnetId=net.public)
    assert "AllocationId" in message


def test_row_029_a_nat_gateway_is_no_way_in_to_a_cache(stage: Stage, net: Net) -> None:
    """It forwards no port: only a NAT instance can lead an internet client to a node."""
    with stage.program(net.one, SERVER):
        assert stage.reach(net.two, "10.40.2.101", 8080).startswith("connected")
        assert stage.is_dropped(CLIENT, net.address, 8080)
        assert stage.refusal(CLIENT, net.address, 8080).layer == "nat-gateway"
