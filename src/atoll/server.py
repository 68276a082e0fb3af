"""An HTTP/1.1 server: reads requests from a socket that is open already, has them answered, writes the answers.

llhttp (through httptools) reads the protocol; here is what surrounds it: keep-alive, pipelining, limits, and an end.
It knows no framework and imports little: a general server costs 70 ms and 12 MB at the start, and half of the time
of a small answer (docs/performance.md).
"""

import asyncio
import contextlib
import functools
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, cast

import httptools

from atoll.aws.http import BODY_BYTES_MAX, Answer, Request, Stream

Answering = Callable[[Request], Awaitable[Answer | Stream]]  # what it raises is a mistake of ours
FAILED = Answer(
    500,
    {"content-type": "application/json"},
    b'{"error": "Atoll failed to answer", "next": "its log says why: atoll.log in the state directory"}',
)

CONNECTIONS_MAX = 1_000
HANDSHAKE_SECONDS = 5.0  # of TLS: meanwhile a connection is not counted
HEAD_BYTES_MAX = 64 << 10  # of the first line and the headers; those of a signed request have about 2 KB
PIPELINED_MAX = 16  # requests that wait on one connection; further ones wait in the kernel
IDLE_SECONDS = 75.0  # AWS's clients keep connections for 60 s
REQUEST_SECONDS = 30.0  # between the first and the last byte of a request: a client that drips is no client
LOOK_EVERY_SECONDS = 5.0  # for connections that take too long
PART_SECONDS = 2.0  # from an answer that cuts a client short until nothing more of him is read
THROWN_BYTES_MAX = 8 << 20  # or so much
FINISH_SECONDS = 2.0  # at the end, for requests that are being answered

