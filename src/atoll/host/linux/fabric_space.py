"""A space: one network namespace that the fabric works in, with its sockets kept open and its links by name.

Routers and the internet are spaces; guests' namespaces are opened for a moment, because there may be thousands.
"""

import errno
import os
import socket
import struct
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from atoll.host.contract import HostError
from atoll.host.linux.attributes import parse
from atoll.host.linux.namespaces import THIS_NETWORK, Namespaces, socket_in
from atoll.host.linux.netlink import Netlink
from atoll.host.linux.nfnl import Elements
from atoll.host.linux.nft import Nft
from atoll.network.facts import INTERNET

FIRST_INDEX = 1000  # of links that we make; above those that a kernel makes by itself
_NETFILTER, _GET_GENERATION, _REQUEST = 12, 10 << 8 | 16, 1
_NEWS = 0x1 | 0x4 | 0x10 | 0x40 | 0x80  # multicast groups: links, neighbours, addresses, routes, policy rules
_HEADER = struct.Struct("IHHII")


class Space:
    """Sockets into one namespace.  Not for two threads at once."""

    def __init__(self, name: str, fd: int | None) -> None:
        """Open the sockets in the namespace of a descriptor (None: where the thread is)."""
        self.name = name
        self.net = Netlink(fd)
        self.nft = Nft(fd)
        self.elements = Elements(fd)
        arguments = (socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._ask = socket.socket(*arguments) if fd is None else socket_in(fd, *arguments)
        arguments = (socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._news = socket.socket(*arguments) if fd is None else socket_in(fd, *arguments)
        self._news.bind((0, _NEWS))
        self.links: dict[str, int] = {}
        self.read_links()

    def close(self) -> None:
        """Close the sockets."""
        self.net.close()
        self.nft.close()
        self.elements.close()
        self._ask.close()
        self._news.close()

    def __enter__(self) -> Self:
        """Use as a context: closed at its end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the sockets."""
        self.close()

    def read_links(self) -> None:
        """Learn the links anew."""
        self.links = {link.name: link.index for link in self.net.links()}

    def free_index(self) -> int:
        """Return an index that no link of the namespace has."""
        return max(FIRST_INDEX, *self.links.values()) + 1

    def index(self, link: str) -> int:
        """Return a link's index.  Raises HostError."""
        if link not in self.links:
            raise HostError("no such link", step=f"find link {link} in {self.name or 'the internet'}")
        return self.links[link]

    def is_quiet(self) -> bool:
        """Tell whether no link, address, neighbour, route or policy rule changed since the last call."""
        quiet = True
        while True:
            try:
                self._news.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return quiet
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # more news than it could hold
                    raise
            quiet = False

    def rules_generation(self) -> int:
        """Return the kernel's count of rule changes in the namespace: another number means somebody changed them."""
        body = struct.pack(">BBH", 0, 0, 0)
        self._ask.send(_HEADER.pack(16 + len(body), _GET_GENERATION, _REQUEST, 1, 0) + body)
        answer = self._ask.recv(1 << 12)
        attributes = parse(answer[20 : _HEADER.unpack_from(answer)[0]])
        return int.from_bytes(attributes[1], "big") if 1 in attributes else -1


class Spaces:
    """The open spaces, by name; at most `OPEN_MAX`, because each costs six descriptors."""

    OPEN_MAX = 100

    def __init__(self, namespaces: Namespaces) -> None:
        """Open spaces among these namespaces."""
        self.namespaces = namespaces
        self._open: dict[str, Space] = {}
        self.generations: dict[str, int] = {}  # of the rules, when we last touched them

    def __getitem__(self, name: str) -> Space:
        """Return a namespace's space.  Raises HostError if there is no such namespace."""
        if (space := self._open.get(name)) is not None:
            return space
        if len(self._open) >= self.OPEN_MAX:
            self.forget(next(iter(self._open)))
        if name == INTERNET:
            space = Space(name, None)
        else:
            with self.namespaces.opened(name) as fd:
                space = Space(name, fd)
        self._open[name] = space
        return space

    def known(self, name: str) -> Space | None:
        """Return a space that is open, or whose namespace is there."""
        if name not in self._open and name != INTERNET and not self.namespaces.exists(name):
            return None
        return self[name]

    def descriptor(self, name: str, opened: ExitStack) -> int:
        """Return a descriptor of a namespace that is closed with `opened`."""
        if name != INTERNET:
            return opened.enter_context(self.namespaces.opened(name))
        fd = os.open(THIS_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
        opened.callback(os.close, fd)
        return fd

    def forget(self, name: str) -> None:
        """Close a space."""
        if (space := self._open.pop(name, None)) is not None:
            space.close()

    def close(self) -> None:
        """Close all spaces."""
        for name in list(self._open):
            self.forget(name)
