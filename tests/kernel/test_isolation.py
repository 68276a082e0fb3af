"""An attacker with root in an instance writes frames by hand: nothing gets past the groups, nobody is impersonated.

    friend 10.0.0.10   the victim's group admits udp 7 and tcp 7 from the friend's
    evil   10.0.0.66   may send udp 8 to the victim, as everybody may, and nothing else
    victim 10.0.0.20   in their subnet; node 10.0.1.230, a cache's, in another

Every attack is a function of who makes it.  The friend makes it too, and then the same bytes arrive: so what keeps
the attacker's away is who he is, and not a frame that nobody could have received.
"""

import os
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atoll.network.compile.marks import GATEWAY_MAC
from tests.kernel import frames as f
from tests.kernel.attacker import (
    ADMITTED,
    CLIENT,
    EVIL,
    FRIEND,
    LINKS,
    NODE,
    OPEN,
    SAID,
    VICTIM,
    Frames,
    Siege,
    Who,
    as_friend,
    attack_lab,
    open_to,
    other_frames,
    said_to,
    siege,
    to_mac,
    who,
)
from tests.kernel.ground import NEVER_SECONDS, Ground, alive, lay_ground
from tests.kernel.test_fabric_rootless import as_ordinary_user

pytestmark = pytest.mark.kernel
FLOWS_MAX = 300_000  # that a test may make: some seconds
ROUTE_FROM = {"loose": 131, "strict": 137}  # IP options, RFC 791

# What he says of himself that is not true, at a port that is open for everybody who says the truth.
LIES = {
    "the friend's address": FRIEND,
    "an address of the subnet that nobody has": "10.0.0.99",
    "a cache node's address": NODE,
    "the gateway's": "10.0.0.1",
    "the resolver's": "10.0.0.2",
    "the metadata service's": "169.254.169.254",
    "the victim's own": VICTIM,
    "an outside client's": CLIENT,
    "his own public one": "203.0.113.66",
    "this machine": "127.0.0.1",
    "nobody": "0.0.0.0",
    "everybody": "255.255.255.255",
    "a multicast group": "224.0.0.1",
}


# What he does to his own machine, and how he takes it back.
HIS_OWN = (
    (f"ip addr add {NODE}/32 dev eth0", f"ip addr del {NODE}/32 dev eth0"),
    (f"ip addr add {FRIEND}/32 dev eth0", f"ip addr del {FRIEND}/32 dev eth0"),
    (
        "ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:66 mtu 1400; ip link set eth0 up;"
        " ip route add default via 10.0.0.1",
        "true",
    ),
    ("ip route replace default via 10.0.1.1 dev eth0 onlink", "ip route replace default via 10.0.0.1"),
    (f"ip route replace default via {FRIEND} dev eth0 onlink", "ip route replace default via 10.0.0.1"),
    ("ip route add 10.0.0.0/8 dev eth0 scope link", "ip route del 10.0.0.0/8 dev eth0"),
    ("iptables -F; iptables -t nat -F; nft flush ruleset", "true"),
    (f"iptables -t nat -A POSTROUTING -j SNAT --to-source {FRIEND}", "iptables -t nat -F"),
    ("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.proxy_arp=1", "sysctl -qw net.ipv4.ip_forward=0"),
)


@pytest.fixture
def ground() -> Iterator[Ground]:
    yield from lay_ground()


@pytest.fixture
def besieged(ground: Ground) -> Iterator[Siege]:
    yield from siege(ground)


def test_what_the_friend_may_say_the_attacker_may_not(besieged: Siege) -> None:
    for name, frames in SAID.items():
        assert besieged.makes("friend", frames), f"{name}: the friend's arrives"
        assert not besieged.makes("evil", frames), name


def test_a_lie_about_the_sender_goes_nowhere(besieged: Siege) -> None:
    for name, source in LIES.items():
        assert not besieged.makes("evil", said_to(VICTIM, OPEN, source=source)), name
        assert besieged.makes("evil", said_to(VICTIM, OPEN)), "and the truth arrives"
    assert not besieged.makes("evil", as_friend)  # with the friend's MAC address, too
    assert besieged.makes("friend", as_friend)


