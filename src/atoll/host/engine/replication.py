"""The administrator's connections to Redis and Valkey engines: kept open, because a failover cannot wait for one."""

import asyncio
import contextlib
import errno
import itertools
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.node import NodePlan
from atoll.host.contract import HostError, Known, Replication
from atoll.host.engine.cluster import read_nodes
from atoll.host.engine.resp import Connection, EngineError

ANSWER_SECONDS = 0.1  # an engine answers in 0.1 ms
SLOW_SECONDS = 0.3  # for one whose last answer came late: it lives, and has little of the processor
READ_SECONDS = 0.01  # what came while this daemon was late is read after its timers: look once more
PATIENCE_SECONDS = 30.0  # with a question, before another connection is tried
ORDER_SECONDS = 2.0
CONNECT_SECONDS = 0.1  # across a link of this machine: some microseconds
BUSY = ("BUSY", "LOADING", "MASTERDOWN")  # answers of a living engine that cannot say more


class Administrator:
    """Asks engines, and gives them orders, one thing at a time for each."""

    def __init__(self, password: str, socket_of: Callable[[NodePlan], Path]) -> None:
        """Use `socket_of` to find an engine's administration socket."""
        self._password, self._socket_of = password, socket_of
        self._open: dict[str, Connection] = {}
        self._runs: dict[str, int] = {}  # of the connections that are open: one ends with its process
        self._numbers = itertools.count(1)
        self._turns: dict[str, asyncio.Lock] = {}  # several loops ask the same engine
        self._asked: dict[str, asyncio.Task[object]] = {}  # what an engine has not answered yet

    async def replication(self, node: NodePlan) -> Replication | None:
        """Return what an engine says of its role; `None`: it is busy, or slow.  Raises HostError.

        What it does not answer in time stays asked.  Its answer, however late, says that it lives, but not how things
        are by then: it is asked anew.
        """
        try:
            said = await self._ask(node)
        except EngineError as error:
            if str(error).startswith(BUSY):
                return None
            raise HostError(str(error), f"ask {node.name}") from error
        if said is None:
            return None
        if not isinstance(said, str):
            raise HostError(f"not an answer to INFO: {said!r}", f"ask {node.name}")
        try:
            return replace(parse(said), run=self._runs.get(node.process, 0))
        except ValueError as error:  # a client may have broken into it
            raise HostError(f"not an answer to INFO: {error}", f"ask {node.name}") from error

    async def known(self, node: NodePlan) -> Known:
        """Return what an engine in cluster mode says of its cluster.  Raises HostError."""
        try:
            said = await self._say(node, ORDER_SECONDS, "CLUSTER", "NODES")
        except EngineError as error:
            raise HostError(str(error), f"ask {node.name}") from error
        try:
            return read_nodes(str(said))
        except ValueError as error:
            raise HostError(f"not an answer to CLUSTER NODES: {error}", f"ask {node.name}") from error

    async def command(self, node: NodePlan, *words: str, run: int | None = None) -> None:
        """Give an order; `run`: by the very connection that this run was told by.  Raises HostError."""
        try:
            await self._say(node, ORDER_SECONDS, *words, run=run)
        except EngineError as error:
            raise HostError(str(error), f"{words[0]} {node.name}") from error

    async def trust(self, node: NodePlan, *, is_foreign: bool) -> None:
        """Have an engine show the password to whom it copies from, or not, if that is a foreign one."""
        user, password = ("", "") if is_foreign else (ADMINISTRATOR, self._password)
        await self.command(node, "CONFIG", "SET", "masteruser", user)
        await self.command(node, "CONFIG", "SET", "masterauth", password)

    def forget(self, process: str) -> None:
        """Close the connection to an engine that has ended."""
        self._turns.pop(process, None)
        self._asked.pop(process, None)  # it ends with the connection
        self._hang_up(process)

    async def _ask(self, node: NodePlan) -> object:
        """Ask an engine for its role; `None`: it lives, and is slow."""
        async with self._turn(node):
            late = self._asked.get(node.process)
            if late:
                with contextlib.suppress(EngineError):  # an answer, too
                    await self._heard(node, late, ANSWER_SECONDS)
            asked = asyncio.ensure_future(self._say_now(node, PATIENCE_SECONDS, "INFO", "replication"))
            asked.add_done_callback(_notice)
            self._asked[node.process] = asked
            try:
                return await self._heard(node, asked, SLOW_SECONDS if late else ANSWER_SECONDS)
            except _Unanswered:
                if late:
                    return None
                raise

    async def _heard(self, node: NodePlan, asked: "asyncio.Task[object]", seconds: float) -> object:
        """Return the answer to a question.  Raises HostError, EngineError; _Unanswered, and it stays asked."""
        for patience in (seconds, READ_SECONDS):
            if (await asyncio.wait({asked}, timeout=patience))[0]:
                self._asked.pop(node.process, None)
                return await asked
        raise _Unanswered(f"TimeoutError: nothing within {seconds} s", f"ask {node.name}")

    async def _settle(self, node: NodePlan, seconds: float) -> None:
        """Have what was asked before answered, or hang up: answers come in the order of the questions."""
        asked = self._asked.get(node.process)
        if asked is None:
            return
        done, _ = await asyncio.wait({asked}, timeout=seconds)
        self._asked.pop(node.process, None)  # answered or given up: nobody waits for it any more
        if not done:
            asked.cancel()
            await asyncio.wait({asked})
            raise HostError(f"TimeoutError: nothing within {seconds} s", f"ask {node.name}")

    def _turn(self, node: NodePlan) -> asyncio.Lock:
        return self._turns.setdefault(node.process, asyncio.Lock())

    def _hang_up(self, process: str) -> None:
        self._runs.pop(process, None)
        if connection := self._open.pop(process, None):
            connection.close()

    def close(self) -> None:
        """Close all."""
        for process in list(self._open):
            self.forget(process)

    async def _say(self, node: NodePlan, seconds: float, *words: str, run: int | None = None) -> object:
        async with self._turn(node):
            until = _now() + seconds
            await self._settle(node, seconds)
            if run is not None and self._runs.get(node.process) != run:
                raise HostError("it may be another process by now", f"{words[0]} {node.name}")
            return await self._say_now(node, until - _now(), *words)

    async def _say_now(self, node: NodePlan, seconds: float, *words: str) -> object:
        try:
            async with asyncio.timeout(seconds):
                connection = self._open.get(node.process)
                if connection is None:
                    where = self._socket_of(node)
                    connection = Connection(where, ADMINISTRATOR, self._password, seconds=PATIENCE_SECONDS)
                    await connection.__aenter__()
                    self._open[node.process], self._runs[node.process] = connection, next(self._numbers)
                return await connection.ask(*words)
        except EngineError:
            raise
        except BaseException as error:  # cancelled too: an answer may still be under way
            self._hang_up(node.process)
            if isinstance(error, OSError | EOFError | TimeoutError | ValueError):
                raise HostError(f"{type(error).__name__}: {error}", f"ask {node.name}") from error
            raise


