"""An attacker with root in an instance, who writes frames by hand; his friend, his victim, and their networks."""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from atoll.model.interface import Interface
from atoll.network.compile.marks import GATEWAY_MAC
from tests.kernel import frames as f
from tests.kernel.ground import NEVER_SECONDS, Ground
from tests.network.worlds import Lab

CLIENT = "198.51.100.27"
FRIEND, EVIL, VICTIM, NODE = "10.0.0.10", "10.0.0.66", "10.0.0.20", "10.0.1.230"
ADMITTED, OPEN = 7, 8  # ports: for the friend's group only, and for everybody
IP_TRANSPARENT = 19


class Who(NamedTuple):
    """Somebody who sends: where he is, and what he may say of himself."""

    place: str
    mac: str
    ip: str


Frames = Callable[[Who, bytes], list[bytes]]


def attack_lab() -> Lab:
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16"), lab.gateway("v")
    lab.subnet("a", "10.0.0.0/24"), lab.subnet("b", "10.0.1.0/24")
    lab.table("a", {"0.0.0.0/0": "igw-v"}, subnets=["a"])
    lab.group("friend", ingress=["all 10.0.0.0/16"]), lab.group("evil", ingress=["tcp 22 sg-friend"])
    admits = [f"{kind} {ADMITTED} sg-friend" for kind in ("udp", "tcp")]
    lab.group("victim", ingress=[*admits, f"udp {OPEN} 0.0.0.0/0"])
    lab.instance("friend", "a", groups=["friend"], ip=FRIEND)
    lab.instance("evil", "a", groups=["evil"], ip=EVIL)
    lab.instance("victim", "a", groups=["victim"], ip=VICTIM)
    lab.cache("node", "b", ips=[NODE], groups=["victim"])
    lab.elastic_ip("203.0.113.66", "evil")
    lab.vpc("w", "10.0.0.0/16")  # another one, with the same addresses
    lab.subnet("c", "10.0.0.0/24", vpc="w")
    lab.group("w", vpc="w", ingress=["all 0.0.0.0/0"])
    lab.instance("stranger", "c", groups=["w"], ip=VICTIM)
    lab.instance("fellow", "c", groups=["w"], ip="10.0.0.11")
    lab.outside(CLIENT)
    return lab


def who(lab: Lab, name: str) -> Who:
    it = lab.world[Interface, f"eni-{name}"]
    return Who(name, it.mac, str(it.address))


def said_to(victim: str, port: int = ADMITTED, *, source: str = "") -> Frames:
    """Return frames that say something to the victim, over the gateway; from another source if one is given."""

    def frames(me: Who, said: bytes) -> list[bytes]:
        ip = source or me.ip
        return [f.ethernet(GATEWAY_MAC, me.mac, f.packet(ip, victim, f.datagram(ip, victim, port, said)))]

    return frames


def as_friend(_: Who, said: bytes) -> list[bytes]:
    """Say it with the friend's address and MAC."""
    ours = f.packet(FRIEND, VICTIM, f.datagram(FRIEND, VICTIM, ADMITTED, said))
    return [f.ethernet(GATEWAY_MAC, LINKS["friend"], ours)]


def to_mac(to: str) -> Frames:
    """Say it to a MAC address of the victim's link itself."""

    def frames(me: Who, said: bytes) -> list[bytes]:
        ours = f.packet(me.ip, VICTIM, f.datagram(me.ip, VICTIM, ADMITTED, said))
        return [f.ethernet(LINKS.get(to, to), me.mac, ours)]

    return frames


def in_pieces(me: Who, said: bytes) -> list[bytes]:
    """Say it in fragments of which only the first has the ports."""
    whole = f.datagram(me.ip, VICTIM, ADMITTED, said + bytes(64))
    pieces = [whole[at : at + 16] for at in range(0, len(whole), 16)]
    last = len(pieces) - 1
    return [
        f.ethernet(GATEWAY_MAC, me.mac, f.packet(me.ip, VICTIM, p, number=99, offset=16 * n, more=n < last))
        for n, p in enumerate(pieces)
    ]


def in_pieces_backwards(me: Who, said: bytes) -> list[bytes]:
    """The same, the last first: what has no ports comes before what has."""
    return in_pieces(me, said)[::-1]


def with_options(options: bytes) -> Frames:
    def frames(me: Who, said: bytes) -> list[bytes]:
        ours = f.packet(me.ip, VICTIM, f.datagram(me.ip, VICTIM, ADMITTED, said), options=options)
        return [f.ethernet(GATEWAY_MAC, me.mac, ours)]

    return frames


