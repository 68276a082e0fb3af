"""Read the sets that packets fill: keys with counters of packets and bytes, by raw netlink and from any thread.

    with Reader(namespaces, "vpc-1") as reader:
        reader.read(container)               # what was counted since the set was made
        reader.read(container, take=True)    # ... and count from zero again; nothing is lost between the two

A kernel before 6.5 cannot take; a `Taker` then remembers what was counted before.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType
from typing import Self

from atoll.host.contract import HostError, Tallied
from atoll.host.linux.attributes import parse, text
from atoll.host.linux.namespaces import Namespaces
from atoll.host.linux.nfnl import Element
from atoll.network.facts import IPV4, IPV6, Container

_NETFILTER, _NFTABLES = 12, 10
_GET, _TAKE = _NFTABLES << 8 | 13, _NFTABLES << 8 | 33  # NFT_MSG_GETSETELEM, NFT_MSG_GETSETELEM_RESET
_REQUEST, _DUMP, _INTERRUPTED = 1, 0x300, 0x10
_ERROR, _DONE = 2, 3
_FAMILIES = {IPV4: 2, IPV6: 10}
_RECEIVE_BYTES = 1 << 18
_ATTEMPTS = 3  # of a dump that a change of the rules interrupts
KEPT_MAX = 10_000  # entries of a set that survive a loading of its rules: a tenth of a second
CANNOT_TAKE = (errno.EINVAL, errno.EOPNOTSUPP)  # a kernel that does not know the message
Key = tuple[str | int | IPv4Address | IPv6Address, ...]
_HEADER = struct.Struct("IHHII")
_WIDTHS = {  # bytes of a field of a key
    "mark": 4, "ifname": 16, "ipv4_addr": 4, "ipv6_addr": 16, "inet_service": 2, "inet_proto": 1, "ct_dir": 1,
}  # fmt: skip


class Reader:
    """A netlink socket in one namespace."""

    def __init__(self, namespaces: Namespaces, name: str) -> None:
        """Open it.  Raises HostError if there is no such namespace."""
        self._socket = namespaces.socket(name, socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Self:
        """Use as a context: closed at its end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the socket."""
        self._socket.close()

    def read(self, container: Container, *, take: bool = False) -> list[Tallied]:
        """Return the entries of a set; none if there is no such set.  Raises HostError."""
        found: dict[bytes, Tallied] = {}  # by key: an interrupted dump is begun again
        for _ in range(_ATTEMPTS):
            interrupted = False
            for flags, body in self._dump(_TAKE if take else _GET, container):
                interrupted = interrupted or bool(flags & _INTERRUPTED)
                for key, packets, size, left in _entries(body):
                    was = found.get(key) if take else None
                    packets, size = packets + (was.packets if was else 0), size + (was.bytes if was else 0)
                    idle = None if left is None else max(0.0, container.forget_seconds - left)
                    found[key] = Tallied(container, _fields(container, key), packets, size, idle)
            if not interrupted:
                break
        return list(found.values())

    def elements(self, container: Container) -> list[Element]:
        """Return the entries of a set as they can be put into another.  Raises HostError."""
        entries = (entry for _, body in self._dump(_GET, container) for entry in _entries(body))
        return list({key: Element(key, counted=(packets, size)) for key, packets, size, _ in entries}.values())

    def _dump(self, kind: int, container: Container) -> Iterator[tuple[int, bytes]]:
        self._sequence += 1
        named = text(1, container.table) + text(2, container.name)
        body = struct.pack(">BBH", _FAMILIES[container.family], 0, 0) + named
        self._socket.send(_HEADER.pack(16 + len(body), kind, _REQUEST | _DUMP, self._sequence, 0) + body)
        bodies: list[tuple[int, bytes]] = []
        while True:
            datagram, offset = self._socket.recv(_RECEIVE_BYTES), 0
            while offset + 16 <= len(datagram):
                length, answer, flags, sequence, _ = _HEADER.unpack_from(datagram, offset)
                if sequence == self._sequence and answer in (_ERROR, _DONE):
                    number = -struct.unpack_from("i", datagram, offset + 16)[0]
                    if number not in (0, errno.ENOENT):
                        cause = OSError(number, os.strerror(number))
                        raise HostError(str(cause), step=f"read set {container.name}") from cause
                    return iter(bodies)
                if sequence == self._sequence:
                    bodies.append((flags, datagram[offset + 20 : offset + length]))
                offset += (length + 3) & ~3


def kept(namespaces: Namespaces, name: str, containers: Iterable[Container]) -> list[tuple[Container, list[Element]]]:
    """Return what was counted in a namespace whose rules are about to be loaded anew; nothing if that fails."""
    try:
        with Reader(namespaces, name) as reader:
            return [(it, found) for it in containers if (found := reader.elements(it)[:KEPT_MAX])]
    except HostError:
        return []


class Taker:
    """Takes what was counted since the last time, also from a kernel that cannot count from zero again."""

    def __init__(self, namespaces: Namespaces) -> None:
        """Take from these namespaces; not for two threads at once."""
        self._namespaces = namespaces
        self._can_take = True
        self._before: dict[tuple[Container, Key], Tallied] | None = None  # None: nothing was read yet

    def take(self, containers: Iterable[Container]) -> list[Tallied]:
        """Return what was counted since the last call.  Raises HostError.

        From an old kernel the first call returns nothing: an earlier daemon may have read it already.
        """
        containers = tuple(containers)
        if self._can_take:
            try:
                return read_tallies(self._namespaces, containers, take=True)
            except HostError as error:
                if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in CANNOT_TAKE:
                    raise
                self._can_take = False
        now = {(t.container, t.key): t for t in read_tallies(self._namespaces, containers)}
        before, self._before = self._before, now
        if before is None:
            return []
        return [_since(before.get(key), tallied) for key, tallied in now.items()]


def _since(before: Tallied | None, now: Tallied) -> Tallied:
    if before is None or before.packets > now.packets:  # it was forgotten in between, and began anew
        return now
    return replace(now, packets=now.packets - before.packets, bytes=now.bytes - before.bytes)


def read_tallies(namespaces: Namespaces, containers: Iterable[Container], *, take: bool = False) -> list[Tallied]:
    """Return the entries of sets; a namespace that is not there has none.  Raises HostError."""
    wanted: dict[str, list[Container]] = {}
    for container in containers:
        wanted.setdefault(container.namespace, []).append(container)
    found: list[Tallied] = []
    for name in wanted.keys() & namespaces.names():
        with suppress(FileNotFoundError), Reader(namespaces, name) as reader:
            for container in wanted[name]:
                found += reader.read(container, take=take)
    return found


def _entries(body: bytes) -> Iterator[tuple[bytes, int, int, float | None]]:
    """Yield key, packets, bytes and the seconds that are left (None: for ever) of the elements in one message."""
    packed, offset = parse(body).get(3, b""), 0
    while offset + 4 <= len(packed):
        length = struct.unpack_from("H", packed, offset)[0]
        element = parse(packed[offset + 4 : offset + length])
        counted = parse(parse(element.get(7, b"")).get(2, b""))  # the counter: an expression, and in it its values
        if 1 in element and 2 in counted:
            left = int.from_bytes(element[5], "big") / 1e3 if 5 in element else None
            yield parse(element[1])[1], int.from_bytes(counted[2], "big"), int.from_bytes(counted[1], "big"), left
        offset += (length + 3) & ~3


def _fields(container: Container, key: bytes) -> tuple[str | int | IPv4Address | IPv6Address, ...]:
    found: list[str | int | IPv4Address | IPv6Address] = []
    offset = 0
    for kind in container.key:
        width = _WIDTHS[kind]
        raw = key[offset : offset + width]
        offset += (width + 3) & ~3
        match kind:
            case "mark":
                found.append(struct.unpack("I", raw)[0])
            case "ifname":
                found.append(raw.rstrip(b"\0").decode())
            case "ipv4_addr":
                found.append(IPv4Address(raw))
            case "ipv6_addr":
                found.append(IPv6Address(raw))
            case _:
                found.append(int.from_bytes(raw, "big"))
    return tuple(found)
