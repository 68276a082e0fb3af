"""The administrator's connections to Redis and Valkey engines: kept open, because a failover cannot wait for one."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.node import NodePlan
from atoll.host.contract import HostError, Known, Replication
from atoll.host.engine.cluster import read_nodes
from atoll.host.engine.resp import Connection, EngineError

ANSWER_SECONDS = 0.1  # an engine answers in 0.1 ms; one that works longer is asked again
ORDER_SECONDS = 2.0
CONNECT_SECONDS = 0.1  # across a link of this machine: some microseconds
BUSY = ("BUSY", "LOADING", "MASTERDOWN")  # answers of a living engine that cannot say more


class Administrator:
    """Asks engines, and gives them orders, one thing at a time for each."""

    def __init__(self, password: str, socket_of: Callable[[NodePlan], Path]) -> None:
        """Use `socket_of` to find an engine's administration socket."""
        self._password, self._socket_of = password, socket_of
        self._open: dict[str, Connection] = {}
        self._turns: dict[str, asyncio.Lock] = {}  # several loops ask the same engine

    async def replication(self, node: NodePlan) -> Replication | None:
        """Return what an engine says of its role; `None`: it is busy.  Raises HostError."""
        try:
            said = await self._say(node, ANSWER_SECONDS, "INFO", "replication")
        except EngineError as error:
            if str(error).startswith(BUSY):
                return None
            raise HostError(str(error), f"ask {node.name}") from error
        if not isinstance(said, str):
            raise HostError(f"not an answer to INFO: {said!r}", f"ask {node.name}")
        return parse(said)

    async def known(self, node: NodePlan) -> Known:
        """Return what an engine in cluster mode says of its cluster.  Raises HostError."""
        try:
            said = await self._say(node, ORDER_SECONDS, "CLUSTER", "NODES")
        except EngineError as error:
            raise HostError(str(error), f"ask {node.name}") from error
        return read_nodes(str(said))

    async def command(self, node: NodePlan, *words: str) -> None:
        """Give an order.  Raises HostError."""
        try:
            await self._say(node, ORDER_SECONDS, *words)
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
        self._hang_up(process)

    def _hang_up(self, process: str) -> None:
        if connection := self._open.pop(process, None):
            connection.close()

    def close(self) -> None:
        """Close all."""
        for process in list(self._open):
            self.forget(process)

    async def _say(self, node: NodePlan, seconds: float, *words: str) -> object:
        async with self._turns.setdefault(node.process, asyncio.Lock()):
            return await self._say_now(node, seconds, *words)

    async def _say_now(self, node: NodePlan, seconds: float, *words: str) -> object:
        try:
            async with asyncio.timeout(seconds):
                connection = self._open.get(node.process)
                if connection is None:
                    connection = Connection(self._socket_of(node), ADMINISTRATOR, self._password)
                    await connection.__aenter__()
                    self._open[node.process] = connection
                return await connection.ask(*words)
        except EngineError:
            raise
        except BaseException as error:  # cancelled too: an answer may still be under way
            self._hang_up(node.process)
            if isinstance(error, OSError | EOFError | TimeoutError | ValueError):
                raise HostError(f"{type(error).__name__}: {error}", f"ask {node.name}") from error
            raise


async def connects(sock: socket.socket, address: str, port: int) -> bool:
    """Tell whether a connection is made in time, whenever we come to look; closes the socket."""
    sock.setblocking(False)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except TimeoutError:  # ours: the kernel needs no time of ours to connect
        try:
            sock.getpeername()
        except OSError:
            return False
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
