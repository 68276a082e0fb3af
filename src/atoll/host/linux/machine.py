"""Linux as a host: the fabric for the network, the keeper for processes, engines and guests on top."""

import asyncio
import hashlib
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from atoll.cache.node import NodePlan
from atoll.host.contract import Failure, GuestPlan, HostError, Machine, Seen
from atoll.host.linux import engines
from atoll.host.linux.client import Keeper, Process
from atoll.host.linux.enter import enter as namespace_entry
from atoll.host.linux.fabric import Fabric
from atoll.host.linux.instances import Instances
from atoll.host.linux.keeper import INTERNET
from atoll.host.linux.nodes import Nodes
from atoll.model.engine import EngineBuild, engine_build
from atoll.network.plan import Plan

DNS_PORT = 53
_IP_FREEBIND = 15  # linux/in.h; Python names it since 3.12
_CONSOLE_BYTES_MAX = 64 << 10


class LinuxHost:
    """Keeps the contract with namespaces, nftables and processes."""

    def __init__(self, keeper: Keeper, state_dir: Path) -> None:
        """Use `enter`."""
        self.mode = "rootless" if keeper.rootless else "root"
        self.keeper_pid = keeper.pid
        self.namespaces_dir = str(keeper.namespaces.directory)
        self._keeper, self._state_dir = keeper, state_dir
        self._fabric = Fabric(keeper.namespaces)
        self._programs = {(e.name, e.version): e for e in engines.available(state_dir)}
        self._nodes = Nodes(keeper, state_dir, self._program, self._tcp_socket)
        self._instances = Instances(keeper, state_dir)
        self._processes: dict[str, Process] = {}
        self._wake: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def enter(cls, state_dir: Path, *, rootless: bool) -> Self:
        """Start the keeper, or find the one that survived, and enter its namespaces.  Raises HostError.

        The process must be single-threaded, and its sockets on the host's network bound.
        """
        keeper = Keeper.start(run_dir(state_dir), state_dir, rootless=rootless)
        namespace_entry(keeper.pid, rootless=rootless)
        return cls(keeper, state_dir)

    def builds(self) -> tuple[EngineBuild, ...]:
        """Return the engines that can run here."""
        return tuple(engine_build(e.name, e.version, tls=e.tls) for e in self._programs.values())

    def prepare(self) -> None:
        """Make the base image of instances, if it is not there.  Raises HostError."""
        self._instances.prepare()

    def apply(self, plan: Plan) -> Sequence[Failure]:
        """Make the kernel's network look like the plan."""
        return [Failure(key.id, str(error)) for key, error in self._fabric.apply(plan)]

    def verify(self) -> Sequence[str]:
        """Repair what somebody changed behind our back, and say what it was."""
        return self._fabric.verify()

    def resolver_sockets(self, vpc_id: str | None, addresses: Sequence[IPv4Address]) -> list[socket.socket]:
        """Open DNS sockets, datagram and stream, on each address."""
        sockets = []
        for address in addresses:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                sock = self._keeper.namespaces.socket(vpc_id or INTERNET, socket.AF_INET, kind)
                sockets.append(sock)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)  # the address may come a moment later
                sock.bind((str(address), DNS_PORT))
                if kind == socket.SOCK_STREAM:
                    sock.listen(64)
        return sockets

    def seen(self) -> Mapping[str, Seen]:
        """Return every process that was started and not forgotten; adopt those of an earlier daemon."""
        found = {}
        for kept in self._keeper.processes():
            process = self._watch(kept.name) if kept.alive else None
            pid = process.pid if process else None
            found[kept.name] = Seen(kept.name, alive=kept.alive, pid=pid, status=kept.status)
        return found

    def start(self, machine: Machine) -> None:
        """Start an instance or a node."""
        process = self._instances.start(machine) if isinstance(machine, GuestPlan) else self._nodes.start(machine)
        self._watch(machine.process, process)

    async def stop(self, name: str, grace_seconds: float) -> None:
        """End a process: politely, then by force."""
        process = self._processes.get(name)
        if process is None:
            return
        if grace_seconds > 0:
            await asyncio.to_thread(self._keeper.kill, name, signal.SIGTERM)
            if await asyncio.to_thread(process.exited, timeout_seconds=grace_seconds):
                return
        await asyncio.to_thread(self._keeper.kill, name, signal.SIGKILL)
        await asyncio.to_thread(process.exited, timeout_seconds=10.0)

    def forget(self, name: str) -> None:
        """Forget a process that has ended."""
        if name.startswith("i-"):
            self._instances.forget(name)
        else:
            self._keeper.forget(name)
        if process := self._processes.pop(name, None):
            self._unwatch(process)

    def discard(self, subject: str) -> None:
        """Throw away the disk of a terminated instance or a deleted node."""
        if subject.startswith("i-"):
            self._instances.discard(subject)
        else:
            self._nodes.discard(subject)

    async def ask(self, node: NodePlan) -> str | None:
        """Ask a node whether it serves."""
        return await self._nodes.ask(node)

    def console(self, instance_id: str) -> bytes:
        """Return the newest output of an instance's console."""
        return self._instances.console(instance_id)[-_CONSOLE_BYTES_MAX:]

    def on_exit(self, wake: Callable[[], None]) -> None:
        """Call `wake` when a process ends.  Called in the event loop."""
        self._wake, self._loop = wake, asyncio.get_running_loop()

    def close(self) -> None:
        """Leave everything running."""
        self._fabric.close()
        self._keeper.close()

    def destroy(self) -> None:
        """End everything and leave nothing behind."""
        self._fabric.close()
        self._keeper.destroy()

    def _program(self, name: str, version: str) -> engines.Engine:
        if program := self._programs.get((name, version)):
            return program
        have = ", ".join(sorted(f"{n} {v}" for n, v in self._programs)) or "none"
        raise HostError(f"no {name} {version} on this machine (there is: {have})", "find the engine")

    def _tcp_socket(self, interface_id: str) -> socket.socket:
        return self._keeper.namespaces.socket(interface_id, socket.AF_INET, socket.SOCK_STREAM)

    def _watch(self, name: str, process: Process | None = None) -> Process | None:
        """Have the loop woken when a process ends.  Called from worker threads."""
        if name not in self._processes:
            process = process or self._keeper.adopt(name)
            if process is None:
                return None
            self._processes[name] = process
            if self._loop:
                self._loop.call_soon_threadsafe(self._loop.add_reader, process.pidfd, self._ended, process)
        return self._processes[name]

    def _ended(self, process: Process) -> None:
        if self._loop:
            self._loop.remove_reader(process.pidfd)
        self._wake()

    def _unwatch(self, process: Process) -> None:
        def close() -> None:
            if self._loop:
                self._loop.remove_reader(process.pidfd)
            process.close()

        if self._loop:
            self._loop.call_soon_threadsafe(close)
        else:
            process.close()


def run_dir(state_dir: Path) -> Path:
    """Return where an installation keeps its sockets: short, and gone after a reboot."""
    name = "atoll-" + hashlib.blake2s(str(state_dir.resolve()).encode(), digest_size=4).hexdigest()
    if os.geteuid() == 0:
        return Path("/run") / name
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / name if runtime and os.access(runtime, os.W_OK) else Path(f"/tmp/{name}-{os.getuid()}")
