"""NAT gateways with real packets: what they translate, what they keep out, and when they forget."""

import socket
import struct
import time
from contextlib import suppress

import pytest

from atoll.model.acl import NetworkAcl
from atoll.network.flow import NAT_PORTS
from atoll.network.plan import compile
from tests.kernel.ground import NEVER_SECONDS, SOON_SECONDS, alive, lay_ground, soon
from tests.network.lab import acl_entry
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
SERVER, OTHER_SERVER, EIP, SECOND_EIP = "198.51.100.27", "198.51.100.28", "203.0.113.5", "203.0.113.6"
FLOWS, FLOWS_TO_OTHER = 57_000, 2_000
RECEIVE_BUFFER_FORCED = 33


@pytest.fixture
def ground():
    yield from lay_ground()


def private_lab(publics=(EIP,), ips=("10.20.1.100",)):
    """Return two clients of a private subnet behind a NAT gateway in a public one, with the seeds' addresses."""
    lab = Lab()
    lab.vpc("v", "10.20.0.0/16", "10.40.0.0/16"), lab.gateway("v")
    lab.subnet("public", "10.20.1.0/24"), lab.subnet("private", "10.40.2.0/24"), lab.subnet("inner", "10.40.3.0/24")
    lab.nat_gateway("nat", "public", ips=ips, publics=publics)
    lab.table("public", {"0.0.0.0/0": "igw-v"}, subnets=["public"])
    lab.table("private", {"0.0.0.0/0": "nat-nat", "10.40.3.0/24": "nat-nat"}, subnets=["private"])
    lab.group("client"), lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.instance("one", "private", groups=["client"], ip="10.40.2.101")
    lab.instance("two", "private", groups=["client"], ip="10.40.2.201")
    lab.instance("inside", "inner", groups=["open"], ip="10.40.3.10")
    lab.outside(SERVER, OTHER_SERVER)
    return lab


def from_port(ground, place, port, server=SERVER):
    """Connect from a source port to the server's 8080; return both ends and what the server sees of the client."""
    with ground.listen(server, 8080) as listener:
        near = ground.open(place)
        near.bind(("0.0.0.0", port))
        near.connect((server, 8080))
        far, seen = listener.accept()
    far.settimeout(SOON_SECONDS)
    ground.sockets.append(far)
    return near, far, seen


def test_two_clients_with_one_source_port_share_an_address_at_the_same_time(ground):
    """Rows 137, 147, 148 and 149: the first keeps its port, the second is given another."""
    ground.apply(private_lab().world)
    one, far_one, seen_one = from_port(ground, "one", 40001)
    two, far_two, seen_two = from_port(ground, "two", 40001)
    assert seen_one == (EIP, 40001)
    assert seen_two[0] == EIP
    assert seen_two[1] != 40001
    assert seen_two[1] in NAT_PORTS
    for near, far, word in ((one, far_one, b"one"), (two, far_two, b"two")):
        far.send(word)
        assert near.recv(9) == word


def test_a_gateway_has_55000_flows_to_one_destination_and_as_many_to_the_next(ground):
    ground.apply(private_lab().world)
    sinks = {server: _sink(ground, server) for server in (SERVER, OTHER_SERVER)}
    ports = {server: set() for server in sinks}
    half = FLOWS // 2
    for place, server, flows in (("one", SERVER, half), ("two", SERVER, half), ("one", OTHER_SERVER, FLOWS_TO_OTHER)):
        raw = ground.open(place, socket.SOCK_RAW, socket.IPPROTO_UDP)
        for port in range(5000, 5000 + flows):
            raw.sendto(struct.pack(">HHHH", port, 7001, 9, 0) + b"x", (server, 0))
            if port % 500 == 0:
                _drain(sinks[server], ports[server])
    for server, sink in sinks.items():
        assert soon(lambda sink=sink, server=server: not _drain(sink, ports[server]))
    used = ports[SERVER]
    assert len(NAT_PORTS) * 0.95 < len(used) <= len(NAT_PORTS)  # near the end the kernel tries some free ones only
    assert used <= set(NAT_PORTS)
    assert len(ports[OTHER_SERVER]) == FLOWS_TO_OTHER
    assert ports[OTHER_SERVER] & used, "the ports of one destination are free for another"


