"""The API where other machines reach it: over TLS, by the authority of this installation, on the same port.

What comes from this machine itself may speak plainly, as it does where Atoll listens on loopback only; everybody else
is told to speak TLS.  The first byte of a connection says which it is: 22 begins a TLS handshake, and no request.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from atoll.aws.http import Answer, Request
from atoll.control.events import log
from atoll.host.authority import Authority
from atoll.host.errors import HostError
from atoll.options import Options
from atoll.server import CONNECTIONS_MAX, Answering, Server

BEGIN_SECONDS = 10.0  # to the first byte, and for the handshake
PEER_CONNECTIONS_MAX = 250  # of one other machine: it leaves some to the rest
PAUSE_SECONDS = 0.1  # when no connection can be accepted: no descriptor is free
_TLS = b"\x16"
_TEXT = b"This is answered over TLS only: use https://, and trust authority/ca.pem of Atoll's state directory.\n"


def server_of(options: Options, answering: Answering, sock: socket.socket, authority: Authority) -> Server:
    """Return the server of the API, as it was asked for.  Raises HostError."""
    if not options.is_abroad:
        return Server(answering, sock)
    authority.certificate()  # clients will look for it
    return SecureServer(answering, sock, authority, options.bind)


class SecureServer(Server):
    """A server whose connections are looked at before they are served."""

    def __init__(
        self,
        answering: Answering,
        sock: socket.socket,
        authority: Authority,
        name: str,
        *,
        is_ours: Callable[[str, str], bool] | None = None,
    ) -> None:
        """Serve on a socket that listens; `name` is what it is bound to.

        `is_ours(peer, own)` tells whether who connects from `peer` to our address `own` is on this machine.
        """
        super().__init__(answering, sock)
        self._names = {name, socket.gethostname(), "localhost"} - {"0.0.0.0", "::"}
        self._authority, self._is_ours = authority, is_ours or _is_of_this_machine
        self._contexts: dict[str, asyncio.Task[ssl.SSLContext]] = {}  # by our own address: there are few
        self._welcoming: dict[asyncio.Task[None], str] = {}  # and from whom

    async def start(self) -> None:
        """Accept connections."""
        self._sock.setblocking(False)
        self.begin(self._accept())

    def close_door(self) -> None:
        """Accept no more."""
        super().close_door()
        for task in self._welcoming:
            task.cancel()
        self._sock.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(self._sock)
            except OSError as error:
                log("connection not accepted", because=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if len(self._welcoming) >= CONNECTIONS_MAX:
                sock.close()
                continue
            peer = _plain(address[0])
            task = loop.create_task(self._welcome(sock, peer))
            self._welcoming[task] = peer
            task.add_done_callback(self._welcoming.pop)

    async def _welcome(self, sock: socket.socket, peer: str) -> None:
        try:
            own = _plain(sock.getsockname()[0])
            is_ours = self._is_ours(peer, own)
            if not is_ours and self._count(peer) > PEER_CONNECTIONS_MAX:
                raise HostError(f"it has {PEER_CONNECTIONS_MAX} already", "accept a connection")
            async with asyncio.timeout(BEGIN_SECONDS):
                first = await _first_byte(sock)
            if first == _TLS:
                await self._serve(sock, await self._context(own))
            else:
                await self._serve(sock, None, None if is_ours else _say_tls)
        except (OSError, TimeoutError, HostError) as error:  # also what TLS has against a client
            log("connection refused", peer=peer, because=str(error) or type(error).__name__)
            sock.close()
        except asyncio.CancelledError:
            sock.close()
            raise

    async def _serve(
        self, sock: socket.socket, tls: ssl.SSLContext | None, answering: Answering | None = None
    ) -> None:
        more: dict[str, Any] = {"ssl_handshake_timeout": BEGIN_SECONDS} if tls else {}
        connection = functools.partial(self.connection, answering)
        await asyncio.get_running_loop().connect_accepted_socket(connection, sock, ssl=tls, **more)

    async def _context(self, own: str) -> ssl.SSLContext:
        if own not in self._contexts:
            make = functools.partial(self._authority.server, [own, *sorted(self._names - {own})])
            self._contexts[own] = asyncio.create_task(asyncio.to_thread(make))
        try:
            return await asyncio.shield(self._contexts[own])
        except HostError:
            self._contexts.pop(own, None)  # the next client tries again
            raise

    def _count(self, peer: str) -> int:
        """Count the connections from a machine, also those that have said nothing yet."""
        served = sum(_plain(connection.peer) == peer for connection in self.connections)
        return served + sum(of == peer for of in self._welcoming.values())


async def _say_tls(_: Request) -> Answer:
    return Answer(400, {"content-type": "text/plain"}, _TEXT)


async def _first_byte(sock: socket.socket) -> bytes:
    """Wait for a connection's first byte, and leave it there; empty if there is none."""
    sock.setblocking(False)
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(sock)
    return sock.recv(1, socket.MSG_PEEK)


def _plain(address: str) -> str:
    """Write an IPv4 address that came by an IPv6 socket as IPv4 does."""
    mapped = getattr(ip_address(address.partition("%")[0]), "ipv4_mapped", None) if address else None
    return str(mapped or address)


def _is_of_this_machine(peer: str, own: str) -> bool:
    """Tell by its address.  One's own never comes in from outside: the kernel drops such packets."""
    return peer == own or ip_address(peer.partition("%")[0]).is_loopback
