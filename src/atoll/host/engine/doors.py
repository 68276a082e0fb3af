"""What a TLS terminator shows of connections that begin with a token: a socket beside the engine's, for each node.

A question is the number of bytes, a line feed and the bytes; the answer is a line, which says that the connection may
go on.  Whether its login is good is the engine's to say.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from pathlib import Path

from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.login import outdated
from atoll.cache.node import NodePlan
from atoll.cache.token_door import SOCKET
from atoll.host.contract import HostError
from atoll.host.engine import admission
from atoll.host.engine.resp import Connection, EngineError
from atoll.model.digest import Digest

BYTES_MAX = 16_384  # HAProxy's buffer
SECONDS_MAX = 2.0

Judge = Callable[[bytes], Awaitable[None]]


class Doors:
    """The sockets of one installation."""

    def __init__(self, uid: int | None, socket_of: Callable[[NodePlan], Path], password: str) -> None:
        """Let `uid` connect (None: whoever we are); the administrator's `password` opens engines' own sockets."""
        self._uid, self._socket_of, self._password = uid, socket_of, password
        self._open: dict[str, tuple[asyncio.Server, Path]] = {}

    async def attend(self, node: NodePlan, judge: Judge) -> None:
        """Show `judge` the beginning of connections that have a token in them.  Raises HostError."""
        name, path = node.process, self._socket_of(node).with_name(SOCKET)
        self.dismiss(name)
        try:
            path.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(partial(_answer, judge), str(path))
            os.chmod(path, 0o600)
            if self._uid is not None:
                os.chown(path, self._uid, self._uid)
        except OSError as error:
            raise HostError(str(error), f"attend the door of {name}") from error
        self._open[name] = server, path

    def dismiss(self, name: str) -> None:
        """Listen no more."""
        if found := self._open.pop(name, None):
            found[0].close()
            found[1].unlink(missing_ok=True)

    async def lend(self, node: NodePlan, user: str, password: Digest, *, valid: bool) -> None:
        """Make something a password of a user, or no longer.  Raises HostError."""
        try:
            async with Connection(self._socket_of(node), ADMINISTRATOR, self._password) as engine:
                await admission.lend(engine, user, password, valid=valid)
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"tell a token to {node.name}") from error

    async def cut(self, node: NodePlan, users: Collection[str], *, seconds: float) -> int:
        """End the connections of users that have lasted for so long; returns how many.  Raises HostError."""
        try:
            async with Connection(self._socket_of(node), ADMINISTRATOR, self._password) as engine:
                ids = outdated(str(await engine.ask("CLIENT", "LIST")), users, seconds)
                for id in ids:
                    await engine.ask("CLIENT", "KILL", "ID", id)
        except (OSError, EOFError, TimeoutError, ValueError, EngineError) as error:
            raise HostError(f"{type(error).__name__}: {error}", f"cut old connections to {node.name}") from error
        return len(ids)


async def _answer(judge: Judge, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError), contextlib.closing(writer):
        async with asyncio.timeout(SECONDS_MAX):
            count = int(await reader.readline())
            if 0 < count <= BYTES_MAX:
                await judge(await reader.readexactly(count))
            writer.write(b"ok\n")
            await writer.drain()