def test_frames_for_everybody_reach_nobody(besieged: Siege) -> None:
    everybody = (f.BROADCAST, "01:00:5e:00:00:01", "33:33:00:00:00:01", "01:80:c2:00:00:00")
    for to in everybody:
        for name in ("evil", "friend"):
            assert not besieged.makes(name, to_mac(to)), f"{name} to {to}"
    for group in ("255.255.255.255", "10.0.0.255", "224.0.0.1", "224.0.0.251", "10.0.255.255"):
        for name in ("evil", "friend"):
            assert not besieged.makes(name, said_to(group)), f"{name} to {group}"


def test_other_frames_than_plain_ones_reach_nobody(besieged: Siege) -> None:
    for name, frames in other_frames().items():
        assert not besieged.makes("evil", frames), name
    assert besieged.makes("friend", said_to(VICTIM))


def test_a_packet_cannot_choose_its_own_way(besieged: Siege) -> None:
    """Source routes, over the router's own addresses or over a friend's: no hop of ours takes them."""
    for kind in ROUTE_FROM.values():
        for hop in ("10.0.0.2", "169.254.169.254", FRIEND):
            options = bytes([kind, 7, 4]) + socket.inet_aton(VICTIM) + b"\0"

            def frames(me: Who, said: bytes, hop: str = hop, options: bytes = options) -> list[bytes]:
                ours = f.packet(me.ip, hop, f.datagram(me.ip, VICTIM, ADMITTED, said), options=options)
                return [f.ethernet(GATEWAY_MAC, me.mac, ours)]

            for name in ("evil", "friend"):
                assert not besieged.makes(name, frames), f"{name} over {hop}"


def test_fragments_that_overlap_do_not_change_the_port(besieged: Siege) -> None:
    """The first piece is for an open port; a later one, over it, for one that is not."""

    def frames(me: Who, said: bytes, port: int = ADMITTED) -> list[bytes]:
        good, bad = (f.datagram(me.ip, VICTIM, p, said + bytes(24)) for p in (OPEN, port))
        pieces = [(0, good[:16], True), (0, bad[:16], True), (16, good[16:], False)]
        return [
            f.ethernet(GATEWAY_MAC, me.mac, f.packet(me.ip, VICTIM, p, number=77, offset=at, more=more))
            for at, p, more in pieces
        ]

    def whole(me: Who, said: bytes) -> list[bytes]:
        return [x for n, x in enumerate(frames(me, said)) if n != 1]

    assert besieged.makes("evil", whole)
    with f.wire(besieged.ground, "evil") as own:
        said = os.urandom(8)
        for frame in frames(who(besieged.lab, "evil"), said):
            own.send(frame)
    came = [x for x in f.received(besieged.tap) if said in x]
    assert all(struct.unpack(">H", x[36:38])[0] == OPEN for x in came)
    alone = f.packet(EVIL, VICTIM, said * 3, number=78, offset=16)  # no first piece ever comes
    with f.wire(besieged.ground, "evil") as own:
        own.send(f.ethernet(GATEWAY_MAC, LINKS["evil"], alone))
    assert not [x for x in f.received(besieged.tap) if said in x]


def test_nobody_is_taken_for_another_by_arp(besieged: Siege) -> None:
    """Answers that nobody asked for, announcements, questions in another's name: no table of anybody's changes."""
    ground = besieged.ground
    assert alive(*ground.flow("friend", "victim", VICTIM, ADMITTED))
    f.received(besieged.tap)
    before = {place: ground.run(place, "ip", "-4", "neigh") for place in ("vpc-v", "victim", "friend")}
    me, lie = LINKS["evil"], []
    for address in (VICTIM, FRIEND, NODE, "10.0.0.1", "10.0.0.2", "169.254.169.254", EVIL):
        for to in (f.BROADCAST, LINKS["victim"], LINKS["friend"], GATEWAY_MAC):
            lie += [
                f.ethernet(to, me, f.arp(operation, (me, address), (LINKS["victim"], target)), f.ARP)
                for operation in (1, 2)
                for target in (VICTIM, address, "10.0.0.1")
            ]
    lie += [f.tagged(frame, 0) for frame in lie]  # a tag of no VLAN is taken off again by the kernel
    with f.wire(ground, "evil") as own, f.wire(ground, "friend") as friend:
        for frame in lie:
            own.send(frame)
        assert f.received(besieged.tap) == []
        assert f.received(friend) == []
    after = {place: ground.run(place, "ip", "-4", "neigh") for place in before}
    assert {p: macs(t) for p, t in after.items()} == {p: macs(t) for p, t in before.items()}
    assert alive(*ground.flow("friend", "victim", VICTIM, ADMITTED))


