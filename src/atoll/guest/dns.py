"""The VPC resolver: DNS over UDP and TCP at the VPC's base + 2 and at 169.254.169.253.

A server per VPC and one for the internet; each only carries bytes between its sockets and `resolve`.  The sockets
were opened inside the router's namespace by the host, and stay there whatever thread serves them.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable
from typing import cast

from dnslib import AAAA, PTR, QTYPE, RCODE, RR, A, DNSHeader, DNSQuestion, DNSRecord
from dnslib.dns import DNSError
from dnslib.label import DNSBuffer, DNSLabelError

from atoll.guest.resolve import TTL_SECONDS, addresses, reverse
from atoll.model.world import World

PORT = 53
_QUERY_BYTES_MAX = 4096
_QUESTION_ENDS = 12 + 255 + 4  # at the latest: header, name, type and class (RFC 1035, 2.3.4 and 4.1)
_TCP_SECONDS = 10.0  # for all that one connection asks
_TCP_PART_SECONDS = 2.0  # until its last answers must have been taken
_TCP_CLIENTS_MAX = 512  # of a resolver
_TCP_CLIENTS_OF_ONE_MAX = 16  # so that nobody keeps the others out; a program opens one


def answer(world: World, vpc_id: str | None, query: bytes) -> bytes | None:
    """Answer one DNS message; `None` when it is not one, which deserves no answer.

    A query has one question (RFC 9619).  What comes behind it is not looked at: to read thousands of records, each a
    pointer to a long name, takes seconds.
    """
    buffer = DNSBuffer(query[:_QUESTION_ENDS])
    try:
        header = DNSHeader.parse(buffer)
        if header.qr or header.q != 1:
            return None
        request = DNSRecord(header, questions=[DNSQuestion.parse(buffer)])
    except (DNSError, struct.error, UnicodeError, ValueError, IndexError):
        return None
    try:
        return bytes(_reply(world, vpc_id, request).pack())
    except DNSLabelError:  # dnslib reads names that it does not write: longer than RFC 1035 allows
        return None


def _reply(world: World, vpc_id: str | None, request: DNSRecord) -> DNSRecord:
    reply, question = request.reply(ra=1, aa=0), request.questions[0]
    name, kind = str(question.qname), question.qtype
    if kind == QTYPE.PTR:
        if target := reverse(world, vpc_id, name):
            reply.add_answer(RR(name, QTYPE.PTR, rdata=PTR(target), ttl=60))
        else:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply
    found = addresses(world, vpc_id, name)
    if found is None:
        reply.header.rcode = RCODE.NXDOMAIN
    else:
        turn = request.header.id % len(found) if found else 0  # round robin: the reader's name has several
        for address in (*found[turn:], *found[:turn]):
            its_kind, record = (QTYPE.A, A) if address.version == 4 else (QTYPE.AAAA, AAAA)
            if kind in (its_kind, QTYPE.ANY):
                reply.add_answer(RR(name, its_kind, rdata=record(str(address)), ttl=TTL_SECONDS))
    return reply


class Resolver:
    """Serves one VPC (or, with `vpc_id` None, the internet) on the sockets it is given, until closed."""

    def __init__(self, vpc_id: str | None, world: Callable[[], World]) -> None:
        """Prepare; `world` returns the World of the moment."""
        self._vpc_id, self._world = vpc_id, world
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._tcp_clients = Counter[str]()  # by the address of who asks

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Serve on bound sockets, datagram and (listening) stream ones."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            sock.setblocking(False)
            if sock.type == socket.SOCK_DGRAM:
                transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._answer), sock=sock)
                self._transports.append(transport)
            else:
                self._servers.append(await asyncio.start_server(self._stream, sock=sock))

    def close(self) -> None:
        """Close the sockets."""
        for transport in self._transports:
            transport.abort()
        for server in self._servers:
            server.close()

    def _answer(self, query: bytes) -> bytes | None:
        return answer(self._world(), self._vpc_id, query)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the messages of one TCP connection, each behind its length.  RFC 1035, 4.2.2."""
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        self._tcp_clients[peer] += 1
        try:
            if self._tcp_clients[peer] <= _TCP_CLIENTS_OF_ONE_MAX and self._tcp_clients.total() <= _TCP_CLIENTS_MAX:
                async with asyncio.timeout(_TCP_SECONDS):
                    await self._converse(reader, writer)
        except (OSError, EOFError, TimeoutError):
            pass  # the guest went away or fell silent: there is nobody to tell
        finally:
            await _part(writer)
            self._tcp_clients -= Counter((peer,))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            query = await reader.readexactly(size)
            if size > _QUERY_BYTES_MAX or (reply := self._answer(query)) is None:
                return
            writer.write(struct.pack("!H", len(reply)) + reply)
            await writer.drain()


async def _part(writer: asyncio.StreamWriter) -> None:
    """Close a connection; who does not take what he asked for has it cut."""
    writer.close()
    try:
        async with asyncio.timeout(_TCP_PART_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # the selector loop's is none by type

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) <= _QUERY_BYTES_MAX and (reply := self._answer(data)):
            self._transport.sendto(reply, addr)
