"""Have this process's new sockets be in another network, while a block lasts.

A socket stays for ever in the network in which it was made, whoever uses it; so a process that lives there makes
them for us, and looks up names.  That needs no right of ours and no thread to move.  It holds for everything that
uses Python's `socket` (redis-py, valkey-py, pymemcache, asyncio, urllib3 ...), in all threads of this process; not
for libraries that open sockets in C (uvloop, libmemcached): use `Instance.call` or `Instance.popen` for those.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from atoll.cli.launch import Broker

_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)
_TURN = threading.RLock()
_USED: list["_Network"] = []  # the innermost last
_ORIGINAL: Final[dict[str, Callable[..., Any]]] = {
    "__init__": socket.socket.__init__,
    "connect": socket.socket.connect,
    "connect_ex": socket.socket.connect_ex,
}
_LOOKUPS: Final[dict[str, Callable[..., Any]]] = {
    "getaddrinfo": socket.getaddrinfo,
    "gethostbyname": socket.gethostbyname,
}


class _Network:
    def __init__(self, broker: Broker, api: str) -> None:
        url = urlsplit(api)
        self.broker, self.api = broker, (url.hostname, url.port)
        self._turn = threading.Lock()

    def ask(self, do: str, *about: Any) -> tuple[Any, int | None]:
        with self._turn:
            return self.broker.ask(do, *about)


@contextmanager
def inside(broker: Broker, api: str) -> Iterator[None]:
    """Have new sockets be in the broker's network; only those to Atoll's own API stay where they are."""
    network = _Network(broker, api)
    with _TURN:
        _USED.append(network)
        _patch()
    try:
        yield
    finally:
        with _TURN:
            _USED.remove(network)
            if not _USED:
                _mend()


def _patch() -> None:
    socket.socket.__init__ = _init  # type: ignore[method-assign]
    socket.socket.connect = _connect  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = _getaddrinfo
    socket.gethostbyname = _gethostbyname


def _mend() -> None:
    socket.socket.__init__ = _ORIGINAL["__init__"]  # type: ignore[method-assign]
    del socket.socket.connect, socket.socket.connect_ex  # what they are inherited from is there again
    for name, function in _LOOKUPS.items():
        setattr(socket, name, function)


def _init(self: socket.socket, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
    wanted = socket.AF_INET if family == -1 else family
    with _TURN:
        network = _USED[-1] if _USED else None
    if network is not None and fileno is None and wanted in _INTERNET:
        kind = socket.SOCK_STREAM if type == -1 else type
        family, type, proto = int(wanted), int(kind), max(proto, 0)
        fileno = network.ask("socket", family, type, proto)[1]
    _ORIGINAL["__init__"](self, family, type, proto, fileno)


def _connect(self: socket.socket, address: Any) -> None:
    _ours_to_the_api(self, address)
    _ORIGINAL["connect"](self, address)


def _connect_ex(self: socket.socket, address: Any) -> int:
    _ours_to_the_api(self, address)
    return int(_ORIGINAL["connect_ex"](self, address))


def _ours_to_the_api(sock: socket.socket, address: Any) -> None:
    """Put a socket of this process's own network in the place of one that is to connect to Atoll's API."""
    with _TURN:
        network = _USED[-1] if _USED else None
    if network is None or not isinstance(address, tuple) or tuple(address[:2]) != network.api:
        return
    plain = socket.socket.__new__(socket.socket)
    _ORIGINAL["__init__"](plain, sock.family, sock.type, sock.proto)
    with plain:
        is_blocking = os.get_blocking(sock.fileno())
        os.dup2(plain.fileno(), sock.fileno(), inheritable=False)
        os.set_blocking(sock.fileno(), is_blocking)


def _getaddrinfo(
    host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[tuple[Any, ...]]:
    with _TURN:
        network = _USED[-1] if _USED else None
    if network is None or (host, port) == network.api:
        found: list[tuple[Any, ...]] = _LOOKUPS["getaddrinfo"](host, port, family, type, proto, flags)
        return found
    about = [it.decode() if isinstance(it, bytes) else it for it in (host, port)]
    answer, _ = network.ask("getaddrinfo", *about, int(family), int(type), int(proto), int(flags))
    return [
        (socket.AddressFamily(f), socket.SocketKind(t), p, canonical, tuple(address))
        for f, t, p, canonical, address in answer
    ]


def _gethostbyname(name: str) -> str:
    return str(_getaddrinfo(name, None, socket.AF_INET)[0][4][0])