def macs(table: str) -> set[tuple[str, ...]]:
    """Return what a neighbour table says: addresses, links and MACs, without how sure it is."""
    return {tuple(words[:5]) for line in table.splitlines() if (words := line.split()) and "lladdr" in words}


def test_whatever_he_does_to_himself_changes_nothing_outside(besieged: Siege) -> None:
    """Another address, MAC, MTU, route; no firewall, no conntrack, forwarding on."""
    ground = besieged.ground
    for command, undo in HIS_OWN:
        ground.run("evil", "sh", "-c", command)
        others = [(ip, ADMITTED) for ip in (VICTIM, NODE) if ip not in command]  # what he has himself he need not ask
        for source in ("", FRIEND, NODE, VICTIM):
            assert open_to(ground, "evil", others, source) == [], f"{command}, as {source or 'himself'}"
        with ground.listen("victim", ADMITTED), ground.listen("node-0001", ADMITTED):
            everybody = [(VICTIM, ADMITTED), (NODE, ADMITTED)]
            assert sorted(open_to(ground, "friend", everybody)) == everybody, command
        f.received(besieged.tap)
        ground.run("evil", "sh", "-c", undo)
        assert besieged.makes("evil", said_to(VICTIM, OPEN)), f"after {command}, he may do what he may"
    assert ground.fabric.verify() == []


def test_what_his_ipv6_says_nobody_hears(besieged: Siege) -> None:
    ground = besieged.ground
    with f.wire(ground, "evil") as own, f.wire(ground, "friend") as friend:
        ground.run("evil", "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.eth0.disable_ipv6=0")
        ground.run("evil", "sh", "-c", "ping -6 -c 2 -i 0.1 -W 1 ff02::1%eth0 || true")
        assert f.received(besieged.tap, NEVER_SECONDS) == []
        assert f.received(friend) == []
        assert f.received(own) == []  # and nobody answers him


def test_the_router_and_the_internet_have_no_open_port_but_their_services(besieged: Siege) -> None:
    ground = besieged.ground
    with ground.listen("vpc-v", 4566), ground.listen("vpc-v", 22), ground.listen("vpc-v", 53) as resolver:
        own = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "169.254.169.253", "169.254.169.254", "169.254.169.123")
        targets = [(address, port) for address in (*own, "169.254.0.1", "10.0.0.255") for port in (22, 4566)]
        for place in ("evil", "stranger", "friend"):
            assert open_to(ground, place, targets) == []
        assert open_to(ground, "evil", [("10.0.0.2", 53)])
        assert resolver.accept()
        for address in ("203.0.113.66", EVIL):
            assert not ground.connects(CLIENT, address, 53)


def test_another_vpc_with_the_same_addresses_never_sees_him(besieged: Siege) -> None:
    ground, lab = besieged.ground, besieged.lab
    every = [*SAID.values(), *other_frames().values(), to_mac(who(lab, "stranger").mac)]
    with f.wire(ground, "stranger") as tap, f.wire(ground, "evil") as own:
        for number, frames in enumerate(every):
            for frame in frames(who(lab, "evil"), bytes([number]) * 8):
                own.send(frame)
        assert f.received(tap) == []
        with f.wire(ground, "fellow") as friendly:
            for frame in said_to(VICTIM)(who(lab, "fellow"), b"fellow.."):
                friendly.send(frame)
        assert any(b"fellow.." in frame for frame in f.received(tap))


