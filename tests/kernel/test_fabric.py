"""What a VPC does to real packets, and to packets that are under way when something changes."""

import socket
import struct

import pytest

from atoll.host.linux.namespaces import inside
from atoll.model.acl import NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.names import link_name
from tests.kernel.ground import NEVER_SECONDS, alive, lay_ground, soon
from tests.network.lab import acl_entry
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
CLIENT = "198.51.100.27"


@pytest.fixture
def ground():
    yield from lay_ground()


def twin_lab(ingress=("tcp 6379 10.0.0.0/24",)):
    """Return two VPCs with the same addresses: in each a client, a box and, in another subnet, a cache."""
    lab = Lab()
    for n, name in enumerate("ab"):
        lab.vpc(name, "10.0.0.0/16"), lab.gateway(name)
        lab.acl(f"{name}db", vpc=name)
        lab.subnet(f"{name}pub", "10.0.0.0/24", vpc=name)
        lab.subnet(f"{name}db", "10.0.1.0/24", vpc=name, acl=f"{name}db")
        lab.table(f"{name}pub", {"0.0.0.0/0": f"igw-{name}"}, subnets=[f"{name}pub"], vpc=name)
        lab.group(f"{name}c", vpc=name)
        lab.group(f"{name}r", vpc=name, ingress=ingress)
        lab.instance(f"c{name}", f"{name}pub", groups=[f"{name}c"], ip="10.0.0.10")
        lab.instance(f"n{name}", f"{name}pub", groups=[f"{name}r"], ip="10.0.0.5", check=False)
        lab.instance(f"r{name}", f"{name}db", groups=[f"{name}r"], ip="10.0.1.20")
        lab.elastic_ip(f"203.0.113.{10 + n}", f"c{name}")
        lab.elastic_ip(f"203.0.113.{20 + n}", f"n{name}")
    lab.outside(CLIENT)
    return lab


def set_rules(lab, group, *rules):
    old = lab.world[SecurityGroup, f"sg-{group}"]
    kept = [r for r in old.rules if r.egress]
    lab.put(old, rules=(*kept, *(lab._rule(text, egress=False) for text in rules)))


def test_revoking_a_narrow_rule_leaves_open_connections_alone(ground):
    lab = twin_lab(["tcp 6379 10.0.0.0/24"])
    ground.apply(lab.world)
    flow = ground.flow("ca", "ra", "10.0.1.20", 6379)
    assert alive(*flow)
    set_rules(lab, "ar")
    ground.apply(lab.world)
    assert alive(*flow)
    listening = ground.listen("ra", 6379)
    assert not ground.connects("ca", "10.0.1.20", 6379)
    listening.close()


def test_revoking_an_untracked_rule_cuts_open_connections(ground):
    lab = twin_lab(["tcp 6379 0.0.0.0/0"])
    ground.apply(lab.world)
    flow = ground.flow("ca", "ra", "10.0.1.20", 6379)
    assert alive(*flow)
    set_rules(lab, "ar")
    ground.apply(lab.world)
    assert not alive(*flow)


@pytest.mark.parametrize("rule", ["tcp 6379 10.0.0.0/24", "tcp 6379 0.0.0.0/0"], ids=["tracked", "untracked"])
def test_an_acl_that_denies_cuts_every_connection(ground, rule):
    lab = twin_lab([rule])
    ground.apply(lab.world)
    flow = ground.flow("ca", "ra", "10.0.1.20", 6379)
    acl = lab.world[NetworkAcl, "acl-adb"]
    lab.put(acl, entries=(acl_entry("90 deny tcp 6379 10.0.0.0/24", egress=False), *acl.entries))
    ground.apply(lab.world)
    assert not alive(*flow)
    lab.put(acl)
    ground.apply(lab.world)
    assert soon(lambda: alive(*flow))  # a packet that was lost is sent again


def test_a_group_admits_its_members_by_their_own_interfaces_only(ground):
    lab = twin_lab(["tcp 6379 sg-ac"])
    ground.apply(lab.world)
    assert alive(*ground.flow("ca", "ra", "10.0.1.20", 6379))
    assert not ground.connects("na", "10.0.1.20", 6379)
    lab.put(lab.world[Interface, "eni-na"], group_ids=("sg-ac",))
    ground.apply(lab.world)
    assert alive(*ground.flow("na", "ra", "10.0.1.20", 6379))


