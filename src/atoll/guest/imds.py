"""The instance metadata service, versions 1 and 2: HTTP at 169.254.169.254 (and, where it is enabled,
fd00:ec2::254), one request per connection, as on AWS.

Who asks is who the packet comes from: the router lets an interface send from its own addresses only.  The answer to a
PUT leaves with the instance's hop limit as its IP TTL, so that a token does not travel further than the owner allows;
since each connection ends with its answer, nothing else does either.
Source: EC2 User Guide, "Use the Instance Metadata Service"; rows 128 and 129.
"""

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import cast
from urllib.parse import unquote

import httptools

from atoll.aws.http import Answer, Request
from atoll.guest import metadata, token
from atoll.guest.issuer import Issuer
from atoll.model.instance import Instance
from atoll.model.world import World
from atoll.store.sqlite import StoreError

PORT = 80
TTL_HEADER, TOKEN_HEADER = "x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token"
TOKEN_PATH = "/latest/api/token"
TOKEN_SECONDS_MAX = 21_600
REQUEST_BYTES_MAX = 8 << 10  # a request with its token has about 300
EXCHANGE_SECONDS = 5.0  # from the connection's begin to the answer's end
CONNECTIONS_MAX = 512  # of a VPC
CONNECTIONS_OF_ONE_MAX = 32  # so that nobody keeps the others out

_UNHEARD_MS = 5_000  # for how long the kernel repeats an answer that nobody acknowledges

_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 413: "Content Too Large", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip
_PAGE = """<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{status} - {reason}</title>
 </head>
 <body>
  <h1>{status} - {reason}</h1>
 </body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out, and how far: `hop_limit` is the IP TTL of its packets; None: as far as it likes."""

    answer: Answer
    hop_limit: int | None = None


class Answers:
    """Answers the requests of one VPC's instances."""

    def __init__(self, vpc_id: str, world: Callable[[], World], issuer: Issuer, now: Callable[[], datetime]) -> None:
        """Prepare; `world` and `now` return those of the moment."""
        self._vpc_id, self._world, self._issuer, self._now = vpc_id, world, issuer, now

    async def reply(self, request: Request) -> Reply:
        """Answer a request; its `peer` says who asks."""
        world = self._world()
        instance = metadata.instance_at(world, self._vpc_id, ip_address(request.peer))
        if instance is None:
            return Reply(_refusal(404))
        over_ipv6 = ":" in request.peer
        if instance.metadata.endpoint == "disabled" or (over_ipv6 and instance.metadata.ipv6 == "disabled"):
            return Reply(_refusal(403))
        try:
            if request.method == "PUT":
                return Reply(self._put(instance, request), instance.metadata.hop_limit)
            if request.method in ("GET", "HEAD"):
                return Reply(await self._get(world, instance, request))
        except StoreError:
            return Reply(_refusal(500))
        return Reply(_refusal(405, {"allow": "GET, HEAD, PUT"}))

    def _put(self, instance: Instance, request: Request) -> Answer:
        """Give a session token."""
        if "x-forwarded-for" in request.headers:  # it was sent by a proxy for somebody else
            return _refusal(403)
        if request.path != TOKEN_PATH:
            versions = {f"/{version}/api/token" for version in metadata.VERSIONS}
            return _refusal(403) if request.path in versions else _refusal(405, {"allow": "GET, HEAD"})
        asked = request.headers.get(TTL_HEADER, "")
        if not (asked.isascii() and asked.isdecimal() and len(asked) <= 5 and 1 <= int(asked) <= TOKEN_SECONDS_MAX):
            return _refusal(400)
        made = token.new_token(
            self._issuer.token_key(),
            instance.id,
            ends=self._now() + timedelta(seconds=int(asked)),
            nonce=secrets.token_bytes(token.NONCE_BYTES),
        )
        return _text(made.encode(), {TTL_HEADER: str(int(asked))})

    async def _get(self, world: World, instance: Instance, request: Request) -> Answer:
        more: dict[str, str] = {}
        given = request.headers.get(TOKEN_HEADER)
        if given is not None:
            left = token.seconds_left(self._issuer.token_key(), instance.id, given, self._now())
            if left is None:
                return _refusal(401)
            more[TTL_HEADER] = str(left)
        elif instance.metadata.tokens == "required":
            return _refusal(401)
        if request.path == TOKEN_PATH:
            return _refusal(405, {"allow": "OPTIONS, PUT"})
        segments = [unquote(part) for part in request.path.split("/") if part]
        if "instance-identity" in segments:
            await self._issuer.make_identity_key(instance.region)
        found = metadata.read(world, instance, segments, self._issuer)
        if found is None:
            return _refusal(404)
        if isinstance(found, bytes):
            return _text(found, more, "application/octet-stream")
        text = found if isinstance(found, str) else found.text() if isinstance(found, metadata.Folder) else found()
        return _text(text.encode(), more)


