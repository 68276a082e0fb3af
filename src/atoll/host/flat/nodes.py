"""Cache nodes as plain processes on loopback, and the TLS terminators beside them."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Collection
from pathlib import Path

from atoll.cache.node import NodePlan
from atoll.host import trees
from atoll.host.contract import HostError
from atoll.host.engine import engine_logs
from atoll.host.engine.announcing import Announcing
from atoll.host.engine.programs import Engine
from atoll.host.engine.talker import SOCKET, Talker, short
from atoll.host.engine.terminating import SUFFIX, Orders
from atoll.host.flat.places import Places
from atoll.host.flat.processes import Processes, trim

KILL_SECONDS = 10.0  # between KILL and the end of a process, with all its children
_INNER = "unix@tls-inner.sock"  # in the engine's own directory: names of the kernel are everybody's here


class FlatNodes(Talker):
    """Starts and asks the cache nodes of one installation.  Plans are those of `Places.placed`."""

    def __init__(
        self,
        run_dir: Path,
        state_dir: Path,
        processes: Processes,
        engine: Callable[[str, str], Engine],
        terminator: Path | None,
        *,
        uid: int | None,
    ) -> None:
        """Use `engine(name, version)` to find programs; `terminator` is HAProxy, for TLS."""
        super().__init__(run_dir / "nodes", state_dir, tcp_socket, uid)
        self._processes, self._engine = processes, engine
        self.announcing = Announcing(tcp_socket)
        self._orders = _Orders(self._authority, terminator, self._directory_of, uid)

    async def announce(self, node: NodePlan) -> str | None:
        """Have a Memcached node tell clients of its cluster's members."""
        return await self.announcing.announce(node)

    def confine(
        self,
        node: NodePlan,  # noqa: ARG002
        *,
        twice: bool = False,  # noqa: ARG002
        memory_bytes: int | None = None,  # noqa: ARG002
    ) -> tuple[Path, ...]:
        """Leave a process its memory: without groups of processes only the engine's own `maxmemory` holds."""
        return ()

    def start(self, node: NodePlan) -> None:
        """Start a node.  Raises HostError."""
        program = self._engine(node.engine, node.version)
        directory = self._prepare(node)
        if node.encryption:  # before anybody can talk to the engine
            self._terminate(node)
        with self._configuration(node, directory) as configuration:
            self._processes.start(
                node.process,
                (str(program.path), *self._arguments(node)),
                directory=directory,
                log=directory / engine_logs.LOG,
                stdin=configuration,
                uid=self._uid,
            )

    def sweep(self, keep: Collection[str]) -> None:
        """Throw away what all other nodes left; `keep` has names of plans."""
        kept = {short(name) for name in keep}
        for directory in self._directory.glob("*"):
            if directory.name not in kept:
                trees.remove(directory)

    def trim(self) -> None:
        """Keep logs short."""
        for log in self._directory.glob("*/*.log"):
            trim(log)

    def encrypts(self, node: NodePlan) -> bool:
        """Tell whether a node's TLS terminator runs."""
        return self._processes.runs(node.process + SUFFIX)

    async def encrypt(self, node: NodePlan) -> None:
        """Have a node's clients meet TLS, or plain text, as its plan says.  Raises HostError."""
        runs = self.encrypts(node)
        await self.name_in_cluster(node)
        if node.encryption is None:
            if runs and (found := self._processes.find(node.process + SUFFIX)):
                found.send(signal.SIGUSR1)  # it ends with the last of its connections
            return
        if not runs or await asyncio.to_thread(self._orders.is_stopping, node):
            await asyncio.to_thread(self._terminate, node)
        await asyncio.to_thread(self._orders.apply, node)
        if node.encryption.mode == "required" and node.encrypted == "preferred":
            await self.cut_plain(node)

    def _terminate(self, node: NodePlan) -> None:
        """Start a node's terminator, in place of one that runs.  Raises HostError."""
        name, directory = node.process + SUFFIX, self._directory_of(node)
        command = self._orders.furnish(node, socket_name=SOCKET, inner=_INNER)
        if not self._processes.end(name, grace_seconds=0.0, seconds_max=KILL_SECONDS):
            raise HostError("its last terminator did not end", f"encrypt {node.name}")
        self._processes.forget(name)
        self._processes.start(name, command, directory=directory, log=directory / "tls.log")


class _Orders(Orders):
    """The relay looks where a node's clients belong, each time: nobody needs to be led."""

    def lead(self, node: NodePlan) -> None:
        """Do nothing."""


def tcp_socket(_: str) -> socket.socket:
    """Return a TCP socket: all of this machine's programs are in one network."""
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def engine_uid(programs: Collection[Path], uid: int) -> int | None:
    """Return whom engines run as: `uid`, if we are root and that user can reach the programs; None: as we do."""
    if os.geteuid() != 0:
        return None
    return uid if all(_is_open(path) for path in programs) else None


def _is_open(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (path.resolve(), *path.resolve().parents))


def refuse_tls_without_addresses(node: NodePlan, places: Places) -> None:
    """Raise HostError if a node is to speak TLS where loopback has one address: its doors are ports of their own."""
    if node.encryption and places.one_address:
        raise HostError(
            "TLS needs an address for each node, and this system's loopback has 127.0.0.1 only: create it without "
            "--transit-encryption-enabled",
            f"encrypt {node.name}",
        )
