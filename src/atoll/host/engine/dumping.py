"""An engine's data as an RDB file: it sends them, as to a new replica, and a thread writes them to the disk.

The engine forks for it, as BGSAVE does, and writes no file of its own: its directory is in memory.  Nothing is left
of it when we die: its child ends with the connection.  Source: replication of Redis OSS (`REPLCONF rdb-only`, which
redis-cli --rdb uses) and Valkey (`REPLCONF version`, else it writes an older format).
"""

import asyncio
import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path

from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.node import NodePlan
from atoll.cache.rdb import HEADER_BYTES, header
from atoll.host.contract import HostError, Saved

STALL_SECONDS = 60.0  # without a byte: an engine with other work, such as a replica that is being copied to
CHUNK_BYTES = 1 << 20
SYNC_BYTES = 64 << 20  # written between two waits for the disk: one at the end would hold up everybody's
DIGEST_BYTES = 16
_LINE_BYTES_MAX = 256
_DIGITS_MAX = 18
_MARK_BYTES = 40
_SMALL_BYTES = 64 << 20  # beside twice its memory: data take less in a file than in memory


async def dump(node: NodePlan, admin: Path, password: str, file: Path, *, data_bytes: int) -> Saved:
    """Ask an engine for its data, over its socket `admin`, and write them to a new file, in a thread.

    Raises HostError: it does not give them; OSError: the disk does not take them.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(STALL_SECONDS)

    def work_in_thread() -> Saved:
        _ask(sock, node, admin, password)
        return _dump(sock, file, node.name, data_bytes, bytes_max=2 * node.memory_bytes + _SMALL_BYTES)

    work = asyncio.ensure_future(asyncio.to_thread(work_in_thread))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        with suppress(OSError):  # not connected yet
            sock.shutdown(socket.SHUT_RDWR)  # the thread reads the end at once
        await asyncio.gather(work, return_exceptions=True)
        raise
    finally:
        sock.close()


def _ask(sock: socket.socket, node: NodePlan, admin: Path, password: str) -> None:
    """Connect, and ask for all data.  Raises HostError."""
    requests = [("AUTH", ADMINISTRATOR, password), ("REPLCONF", "capa", "eof"), ("REPLCONF", "rdb-only", "1")]
    if node.engine == "valkey":
        requests.append(("REPLCONF", "version", node.version))
    try:
        sock.connect(str(admin))
        for words in requests:
            sock.sendall(f"{' '.join(words)}\r\n".encode())
            answer = _line(sock)  # an older engine may not know all of them, and does without
            if words[0] == "AUTH" and answer != b"+OK":
                raise HostError(answer.decode(errors="replace"), f"dump {node.name}")
        sock.sendall(b"SYNC\r\n")
    except (OSError, EOFError) as error:
        raise HostError(f"{type(error).__name__}: {error}", f"dump {node.name}") from error


def _dump(sock: socket.socket, file: Path, name: str, data_bytes: int, *, bytes_max: int) -> Saved:
    digest, size, unsynced, first = hashlib.blake2b(digest_size=DIGEST_BYTES), 0, 0, b""
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        for chunk in _Stream(sock, name):
            first += bytes(chunk[: HEADER_BYTES - len(first)])
            digest.update(chunk)
            view = chunk
            while view:
                view = view[os.write(fd, view) :]
            size, unsynced = size + len(chunk), unsynced + len(chunk)
            if size > bytes_max:  # a client may have broken into it
                raise HostError(
                    f"it says more than {bytes_max} bytes, which is more than it can hold", f"dump {name}"
                )
            if unsynced >= SYNC_BYTES:
                os.fdatasync(fd)
                unsynced = 0
        os.fsync(fd)
    finally:
        os.close(fd)
    if header(first) is None:
        raise HostError(f"not an RDB file: it begins with {first!r}", f"dump {name}")
    return Saved(size, data_bytes, digest.hexdigest(), first.decode())


def _length(said: bytes, name: str) -> int:
    if not said.isdigit() or len(said) > _DIGITS_MAX:
        raise HostError(f"not a length: {said[:40]!r}", f"dump {name}")
    return int(said)


class _Stream:
    """The bytes of an RDB file on a connection: of a length that is said first, or up to a mark that is."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        self._sock, self._name = sock, name
        self._mark, self._left, self._end = b"", 0, 0
        self._held = 0  # bytes at the buffer's begin that may be the mark
        self._buffer = bytearray(CHUNK_BYTES + _MARK_BYTES)

    def __iter__(self) -> "_Stream":
        try:
            line = _line(self._sock)
            while not line:  # while it prepares it sends empty lines
                line = _line(self._sock)
        except (OSError, EOFError) as error:
            raise self._broken(error) from error
        self._mark = line.removeprefix(b"$EOF:") if line.startswith(b"$EOF:") else b""
        if self._mark:
            self._left = -1
        elif line[:1] == b"$":
            self._left = _length(line[1:], self._name)
        else:
            raise HostError(line.decode(errors="replace"), f"dump {self._name}")
        return self

    def __next__(self) -> memoryview:
        if self._left == 0:
            raise StopIteration
        view = memoryview(self._buffer)
        if self._mark:
            view[: self._held] = bytes(view[self._end - self._held : self._end]) if self._held else b""
        room = view[self._held : self._held + (CHUNK_BYTES if self._left < 0 else min(CHUNK_BYTES, self._left))]
        try:
            count = self._sock.recv_into(room)
            if count == 0:
                raise EOFError("the engine ended the connection")
        except (OSError, EOFError) as error:
            raise self._broken(error) from error
        if not self._mark:
            self._left -= count
            return room[:count]
        self._end = self._held + count
        if view[self._end - _MARK_BYTES : self._end] == self._mark and self._end >= _MARK_BYTES:
            self._left = 0
            return view[: self._end - _MARK_BYTES]
        self._held = min(_MARK_BYTES, self._end)
        return view[: self._end - self._held]

    def _broken(self, error: BaseException) -> HostError:
        return HostError(f"{type(error).__name__}: {error}", f"dump {self._name}")


def _line(sock: socket.socket) -> bytes:
    """Read a line, byte by byte: what follows belongs to the file.  Raises OSError, EOFError."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            raise EOFError("the engine ended the connection")
        line += byte
        if len(line) > _LINE_BYTES_MAX:
            raise EOFError(f"not a line: {bytes(line[:40])!r}")
    return bytes(line).strip()
