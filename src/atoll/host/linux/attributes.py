"""Netlink attributes: type, length, value, padded to four bytes.  Used by `netlink` and by `nfnl`."""

import struct

_NESTED = 0x8000
_TYPE_MASK = 0x3FFF  # without the "nested" and the "network byte order" bits


def attribute(kind: int, value: bytes) -> bytes:
    """Pack an attribute of raw bytes."""
    length = 4 + len(value)
    return struct.pack("HH", length, kind) + value + bytes(-length % 4)


def nested(kind: int, *members: bytes) -> bytes:
    """Pack an attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(members))


def number(kind: int, value: int) -> bytes:
    """Pack a 32-bit number in the machine's byte order (rtnetlink)."""
    return struct.pack("HHI", 8, kind, value)


def network_number(kind: int, value: int) -> bytes:
    """Pack a 32-bit number in network byte order (nfnetlink)."""
    return struct.pack("HH", 8, kind) + struct.pack(">I", value)


def text(kind: int, value: str) -> bytes:
    """Pack a string with its final zero."""
    return attribute(kind, value.encode() + b"\0")


def parse(packed: bytes) -> dict[int, bytes]:
    """Return the attributes by type.  Of a repeated type the last stays."""
    found = {}
    offset = 0
    while offset + 4 <= len(packed):
        length, kind = struct.unpack_from("HH", packed, offset)
        if length < 4:
            break
        found[kind & _TYPE_MASK] = packed[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found