def test_two_vpcs_with_the_same_addresses_do_not_meet(ground):
    lab = twin_lab()
    ground.apply(lab.world)
    flows = {v: ground.flow(f"c{v}", f"r{v}", "10.0.1.20", 6379) for v in "ab"}
    for name, (near, _) in flows.items():
        near.send(name.encode())
    assert {name: far.recv(10) for name, (_, far) in flows.items()} == {"a": b"a", "b": b"b"}
    set_rules(lab, "br")
    ground.apply(lab.world)
    assert alive(*ground.flow("ca", "ra", "10.0.1.20", 6379))
    assert not ground.connects("cb", "10.0.1.20", 6379)


def test_a_gateway_translates_both_ways_one_to_one(ground):
    lab = twin_lab()
    set_rules(lab, "ar", "tcp 6379 198.51.100.27/32")
    ground.apply(lab.world)
    near, far = ground.flow("ca", CLIENT, CLIENT, 7001)
    assert far.getpeername() == ("203.0.113.10", near.getsockname()[1])
    near, far = ground.flow(CLIENT, "na", "203.0.113.20", 6379)
    assert far.getpeername() == (CLIENT, near.getsockname()[1])
    assert far.getsockname() == ("10.0.0.5", 6379)
    assert not ground.connects("ra", CLIENT, 7001)  # no route, no public address


def test_public_addresses_reach_each_other_across_vpcs_and_within_one(ground):
    lab = twin_lab(["tcp 6379 203.0.113.0/24"])
    ground.apply(lab.world)
    _, far = ground.flow("ca", "nb", "203.0.113.21", 6379)
    assert far.getpeername()[0] == "203.0.113.10"
    near, far = ground.flow("ca", "na", "203.0.113.20", 6379)  # hairpin
    assert (near.getpeername()[0], far.getpeername()[0]) == ("203.0.113.20", "203.0.113.10")
    assert alive(near, far)


def test_a_moved_public_address_moves_for_open_connections_too(ground):
    lab = twin_lab(["tcp 6379 198.51.100.27/32"])
    ground.apply(lab.world)
    flow = ground.flow(CLIENT, "na", "203.0.113.20", 6379)
    eip = next(e for e in lab.world.all(ElasticIp) if str(e.public_ip) == "203.0.113.20")
    box, client = lab.world[Interface, "eni-na"], lab.world[Interface, "eni-ca"]
    lab.put(eip, interface_id=client.id, private_ip=client.address)
    ground.apply(lab.world)
    assert not alive(*flow)
    lab.put(eip, interface_id=box.id, private_ip=box.address)
    ground.apply(lab.world)
    assert soon(lambda: alive(*flow))


def test_a_forged_source_is_dropped(ground):
    lab = twin_lab(["all 0.0.0.0/0"])
    ground.apply(lab.world)
    got = ground.open("ra", socket.SOCK_DGRAM)
    got.bind(("0.0.0.0", 6379))
    for source, arrives in (("10.0.0.10", True), ("10.0.0.77", False)):
        sender = ground.open("ca", socket.SOCK_DGRAM)
        sender.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT
        sender.bind((source, 0))
        got.settimeout(NEVER_SECONDS)
        sender.sendto(source.encode(), ("10.0.1.20", 6379))
        if arrives:
            assert got.recvfrom(100)[0] == source.encode()
        else:
            with pytest.raises(TimeoutError):
                got.recv(100)


def test_a_machine_without_check_may_be_the_next_hop_in_its_subnet(ground):
    lab = twin_lab(["all 10.0.0.0/16"])
    ground.apply(lab.world)
    ground.set("na", "net.ipv4.ip_forward", 1)
    ground.run("na", "iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0", "-j", "MASQUERADE")
    ground.run("ca", "ip", "route", "replace", "default", "via", "10.0.0.5")
    _, far = ground.flow("ca", CLIENT, CLIENT, 7003)
    assert far.getpeername()[0] == "203.0.113.20"
    lab.put(lab.world[Interface, "eni-na"], source_dest_check=True)
    ground.apply(lab.world)
    listening = ground.listen(CLIENT, 7004)
    assert not ground.connects("ca", CLIENT, 7004)
    listening.close()