_REASONS = {
    200: "OK", 202: "Accepted", 204: "No Content", 301: "Moved Permanently", 303: "See Other", 304: "Not Modified",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 409: "Conflict", 412: "Precondition Failed", 422: "Unprocessable Content",
    413: "Content Too Large", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
    501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip


class Server:
    """The connections of one socket."""

    def __init__(
        self,
        answering: Answering,
        sock: socket.socket,
        tls: ssl.SSLContext | None = None,
        *,
        of_one_max: int = CONNECTIONS_MAX,
    ) -> None:
        """Have requests answered by `answering`, over TLS if there is a context; nothing is accepted yet.

        `of_one_max`: connections from one address.
        """
        self.answering, self._sock, self._tls, self._of_one_max = answering, sock, tls, of_one_max
        self.connections: set[_Connection] = set()
        self._peers = Counter[str]()  # of the connections
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept connections."""
        loop = asyncio.get_running_loop()
        more: dict[str, Any] = {"ssl_handshake_timeout": HANDSHAKE_SECONDS} if self._tls else {}
        self._listening = await loop.create_server(self.connection, sock=self._sock, ssl=self._tls, **more)
        self.begin()

    def connection(self, answering: Answering | None = None) -> "_Connection":
        """Return what serves one connection; by another answering than the server's, if one is given."""
        return _Connection(self, answering or self.answering)

    def enter(self, connection: "_Connection") -> bool:
        """Take note of a connection that was made; tells whether there is room for it."""
        self.connections.add(connection)
        self._peers[connection.peer] += 1
        return len(self.connections) <= CONNECTIONS_MAX and self._peers[connection.peer] <= self._of_one_max

    def leave(self, connection: "_Connection") -> None:
        """Forget a connection that has ended."""
        self.connections.discard(connection)
        self._peers -= Counter((connection.peer,))

    def begin(self, *tasks: Coroutine[Any, Any, None]) -> None:
        """Run what runs while connections are served."""
        self._tasks += map(asyncio.get_running_loop().create_task, (self._close_idle(), *tasks))

    def close_door(self) -> None:
        """Accept no more."""
        if self._listening:
            self._listening.close()
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Accept no more, let those finish that are being answered (for FINISH_SECONDS), and close all."""
        assert self._tasks, "it was started"
        self.close_door()
        answering = [task for c in tuple(self.connections) if (task := c.close_when_answered())]
        if answering:
            await asyncio.wait(answering, timeout=FINISH_SECONDS)
        for connection in tuple(self.connections):
            connection.abort()

    def abort(self) -> None:
        """Accept no more, and close all at once."""
        assert self._tasks, "it was started"
        self.close_door()
        for connection in tuple(self.connections):
            connection.abort()

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            now = time.monotonic()
            for connection in tuple(self.connections):
                if connection.is_overdue(now) and not connection.is_answering:
                    connection.time_out()


class _Connection(asyncio.Protocol):
    """One connection: its parser, the requests that wait, and the task that answers them one after another."""

    def __init__(self, server: Server, answering: Answering) -> None:
        self._server, self._answering = server, answering
        self.peer = ""  # the address that it comes from
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()  # with whether the connection stays open
        self._task: asyncio.Task[None] | None = None
        self._flushed: asyncio.Future[None] | None = None  # there while the client reads too slowly
        self._closing = False  # what comes now is not read any more; what was asked before is answered
        self._is_ending = False  # the server ends
        self.is_answering = self._is_streaming = False
        self.last_seen = time.monotonic()
        self._head_number, self._is_cut = 0, False  # cut: what still comes of a request is not worth reading
        self._thrown_bytes, self._refused = 0, 0  # refused: the status that follows what is being answered
        self._begun: float | None = None  # when the first byte came of a request that is not complete yet
        self._begin()

    # From the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._server.enter(self):
            self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server.leave(self)
        self._closing = True
        self._waiting.clear()
        self.resume_writing()
        if self._task and self._is_streaming:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self.last_seen = time.monotonic()
        if self._begun is None:
            self._begun = self.last_seen
        if self._closing:
            self._thrown_bytes += len(data)
            if self._thrown_bytes > THROWN_BYTES_MAX:
                self._transport.abort()
            return
        head, was_in_head = self._head_number, self._is_in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # the request is answered as if it had not asked for another protocol
            self._closing = True
            if self._waiting:
                self._waiting[-1] = self._waiting[-1][0], False
        except httptools.HttpParserError:
            self._refuse(400)
        else:  # one endless header is told to nobody before its end
            if was_in_head and self._is_in_head and head == self._head_number:
                self._unseen_bytes += len(data)
                self._measure_head(0)

    def pause_writing(self) -> None:
        self._flushed = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._flushed and not self._flushed.done():
            self._flushed.set_result(None)
        self._flushed = None

    # From the parser

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._measure_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._measure_head(len(name) + len(value))
        key, text = _header_name(name), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]},{text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if self._headers.get("expect", "").lower() == "100-continue" and not self._closing:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._closing:
            return
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > BODY_BYTES_MAX:  # whoever answers will refuse it; the rest is not worth reading
            self._is_cut = True
            self._ask(stays_open=False)

    def on_message_complete(self) -> None:
        if not self._closing:
            self._ask(stays_open=self._parser.should_keep_alive())

    # Answers

    def is_overdue(self, now: float) -> bool:
        """Tell whether it has been silent for too long, or has been at one request for too long."""
        return self.last_seen < now - IDLE_SECONDS or (self._begun or now) < now - REQUEST_SECONDS

    def close_when_answered(self) -> "asyncio.Task[None] | None":
        """Read no more; close now, or when what was asked is answered: then return the task that answers."""
        self._closing = self._is_ending = True
        if self._is_streaming:  # it may have no end
            self.abort()
        if self._task is None:
            self._transport.close()
        return self._task

    def time_out(self) -> None:
        """Say that a request took too long to come, if one had begun, and close."""
        if self._begun is None or self._closing:
            self.abort()
        else:
            self._refuse(408)

    def abort(self) -> None:
        """Close at once."""
        if self._task:
            self._task.cancel()
        self._transport.abort()

    def _begin(self) -> None:
        self._url, self._begun = b"", None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._body_bytes = self._head_bytes = self._unseen_bytes = 0
        self._is_in_head, self._head_number = True, self._head_number + 1

    def _measure_head(self, more: int) -> None:
        self._head_bytes += more
        if max(self._head_bytes, self._unseen_bytes) > HEAD_BYTES_MAX and not self._closing:
            self._refuse(431)

    def _ask(self, *, stays_open: bool) -> None:
        path, _, query = self._url.partition(b"?")
        if not path.startswith(b"/"):  # a client that takes us for a proxy
            path = httptools.parse_url(self._url).path or b"/"
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            path=path.decode("latin-1"),
            query=query.partition(b"#")[0].decode("latin-1"),
            headers=self._headers,
            body=b"".join(self._body)[: BODY_BYTES_MAX + 1],
            peer=self.peer,
        )
        self._begin()
        self._closing = not stays_open
        self._waiting.append((request, stays_open))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._answer())
        if len(self._waiting) >= PIPELINED_MAX or self._closing:
            self._transport.pause_reading()

    async def _answer(self) -> None:
        try:
            while self._waiting:
                request, stays_open = self._waiting.popleft()
                self.is_answering = True
                try:
                    answer = await self._answering(request)
                except Exception:
                    self._transport.write(_written(FAILED, with_body=request.method != "HEAD", stays_open=False))
                    self._part()
                    raise  # into the log; who asked knows at once, instead of waiting for nothing
                if isinstance(answer, Stream):
                    await self._stream(answer)
                    return
                self.is_answering = False
                if self._transport.is_closing():  # the client went without waiting for it
                    return
                self.last_seen = time.monotonic()
                stays_open = stays_open and not (self._is_ending and not self._waiting)
                self._transport.write(_written(answer, with_body=request.method != "HEAD", stays_open=stays_open))
                if self._flushed:
                    await self._flushed
                if not stays_open:
                    self._part()
                    return
            if not self._transport.is_closing():
                self._transport.resume_reading()
        finally:
            self._task, self.is_answering = None, False
        if self._refused and not self._transport.is_closing():
            self._refuse(self._refused)

    async def _stream(self, stream: Stream) -> None:
        """Write pieces as they come, until there are no more or nobody listens; then close the connection.

        Nobody listens who has not taken a piece within IDLE_SECONDS: of an object 256 KiB, 3.5 KB a second.
        """
        self._is_streaming = self._closing = True  # what the client sends now is not read any more, but its end is
        self._transport.resume_reading()
        try:
            if not self._transport.is_closing():
                self._transport.write(_head(stream.status, stream.headers, ["connection: close"]))
            async with contextlib.aclosing(stream.pieces):
                async for piece in stream.pieces:  # at least once: a generator that never began would not end
                    if self._transport.is_closing() or self._is_ending:
                        break
                    self._transport.write(piece)
                    if self._flushed and not (await asyncio.wait([self._flushed], timeout=IDLE_SECONDS))[0]:
                        self._transport.abort()  # who reads nothing would keep it, and what he asked for, for ever
                        break
        finally:
            self._transport.close()

    def _refuse(self, status: int) -> None:
        """Answer what is not a request that anybody could answer, after what came before it, and close."""
        self._closing = True
        self._is_cut = True
        if self._task:
            self._refused = status
            return
        self._transport.write(_written(Answer(status, {}, b""), with_body=True, stays_open=False))
        self._part()

    def _part(self) -> None:
        """Close so that the answer arrives: to close while bytes come in takes it back (RFC 9112, section 9.6)."""
        if not self._is_cut or self._transport.is_closing() or not self._transport.can_write_eof():  # not in TLS
            self._transport.close()
            return
        self._transport.resume_reading()  # and throw away
        self._transport.write_eof()
        asyncio.get_running_loop().call_later(PART_SECONDS, self._transport.close)


def _written(answer: Answer, *, with_body: bool, stays_open: bool) -> bytes:
    more = [] if answer.status == 204 else [f"content-length: {len(answer.body)}"]  # RFC 9110, section 8.6
    if not stays_open:
        more.append("connection: close")
    head = _head(answer.status, answer.headers, more)
    return head + answer.body if with_body else head


def _head(status: int, headers: Mapping[str, str], more: list[str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}", f"date: {_date()}"]
    lines += [f"{name.lower()}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode("latin-1", "replace")


@functools.lru_cache(maxsize=64)  # clients send a dozen
def _header_name(name: bytes) -> str:
    return name.decode("latin-1").lower()


_dated = (0, "")


def _date() -> str:
    """Return the time as HTTP writes it; made once a second."""
    global _dated
    now = int(time.time())
    if _dated[0] != now:
        _dated = now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
    return _dated[1]
