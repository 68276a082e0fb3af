"""Fields of flow log records that no packet is needed for."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from atoll.model.flow_log import FlowLog
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.prefix_list import managed
from atoll.model.subnet import Subnet
from atoll.network.compile.flow_logs import FLAG_SHIFT, IS_UDP, RECEIVED
from atoll.network.flow_format import VERSIONS, FormatError, fields_of, version_of
from atoll.network.flow_paths import traffic_path
from atoll.network.flow_records import Counted, add, as_dict, flow_of, lines
from tests.network.worlds import Lab

EVERY_FIELD = " ".join(f"${{{field}}}" for fields in VERSIONS.values() for field in fields)
OUTSIDE, INSIDE, PUBLIC = IPv4Address("198.51.100.27"), IPv4Address("10.0.0.10"), IPv4Address("203.0.113.9")
FIN, SYN, RST, ACK = (bit << FLAG_SHIFT for bit in (1, 2, 4, 8))


@pytest.fixture
def lab():
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", ipv6="2600:1f18:0:100::/56"), lab.gateway("v"), lab.vpc("w", "10.1.0.0/16")
    lab.subnet("s", "10.0.0.0/24", vpc="v", ipv6="2600:1f18:0:100::/64")
    lab.group("g", vpc="v")
    lab.instance("a", "s", groups=["g"], ip=str(INSIDE))
    lab.peering("p", "v", "w")
    lab.table("s", {"0.0.0.0/0": "igw-v", "10.1.0.0/16": "pcx-p", "192.0.2.0/24": "vgw-1"}, subnets=["s"], vpc="v")
    lab.flow_log("f", "vpc-v", format=EVERY_FIELD, vpc="v")
    return lab


def counted(what=0, source=INSIDE, target=OUTSIDE, ports=(1024, 80), packets=1, last=100.0):
    return flow_of(Counted((1 | what, source, target, *ports), packets, packets * 60, last))


def record(lab, *flows):
    log, eni = lab.world[FlowLog, "fl-f"], lab.world[Interface, "eni-a"]
    told = lines(lab.world, log, eni, flows, begin=60.0, end=120.0, skipped=False)
    return as_dict(EVERY_FIELD, next(iter(told)))


@pytest.mark.parametrize(
    ("parts", "flags"),
    [
        ([0], 0),
        ([SYN], 2),
        ([SYN | ACK], 18),
        ([SYN, 0, FIN | ACK], 3),
        ([SYN | ACK, 0, FIN | ACK], 19),
        ([0, RST | ACK], 4),
        ([FIN], 1),
    ],
)
def test_flags_are_those_of_all_packets_and_ack_counts_beside_syn_only(lab, parts, flags):
    flows = {}
    for part in parts:
        add(flows, counted(part))

    (flow,) = flows.values()
    assert record(lab, flow)["tcp-flags"] == str(flags)


def test_a_flow_begins_with_its_syn_and_else_with_the_window(lab):
    def begin(*parts):
        flows = {}
        for part in parts:
            add(flows, part)
        return record(lab, *flows.values())["start"]

    assert begin(counted(SYN, last=77.0), counted(0, packets=5, last=99.0)) == "77"
    assert begin(counted(0, packets=5), counted(FIN)) == "60"
    assert begin(counted(SYN, packets=3)) == "60", "nobody knows which of the three"
    assert begin(counted(IS_UDP, last=88.0), counted(IS_UDP, packets=4)) == "60"


@pytest.mark.parametrize(
    ("destination", "nitro", "path"),
    [
        ("10.0.0.99", True, 1),
        ("10.0.7.7", True, 1),
        ("198.51.100.27", True, 8),
        ("198.51.100.27", False, 2),
        ("10.1.0.5", True, 4),
        ("192.0.2.5", True, None),
        ("2600:1f18:0:900::1", True, None),
    ],
)
def test_the_path_is_that_of_the_route(lab, destination, nitro, path):
    address = IPv6Address(destination) if ":" in destination else IPv4Address(destination)

    assert traffic_path(lab.world, lab.world[Interface, "eni-a"], address, is_nitro=nitro) == path


def test_the_path_through_a_gateway_endpoint_is_its_own(lab):
    endpoint = lab.gateway_endpoint("v", "s3", ["s"])
    listed = next(one.id for one in managed("us-east-1") if one.name.endswith(".s3"))
    lab.route("s", listed, endpoint.id)
    eni, store = lab.world[Interface, "eni-a"], IPv4Address("52.216.0.1")

    assert traffic_path(lab.world, eni, store, is_nitro=True) == 7
    assert traffic_path(lab.world, eni, store, is_nitro=False) == 2


def test_the_type_of_an_instance_tells_nitro(lab):
    lab.put(lab.world[Instance, "i-a"], type="t3.micro")
    assert record(lab, counted())["traffic-path"] == "8"
    lab.put(lab.world[Instance, "i-a"], type="t2.micro")
    assert record(lab, counted())["traffic-path"] == "2"
    assert record(lab, counted(RECEIVED, OUTSIDE, INSIDE))["traffic-path"] == "-"


def test_a_public_address_of_ours_is_ec2s(lab):
    told = record(lab, counted(target=PUBLIC))

    assert (told["pkt-src-aws-service"], told["pkt-dst-aws-service"]) == ("-", "EC2")


def test_an_interface_in_a_local_zone_says_which(lab):
    assert record(lab, counted())["az-id"] == "use1-az1"
    lab.put(lab.world[Subnet, "subnet-s"], zone="us-west-2-lax-1a", zone_id="usw2-lax1-az1")
    told = record(lab, counted())

    assert (told["az-id"], told["sublocation-type"], told["sublocation-id"]) == ("-", "localzone", "usw2-lax1-az1")


def test_the_interface_is_its_first_address_and_the_packet_says_the_other(lab):
    second = IPv4Address("10.0.0.20")
    lab.put(lab.world[Interface, "eni-a"], private_ips=(INSIDE, second))
    sent, received = record(lab, counted(source=second)), record(lab, counted(RECEIVED, OUTSIDE, second))

    assert (sent["srcaddr"], sent["pkt-srcaddr"]) == (str(INSIDE), str(second))
    assert (received["dstaddr"], received["pkt-dstaddr"]) == (str(INSIDE), str(second))


def test_a_protocol_without_ports_has_none(lab):
    told = record(lab, flow_of(Counted((1, INSIDE, OUTSIDE, 1), 1, 84, 100.0)))

    assert (told["protocol"], told["srcport"], told["dstport"], told["bytes"]) == ("1", "0", "0", "84")


def test_the_version_is_the_highest_of_its_fields():
    assert version_of(fields_of("${srcaddr}")) == 2
    assert version_of(fields_of("${srcaddr} ${az-id}")) == 4
    for wrong in ("", "srcaddr", "${srcaddr},${dstaddr}", "${nothing}", "${}"):
        with pytest.raises(FormatError):
            fields_of(wrong)
