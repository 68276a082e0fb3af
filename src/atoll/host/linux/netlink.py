"""Links, addresses, routes, neighbours and policy rules by rtnetlink, many to a message.

    with Netlink(fd) as net:                       # the namespace of a descriptor; None is the thread's own
        net.add_veth("e1", peer="eth0", peer_namespace=other_fd, mac=..., peer_mac=...)
        net.commit()                               # one send for all that was queued; raises HostError with names
        link = net.link("e1").index
        net.add_route(Route(IPv4Network("10.0.0.10/32"), link=link))
        net.commit()
        net.routes()                               # read back as the same facts, comparable with ==

Methods that begin with add_, delete_, set_ only queue; `commit` sends.  An add of what is there and a delete of
what is not there are not errors, so that a repair may repeat them; a link that exists is an error unless asked for.
The socket stays in its namespace: keep no more of these than needed (one descriptor each).
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from types import TracebackType
from typing import Self

from atoll.host.contract import HostError
from atoll.host.linux.attributes import attribute, nested, number, parse, text
from atoll.host.linux.namespaces import socket_in
from atoll.host.linux.routes import (
    ADDRESS_HEADER,
    LINK_HEADER,
    LOOPBACK,
    MAIN_TABLE,
    NEIGHBOUR_HEADER,
    PERMANENT,
    ROUTE_HEADER,
    Address,
    Interface,
    Link,
    Neighbour,
    Network,
    Route,
    Rule,
    family_of,
    pack_route,
    pack_rule,
    read_link,
    read_route,
    read_rule,
)

__all__ = [
    "LOOPBACK",
    "MAIN_TABLE",
    "Address",
    "Interface",
    "Link",
    "Neighbour",
    "Netlink",
    "Network",
    "Route",
    "Rule",
]

_SEND_BYTES = 60_000  # below the socket buffer; the kernel handles a send in one go
_RECEIVE_BYTES = 1 << 18
_BUFFER_BYTES = 1 << 20

_ERROR, _DONE = 2, 3
_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_NEWNEIGH, _DELNEIGH, _GETNEIGH = 28, 29, 30
_NEWRULE, _DELRULE, _GETRULE = 32, 33, 34
_REQUEST, _ACK, _REPLACE, _DUMP, _EXCL, _CREATE = 1, 4, 0x100, 0x300, 0x200, 0x400
_UP = 1
_NO_PREFIX_ROUTE = 0x200  # IFA_F_NOPREFIXROUTE
_NODAD = 2  # an IPv6 address is used at once: nobody else can have it
_GONE = (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL)


class Netlink:
    """A NETLINK_ROUTE socket in one network namespace, and the messages queued for it."""

    def __init__(self, namespace: int | None = None) -> None:
        """Open the socket in the namespace of a descriptor (None: where the calling thread is)."""
        arguments = (socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        if namespace is None:
            self._socket = socket.socket(*arguments)
        else:
            self._socket = socket_in(namespace, *arguments)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        self._socket.bind((0, 0))
        self._queue: list[_Message] = []
        self._sequence = 0

    def __enter__(self) -> Self:
        """Use as a context: the socket is closed at its end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the socket; what was not committed is dropped."""
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    # Links

    def add_veth(
        self,
        name: str,
        *,
        peer: str,
        peer_namespace: int | None = None,
        mac: bytes | None = None,
        peer_mac: bytes | None = None,
        mtu: int = 9001,
        index: int = 0,
        peer_index: int = 0,
        up: bool = True,
    ) -> None:
        """Queue a pair of links: `name` here, `peer` in the namespace of a descriptor (None: here).

        An index given beforehand (0: the kernel chooses) saves reading it back.  The descriptor must stay open
        until `commit`.  A peer's link becomes up with its own `set_up`, in its namespace.
        """
        far = LINK_HEADER.pack(0, 0, 0, peer_index, 0, 0) + text(3, peer) + number(4, mtu)
        if peer_namespace is not None:
            far += number(28, peer_namespace)
        if peer_mac is not None:
            far += attribute(1, peer_mac)
        state = _UP if up else 0
        body = LINK_HEADER.pack(0, 0, 0, index, state, _UP) + text(3, name) + number(4, mtu)
        if mac is not None:
            body += attribute(1, mac)
        body += nested(18, text(1, "veth"), nested(2, nested(1, far)))
        self._add(_NEWLINK, _CREATE | _EXCL, body, f"add veth {name} to {peer}")

    def delete_link(self, name: str) -> None:
        """Queue the deletion of a link and, for a veth, of its peer."""
        body = LINK_HEADER.pack(0, 0, 0, 0, 0, 0) + text(3, name)
        self._add(_DELLINK, 0, body, f"delete link {name}", _GONE)

    def set_up(self, link: int | str, *, up: bool = True) -> None:
        """Queue a link, by index or name, to be up (or down)."""
        index, named = (link, b"") if isinstance(link, int) else (0, text(3, link))
        body = LINK_HEADER.pack(0, 0, 0, index, _UP if up else 0, _UP) + named
        self._add(_NEWLINK, 0, body, f"set link {link} {'up' if up else 'down'}")

    def ask_for(self, link: int) -> None:
        """Queue a question for a link; nobody reads the answer, but it comes after what bringing the link up began.

        A link whose peer comes up later is switched on by a worker, and drops what it should send until then.  Since
        Linux 6.8 a question waits for that; before, it takes a moment longer.
        """
        self._add(_GETLINK, 0, LINK_HEADER.pack(0, 0, 0, link, 0, 0), f"ask for link {link}", (errno.ENODEV,))

    def links(self) -> tuple[Link, ...]:
        """Return the links of the namespace, lo included."""
        return tuple(read_link(body) for body in self._dump(_GETLINK, LINK_HEADER.pack(0, 0, 0, 0, 0, 0)))

    def link(self, name: str) -> Link:
        """Return one link by name; raises HostError if there is none."""
        for link in self.links():
            if link.name == name:
                return link
        raise HostError("no such link", step=f"find link {name}")

    # Addresses and neighbours

    def add_address(self, link: int, address: Interface, *, is_connected: bool = True) -> None:
        """Queue an address with its prefix length; unless `is_connected`, no route leads to its network."""
        what, more = f"add address {address}", 0 if is_connected else _NO_PREFIX_ROUTE
        self._address(_NEWADDR, _CREATE | _REPLACE, link, address, what, (), more)

    def delete_address(self, link: int, address: Interface) -> None:
        """Queue the removal of an address."""
        self._address(_DELADDR, 0, link, address, f"delete address {address}", _GONE)

    def addresses(self) -> frozenset[tuple[int, Interface]]:
        """Return (link, address) of every address in the namespace."""
        found: set[tuple[int, Interface]] = set()
        for body in self._dump(_GETADDR, ADDRESS_HEADER.pack(0, 0, 0, 0, 0)):
            _, prefix, _, _, link = ADDRESS_HEADER.unpack_from(body)
            attributes = parse(body[ADDRESS_HEADER.size :])
            packed = attributes.get(2) or attributes[1]
            interface = IPv4Interface if len(packed) == 4 else IPv6Interface
            found.add((link, interface((packed, prefix))))
        return frozenset(found)

    def add_neighbour(self, neighbour: Neighbour) -> None:
        """Queue a permanent neighbour, replacing what is known of the address."""
        body = NEIGHBOUR_HEADER.pack(family_of(neighbour.address), 0, 0, neighbour.link, PERMANENT, 0, 0)
        body += attribute(1, neighbour.address.packed) + attribute(2, neighbour.mac)
        self._add(_NEWNEIGH, _CREATE | _REPLACE, body, f"add neighbour {neighbour.address}")

    def delete_neighbour(self, neighbour: Neighbour) -> None:
        """Queue the removal of a neighbour."""
        body = NEIGHBOUR_HEADER.pack(family_of(neighbour.address), 0, 0, neighbour.link, 0, 0, 0)
        body += attribute(1, neighbour.address.packed)
        self._add(_DELNEIGH, 0, body, f"delete neighbour {neighbour.address}", _GONE)

    def neighbours(self) -> frozenset[Neighbour]:
        """Return the permanent neighbours."""
        found = set()
        for body in self._dump(_GETNEIGH, NEIGHBOUR_HEADER.pack(0, 0, 0, 0, 0, 0, 0)):
            _, _, _, link, state, _, _ = NEIGHBOUR_HEADER.unpack_from(body)
            attributes = parse(body[NEIGHBOUR_HEADER.size :])
            if state & PERMANENT and 2 in attributes:
                found.add(Neighbour(link, ip_address(attributes[1]), attributes[2]))
        return frozenset(found)

    # Routes and rules

    def add_route(self, route: Route) -> None:
        """Queue a route, replacing one to the same network in the same table with the same metric."""
        self._add(_NEWROUTE, _CREATE | _REPLACE, pack_route(route), f"add {_say(route)}")

    def delete_route(self, route: Route) -> None:
        """Queue the removal of a route."""
        self._add(_DELROUTE, 0, pack_route(route), f"delete {_say(route)}", _GONE)

    def routes(self, table: int | None = None) -> frozenset[Route]:
        """Return the routes that `add_route` made (the kernel's own are left out), of one table or of all."""
        found = set()
        for body in self._dump(_GETROUTE, ROUTE_HEADER.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)):
            route = read_route(body)
            if route is not None and table in (None, route.table):
                found.add(route)
        return frozenset(found)

    def add_rule(self, rule: Rule) -> None:
        """Queue a policy rule."""
        self._add(_NEWRULE, _CREATE | _EXCL, pack_rule(rule), f"add rule {rule.priority}", (errno.EEXIST,))

    def delete_rule(self, rule: Rule) -> None:
        """Queue the removal of a policy rule."""
        self._add(_DELRULE, 0, pack_rule(rule), f"delete rule {rule.priority}", _GONE)

    def rules(self) -> frozenset[Rule]:
        """Return the policy rules, without the three that every namespace is born with."""
        read = (read_rule(body) for body in self._dump(_GETRULE, ROUTE_HEADER.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)))
        return frozenset(rule for rule in read if rule is not None)

    # Sending

    def commit(self) -> None:
        """Send what was queued, and return when the kernel has done it.

        The kernel does the messages in order and goes on after one that fails, so a batch may be half done when
        HostError is raised: it names the first failure and counts the others.
        """
        failures: list[tuple[int, str]] = []
        while self._queue:
            batch = self._next_batch()
            self._socket.send(b"".join(message.packed for message in batch))
            failures += self._answers({message.sequence: message for message in batch}, batch[-1].sequence)
        if failures:
            number, what = failures[0]
            more = f" ({len(failures) - 1} more failed)" if len(failures) > 1 else ""
            raise HostError(f"{errno.errorcode.get(number, number)} {os.strerror(number)}{more}", step=what)

    def _add(self, kind: int, flags: int, body: bytes, what: str, tolerated: tuple[int, ...] = ()) -> None:
        self._sequence += 1
        self._queue.append(_Message(kind, flags | _REQUEST, self._sequence, body, what, tolerated))

    def _next_batch(self) -> list["_Message"]:
        size, taken = 0, 0
        for message in self._queue:
            size += 16 + len(message.body)
            if size > _SEND_BYTES and taken:
                break
            taken += 1
        batch, self._queue = self._queue[:taken], self._queue[taken:]
        batch[-1].flags |= _ACK  # errors are always reported, success only of the last
        return batch

    def _answers(self, sent: dict[int, "_Message"], last: int) -> list[tuple[int, str]]:
        failures = []
        while True:
            for kind, sequence, body in self._receive():
                message = sent.get(sequence)
                if kind != _ERROR or message is None:
                    continue
                number = -struct.unpack_from("i", body)[0]
                if number and number not in message.tolerated:
                    failures.append((number, message.what))
                if sequence == last:
                    return failures

    def _dump(self, kind: int, header: bytes) -> Iterator[bytes]:
        self._sequence += 1
        wanted = self._sequence
        self._socket.send(_HEADER.pack(16 + len(header), kind, _REQUEST | _DUMP, wanted, 0) + header)
        bodies: list[bytes] = []  # read to the end before anyone sees the first: the caller may stop early
        done = False
        while not done:
            for answer, sequence, body in self._receive():
                if sequence != wanted:
                    continue
                if answer == _ERROR:
                    number = -struct.unpack_from("i", body)[0]
                    raise HostError(os.strerror(number), step=f"read netlink objects of kind {kind}")
                if answer == _DONE:
                    done = True
                else:
                    bodies.append(body)
        return iter(bodies)

    def _receive(self) -> Iterator[tuple[int, int, bytes]]:
        datagram = self._socket.recv(_RECEIVE_BYTES)
        offset = 0
        while offset < len(datagram):
            length, kind, _, sequence, _ = _HEADER.unpack_from(datagram, offset)
            yield kind, sequence, datagram[offset + 16 : offset + length]
            offset += (length + 3) & ~3

    def _address(
        self,
        kind: int,
        flags: int,
        link: int,
        address: Interface,
        what: str,
        tolerated: tuple[int, ...],
        more: int = 0,
    ) -> None:
        flags_of_it = 0 if address.version == 4 else _NODAD
        body = ADDRESS_HEADER.pack(family_of(address), address.network.prefixlen, flags_of_it, 0, link)
        body += attribute(1, address.packed) + attribute(2, address.packed)
        if more:
            body += number(8, flags_of_it | more)
        self._add(kind, flags, body, what, tolerated)


@dataclass(slots=True)
class _Message:
    kind: int
    flags: int
    sequence: int
    body: bytes
    what: str
    tolerated: tuple[int, ...]

    @property
    def packed(self) -> bytes:
        return _HEADER.pack(16 + len(self.body), self.kind, self.flags, self.sequence, 0) + self.body


_HEADER = struct.Struct("IHHII")  # nlmsghdr


def _say(route: Route) -> str:
    return f"route {route.network} of table {route.table}"
