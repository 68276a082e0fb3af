"""IPv6 end to end: addresses from the launch to the wire, both gateways, the resolver and metadata."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import Any

import pytest

from tests.scenario.stage import Stage

SSH, PORT = 22, 8080
CLIENT6 = "2001:db8:f::27"
EVERYBODY = [{"CidrIpv6": "::/0"}]
SERVER = """
import socket, sys
link = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6)
print("ready")
while True:
    there, who = link.accept()
    there.sendall(who[0].encode())
    there.close()
"""
RESOLVE = """
import socket, sys
link = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
link.settimeout(3)
link.sendto(bytes.fromhex(sys.argv[1]), ("fd00:ec2::253", 53))
print(link.recv(512).hex())
"""


@dataclass(frozen=True)
class Yard:
    """A VPC whose first subnet leads to the internet gateway and whose second to the egress-only one."""

    vpc: str
    group: str
    public: str
    private: str
    public_ip: str
    private_ip: str
    plain: str  # an instance of the private subnet without IPv6


@pytest.fixture(scope="module")
def yard(stage: Stage) -> Yard:
    made = stage.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    vpc, six = made["VpcId"], made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    igw = stage.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    stage.ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    eigw = stage.ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]
    public = subnet(stage, vpc, "10.0.0.0/24", part(six, 1), GatewayId=igw)
    out = {"EgressOnlyInternetGatewayId": eigw["EgressOnlyInternetGatewayId"]}
    private = subnet(stage, vpc, "10.0.1.0/24", part(six, 2), **out)
    group = stage.group(vpc)
    one, two = stage.instance(public, group, Ipv6AddressCount=1), stage.instance(private, group, Ipv6AddressCount=1)
    plain = stage.instance(private, group)
    return Yard(vpc, group, one, two, address6(stage, one), address6(stage, two), plain)


def part(six: str, n: int) -> str:
    """Return the nth subnet's range of a VPC's."""
    return str(list(IPv6Network(six).subnets(new_prefix=64))[n])


def subnet(stage: Stage, vpc: str, cidr: str, six: str, **target: str) -> str:
    made: str = stage.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, Ipv6CidrBlock=six)["Subnet"]["SubnetId"]
    table = stage.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    stage.ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", **target)
    stage.ec2.associate_route_table(RouteTableId=table, SubnetId=made)
    return made


def address6(stage: Stage, instance: str) -> str:
    found = stage.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    address: str = found["Ipv6Address"]
    return address


@contextmanager
def admitted(stage: Stage, group: str, protocol: str, low: int, high: int) -> Iterator[None]:
    """Let everybody in over IPv6, for a while."""
    permission: list[dict[str, Any]] = [
        {"IpProtocol": protocol, "FromPort": low, "ToPort": high, "Ipv6Ranges": EVERYBODY}
    ]
    stage.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permission)
    try:
        yield
    finally:
        stage.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=permission)


def test_an_instance_boots_with_its_address_and_a_link_local_gateway(stage, yard):
    shown = stage.typed(yard.public, "ip -6 address show dev eth0 scope global")
    assert f"inet6 {yard.public_ip}/128" in shown
    assert "tentative" not in shown
    assert "default via fe80::1 dev eth0" in stage.typed(yard.public, "ip -6 route")


def test_the_status_shows_ranges_and_addresses(stage, yard):
    seen = stage.atoll.get("/_atoll/status")
    shown = {one["id"]: one["ipv6"] for one in (*seen["vpcs"], *seen["instances"])}
    assert shown[yard.public] == [yard.public_ip]
    assert shown[yard.plain] == []
    assert [cidr.endswith("/56") for cidr in shown[yard.vpc]] == [True]


def test_an_instance_without_an_address_has_no_ipv6_at_all(stage, yard):
    assert stage.typed(yard.plain, "cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6") == "1"
    assert stage.typed(yard.plain, "ip -6 address; ip -6 route") == ""


def test_the_internet_reaches_a_public_subnet_if_a_rule_admits_it(stage, yard):
    assert stage.is_dropped(CLIENT6, yard.public_ip, SSH)
    assert stage.refusal(CLIENT6, yard.public_ip, SSH).layer == "ingress-groups"
    stage.allow(yard.group, SSH, "0.0.0.0/0")
    assert stage.is_dropped(CLIENT6, yard.public_ip, SSH)  # a rule for IPv4 says nothing of IPv6
    with admitted(stage, yard.group, "tcp", SSH, SSH):
        assert stage.connects(CLIENT6, yard.public_ip, SSH)
    assert stage.is_dropped(CLIENT6, yard.public_ip, SSH)


def test_a_ping_needs_a_rule_of_icmpv6(stage, yard):
    ping = f"ping -6 -c 1 -W 1 {yard.private_ip}"
    assert stage.type(yard.public, ping).code != 0
    with admitted(stage, yard.group, "icmpv6", 128, -1):
        assert stage.type(yard.public, f"ping -6 -c 1 -W 5 {yard.private_ip}").code == 0


def test_what_is_behind_the_egress_only_gateway_reaches_the_internet_with_its_own_address(stage, yard):
    with stage.program(CLIENT6, SERVER, str(PORT)):
        assert stage.reach(yard.private, CLIENT6, PORT, "hello") == f"connected {yard.private_ip}"
        assert stage.reach(yard.public, CLIENT6, PORT, "hello") == f"connected {yard.public_ip}"


def test_nothing_begins_outside_an_egress_only_gateway(stage):
    made = stage.ec2.create_vpc(CidrBlock="10.3.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    vpc, six = made["VpcId"], made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    eigw = stage.ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]
    id = eigw["EgressOnlyInternetGatewayId"]
    inner = subnet(stage, vpc, "10.3.0.0/24", part(six, 1), EgressOnlyInternetGatewayId=id)
    group = stage.group(vpc)
    instance = stage.instance(inner, group, Ipv6AddressCount=1)
    with admitted(stage, group, "tcp", 0, 65535):
        assert stage.is_dropped(CLIENT6, address6(stage, instance), SSH)
        assert stage.refusal(CLIENT6, address6(stage, instance), SSH).layer == "egress-only-gateway-in"
        with stage.program(CLIENT6, SERVER, str(PORT)):
            assert stage.connects(instance, CLIENT6, PORT)
            stage.ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=id)
            assert stage.is_dropped(instance, CLIENT6, PORT)
    assert stage.refusal(instance, CLIENT6, PORT).verdict == "blackhole"


def test_addresses_come_and_go_while_an_instance_runs(stage, yard):
    interface = stage.primary_interface(yard.plain)
    with admitted(stage, yard.group, "tcp", SSH, SSH):
        given = stage.ec2.assign_ipv6_addresses(NetworkInterfaceId=interface, Ipv6AddressCount=1)
        (address,) = given["AssignedIpv6Addresses"]
        assert stage.connects(yard.public, address, SSH)  # in force when the call returns
        stage.ec2.unassign_ipv6_addresses(NetworkInterfaceId=interface, Ipv6Addresses=[address])
        assert stage.is_dropped(yard.public, address, SSH)
    assert stage.typed(yard.plain, "ip -6 address show scope global") == ""


def test_metadata_answers_over_ipv6_where_it_is_enabled(stage, yard):
    ask = "curl -gs -m 5 -H 'X-aws-ec2-metadata-token: '$({token}) 'http://[fd00:ec2::254]/latest/meta-data/ipv6'"
    token = (
        "curl -gs -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' 'http://[fd00:ec2::254]/latest/api/token'"
    )
    line = ask.format(token=token)
    assert yard.public_ip not in stage.type(yard.public, line).output
    stage.ec2.modify_instance_metadata_options(InstanceId=yard.public, HttpProtocolIpv6="enabled")
    assert stage.typed(yard.public, line) == yard.public_ip


def test_the_resolver_answers_for_resource_names_over_ipv6(stage, yard):
    name = f"{yard.private}.ec2.internal"
    assert quad_a(stage, yard.public, name) == []
    stage.ec2.modify_private_dns_name_options(InstanceId=yard.private, EnableResourceNameDnsAAAARecord=True)
    assert quad_a(stage, yard.public, name) == [yard.private_ip]


def quad_a(stage: Stage, here: str, name: str) -> list[str]:
    """Ask fd00:ec2::253 for the AAAA records of a name."""
    labels = b"".join(bytes((len(part),)) + part.encode() for part in name.split("."))
    query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 28, 1)
    said = bytes.fromhex(stage.run(here, [stage.python, "-I", "-S", "-c", RESOLVE, query.hex()]).output.strip())
    count = struct.unpack(">H", said[6:8])[0]
    return [socket.inet_ntop(socket.AF_INET6, said[len(said) - 16 :])] if count else []
