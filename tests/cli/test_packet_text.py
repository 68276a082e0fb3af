"""What a captured frame is called on a line."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest

from atoll.cli.packet_text import say

MACS = bytes(12)


def ipv4(protocol, payload, *, offset=0):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, offset, 64, protocol, 0)
    return MACS + b"\x08\x00" + head + IPv4Address("10.0.0.1").packed + IPv4Address("10.0.0.2").packed + payload


def ipv6(protocol, payload):
    head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64)
    return MACS + b"\x86\xdd" + head + IPv6Address("2001:db8::1").packed + IPv6Address("2001:db8::2").packed + payload


def arp(operation):
    near, far = IPv4Address("10.0.0.1").packed, IPv4Address("10.0.0.2").packed
    return MACS + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x800, 6, 4, operation) + b"\2" * 6 + near + bytes(6) + far


TCP = struct.pack(">HHIIBBHHH", 40000, 6379, 0, 0, 5 << 4, 0x12, 0, 0, 0)
UDP = struct.pack(">HHHH", 40000, 53, 10, 0) + b"ab"


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (ipv4(6, TCP + b"abc"), "10.0.0.1.40000 > 10.0.0.2.6379: tcp [S.], length 3"),
        (ipv4(17, UDP), "10.0.0.1.40000 > 10.0.0.2.53: udp, length 2"),
        (ipv4(1, b"\x08\0" + bytes(6)), "10.0.0.1 > 10.0.0.2: icmp echo request, length 8"),
        (ipv4(1, b"\x03\x04" + bytes(6)), "10.0.0.1 > 10.0.0.2: icmp type 3 code 4, length 8"),
        (ipv4(47, bytes(4)), "10.0.0.1 > 10.0.0.2: protocol 47, length 4"),
        (ipv4(17, bytes(8), offset=185), "10.0.0.1 > 10.0.0.2: fragment at 1480, length 8"),
        (ipv6(6, TCP), "2001:db8::1.40000 > 2001:db8::2.6379: tcp [S.], length 0"),
        (ipv6(58, b"\x81\0" + bytes(6)), "2001:db8::1 > 2001:db8::2: icmp6 echo reply, length 8"),
        (arp(1), "ARP who-has 10.0.0.2 tell 10.0.0.1"),
        (arp(2), "ARP 10.0.0.1 is-at 02:02:02:02:02:02"),
        (MACS + b"\x88\xcc" + bytes(4), "ethertype 0x88cc, length 4"),
        (ipv4(6, TCP[:6]), "40 bytes"),
        (b"", "0 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_frame_is_one_line(frame, said):
    line = say(1_700_000_000_123_456_789, frame)

    assert line.partition(" ")[2] == said
    assert line.partition(" ")[0].endswith(".123456")
