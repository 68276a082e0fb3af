"""Garbage at the sockets of what a guest meets, as the daemon serves them: in uvloop, on real connections.

A house is one service and somebody who means well.  Whatever is thrown at it, he is served afterwards, nothing that
rose came to the event loop, and of the connections nothing is left.
"""

import asyncio
import contextlib
import gc
import os
import random
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop
from dnslib import DNSRecord

from atoll.front import front_of
from atoll.guest.dns import Resolver
from atoll.guest.imds import Imds
from atoll.host.authority import Authority
from atoll.server import Server
from tests.fuzz.doors import HELLO, NOT_REQUESTS
from tests.guest.metadata import Guest
from tests.guest.test_imds import _AsTheInstance
from tests.server.test_front import endpoint

AT_ONCE = 24
LISTEN_SECONDS = 0.1  # to what is answered; some of it waits for more
LEAVE_SECONDS = 20.0  # until all connections have gone
QUESTION = DNSRecord.question("ip-10-0-0-55.ec2.internal").pack()
ASKED = len(QUESTION).to_bytes(2, "big") + QUESTION
ITEM = b"GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n"
CALL = b"GET /bucket?list-type=2 HTTP/1.1\r\nHost: s3.amazonaws.com\r\nAuthorization: x\r\nConnection: close\r\n\r\n"
PUT = b"PUT /bucket/k HTTP/1.1\r\nHost: s3.amazonaws.com\r\nAuthorization: x\r\nContent-Length: 5\r\n\r\nhello"
SOCKS = bytes.fromhex("050102 0104 656e692d 05 746f6b656e 050100 03 01 78 0050")


@dataclass(frozen=True)
class House:
    """A service, what one would send it, and whether it still answers."""

    seeds: tuple[bytes, ...]
    place: tuple[str, int]
    is_well: Callable[[], Awaitable[bool]]
    close: Callable[[], object]
    datagrams: tuple[str, int] | None = None


async def answers(place: tuple[str, int], asked: bytes, expected: bytes) -> bool:
    """Tell whether somebody who means well is answered."""
    reader, writer = await asyncio.open_connection(*place)
    try:
        writer.write(asked)
        return await reader.readexactly(len(expected)) == expected
    finally:
        writer.close()


async def resolver(web: Guest, _: Path) -> House:
    """Return the resolver of a VPC."""
    udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.create_server(("127.0.0.1", 0))
    udp.bind(("127.0.0.1", 0))
    place, datagrams = tcp.getsockname(), udp.getsockname()
    served = Resolver(web.vpc, lambda: web.paper.world.seen_by(None))
    await served.serve([udp, tcp])

    async def is_well() -> bool:
        by_datagram = await asyncio.to_thread(DNSRecord.parse(QUESTION).send, *datagrams, timeout=5)
        return by_datagram[:2] == QUESTION[:2] and await answers(place, ASKED, len(by_datagram).to_bytes(2, "big"))

    return House((ASKED, ASKED * 3, ASKED * 500, QUESTION), place, is_well, served.close, datagrams)


async def metadata(web: Guest, _: Path) -> House:
    """Return the metadata service of a VPC."""
    sock = socket.create_server(("127.0.0.1", 0))
    place = sock.getsockname()
    served = Imds(_AsTheInstance(web), lambda: web.paper.clock)  # type: ignore[arg-type]
    await served.serve([sock])
    return House((ITEM, *NOT_REQUESTS), place, lambda: answers(place, ITEM, b"HTTP/1.1 200"), served.close)


async def objects(web: Guest, directory: Path) -> House:
    """Return the store of objects behind a gateway endpoint."""
    sock = socket.create_server(("127.0.0.1", 0))
    place = sock.getsockname()
    served = front_of(endpoint("s3", "Gateway"), web.paper.backend, Authority(directory), directory)
    await served.serve([sock])
    return House((CALL, PUT, *NOT_REQUESTS), place, lambda: answers(place, CALL, b"HTTP/1.1 404"), served.close)


