"""Frames as an attacker writes them: byte by byte, with nothing checked, through a raw socket of his own."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from atoll.host.linux.namespaces import inside
from tests.kernel.ground import Ground

ARP, IPV4, IPV6, VLAN, QINQ = 0x0806, 0x0800, 0x86DD, 0x8100, 0x88A8
BROADCAST = "ff:ff:ff:ff:ff:ff"
ICMP, TCP, UDP = 1, 6, 17
ALL_FRAMES = 0x0003
QUIET_SECONDS = 0.15  # a packet passes the router in some microseconds


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(to: str, source: str, payload: bytes, kind: int = IPV4) -> bytes:
    return mac(to) + mac(source) + struct.pack(">H", kind) + payload


def tagged(frame: bytes, vlan: int, kind: int = VLAN) -> bytes:
    """Put a VLAN tag into a frame."""
    return frame[:12] + struct.pack(">HH", kind, vlan) + frame[12:]


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(
    source: str,
    to: str,
    payload: bytes,
    protocol: int = UDP,
    *,
    options: bytes = b"",
    number: int = 0,
    offset: int = 0,
    more: bool = False,
    ttl: int = 64,
) -> bytes:
    """Return an IPv4 packet; `offset` in bytes and `more` make it a fragment."""
    assert len(options) % 4 == 0, "options fill whole words"
    words, length = 5 + len(options) // 4, 20 + len(options) + len(payload)
    flags = (0x2000 if more else 0) | offset // 8
    ends = IPv4Address(source).packed + IPv4Address(to).packed
    begin = struct.pack(">BBHHHBB", 0x40 | words, 0, length, number, flags, ttl, protocol)
    check = struct.pack(">H", checksum(begin + b"\0\0" + ends + options))
    return begin + check + ends + options + payload


def datagram(source: str, to: str, port: int, said: bytes, source_port: int = 7000) -> bytes:
    """Return the UDP part of a packet, with its checksum."""
    length = 8 + len(said)
    head = struct.pack(">HHHH", source_port, port, length, 0)
    pseudo = IPv4Address(source).packed + IPv4Address(to).packed + struct.pack(">BBH", 0, UDP, length)
    return head[:6] + struct.pack(">H", checksum(pseudo + head + said) or 0xFFFF) + said


def segment(source: str, to: str, ports: tuple[int, int], flags: int, seq: int = 0, ack: int = 0) -> bytes:
    """Return the TCP part of a packet, with its checksum."""
    head = struct.pack(">HHLLBBHHH", *ports, seq, ack, 5 << 4, flags, 65535, 0, 0)
    pseudo = IPv4Address(source).packed + IPv4Address(to).packed + struct.pack(">BBH", 0, TCP, len(head))
    return head[:16] + struct.pack(">H", checksum(pseudo + head)) + head[18:]


def echo(said: bytes, kind: int = 8, code: int = 0, rest: int = 0) -> bytes:
    """Return the ICMP part of a packet: an echo request, unless another type is given."""
    head = struct.pack(">BBHL", kind, code, 0, rest)
    return head[:2] + struct.pack(">H", checksum(head + said)) + head[4:] + said


def arp(operation: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """Return the ARP part of a frame; sender and target are a MAC address and an IP address."""
    ends = b"".join(mac(m) + IPv4Address(ip).packed for m, ip in (sender, target))
    return struct.pack(">HHBBH", 1, IPV4, 6, 4, operation) + ends


@contextmanager
def wire(ground: Ground, place: str, link: str = "eth0") -> Iterator[socket.socket]:
    """Open a raw socket on a link of a place: it sends what it is given, and sees all that comes and goes."""
    with ground.namespaces.opened(ground.place(place)) as fd, inside(fd):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(ALL_FRAMES))
        made.bind((link, ALL_FRAMES))
    with made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        yield made


def received(tap: socket.socket, seconds: float = QUIET_SECONDS) -> list[bytes]:
    """Return the frames that came in, until none has come for a while."""
    frames, end = [], time.monotonic() + 5.0
    tap.settimeout(seconds)
    while time.monotonic() < end:
        try:
            frame, where = tap.recvfrom(65536)
        except TimeoutError:
            return frames
        if where[2] != socket.PACKET_OUTGOING:
            frames.append(frame)
    return frames
