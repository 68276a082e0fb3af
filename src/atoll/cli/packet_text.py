"""A captured frame as one line for people; `-w` and a real analyser are for everything that it does not say."""

import struct
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
NAMES = {ICMP: "icmp", ICMP6: "icmp6"}
FLAGS = ((2, "S"), (1, "F"), (4, "R"), (8, "P"), (16, "."))
ECHO = {(ICMP, 8): "echo request", (ICMP, 0): "echo reply", (ICMP6, 128): "echo request", (ICMP6, 129): "echo reply"}


def say(nanoseconds: int, frame: bytes) -> str:
    """Return the line of a frame: when, who, to whom, what."""
    at = datetime.fromtimestamp(nanoseconds // 1_000_000_000).astimezone()
    when = f"{at:%H:%M:%S}.{nanoseconds // 1000 % 1_000_000:06d}"
    try:
        return f"{when} {_ethernet(frame)}"
    except (struct.error, IndexError, ValueError):  # cut off, or not what it says it is
        return f"{when} {len(frame)} bytes"


def _ethernet(frame: bytes) -> str:
    kind = struct.unpack_from(">H", frame, 12)[0]
    payload = frame[14:]
    if kind == ARP:
        return _arp(payload)
    if kind == IPV4:
        header = (payload[0] & 15) * 4
        source, target = IPv4Address(payload[12:16]), IPv4Address(payload[16:20])
        length = struct.unpack_from(">H", payload, 2)[0]
        offset = struct.unpack_from(">H", payload, 6)[0] & 0x1FFF
        if offset:
            return f"{source} > {target}: fragment at {offset * 8}, length {length - header}"
        return _transport(str(source), str(target), payload[9], payload[header:], length - header)
    if kind == IPV6:
        source6, target6 = IPv6Address(payload[8:24]), IPv6Address(payload[24:40])
        length = struct.unpack_from(">H", payload, 4)[0]
        return _transport(str(source6), str(target6), payload[6], payload[40:], length)
    return f"ethertype {kind:#06x}, length {len(payload)}"


def _arp(payload: bytes) -> str:
    operation = struct.unpack_from(">H", payload, 6)[0]
    asker, asked = IPv4Address(payload[14:18]), IPv4Address(payload[24:28])
    if operation == 1:
        return f"ARP who-has {asked} tell {asker}"
    return f"ARP {asker} is-at {payload[8:14].hex(':')}"


def _transport(source: str, target: str, protocol: int, payload: bytes, length: int) -> str:
    if protocol == TCP:
        from_port, to_port = struct.unpack_from(">HH", payload)
        flags = "".join(letter for bit, letter in FLAGS if payload[13] & bit)
        size = length - (payload[12] >> 4) * 4
        return f"{source}.{from_port} > {target}.{to_port}: tcp [{flags}], length {size}"
    if protocol == UDP:
        from_port, to_port = struct.unpack_from(">HH", payload)
        return f"{source}.{from_port} > {target}.{to_port}: udp, length {length - 8}"
    name = NAMES.get(protocol, f"protocol {protocol}")
    what = ECHO.get((protocol, payload[0])) or (f"type {payload[0]} code {payload[1]}" if protocol in NAMES else "")
    return f"{source} > {target}: {' '.join(filter(None, (name, what)))}, length {length}"
