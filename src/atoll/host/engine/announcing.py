"""Keeps in each Memcached engine the items by which it answers `config get cluster`.

The command itself stock Memcached does not know: between it and its clients somebody has it ask for an item instead,
and calls the answer by the other name: the kernel (`linux/discovery_rules.py`), or the relay (`flat/discovery.py`).

    await announcer.announce(node)       # the node answers what its plan says; why it cannot; HostError: it is silent

The items are looked at with `me`, which neither counts as a `get` nor moves an item up.  Where one was evicted, they
are fetched for some minutes instead, which keeps them from being the oldest again.  After a flush they are put back
at once.
"""

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from atoll.cache.node import NodePlan
from atoll.host.contract import HostError
from atoll.host.engine import memcached_binary as binary

OLDER_KEY = b"AmazonElastiCache:cluster"  # asked for by clients of engines before 1.4.14
TEXT_KEY = b"\x01cluster"  # eight bytes: "VALUE " and it are as long as "CONFIG cluster"
BINARY_KEY = b"\x01luster"  # as long as "cluster", and with its last byte: packets are rewritten in pairs of bytes
BINARY_FLAGS = 0x41546F4C  # tell that item from all others in an answer, which does not name its key

ANSWER_SECONDS = 1.0
ANSWER_BYTES_MAX = 4 << 10  # three lines of a hundred bytes
FETCH_SECONDS = 600.0  # after an item was evicted
FLUSHED_SECONDS = (0.0, 0.002, 0.02, 0.2)  # looks after a flush was seen: it happens a moment later
ITEMS = ((OLDER_KEY, 0), (TEXT_KEY, 0), (BINARY_KEY, BINARY_FLAGS))
_MARK = re.compile(rb" (?:cas=|c)(\d+)")


@dataclass(slots=True)
class Line:
    """A connection to one engine, and what was stored through it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    node: NodePlan  # as it was asked for last
    flushes: socket.socket | None = None  # tells of them
    repair: asyncio.Task[None] | None = None
    refused: str | None = None  # why the kernel does not take the rules
    told: bytes = b""
    marks: tuple[bytes | None, ...] = ()
    fetch_until: float = 0.0


class Announcing:
    """Announces the membership of clusters through all nodes; in the event loop's thread."""

    def __init__(self, open_socket: Callable[[str], socket.socket]) -> None:
        """Use `open_socket(interface id)` for TCP sockets."""
        self._open_socket = open_socket
        self._lines: dict[str, Line] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def announce(self, node: NodePlan) -> str | None:
        """Have a node answer what its plan says; returns why it cannot.  Raises HostError: no answer."""
        async with self._locks.setdefault(node.process, asyncio.Lock()):
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    line = self._lines.get(node.process) or await self._connect(node)
                    line.node = node
                    return await _settle(line, node.discovery) or line.refused
            except (OSError, EOFError, TimeoutError, ValueError, RuntimeError) as error:  # the last: uvloop
                self.forget(node.process)
                raise HostError(f"{type(error).__name__}: {error}", f"announce to {node.name}") from error

    def forget(self, process: str) -> None:
        """Close the connection to a process."""
        if line := self._lines.pop(process, None):
            line.writer.close()
            self.closed(line)
        lock = self._locks.get(process)
        if lock and not lock.locked():
            del self._locks[process]

    def flushed(self, process: str) -> None:
        """Put back what a flush took; it was seen on its way to the engine."""
        line = self._lines.get(process)
        if line and (line.repair is None or line.repair.done()):
            line.repair = asyncio.ensure_future(self._repair(line))

    async def opened(self, line: Line) -> None:
        """Do what else a new connection asks for; nothing, unless a host knows better."""

    def closed(self, line: Line) -> None:
        """Undo it."""

    async def _connect(self, node: NodePlan) -> Line:
        sock = await asyncio.to_thread(self._open_socket, node.interface_id)
        try:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (str(node.address), node.port))
            reader, writer = await asyncio.open_connection(sock=sock, limit=ANSWER_BYTES_MAX)
        except BaseException:
            sock.close()
            raise
        self._lines[node.process] = line = Line(reader, writer, node)
        await self.opened(line)
        return line

    async def _repair(self, line: Line) -> None:
        for pause in FLUSHED_SECONDS:
            await asyncio.sleep(pause)
            with contextlib.suppress(HostError):  # it has gone: whoever starts it announces
                await self.announce(line.node)


async def _settle(line: Line, told: bytes) -> str | None:
    """Store what is not as it was stored; returns what the engine says if it does not."""
    now = asyncio.get_running_loop().time()
    marks = await _marks(line, fetch=now < line.fetch_until)
    if line.told == told and line.marks == marks:
        return None
    is_repair = line.repair is not None and not line.repair.done()
    if line.told == told and None in marks and not is_repair:
        line.fetch_until = now + FETCH_SECONDS
    if refusal := await _store(line, told):
        return refusal
    line.told, line.marks = told, await _marks(line)
    return None


async def _marks(line: Line, *, fetch: bool = False) -> tuple[bytes | None, ...]:
    """Return what tells an item from its next version, for each item; None: it is not there."""
    if binary.is_spoken_by(line.node):
        line.writer.write(b"".join(binary.request(binary.GET, key) for key, _ in ITEMS))
        answers = await binary.answers(line.reader, len(ITEMS))
        return tuple(None if answer.status else str(answer.mark).encode() for answer in answers)
    command = b"mg %s c s\r\n" if fetch else b"me %s\r\n"
    said = await _ask(line, b"".join(command % key for key, _ in ITEMS))
    return tuple(found[1] if (found := _MARK.search(answer)) else None for answer in said)


async def _store(line: Line, told: bytes) -> str | None:
    """Store the items; returns what the engine says if it does not."""
    if binary.is_spoken_by(line.node):
        line.writer.write(b"".join(binary.set_request(key, flags, told) for key, flags in ITEMS))
        return binary.refusal(await binary.answers(line.reader, len(ITEMS)))
    said = await _ask(line, b"".join(_set(key, flags, told) for key, flags in ITEMS))
    return next((answer.decode(errors="replace") for answer in said if answer != b"STORED"), None)


async def _ask(line: Line, requests: bytes) -> list[bytes]:
    line.writer.write(requests)
    try:
        return [(await line.reader.readuntil(b"\r\n"))[:-2] for _ in ITEMS]
    except asyncio.LimitOverrunError as error:
        raise ValueError(f"not an answer of Memcached: {error}") from error


def _set(key: bytes, flags: int, value: bytes) -> bytes:
    return b"set %s %d 0 %d\r\n%s\r\n" % (key, flags, len(value), value)
