"""Linux as a host: the fabric for the network, the keeper for processes, engines and guests on top."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from atoll.cache.node import NodePlan
from atoll.cache.shards import Slots
from atoll.cache.topology import Topology
from atoll.host.contract import (
    Disks,
    Door,
    Doorway,
    Failure,
    GuestPlan,
    Harm,
    HostError,
    Known,
    LinkCount,
    Machine,
    Replication,
    Saved,
    Seen,
    Tallied,
    Vital,
)
from atoll.host.engine import programs, stranger
from atoll.host.engine.replication import connects
from atoll.host.engine.terminating import SUFFIX
from atoll.host.linux import cgroups
from atoll.host.linux.client import Keeper, Process
from atoll.host.linux.enter import enter as namespace_entry
from atoll.host.linux.fabric import Fabric
from atoll.host.linux.fabric_wanted import HAS_IPV6
from atoll.host.linux.harm import cut, strike
from atoll.host.linux.ignition import Ignition, run_dir
from atoll.host.linux.instances import Instances
from atoll.host.linux.keeper import INTERNET
from atoll.host.linux.nodes import Nodes
from atoll.host.linux.tallies import Taker, read_tallies
from atoll.host.linux.tied import Tied
from atoll.host.linux.traffic import connections, link_counts, tracked
from atoll.host.linux.vital import vital
from atoll.model.engine import EngineBuild, engine_build
from atoll.network.facts import Container
from atoll.network.plan import Plan

IPV4_VERSION = 4
_FREEBIND = {4: (socket.SOL_IP, 15), 6: (socket.IPPROTO_IPV6, 78)}
_BACKLOG = 64
_CONSOLE_BYTES_MAX = 64 << 10
_WORDS_BYTES_MAX = 2_000
_KILL_SECONDS = 10.0  # between KILL and the end of a process, with all its children


class LinuxHost:
    """Keeps the contract with namespaces, nftables and processes."""

    is_paper = False

    def __init__(self, keeper: Keeper, state_dir: Path) -> None:
        """Use `enter`."""
        self.mode = "rootless" if keeper.rootless else "root"
        self.because = cgroups.support(keeper.pid).warning
        self.keeper_pid = keeper.pid
        self.namespaces_dir = str(keeper.namespaces.directory)
        self._keeper, self._state_dir = keeper, state_dir
        self._fabric, self._taker = Fabric(keeper.namespaces), Taker(keeper.namespaces)
        self._programs = {(e.name, e.version): e for e in programs.available(state_dir)}
        self._terminator = programs.terminator()
        self._nodes = Nodes(keeper, state_dir, self._program, self._tcp_socket, self._terminator)
        self.doorway: Doorway = self._nodes.doors
        self.tracked = partial(tracked, keeper.namespaces)
        self.connections = partial(connections, keeper.namespaces)
        self.slow_log, self.engine_log = self._nodes.slow_log, self._nodes.engine_log
        self._instances = Instances(keeper, state_dir)
        self.disks: Disks = self._instances
        self._processes: dict[str, _Watched] = {}
        self._tied = Tied(keeper, self._nodes, self._processes, self._watch, self._drop)
        self._wake: Callable[[], None]
        self._loop: asyncio.AbstractEventLoop

    @classmethod
    def enter(cls, state_dir: Path, *, rootless: bool, begun: Ignition | None = None) -> Self:
        """Start the keeper (unless it was begun) or find the one that survived, and enter its namespaces.

        The process must be single-threaded, and its sockets on the host's network bound.  Raises HostError.
        """
        keeper = Keeper.start(run_dir(state_dir), state_dir, rootless=rootless, begun=begun)
        namespace_entry(keeper.pid, rootless=rootless)
        return cls(keeper, state_dir)

    def builds(self) -> tuple[EngineBuild, ...]:
        """Return the engines that can run here."""
        return tuple(engine_build(e.name, e.version, tls=bool(self._terminator)) for e in self._programs.values())

    def find_builds(self) -> None:
        """Look for engines again."""
        self._programs = {(e.name, e.version): e for e in programs.available(self._state_dir)}

    def prepare(self) -> None:
        """Make the base image of instances, if it is not there.  Raises HostError."""
        self._instances.prepare()

    def apply(self, plan: Plan) -> Sequence[Failure]:
        """Make the kernel's network look like the plan."""
        return [Failure(key.id, str(error)) for key, error in self._fabric.apply(plan)]

    def verify(self) -> Sequence[str]:
        """Repair what somebody changed behind our back, and say what it was."""
        return self._fabric.verify()

    def service_sockets(self, vpc_id: str | None, doors: Sequence[Door]) -> list[socket.socket]:
        """Open a socket at each door; those of streams listen."""
        sockets = []
        for door in doors:
            if door.address.version != IPV4_VERSION and not HAS_IPV6:
                continue
            kind = socket.SOCK_STREAM if door.kind == "stream" else socket.SOCK_DGRAM
            family = socket.AF_INET if door.address.version == 4 else socket.AF_INET6
            sock = self._keeper.namespaces.socket(vpc_id or INTERNET, family, kind)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            level, option = _FREEBIND[door.address.version]
            sock.setsockopt(level, option, 1)  # the address may come a moment later
            sock.bind((str(door.address), door.port))
            if kind == socket.SOCK_STREAM:
                sock.listen(_BACKLOG)
        return sockets

    def tallies(self, containers: Iterable[Container], *, take: bool = False) -> Sequence[Tallied]:
        """Return what packets counted in these sets, and, with `take`, have them count from zero again."""
        return self._taker.take(containers) if take else read_tallies(self._keeper.namespaces, containers)

    def dial(self, namespace: str) -> socket.socket:
        """Return a TCP socket inside a namespace."""
        return self._keeper.namespaces.socket(namespace, socket.AF_INET, socket.SOCK_STREAM)

    def link_counts(self, names: Collection[str]) -> Mapping[str, Mapping[str, LinkCount]]:
        """Return what has passed the links of namespaces."""
        return link_counts(self._keeper.namespaces, names)

    def seen(self) -> Mapping[str, Seen]:
        """Return every process that was started and not forgotten; adopt those of an earlier daemon."""
        found = {}
        kept_all = self._keeper.processes()
        alive = {kept.name for kept in kept_all if kept.alive}
        for kept in kept_all:
            if kept.name.endswith(SUFFIX):
                self._tied.check(kept.name, alive)
                continue
            process = self._watch(kept.name) if kept.alive else None
            pid = process.pid if process else None
            found[kept.name] = Seen(kept.name, alive=kept.alive, pid=pid, status=kept.status)
        return found

    def start(self, machine: Machine) -> None:
        """Start an instance or a node."""
        with self._tied.starting(machine.process):
            try:
                of = self._instances if isinstance(machine, GuestPlan) else self._nodes
                process = of.start(machine)  # type: ignore[arg-type]  # each its own
            except OSError as error:  # a full disk, a directory that somebody removed
                raise HostError(str(error), f"start {machine.process}") from error
            self._watch(machine.process, process)
            if isinstance(machine, NodePlan) and machine.encryption:
                self._watch(machine.process + SUFFIX)

    async def stop(self, name: str, grace_seconds: float) -> None:
        """End a process: politely, then by force.  Raises HostError."""
        if name not in self._processes:
            return
        if grace_seconds > 0:
            await asyncio.to_thread(self._keeper.kill, name, signal.SIGTERM)
            if await self._ends(name, grace_seconds):
                return
        await asyncio.to_thread(self._keeper.kill, name, signal.SIGKILL)
        if not await self._ends(name, _KILL_SECONDS):
            raise HostError(f"it did not end within {_KILL_SECONDS:.0f} s of a KILL", f"stop {name}")

    def forget(self, name: str) -> None:
        """Forget a process that has ended."""
        if name.startswith("i-"):
            self._instances.forget(name)
        else:
            self._keeper.forget(name)
        self._loop.call_soon_threadsafe(self._nodes.administrator.forget, name)
        self._loop.call_soon_threadsafe(self._nodes.announcer.forget, name)
        self._drop(name)

    def sweep(self, keep: Collection[str]) -> None:
        """Throw away the disks of all other subjects."""
        self._instances.sweep(keep)
        self._nodes.sweep(keep)

    def last_words(self, name: str) -> str:
        """Return the last line that a process has said."""
        if because := self._nodes.seeds.failures.get(name):
            return because
        subject = name.rpartition("#")[0]
        said = self._instances.console(subject) if name.startswith("i-") else self._nodes.log(subject)
        lines = said[-_WORDS_BYTES_MAX:].decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    async def ask(self, node: NodePlan) -> str | None:
        """Ask a node whether it serves."""
        return await self._nodes.ask(node)

    async def statistics(self, node: NodePlan) -> Mapping[str, str]:
        """Return all that an engine says of itself."""
        return await self._nodes.statistics(node)

    def vital(self, name: str) -> Vital | None:
        """Return what the kernel says of a process; `None`: it has ended, or was never seen."""
        watched = self._processes.get(name)
        return vital(watched.process.pid) if watched and not watched.ended.is_set() else None

    async def replication(self, node: NodePlan) -> Replication | None:
        """Ask an engine for its role."""
        return await self._nodes.administrator.replication(node)

    async def known(self, node: NodePlan) -> Known:
        """Ask an engine in cluster mode for its cluster."""
        return await self._nodes.administrator.known(node)

    async def topology(self, node: NodePlan) -> Topology:
        """Ask an engine in cluster mode for all that it knows."""
        return await self._nodes.slot_mover.topology(node)

    async def move_slots(
        self, source: NodePlan, target: NodePlan, slots: Slots, primaries: Sequence[NodePlan]
    ) -> None:
        """Move slots between primaries."""
        await self._nodes.slot_mover.move(source, target, slots, primaries)

    async def command(self, node: NodePlan, *words: str, run: int | None = None) -> None:
        """Give an engine an order."""
        await self._nodes.administrator.command(node, *words, run=run)

    async def admit(self, node: NodePlan, cut: Collection[str]) -> None:
        """Give a running engine the users of its plan, and no others.  Raises HostError."""
        await self._nodes.admit(node, cut)

    async def trust(self, node: NodePlan, *, is_foreign: bool) -> None:
        """Have an engine show its password to whom it copies from, or not."""
        await self._nodes.administrator.trust(node, is_foreign=is_foreign)

    async def hold(self, node: NodePlan, milliseconds: int) -> None:
        """Have an engine hold back writes for so long."""
        await self._nodes.hold(node, milliseconds)

    async def stranger(self, namespace: str, address: str, port: int, *words: str) -> str:
        """Return what a foreign engine says to anybody in a node's namespace."""
        return await stranger.ask(lambda: self.dial(namespace), address, port, words)

    async def announce(self, node: NodePlan) -> str | None:
        """Have a Memcached node tell clients of its cluster's members."""
        return await self._nodes.announcer.announce(node)

    async def tune(self, node: NodePlan, directive: str, value: str) -> str | None:
        """Give a running engine a setting."""
        return await self._nodes.tune(node, directive, value)

    async def save(self, node: NodePlan, *, is_copy: bool = False) -> None:
        """Have a node take no more writes, and leave its data to its next process."""
        await self._nodes.save(node, is_copy=is_copy)

    async def resume(self, node: NodePlan) -> None:
        """Have a node take writes again, after a `save` that led to nothing."""
        await self._nodes.resume(node)

    def limit(self, node: NodePlan, memory_bytes: int) -> None:
        """Give a running node more memory, or less."""
        self._nodes.limit(node, memory_bytes)

    async def dump(self, node: NodePlan, file: Path) -> Saved:
        """Write all data of an engine to a new file."""
        return await self._nodes.dump(node, file)

    def encrypts(self, node: NodePlan) -> bool:
        """Tell whether a node's TLS terminator runs."""
        return self._tied.runs(node.process)

    async def encrypt(self, node: NodePlan) -> None:
        """Have a node's clients meet TLS, or plain text, as its plan says."""
        await self._tied.encrypt(node)

    async def reaches(self, node: NodePlan) -> bool:
        """Tell whether a connection from the router of its VPC arrives at a node."""
        if node.encryption and not self._tied.listens(node.process):
            return True  # what listens for clients is being started again: that says nothing about the network
        try:
            sock = await asyncio.to_thread(self._tcp_socket, node.vpc_id)
        except HostError:
            return True  # there is no router to ask from: that says nothing about the node
        return await connects(sock, str(node.address), node.port)

    async def fence(self, name: str) -> None:
        """Kill a process by its pidfd, and wait for its end."""
        if watched := self._processes.get(name):
            watched.process.send(signal.SIGKILL)
            self._tied.end(name)
            if not await self._ends(name, _KILL_SECONDS):
                raise HostError(f"it did not end within {_KILL_SECONDS:.0f} s of a KILL", f"fence {name}")

    async def harm(self, node: NodePlan, what: Harm) -> None:
        """Harm a node on purpose, or heal it."""
        await asyncio.to_thread(cut, self._keeper.namespaces, node, what)
        watched = self._processes.get(node.process)  # now, and in the loop, which alone closes its descriptor
        strike(node, watched.process if watched else None, what)

    def console(self, instance_id: str) -> bytes:
        """Return the newest output of an instance's console."""
        return self._instances.console(instance_id)[-_CONSOLE_BYTES_MAX:]

    def on_exit(self, wake: Callable[[], None]) -> None:
        """Call `wake` when a process ends.  Called in the event loop, before anything is started or seen."""
        self._wake, self._loop = wake, asyncio.get_running_loop()

    async def lost(self) -> str:
        """Wait for the end of the keeper, which is the end of all that it kept."""
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(self._keeper.pidfd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._keeper.pidfd)
        return (
            f"the keeper (process {self.keeper_pid}) was killed, and with it every instance, node and namespace; "
            "what the store says is built again by the next `atoll up`"
        )

    def close(self) -> None:
        """Leave everything running."""
        self._fabric.close()
        self._keeper.close()

    def destroy(self) -> None:
        """End everything and leave nothing behind."""
        self._fabric.close()
        self._keeper.destroy()
        self.sweep(())  # rootless, only we may delete the files that instances own
        self._instances.wait_for_swept()

    def _program(self, name: str, version: str) -> programs.Engine:
        return programs.find(self._programs, name, version)

    def _tcp_socket(self, interface_id: str) -> socket.socket:
        return self._keeper.namespaces.socket(interface_id, socket.AF_INET, socket.SOCK_STREAM)

    def _watch(self, name: str, process: Process | None = None) -> Process | None:
        """Have the loop woken when a process ends.  Called from worker threads."""
        if name not in self._processes:
            process = process or self._keeper.adopt(name)
            if process is None:
                return None
            watched = self._processes[name] = _Watched(process)
            self._loop.call_soon_threadsafe(self._loop.add_reader, process.pidfd, self._ended, watched)
        return self._processes[name].process

    def _ended(self, watched: "_Watched") -> None:
        self._loop.remove_reader(watched.process.pidfd)
        watched.ended.set()
        self._tied.end(watched.process.name)
        self._wake()

    def _drop(self, name: str) -> None:
        if watched := self._processes.pop(name, None):
            self._loop.call_soon_threadsafe(self._unwatch, watched)

    def _unwatch(self, watched: "_Watched") -> None:
        self._loop.remove_reader(watched.process.pidfd)
        watched.ended.set()
        watched.process.close()

    async def _ends(self, name: str, seconds: float) -> bool:
        """Wait for the end of a process, and tell whether it came."""
        watched = self._processes.get(name)
        if watched is None:
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await watched.ended.wait()
        return watched.ended.is_set()


class _Watched:
    """A process, and its end."""

    def __init__(self, process: Process) -> None:
        self.process, self.ended = process, asyncio.Event()