def test_arp_is_answered_for_who_is_there_and_for_nobody_else(ground):
    lab = twin_lab()
    lab.instance("late", "apub", groups=["ac"], ip="10.0.0.11", state="stopped")
    ground.apply(lab.world)
    box = lab.world[Interface, "eni-na"]
    answers = {
        ip: ask_arp(ground, "ca", "10.0.0.10", ip) for ip in ("10.0.0.5", "10.0.0.1", "10.0.0.99", "10.0.0.11")
    }
    assert answers == {"10.0.0.5": box.mac, "10.0.0.1": "02:00:5e:00:00:01", "10.0.0.99": None, "10.0.0.11": None}
    lab.set_state("late", "running")
    ground.apply(lab.world)
    assert ask_arp(ground, "ca", "10.0.0.10", "10.0.0.11") == lab.world[Interface, "eni-late"].mac


def ask_arp(ground, place, own, wanted):
    """Ask who has an address; return the MAC address that answers, or None."""
    with ground.namespaces.opened(ground.place(place)) as fd, inside(fd):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        sock.bind(("eth0", 0x0806))
    with sock:
        mac = sock.getsockname()[4]
        ask = b"\xff" * 6 + mac + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
        sock.send(ask + mac + socket.inet_aton(own) + b"\0" * 6 + socket.inet_aton(wanted))
        sock.settimeout(NEVER_SECONDS)
        try:
            while True:
                frame = sock.recv(100)
                if frame[20:22] == b"\0\2" and frame[28:32] == socket.inet_aton(wanted):
                    return frame[22:28].hex(":")
        except TimeoutError:
            return None


def test_a_stopped_instance_s_address_is_silent(ground):
    lab = twin_lab(["all 0.0.0.0/0"])
    ground.apply(lab.world)
    ground.run("ca", "ping", "-c", "1", "-W", "2", "10.0.1.20")
    lab.set_state("ra", "stopped")
    ground.apply(lab.world)
    with pytest.raises(AssertionError):
        ground.run("ca", "ping", "-c", "1", "-W", "1", "10.0.1.20")


def test_services_of_the_router_are_past_groups_and_acls(ground):
    lab = twin_lab()
    for name in ("acl-a", "acl-adb"):
        lab.put(lab.world[NetworkAcl, name], entries=())
    for group in ("ac", "ar"):
        lab.put(lab.world[SecurityGroup, f"sg-{group}"], rules=())
    ground.apply(lab.world)
    for address in ("10.0.0.2", "169.254.169.253"):
        resolver = ground.open("vpc-a", socket.SOCK_DGRAM)
        resolver.bind((address, 53))
        asks = ground.open("ra", socket.SOCK_DGRAM)
        asks.sendto(b"?", (address, 53))
        question, source = resolver.recvfrom(100)
        assert (question, source[0]) == (b"?", "10.0.1.20")
        resolver.sendto(b"!", source)
        assert asks.recv(100) == b"!"


def test_secondary_addresses_send_receive_and_have_public_addresses(ground):
    lab = Lab()
    lab.vpc("v"), lab.gateway("v")
    lab.subnet("s", "10.0.0.0/24"), lab.table("s", {"0.0.0.0/0": "igw-v"}, subnets=["s"])
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.instance("two", "s", groups=["open"], ip="10.0.0.10", more_ips=["10.0.0.20"])
    lab.instance("one", "s", groups=["open"], ip="10.0.0.11")
    lab.elastic_ip("203.0.113.7", "two", "10.0.0.20")
    lab.outside(CLIENT)
    ground.apply(lab.world)
    _, far = ground.flow("one", "two", "10.0.0.20", 6379)
    assert far.getsockname()[0] == "10.0.0.20"
    _, far = ground.flow(CLIENT, "two", "203.0.113.7", 6380)
    assert far.getsockname()[0] == "10.0.0.20"
    assert link_name("eni-two") in ground.run("vpc-v", "ip", "route")


def test_a_path_too_narrow_is_told_to_the_sender(ground):
    lab = twin_lab()
    ground.apply(lab.world)
    sender = ground.open("ca", socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_IP, 10, 2)  # IP_MTU_DISCOVER: do not fragment
    sender.connect((CLIENT, 9))
    sender.send(bytes(4000))

    def told():
        try:
            sender.send(bytes(4000))
        except OSError:
            return True
        return False

    assert soon(told)
    assert sender.getsockopt(socket.SOL_IP, 14) == 1500  # IP_MTU