def _sink(ground, server):
    sink = ground.open(server, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_FORCED, 1 << 26)
    sink.bind((server, 7001))
    sink.setblocking(False)
    return sink


def _drain(sink, seen):
    """Note the source ports of what has come; tell whether anything had."""
    before = len(seen)
    with suppress(BlockingIOError):
        while True:
            seen.add(sink.recvfrom(64)[1][1])
    return len(seen) > before


def test_nothing_comes_in_that_is_no_answer(ground):
    """Rows 109 and 139; nor does it answer a ping, from either side."""
    ground.apply(private_lab().world)
    assert not ground.connects(SERVER, EIP, 22)
    assert not ground.connects("one", "10.20.1.100", 22)
    for place, address in ((SERVER, EIP), ("one", "10.20.1.100")):
        ground.set(place, "net.ipv4.ping_group_range", "0 0")
        asker = ground.open(place, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
        asker.settimeout(NEVER_SECONDS)
        asker.sendto(b"\x08\0\0\0\0\0\0\1", (address, 0))
        with pytest.raises(TimeoutError):
            asker.recv(100)
    from_port(ground, "one", 40001)  # it is not that nothing works


def test_pings_and_datagrams_go_out_and_their_answers_come_back(ground):
    ground.apply(private_lab().world)
    ground.set("one", "net.ipv4.ping_group_range", "0 0")
    asker = ground.open("one", socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    asker.sendto(b"\x08\0\0\0\0\0\0\1abcd", (SERVER, 0))
    assert asker.recv(100).endswith(b"abcd")
    server, client = ground.open(SERVER, socket.SOCK_DGRAM), ground.open("one", socket.SOCK_DGRAM)
    server.bind((SERVER, 53))
    client.sendto(b"question", (SERVER, 53))
    said, whom = server.recvfrom(99)
    server.sendto(b"answer", whom)
    assert (said, whom[0], client.recv(99)) == (b"question", EIP, b"answer")


def test_nobody_listens_is_told_through_the_gateway(ground):
    """An ICMP error finds its way to whoever caused it."""
    ground.apply(private_lab(publics=()).world)
    client = ground.open("one", socket.SOCK_DGRAM)
    client.connect(("10.40.3.10", 9))
    client.send(b"x")
    with pytest.raises(ConnectionRefusedError):
        client.recv(9)


def test_who_continues_after_the_idle_timeout_is_reset(ground):
    ground.apply(private_lab().world)
    setting = "net.netfilter.nf_conntrack_tcp_timeout_established"
    assert ground.run("eni-nat", "sysctl", "-n", setting).strip() == "350"
    ground.set("eni-nat", setting, 1)
    near, far, _ = from_port(ground, "one", 40001)
    far.settimeout(NEVER_SECONDS)
    near.send(b"x")
    assert far.recv(9) == b"x"
    time.sleep(1.3)  # idle, for as long as the gateway remembers: nothing else tells that it forgot
    near.send(b"again")
    with pytest.raises(ConnectionResetError):
        near.recv(9)
    with pytest.raises(TimeoutError):
        far.recv(9)


@pytest.mark.parametrize(
    ("direction", "cidr"),
    [("egress", "198.51.100.27/32"), ("ingress", "198.51.100.27/32"), ("ingress", "10.40.2.0/24"),
     ("egress", "10.40.2.0/24")],
    ids=["out to the internet", "in from the internet", "in from the client", "back to the client"],
)  # fmt: skip
def test_the_acl_of_its_subnet_is_asked_on_both_legs(ground, direction, cidr):
    lab = private_lab()
    ground.apply(lab.world)
    near, far, _ = from_port(ground, "one", 40001)
    assert alive(near, far)
    deny = acl_entry(f"50 deny all {cidr}", egress=direction == "egress")
    old = lab.acl("strict")
    lab.put(lab.world[NetworkAcl, old.id], entries=(deny, *old.entries))
    lab.use_acl("public", "strict")
    ground.apply(lab.world)
    assert not alive(near, far)


def test_flows_are_spread_over_several_addresses(ground):
    lab = private_lab(publics=(EIP, SECOND_EIP), ips=("10.20.1.100", "10.20.1.101"))
    ground.apply(lab.world)
    seen = [from_port(ground, "one", port)[2] for port in range(41000, 41012)]
    assert {address for address, _ in seen} == {EIP, SECOND_EIP}
    assert [port for _, port in seen] == list(range(41000, 41012))


def test_a_private_gateway_shows_its_private_address_and_leads_nowhere_else(ground):
    lab = private_lab(publics=())
    ground.apply(lab.world)
    with ground.listen("inside", 8080) as listener:
        near = ground.open("one")
        near.connect(("10.40.3.10", 8080))
        far, seen = listener.accept()
        far.close()
    assert seen[0] == "10.20.1.100"
    assert not ground.connects("one", SERVER, 8080)


def test_fragments_are_carried_of_datagrams_only(ground):
    ground.apply(private_lab(publics=()).world)
    server, client = ground.open("inside", socket.SOCK_DGRAM), ground.open("one", socket.SOCK_DGRAM)
    server.bind(("10.40.3.10", 7001))
    client.sendto(bytes(12_000), ("10.40.3.10", 7001))
    assert len(server.recv(1 << 16)) == 12_000
    ground.set("one", "net.ipv4.ping_group_range", "0 0")
    asker = ground.open("one", socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    for size, passes in ((100, True), (12_000, False)):
        asker.settimeout(SOON_SECONDS if passes else NEVER_SECONDS)
        asker.sendto(b"\x08\0\0\0\0\0\0\1" + bytes(size), ("10.40.3.10", 0))
        if passes:
            assert len(asker.recv(1 << 16)) == 8 + size
        else:
            with pytest.raises(TimeoutError):
                asker.recv(1 << 16)


def test_addresses_come_and_go_while_flows_live(ground):
    """The rules are replaced in one instant, and what was translated stays translated."""
    lab = private_lab()
    ground.apply(lab.world)
    near, far, _ = from_port(ground, "one", 40001)
    more = private_lab(publics=(EIP, SECOND_EIP), ips=("10.20.1.100", "10.20.1.101"))
    ground.apply(more.world)
    far.send(b"still")
    assert near.recv(9) == b"still"
    ground.apply(lab.world)
    near.send(b"here")
    assert far.recv(9) == b"here"
    assert ground.fabric.verify() == []


def test_a_gateway_that_goes_leaves_nothing(ground):
    lab = private_lab()
    ground.apply(lab.world)
    assert "eni-nat" in ground.namespaces.names()
    bare = Lab()
    ground.apply(bare.world)
    assert "eni-nat" not in ground.namespaces.names()


@pytest.mark.parametrize(
    "damage",
    [
        ("nft", "flush", "ruleset"),
        ("ip", "link", "del", "eth0"),
        ("ip", "addr", "flush", "dev", "eth0"),
        ("ip", "route", "del", "default"),
    ],
    ids=lambda words: " ".join(words),
)
def test_damage_to_a_gateway_is_found_and_mended(ground, damage):
    ground.apply(private_lab().world)
    from_port(ground, "one", 40001)
    ground.run("eni-nat", *damage)
    assert ground.fabric.verify(), "it is noticed"
    ground.fabric.verify()
    from_port(ground, "one", 40002)
    assert not ground.connects(SERVER, EIP, 22)
    assert ground.fabric.verify() == []


def test_a_daemon_that_follows_another_keeps_the_flows_of_a_gateway(ground):
    lab = private_lab()
    ground.apply(lab.world)
    near, far, _ = from_port(ground, "one", 40001)
    follower = ground.another()
    try:
        assert follower.apply(compile(lab.world)) == []
        assert alive(near, far)
        assert follower.verify() == []
    finally:
        follower.close()
