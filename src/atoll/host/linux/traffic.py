"""Counters that the kernel keeps anyway: of links, and of connection tracking; by raw netlink and from any thread."""

import socket
import struct
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from ipaddress import ip_address
from itertools import islice

from atoll.host.contract import Connection, HostError, LinkCount, Tracked
from atoll.host.linux.attributes import parse
from atoll.host.linux.namespaces import Namespaces

_NETFILTER = 12
_GET_LINK, _GET_FLOWS, _GET_STATISTICS = 18, 1 << 8 | 1, 1 << 8 | 4
_REQUEST, _DUMP = 1, 0x300
_ERROR, _DONE = 2, 3
_RECEIVE_BYTES = 1 << 18
_HEADER = struct.Struct("IHHII")
_NAME, _COUNTS = 3, 23  # IFLA_IFNAME, IFLA_STATS64
_TUPLE, _PROTOCOL, _NUMBER, _STATE = 1, 2, 1, 4  # CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM, CTA_PROTOINFO
_REPLY, _STATUS, _ADDRESSES, _FROM_PORT, _TO_PORT = 2, 3, 1, 2, 3  # CTA_TUPLE_REPLY, CTA_STATUS, CTA_TUPLE_IP ...
_SEEN_REPLY = 2  # IPS_SEEN_REPLY
_INSERT_FAILED = 9  # CTA_STATS_INSERT_FAILED: a new flow would have been the same as one that is there
_TCP, _TCP_ESTABLISHED = 6, 3


def link_counts(namespaces: Namespaces, names: Collection[str]) -> Mapping[str, Mapping[str, LinkCount]]:
    """Return what passed the links of namespaces, by namespace and link; nothing for one that is not there."""
    found = {}
    for name in namespaces.names() & set(names):
        counts: dict[str, LinkCount] = {}
        for body in _dump(namespaces, name, socket.NETLINK_ROUTE, _GET_LINK, bytes(16)):
            attributes = parse(body[16:])
            received, sent, received_bytes, sent_bytes = struct.unpack_from("QQQQ", attributes[_COUNTS])
            link = attributes[_NAME].rstrip(b"\0").decode()
            counts[link] = LinkCount(received, received_bytes, sent, sent_bytes)
        found[name] = counts
    return found


def tracked(namespaces: Namespaces, names: Collection[str]) -> Mapping[str, Tracked]:
    """Return what connection tracking says in namespaces; nothing for one that is not there."""
    found = {}
    for name in namespaces.names() & set(names):
        established = 0
        for body in _dump(namespaces, name, _NETFILTER, _GET_FLOWS, struct.pack(">BBH", socket.AF_INET, 0, 0)):
            established += _is_established(parse(body[4:]))
        refused = 0
        for body in _dump(namespaces, name, _NETFILTER, _GET_STATISTICS, struct.pack(">BBH", 0, 0, 0)):
            refused += int.from_bytes(parse(body[4:]).get(_INSERT_FAILED, b""), "big")
        found[name] = Tracked(established, refused)
    return found


def connections(
    namespaces: Namespaces, names: Collection[str], most: int
) -> Mapping[str, Mapping[Connection, int]]:
    """Return the connections that are open in namespaces: how many there are of each."""
    found = {}
    for name in namespaces.names() & set(names):
        counts: Counter[Connection] = Counter()
        flows = _dump(namespaces, name, _NETFILTER, _GET_FLOWS, struct.pack(">BBH", socket.AF_UNSPEC, 0, 0))
        for body in islice(flows, most):
            if (one := _connection(parse(body[4:]))) is not None:
                counts[one] += 1
        found[name] = counts
    return found


def _connection(flow: Mapping[int, bytes]) -> Connection | None:
    """Return a flow that is open: of TCP an established one, of another protocol one that was answered."""
    status = int.from_bytes(flow.get(_STATUS, b""), "big")
    asked, answer = parse(flow.get(_TUPLE, b"")), parse(flow.get(_REPLY, b""))
    protocol = parse(asked.get(_PROTOCOL, b""))
    number = int.from_bytes(protocol.get(_NUMBER, b""), "big")
    is_open = _is_established(flow) if number == _TCP else status & _SEEN_REPLY
    addresses, answers = parse(asked.get(_ADDRESSES, b"")), parse(answer.get(_ADDRESSES, b""))
    source = addresses.get(1) or addresses.get(3)  # CTA_IP_V4_SRC, CTA_IP_V6_SRC
    target = addresses.get(2) or addresses.get(4)
    answering = answers.get(1) or answers.get(3)
    if not is_open or source is None or target is None or answering is None:
        return None
    port = int.from_bytes(protocol.get(_TO_PORT, b""), "big")
    its_port = int.from_bytes(parse(answer.get(_PROTOCOL, b"")).get(_FROM_PORT, b""), "big")
    return Connection(number, ip_address(source), ip_address(target), port, ip_address(answering), its_port)


def _is_established(flow: Mapping[int, bytes]) -> bool:
    protocol = parse(parse(flow.get(_TUPLE, b"")).get(_PROTOCOL, b"")).get(_NUMBER)
    if protocol != bytes((_TCP,)):
        return False
    state = parse(parse(flow.get(_STATE, b"")).get(1, b"")).get(1)
    return state == bytes((_TCP_ESTABLISHED,))


def _dump(namespaces: Namespaces, name: str, family: int, kind: int, body: bytes) -> Iterator[bytes]:
    with namespaces.socket(name, socket.AF_NETLINK, socket.SOCK_RAW, family) as sock:
        sock.send(_HEADER.pack(16 + len(body), kind, _REQUEST | _DUMP, 1, 0) + body)
        while True:
            datagram, offset = sock.recv(_RECEIVE_BYTES), 0
            while offset + 16 <= len(datagram):
                length, answer, _, _, _ = _HEADER.unpack_from(datagram, offset)
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    number = -struct.unpack_from("i", datagram, offset + 16)[0]
                    raise HostError(f"error {number}", step=f"read counters of {name}")
                yield datagram[offset + 16 : offset + length]
                offset += (length + 3) & ~3
