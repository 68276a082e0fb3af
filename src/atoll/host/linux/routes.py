"""The facts of a namespace's network, and their form in rtnetlink messages.  Sending them is `netlink`'s."""

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_address

from atoll.host.linux.attributes import attribute, number, parse, text

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

LOOPBACK = 1  # the index of lo in every namespace
MAIN_TABLE = 254
PERMANENT = 0x80  # the state of a neighbour that needs no ARP

_UP = 1
_ONLINK = 4
_LINK_SCOPE = 253
_METRIC6 = 1024  # what an IPv6 route has that was given none
_STATIC = 4  # RTPROT_STATIC; the kernel's own routes are 2
_KINDS = {"unicast": 1, "local": 2, "blackhole": 6, "unreachable": 7, "prohibit": 8, "throw": 9}
_KIND_NAMES = {number: name for name, number in _KINDS.items()}

LINK_HEADER = struct.Struct("BBHiII")  # ifinfomsg
ADDRESS_HEADER = struct.Struct("BBBBi")  # ifaddrmsg
NEIGHBOUR_HEADER = struct.Struct("BBHiHBB")  # ndmsg
ROUTE_HEADER = struct.Struct("BBBBBBBBI")  # rtmsg, and fib_rule_hdr which has the same form


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface as the kernel reports it."""

    name: str
    index: int
    up: bool
    mac: bytes = b""
    mtu: int = 0
    kind: str = ""  # "veth", "bridge"; empty for lo


@dataclass(frozen=True, slots=True)
class Route:
    """A route; `kind` other than "unicast" has neither `link` nor `via`."""

    network: Network
    link: int = 0
    via: Address | None = None  # None: directly on the link
    table: int = MAIN_TABLE
    kind: str = "unicast"
    onlink: bool = False  # reach `via` on `link` although no address of ours is in its network; lo must be up first
    source: Address | None = None  # preferred source address; None: the kernel's choice
    metric: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy rule: look up `table` when the mark, the incoming link and the source match."""

    priority: int
    table: int
    mark: int | None = None  # None: any mark
    mask: int = 0xFFFFFFFF
    incoming: str | None = None  # None: any link
    version: int = 4
    source: Network | None = None  # None: from anybody


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A permanent neighbour entry: no ARP is needed, and it does not count against the machine's ARP limit."""

    link: int
    address: Address
    mac: bytes


def family_of(address: Address | Network | Interface) -> int:
    """Return the address family of an address or network."""
    return int(socket.AF_INET if address.version == 4 else socket.AF_INET6)


def pack_route(route: Route) -> bytes:
    """Pack a route's message."""
    scope = _LINK_SCOPE if route.kind == "unicast" and route.via is None and route.network.version == 4 else 0
    body = ROUTE_HEADER.pack(
        family_of(route.network),
        route.network.prefixlen,
        0,
        0,
        route.table if route.table < 256 else 0,
        _STATIC,
        scope,
        _KINDS[route.kind],
        _ONLINK if route.onlink else 0,
    )
    body += number(15, route.table)
    if route.network.prefixlen:
        body += attribute(1, route.network.network_address.packed)
    if route.link:
        body += number(4, route.link)
    if route.via is not None:
        body += attribute(5, route.via.packed)
    if route.source is not None:
        body += attribute(7, route.source.packed)
    if route.metric:
        body += number(6, route.metric)
    return body


def read_route(body: bytes) -> Route | None:
    """Return the route of a message, None if it is not one of ours."""
    family, prefix, _, _, table, protocol, _, kind, flags = ROUTE_HEADER.unpack_from(body)
    if protocol != _STATIC or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    attributes = parse(body[ROUTE_HEADER.size :])
    length, network = (4, IPv4Network) if family == socket.AF_INET else (16, IPv6Network)
    destination = network((attributes.get(1, bytes(length)), prefix))
    metric = _unsigned(attributes, 6)
    if family == socket.AF_INET6 and metric == _METRIC6:
        metric = 0
    return Route(
        destination,
        link=_unsigned(attributes, 4) if kind == _KINDS["unicast"] else 0,  # IPv6 says lo for the others
        via=ip_address(attributes[5]) if 5 in attributes else None,
        table=_unsigned(attributes, 15, table),
        kind=_KIND_NAMES.get(kind, str(kind)),
        onlink=bool(flags & _ONLINK),
        source=ip_address(attributes[7]) if 7 in attributes else None,
        metric=metric,
    )


def pack_rule(rule: Rule) -> bytes:
    """Pack a policy rule's message."""
    family = socket.AF_INET if rule.version == 4 else socket.AF_INET6
    lookup = 1  # FR_ACT_TO_TBL
    length = rule.source.prefixlen if rule.source else 0
    body = ROUTE_HEADER.pack(family, 0, length, 0, rule.table if rule.table < 256 else 0, 0, 0, lookup, 0)
    if rule.source is not None:
        body += attribute(2, rule.source.network_address.packed)
    body += number(15, rule.table) + number(6, rule.priority)
    if rule.mark is not None:
        body += number(10, rule.mark) + number(16, rule.mask)
    if rule.incoming is not None:
        body += text(3, rule.incoming)
    return body


def read_rule(body: bytes) -> Rule | None:
    """Return the rule of a message, None if it is the kernel's own."""
    family, _, _, _, table, _, _, _, _ = ROUTE_HEADER.unpack_from(body)
    attributes = parse(body[ROUTE_HEADER.size :])
    priority = _unsigned(attributes, 6)
    if priority in (0, 32766, 32767) or family not in (socket.AF_INET, socket.AF_INET6):
        return None  # local, main, default: the kernel's own
    return Rule(
        priority,
        _unsigned(attributes, 15, table),
        mark=_unsigned(attributes, 10) if 10 in attributes else None,
        mask=_unsigned(attributes, 16, 0xFFFFFFFF),
        incoming=attributes[3].rstrip(b"\0").decode() if 3 in attributes else None,
        version=4 if family == socket.AF_INET else 6,
    )


def read_link(body: bytes) -> Link:
    """Return the link of a message."""
    _, _, _, index, flags, _ = LINK_HEADER.unpack_from(body)
    attributes = parse(body[LINK_HEADER.size :])
    kind = parse(attributes[18]).get(1, b"") if 18 in attributes else b""
    return Link(
        attributes[3].rstrip(b"\0").decode(),
        index,
        bool(flags & _UP),
        attributes.get(1, b""),
        _unsigned(attributes, 4),
        kind.rstrip(b"\0").decode(),
    )


def _unsigned(attributes: dict[int, bytes], kind: int, default: int = 0) -> int:
    value = attributes.get(kind)
    return default if value is None else int(struct.unpack("I", value)[0])