def _text(body: bytes, more: Mapping[str, str], kind: str = "text/plain") -> Answer:
    return Answer(200, {"content-type": kind, "accept-ranges": "none", **more}, body)


def _refusal(status: int, more: Mapping[str, str] | None = None) -> Answer:
    page = _PAGE.format(status=status, reason=_REASONS[status])
    return Answer(status, {"content-type": "text/html", **(more or {})}, page.encode())


class Imds:
    """Serves the metadata of one VPC's instances on the sockets it is given, until closed."""

    def __init__(self, answers: Answers, now: Callable[[], datetime]) -> None:
        """Prepare."""
        self.answers, self.now = answers, now
        self.connections: Counter[str] = Counter()  # by the address of who asks
        self.open: set[asyncio.Transport] = set()
        self._servers: list[asyncio.Server] = []

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Serve on sockets that listen."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            sock.setblocking(False)
            self._servers.append(await loop.create_server(lambda: _Connection(self), sock=sock))

    def close(self) -> None:
        """Close the sockets."""
        for server in self._servers:
            server.close()
        for transport in tuple(self.open):
            transport.abort()


class _Connection(asyncio.Protocol):
    """One connection: one request, one answer."""

    def __init__(self, imds: Imds) -> None:
        self._imds = imds
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._bytes = b"", 0
        self._headers: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_answered = False  # or being answered: what comes now is not read any more

    # From the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer: str = (transport.get_extra_info("peername") or ("",))[0]
        self._imds.open.add(self._transport)
        self._imds.connections[self._peer] += 1
        self._deadline = asyncio.get_running_loop().call_later(EXCHANGE_SECONDS, self._transport.abort)
        of_one = self._imds.connections[self._peer] > CONNECTIONS_OF_ONE_MAX
        if of_one or len(self._imds.open) > CONNECTIONS_MAX:
            self._send(Reply(_refusal(503)), with_body=True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._deadline.cancel()
        self._imds.open.discard(self._transport)
        self._imds.connections[self._peer] -= 1
        if not self._imds.connections[self._peer]:
            del self._imds.connections[self._peer]
        if self._task:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._is_answered:
            return
        self._bytes += len(data)
        if self._bytes > REQUEST_BYTES_MAX:
            self._send(Reply(_refusal(413)), with_body=True)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # the request was complete, and is answered as if it had not asked for another protocol
        except httptools.HttpParserError:
            if not self._is_answered:
                self._send(Reply(_refusal(400)), with_body=True)

    # From the parser

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        self._headers[key] = f"{self._headers[key]},{text}" if key in self._headers else text

    def on_message_complete(self) -> None:
        if self._is_answered:
            return
        self._is_answered = True
        path, _, query = self._url.partition(b"?")
        if not path.startswith(b"/"):  # as one asks a proxy; we are none
            self._send(Reply(_refusal(400)), with_body=True)
            return
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, path.decode("latin-1"), query.decode("latin-1"), self._headers, b"", self._peer)
        self._task = asyncio.get_running_loop().create_task(self._reply(request))

    # Answers

    async def _reply(self, request: Request) -> None:
        try:
            self._send(await self._imds.answers.reply(request), with_body=request.method != "HEAD")
        except BaseException:  # a mistake of ours, which asyncio logs
            self._transport.abort()
            raise

    def _send(self, reply: Reply, *, with_body: bool) -> None:
        self._is_answered = True
        if reply.hop_limit is not None:
            sock = self._transport.get_extra_info("socket")
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, reply.hop_limit)
            else:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, reply.hop_limit)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)  # nobody may be in reach
        self._transport.write(_written(reply.answer, self._imds.now(), with_body=with_body))
        self._transport.close()


def _written(answer: Answer, now: datetime, *, with_body: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}",
        *(f"{name.title()}: {value}" for name, value in answer.headers.items()),
        f"Content-Length: {len(answer.body)}",
        f"Date: {now:%a, %d %b %Y %H:%M:%S} GMT",
        "Server: EC2ws",
        "Connection: close",
    ]
    head = "\r\n".join((*lines, "", "")).encode("latin-1")
    return head + answer.body if with_body else head
