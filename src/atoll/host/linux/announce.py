"""Keeps in each Memcached engine the items by which it answers `config get cluster` (`discovery_rules.py` says how).

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
from atoll.host.linux import packet_log
from atoll.host.linux.discovery_rules import BINARY_FLAGS, BINARY_KEY, FLUSH_LOG, OLDER_KEY, TEXT_KEY, rules
from atoll.host.linux.namespaces import Namespaces
from atoll.host.linux.nft import Nft

ANSWER_SECONDS = 1.0
ANSWER_BYTES_MAX = 4 << 10  # three lines of a hundred bytes
FETCH_SECONDS = 600.0  # after an item was evicted
FLUSHED_SECONDS = (0.0, 0.002, 0.02, 0.2)  # looks after a flush was seen: it happens a moment later
ITEMS = ((OLDER_KEY, 0), (TEXT_KEY, 0), (BINARY_KEY, BINARY_FLAGS))
_MARK = re.compile(rb" (?:cas=|c)(\d+)")


@dataclass(slots=True)
class _Line:
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


class Announcer:
    """Announces the membership of clusters through all nodes; in the event loop's thread."""

    def __init__(self, namespaces: Namespaces, open_socket: Callable[[str], socket.socket]) -> None:
        """Use `open_socket(interface id)` for TCP sockets."""
        self._namespaces, self._open_socket = namespaces, open_socket
        self._lines: dict[str, _Line] = {}
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
            if line.flushes:
                asyncio.get_running_loop().remove_reader(line.flushes)
                line.flushes.close()
        lock = self._locks.get(process)
        if lock and not lock.locked():
            del self._locks[process]

    async def _connect(self, node: NodePlan) -> _Line:
        sock = await asyncio.to_thread(self._open_socket, node.interface_id)
        try:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (str(node.address), node.port))
            reader, writer = await asyncio.open_connection(sock=sock, limit=ANSWER_BYTES_MAX)
        except BaseException:
            sock.close()
            raise
        self._lines[node.process] = line = _Line(reader, writer, node)
        line.refused, line.flushes = await asyncio.to_thread(self._put_rules, node)
        if line.flushes:
            asyncio.get_running_loop().add_reader(line.flushes, self._flushed, line)
        return line

    def _put_rules(self, node: NodePlan) -> tuple[str | None, socket.socket | None]:
        """Return why the kernel does not take the rules, and what tells of flushes, if it can."""
        with self._namespaces.opened(node.interface_id) as namespace, Nft(namespace) as nft:
            try:
                log = packet_log.open_log(self._namespaces, node.interface_id, FLUSH_LOG)
                try:
                    nft.run(rules(node.port))
                except HostError:
                    log.close()
                    raise
                return None, log
            except HostError:  # it cannot log: a flush is seen at the next look
                try:
                    nft.run(rules(node.port, log=False))
                except HostError as error:
                    return str(error), None
                return None, None

    def _flushed(self, line: _Line) -> None:
        assert line.flushes, "it is what was readable"
        packet_log.drain(line.flushes)
        if line.repair is None or line.repair.done():
            line.repair = asyncio.ensure_future(self._repair(line))

    async def _repair(self, line: _Line) -> None:
        for pause in FLUSHED_SECONDS:
            await asyncio.sleep(pause)
            with contextlib.suppress(HostError):  # it has gone: whoever starts it announces
                await self.announce(line.node)


async def _settle(line: _Line, told: bytes) -> str | None:
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


async def _marks(line: _Line, *, fetch: bool = False) -> tuple[bytes | None, ...]:
    """Return what tells an item from its next version, for each item; None: it is not there."""
    if binary.is_spoken_by(line.node):
        line.writer.write(b"".join(binary.request(binary.GET, key) for key, _ in ITEMS))
        answers = await binary.answers(line.reader, len(ITEMS))
        return tuple(None if answer.status else str(answer.mark).encode() for answer in answers)
    command = b"mg %s c s\r\n" if fetch else b"me %s\r\n"
    said = await _ask(line, b"".join(command % key for key, _ in ITEMS))
    return tuple(found[1] if (found := _MARK.search(answer)) else None for answer in said)


async def _store(line: _Line, told: bytes) -> str | None:
    """Store the items; returns what the engine says if it does not."""
    if binary.is_spoken_by(line.node):
        line.writer.write(b"".join(binary.set_request(key, flags, told) for key, flags in ITEMS))
        return binary.refusal(await binary.answers(line.reader, len(ITEMS)))
    said = await _ask(line, b"".join(_set(key, flags, told) for key, flags in ITEMS))
    return next((answer.decode(errors="replace") for answer in said if answer != b"STORED"), None)


async def _ask(line: _Line, requests: bytes) -> list[bytes]:
    line.writer.write(requests)
    return [(await line.reader.readuntil(b"\r\n"))[:-2] for _ in ITEMS]


def _set(key: bytes, flags: int, value: bytes) -> bytes:
    return b"set %s %d 0 %d\r\n%s\r\n" % (key, flags, len(value), value)