class _Unanswered(HostError):
    """There is no answer yet."""


def _notice(asked: "asyncio.Task[object]") -> None:
    """Have asyncio know that somebody knows of an error: an engine that ended is asked no more."""
    if not asked.cancelled():
        asked.exception()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def connects(sock: socket.socket, address: str, port: int) -> bool:
    """Tell whether a connection is made in time, whenever we come to look; closes the socket.

    Not by the loop's own `sock_connect`: uvloop's has a thread read the address first, and a daemon that is late
    would not have begun to connect by the end of its time.
    """
    loop, answered = asyncio.get_running_loop(), asyncio.Event()
    sock.setblocking(False)
    try:
        if sock.connect_ex((address, port)) not in (0, errno.EINPROGRESS):
            return False
        loop.add_writer(sock, answered.set)
        try:
            with contextlib.suppress(TimeoutError):  # ours: the kernel needs no time of ours to connect
                async with asyncio.timeout(CONNECT_SECONDS):
                    await answered.wait()
        finally:
            loop.remove_writer(sock)
        sock.getpeername()
    except OSError:
        return False
    finally:
        sock.close()
    return True


def parse(text: str) -> Replication:
    """Read the section `replication` of INFO."""
    said = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    history = said.get("master_replid", "")
    if said.get("role") == "master":
        return Replication(role="primary", offset=int(said.get("master_repl_offset", "0")), history=history)
    return Replication(
        role="replica",
        follows=(said.get("master_host", ""), int(said.get("master_port", "0"))),
        link_up=said.get("master_link_status") == "up",
        is_copying=said.get("master_sync_in_progress") == "1",
        offset=int(said.get("slave_repl_offset", "0")),
        history=history,
    )