def test_an_error_about_others_connection_is_only_for_its_ends_to_tell(besieged: Siege) -> None:
    """An ICMP error is part of the connection that it quotes, so it passes the groups: but not from anybody."""
    ground = besieged.ground
    near, far = ground.flow("friend", "victim", VICTIM, ADMITTED)
    port = near.getsockname()[1]

    def error(quoted: bytes) -> Frames:
        def frames(me: Who, said: bytes) -> list[bytes]:
            told = f.echo(quoted + said, 3, 4, 1000)  # a fragment would be needed: the path is 1000 bytes wide
            return [f.ethernet(GATEWAY_MAC, me.mac, f.packet(me.ip, VICTIM, told, f.ICMP))]

        return frames

    segment = f.segment(VICTIM, FRIEND, (ADMITTED, port), 0x10)
    quoted = f.packet(VICTIM, FRIEND, segment[:8], f.TCP)
    assert besieged.makes("friend", error(quoted))
    assert not besieged.makes("evil", error(quoted))
    assert alive(near, far)


def test_a_flood_of_flows_starves_neither_the_neighbours_nor_another_vpc(ground: Ground) -> None:
    """The router's table fills up; what nobody answered makes room, and other routers have tables of their own."""
    lab = attack_lab()
    ground.apply(lab.world)
    most = int(Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text())
    if most > FLOWS_MAX:
        pytest.skip(f"NO FLOOD: this kernel keeps {most} flows, which takes too long to fill")
    ground.run("vpc-v", "sysctl", "-w", "net.netfilter.nf_conntrack_udp_timeout=600")  # the flood takes long
    kept = ground.flow("friend", "victim", VICTIM, ADMITTED)
    me = who(lab, "evil")
    with f.wire(ground, "evil") as own:
        for n in range(most + most // 20):
            said = f.datagram(EVIL, CLIENT, 1 + (n >> 15), b"", 1 + (n & 0x7FFF))
            own.send(f.ethernet(GATEWAY_MAC, me.mac, f.packet(EVIL, CLIENT, said)))
    count = ground.run("vpc-v", "sysctl", "-n", "net.netfilter.nf_conntrack_count")
    assert int(count) > most * 0.9, "the table is full"
    assert int(ground.run("vpc-w", "sysctl", "-n", "net.netfilter.nf_conntrack_count")) < 100
    with ground.listen("victim", ADMITTED):
        assert all(ground.connects("friend", VICTIM, ADMITTED) for _ in range(10))
    with ground.listen("stranger", 9):
        assert ground.connects("fellow", VICTIM, 9)
    assert alive(*kept)


def test_neighbours_cannot_be_heard(besieged: Siege) -> None:
    """Who listens to everything on his own link hears nothing of a conversation of two others."""
    ground = besieged.ground
    ground.run("evil", "ip", "link", "set", "eth0", "promisc", "on")
    with f.wire(ground, "evil") as ear:
        assert alive(*ground.flow("friend", "victim", VICTIM, ADMITTED))
        assert f.received(ear) == []
    assert f.received(besieged.tap), "the victim has heard it"


# The same as an ordinary user; test_fabric_rootless.py runs a claim so.
AS_ORDINARY_USER = [
    test_what_the_friend_may_say_the_attacker_may_not,
    test_a_lie_about_the_sender_goes_nowhere,
    test_frames_for_everybody_reach_nobody,
    test_other_frames_than_plain_ones_reach_nobody,
    test_nobody_is_taken_for_another_by_arp,
    test_whatever_he_does_to_himself_changes_nothing_outside,
    test_another_vpc_with_the_same_addresses_never_sees_him,
    test_an_error_about_others_connection_is_only_for_its_ends_to_tell,
]


@pytest.mark.parametrize("claim", AS_ORDINARY_USER, ids=lambda claim: claim.__name__.removeprefix("test_"))
def test_as_an_ordinary_user(claim: Callable[[Siege], None]) -> None:
    def besiege(ground: Ground) -> None:
        for made in siege(ground):
            claim(made)

    as_ordinary_user(besiege)