async def endpoint_over_tls(web: Guest, directory: Path) -> House:
    """Return an interface endpoint, whose clients shake hands first."""
    sock = socket.create_server(("127.0.0.1", 0))
    place, authority = sock.getsockname(), Authority(directory)
    context = await asyncio.to_thread(authority.server, ["localhost"])
    plain = front_of(endpoint(), web.paper.backend, authority, directory)
    served = Server(plain._answering, sock, context)
    await served.start()

    async def is_well() -> bool:
        trusting = ssl.create_default_context(cafile=authority.certificate())
        reader, writer = await asyncio.open_connection(*place, ssl=trusting, server_hostname="localhost")
        writer.write(CALL)
        is_answered = (await reader.read(12)) == b"HTTP/1.1 403"
        writer.close()
        return is_answered

    return House((*[whole_hello()] * len(NOT_REQUESTS), HELLO, *NOT_REQUESTS), place, is_well, served.abort)


def whole_hello() -> bytes:
    """Return how a client of TLS begins."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


HOUSES = {"resolver": resolver, "metadata": metadata, "objects": objects, "endpoint over TLS": endpoint_over_tls}


def worn(seeds: tuple[bytes, ...], rnd: random.Random) -> bytes:
    """Return what somebody sends who does not speak the protocol, or badly."""
    raw = bytearray(rnd.choice(seeds) if rnd.random() < 0.8 else rnd.randbytes(rnd.randint(0, 2_000)))
    for _ in range(rnd.randint(0, 4)):
        at = rnd.randint(0, len(raw))
        match rnd.randint(0, 4):
            case 0:
                raw[at : at + 1] = rnd.randbytes(1)
            case 1:
                raw[at:at] = rnd.randbytes(rnd.randint(1, 40))
            case 2:
                del raw[at : at + rnd.randint(1, 60)]
            case 3:
                raw[at:at] = raw[at : at + 300]
            case 4:
                del raw[at:]
    return bytes(raw)


async def throw(house: House, rnd: random.Random) -> int:
    """Send something in pieces, and go in one of the ways in which people go; returns how many bytes came back."""
    raw, heard = worn(house.seeds, rnd), 0
    if house.datagrams and rnd.random() < 0.3:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
            sock.sendto(raw[:60_000], house.datagrams)
        return 0
    with contextlib.suppress(OSError, EOFError, RuntimeError):  # the last: uvloop, where the other end has gone
        reader, writer = await asyncio.open_connection(*house.place)
        try:
            ends = sorted({*(rnd.randint(0, len(raw)) for _ in range(rnd.choice((0, 0, 1, 4)))), len(raw)})
            for at, end in zip([0, *ends], ends, strict=False):
                writer.write(raw[at:end])
                await asyncio.sleep(0)
            if rnd.random() < 0.3:
                writer.write_eof()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LISTEN_SECONDS):
                    while part := await reader.read(65_536):
                        heard += len(part)
        finally:
            writer.transport.abort() if rnd.random() < 0.5 else writer.close()
    return heard


async def besiege(name: str, web: Guest, directory: Path, visits: int, seed: str) -> int:
    """Throw so much at one house, and see that it stands; returns the visits that were answered."""
    rose: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, told: rose.append(told))
    house = await HOUSES[name](web, directory)
    assert await house.is_well(), "before"
    open_before, answered = len(os.listdir("/proc/self/fd")), 0
    for first in range(0, visits, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, visits))
        heard = await asyncio.gather(*(throw(house, random.Random(f"{seed} {number}")) for number in numbers))
        answered += sum(map(bool, heard))
        assert not rose, f"visits {numbers} of {seed}: {rose}"
    assert await house.is_well(), "after"
    async with asyncio.timeout(LEAVE_SECONDS):
        while len(os.listdir("/proc/self/fd")) > open_before:  # noqa: ASYNC110  # nobody tells when one has gone
            await asyncio.sleep(0.05)
    house.close()
    await asyncio.sleep(0)
    gc.collect()  # a task whose exception nobody looked at says so when it goes
    assert not rose, rose
    return answered


def run(name: str, web: Guest, directory: Path, visits: int, seed: str) -> int:
    """Besiege a house in the event loop of the daemon's."""
    return uvloop.run(besiege(name, web, directory, visits, seed))