def tcp_without_handshake(me: Who, said: bytes) -> list[bytes]:
    """Send segments of a connection that was never opened.  What is said is the sequence number."""
    seq = int.from_bytes(said[:4], "big")
    return [
        f.ethernet(
            GATEWAY_MAC, me.mac, f.packet(me.ip, VICTIM, f.segment(me.ip, VICTIM, (9, ADMITTED), flags, seq), 6)
        )
        for flags in (0x10, 0x04, 0x01, 0x12, 0x00, 0x29)
    ]


LINKS: dict[str, str] = {}  # names of interfaces -> MAC addresses; they follow from the names
for _name in ("friend", "evil", "victim"):
    LINKS[_name] = who(attack_lab(), _name).mac

# What the friend may say, and the attacker may not.
SAID = {
    "over the gateway": said_to(VICTIM),
    "to the victim's own MAC address": to_mac("victim"),
    "in fragments": in_pieces,
    "in fragments, the last first": in_pieces_backwards,
    "with options that mean nothing": with_options(b"\1" * 4),
    "with the router's attention asked for": with_options(bytes([148, 4, 0, 0])),
    "TCP without a handshake": tcp_without_handshake,
}


@dataclass
class Siege:
    """The ground with the attacker's world, and the victim's wire."""

    ground: Ground
    lab: Lab
    tap: socket.socket

    def makes(self, name: str, frames: Frames) -> bool:
        """Have somebody send frames; tell whether anything of them came to the victim."""
        said = os.urandom(8)
        with f.wire(self.ground, name) as own:
            for frame in frames(who(self.lab, name), said):
                own.send(frame)
        came = f.received(self.tap)
        return any(said[:4] in frame for frame in came)


def siege(ground: Ground) -> Iterator[Siege]:
    lab = attack_lab()
    ground.apply(lab.world)
    with f.wire(ground, "victim") as tap:
        made = Siege(ground, lab, tap)
        assert made.makes("friend", said_to(VICTIM)), "what is admitted arrives"
        yield made


def other_frames() -> dict[str, Frames]:
    """Return frames that are no plain IPv4: tags, other protocols, tunnels."""

    def tag(vlan: int, kind: int = f.VLAN, depth: int = 1) -> Frames:
        def frames(me: Who, said: bytes) -> list[bytes]:
            (frame,) = said_to(VICTIM)(me, said)
            for _ in range(depth):
                frame = f.tagged(frame, vlan, kind)
            return [frame, f.mac(LINKS["victim"]) + frame[6:]]

        return frames

    def raw(kind: int) -> Frames:
        return lambda me, said: [
            f.ethernet(to, me.mac, said * 8, kind)
            for to in (LINKS["victim"], GATEWAY_MAC, f.BROADCAST, "33:33:00:00:00:01")
        ]

    def inside(protocol: int) -> Frames:
        def frames(me: Who, said: bytes) -> list[bytes]:
            inner = f.packet(FRIEND, VICTIM, f.datagram(FRIEND, VICTIM, ADMITTED, said))
            head = struct.pack(">HH", 0, f.IPV4) if protocol == 47 else b""
            return [
                f.ethernet(GATEWAY_MAC, me.mac, f.packet(me.ip, to, head + inner, protocol))
                for to in (VICTIM, "10.0.0.1", "10.0.0.2", "169.254.169.254")
            ]

        return frames

    kinds = {"IPv6": f.IPV6, "LLDP": 0x88CC, "MPLS": 0x8847, "PPPoE": 0x8864, "no protocol": 0x1234}
    return {
        "a VLAN tag": tag(5),
        "a tag of no VLAN": tag(0),
        "a tag of another kind": tag(5, f.QINQ),
        "two tags": tag(0, depth=2),
        **{name: raw(kind) for name, kind in kinds.items()},
        "IP in IP": inside(4),
        "GRE": inside(47),
    }


def open_to(ground: Ground, place: str, targets: list[tuple[str, int]], source: str = "") -> list[tuple[str, int]]:
    """Return those targets that answer a connection, tried all at once; from an address that he gave himself."""
    poll, tried = select.poll(), {}
    for target in targets:
        near = ground.open(place)
        near.setblocking(False)
        near.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        with suppress(OSError):  # a source that is the target's own, or no route: nothing was sent
            near.bind((source, 0))
            if near.connect_ex(target) == errno.EINPROGRESS:
                tried[near.fileno()] = near, target
                poll.register(near, select.POLLOUT)
    found, end = [], time.monotonic() + NEVER_SECONDS
    while tried and (left := end - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            near, target = tried.pop(fd)
            poll.unregister(fd)
            if near.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED):
                found.append(target)
    return found
