"""The relay: a SOCKS 5 proxy on loopback, through which programs have the network of an interface.

The user name says whose network it is: an interface's id, or the address of an internet client.  Each connection is
judged when it is asked for, and again when the network changes.  What the network drops is not refused: the client
waits, as for an answer to a packet that was lost, and is let in if the rule comes while it waits.
Sources: RFC 1928, RFC 1929.
"""

import asyncio
import contextlib
import hmac
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import cast

from atoll.host.flat import discovery
from atoll.host.flat.judge import Flow, Judge
from atoll.host.flat.places import Place
from atoll.model.ip import Ip
from atoll.network.flow import At

CONNECTIONS_MAX = 10_000
GREETING_SECONDS = 10.0
SILENCE_SECONDS = 127.0  # Linux gives up a connection whose first packets are lost after so long
CUT_SECONDS = 924.0  # and one whose later packets are lost: tcp_retries2
_VERSION, _BY_PASSWORD, _NO_METHOD, _CONNECT = 5, 2, 0xFF, 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_DONE, _UNREACHABLE, _REFUSED, _TOO_LATE, _UNSUPPORTED = 0, 4, 5, 6, 7

# Where the receiver of a flow listens, and its process if it is Memcached.
Locate = Callable[[Flow], tuple[Place, str] | None]
Resolve = Callable[[At, str], tuple[Ip, ...]]
Canonical = Callable[[Ip, int], tuple[Ip, int]]


class Relay:
    """Serves every program of one installation.  In the event loop's thread."""

    def __init__(self, judge: Judge, locate: Locate, resolve: Resolve, canonical: Canonical, token: str) -> None:
        """Judge by `judge`; `token` is the password of all users."""
        self._judge, self._locate, self._resolve, self._canonical = judge, locate, resolve, canonical
        self._token = token.encode()
        self._open: set[Link] = set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.flushed: Callable[[str], None] = lambda _: None  # called with the process whose items a client flushed

    async def serve(self, sock: socket.socket) -> None:
        """Serve on a socket that is bound."""
        self._server = await asyncio.start_server(self._serve, sock=sock)

    def close(self) -> None:
        """Close all connections."""
        if self._server:
            self._server.close()
        for link in list(self._open):
            link.close()

    @property
    def flows(self) -> tuple[Flow, ...]:
        """The connections that are open."""
        return tuple(link.flow for link in self._open)

    def review(self) -> None:
        """Judge every open connection again, and let those that wait ask again."""
        for link in list(self._open):
            link.hold(held=not self._judge.stands(link.flow))
        self._changed.set()
        self._changed = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                asked = await self._greet(reader, writer)
            if asked is None or len(self._open) >= CONNECTIONS_MAX:
                writer.close()
                return
            reply = await self._connect(*asked, reader, writer)
            if reply != _DONE:
                writer.write(_reply(reply))
                writer.close()
        except (OSError, EOFError, TimeoutError, ValueError):  # it hung up, or it does not speak SOCKS
            writer.transport.abort()

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[At, str | Ip, int] | None:
        """Return who wants to go where; None: it was told why not."""
        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if version != _VERSION or _BY_PASSWORD not in methods:
            writer.write(bytes((_VERSION, _NO_METHOD)))
            return None
        writer.write(bytes((_VERSION, _BY_PASSWORD)))
        _, length = await reader.readexactly(2)
        user = (await reader.readexactly(length)).decode()
        (length,) = await reader.readexactly(1)
        if not hmac.compare_digest(await reader.readexactly(length), self._token):
            writer.write(bytes((1, 1)))
            return None
        writer.write(bytes((1, 0)))
        _, command, _, kind = await reader.readexactly(4)
        if command != _CONNECT or kind not in (_IPV4, _NAME, _IPV6):
            writer.write(_reply(_UNSUPPORTED))
            return None
        where: str | Ip
        if kind == _NAME:
            (length,) = await reader.readexactly(1)
            where = (await reader.readexactly(length)).decode()
        else:
            raw = await reader.readexactly(4 if kind == _IPV4 else 16)
            where = IPv4Address(raw) if kind == _IPV4 else IPv6Address(raw)
        port = int.from_bytes(await reader.readexactly(2), "big")
        return user if user.startswith("eni-") else ip_address(user), where, port

    async def _connect(
        self, sender: At, where: str | Ip, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> int:
        """Connect as soon as the network lets it; returns a reply, `_DONE` if it was sent."""
        gone = asyncio.ensure_future(reader.read(1))  # nobody says anything before the reply: it is the end
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                while not gone.done():
                    flow, reply = self._ask(sender, where, port)
                    if flow is None and reply is not None:
                        return reply
                    if flow is not None:
                        gone.cancel()
                        await asyncio.gather(gone, return_exceptions=True)
                        return await self._join(flow, reader, writer)
                    changed = asyncio.ensure_future(self._changed.wait())
                    await asyncio.wait((gone, changed), return_when=asyncio.FIRST_COMPLETED)
                    changed.cancel()
        except TimeoutError:
            return _TOO_LATE
        finally:
            gone.cancel()
        raise EOFError

    def _ask(self, sender: At, where: str | Ip, port: int) -> tuple[Flow | None, int | None]:
        """Return a flow, or a reply that refuses; neither: the network drops it in silence."""
        if isinstance(where, str):
            with contextlib.suppress(ValueError):
                where = ip_address(where)
        found = self._resolve(sender, where) if isinstance(where, str) else (where,)
        if not found:
            return None, _UNREACHABLE
        address, port = self._canonical(found[0], port)
        flow, lost = self._judge.ask(sender, address, port)
        if flow is None and lost is None:
            return None, _UNREACHABLE
        return flow, None

    async def _join(self, flow: Flow, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        target = self._locate(flow)
        if target is None:
            self._judge.end(flow, is_last=not self._open)
            return _REFUSED
        place, memcached = target
        link = Link(flow, self._ended, memcached, self.flushed)
        try:
            await asyncio.get_running_loop().create_connection(link.server, str(place.address), place.port)
        except OSError:
            self._judge.end(flow, is_last=not self._open)
            return _REFUSED
        self._open.add(link)
        link.streams = reader, writer
        writer.write(_reply(_DONE))
        transport = writer.transport
        transport.set_protocol(link.client)
        link.client.connection_made(transport)
        link.hold(held=not self._judge.stands(flow))
        return _DONE

    def _ended(self, link: "Link") -> None:
        self._open.discard(link)
        self._judge.end(link.flow, is_last=not self._open)


class Link:
    """Two connections that are one."""

    def __init__(
        self, flow: Flow, ended: Callable[["Link"], None], memcached: str, flushed: Callable[[str], None]
    ) -> None:
        """Call `ended` when both have ended.  `memcached`: the process, if the engine is one."""
        self.flow, self._ended = flow, ended
        self._memcached, self._flushed = memcached, flushed
        self.client, self.server_side = Side(self, self._from_client), Side(self, self._from_server)
        self.client.other, self.server_side.other = self.server_side, self.client
        self._is_held, self._is_over = False, False
        self._cut: asyncio.TimerHandle | None = None
        self.streams: object = None  # of the greeting: asyncio closes the connection of those that nobody holds

    def server(self) -> "Side":
        """Return the protocol of the connection to the engine."""
        return self.server_side

    def hold(self, *, held: bool) -> None:
        """Let nothing pass, or all again: as of packets that are lost, the ends hear nothing of it."""
        if held is self._is_held or self._is_over:
            return
        self._is_held = held
        for side in (self.client, self.server_side):
            side.hold(held=held)
        if held:
            self._cut = asyncio.get_running_loop().call_later(CUT_SECONDS, self.close)
        elif self._cut:
            self._cut.cancel()

    def close(self) -> None:
        """End both, at once."""
        if self._is_over:
            return
        self._is_over = True
        if self._cut:
            self._cut.cancel()
        for side in (self.client, self.server_side):
            side.close()
        self._ended(self)

    def _from_client(self, sent: bytes) -> bytes:
        if not self._memcached:
            return sent
        if discovery.is_flush(sent):
            self._flushed(self._memcached)
        return discovery.request(sent)

    def _from_server(self, said: bytes) -> bytes:
        return discovery.answer(said) if self._memcached else said


class Side(asyncio.Protocol):
    """One of the two."""

    other: "Side"

    def __init__(self, link: Link, change: Callable[[bytes], bytes]) -> None:
        """Belong to a link; `change` is what becomes of what is read."""
        self._link, self._change = link, change
        self._transport: asyncio.Transport | None = None
        self._is_full, self._is_held, self._has_ended = False, False, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's looks like one, and is none
        self._transport.set_write_buffer_limits(high=1 << 18)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        if self.other._transport:
            self.other._transport.write(self._change(data))

    def eof_received(self) -> bool:
        """Pass the end on; the other way may go on."""
        self._has_ended = True
        if self.other._transport and not self.other._has_ended:
            self.other._transport.write_eof()
            return True
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End the other, when it has written what it has."""
        self._transport = None
        self._link.close()

    def pause_writing(self) -> None:
        """Read no more than can be passed on."""
        self._is_full = True
        self.other.settle()

    def resume_writing(self) -> None:
        """Read again."""
        self._is_full = False
        self.other.settle()

    def hold(self, *, held: bool) -> None:
        """Read nothing, or again."""
        self._is_held = held
        self.settle()

    def settle(self) -> None:
        """Read if there is nothing against it."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_held or self.other._is_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close(self) -> None:
        """End, with what is still to be written."""
        if self._transport:
            self._transport.abort() if self._is_held else self._transport.close()


def _reply(code: int) -> bytes:
    return bytes((_VERSION, code, 0, _IPV4)) + bytes(6)
