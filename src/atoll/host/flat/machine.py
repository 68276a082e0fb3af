"""The flat host: it keeps the contract without namespaces.  What it cannot do it refuses by name.

Engines are processes on loopback (`nodes`, `places`, `processes`); instances have an interface and no machine:
programs of this machine take their place, through the relay (`relay`, `judge`).
"""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from atoll.cache.node import NodePlan
from atoll.cache.shards import Slots
from atoll.cache.topology import Topology
from atoll.host.contract import (
    Disks,
    Doorway,
    Harm,
    HostError,
    Known,
    Machine,
    Replication,
    Saved,
    Seen,
    Vital,
)
from atoll.host.directories import make_private, run_dir
from atoll.host.disks import NoDisks
from atoll.host.engine import programs, stranger
from atoll.host.engine.replication import connects
from atoll.host.engine.terminating import SUFFIX
from atoll.host.flat.network import Network, in_vpc
from atoll.host.flat.nodes import KILL_SECONDS, FlatNodes, engine_uid, refuse_tls_without_addresses, tcp_socket
from atoll.host.flat.places import Places
from atoll.host.flat.processes import Processes
from atoll.host.flat.relay import Resolve
from atoll.model.engine import EngineBuild, engine_build
from atoll.model.interface import Interface
from atoll.model.world import World

ENGINE_UID = 64017  # as on Linux with namespaces
REVIEW_SECONDS = 1.0  # for the loop to judge open connections, while it has other work
TOKEN_BYTES = 16
_SIGNALS = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP, "heal": signal.SIGCONT}


class FlatHost(Network):
    """Keeps the contract on loopback."""

    mode = "flat"
    is_paper = False
    disks: Disks = NoDisks()

    def __init__(
        self,
        state_dir: Path,
        world: Callable[[], World],
        resolve: Resolve,
        *,
        because: str,
        one_address: bool | None = None,
    ) -> None:
        """Show the relay the newest `world`, and names by `resolve`.  `because` says why nothing better runs.

        Raises HostError.
        """
        self.because, self._state_dir, self._run_dir = because, state_dir, run_dir(state_dir)
        try:
            make_private(self._run_dir)
            processes = Processes(self._run_dir / "processes")
            places = Places(self._run_dir / "places.json", in_vpc(world), one_address=one_address)
            super().__init__(world, resolve, places, processes, self._run_dir)
        except OSError as error:
            raise HostError(str(error), "prepare the flat host") from error
        self._programs = {(e.name, e.version): e for e in programs.available(state_dir)}
        self._terminator = programs.terminator()
        uid = engine_uid([*(e.path for e in self._programs.values()), *filter(None, [self._terminator])], ENGINE_UID)
        self._nodes = FlatNodes(self._run_dir, state_dir, self._processes, self._program, self._terminator, uid=uid)
        self._instances: dict[str, Seen] = {}
        self.through.flushed = self._nodes.announcing.flushed
        self.doorway: Doorway = self._nodes.doors
        self.slow_log, self.engine_log = self._nodes.slow_log, self._nodes.engine_log
        self._wake: Callable[[], None]

    # What there is

    def builds(self) -> tuple[EngineBuild, ...]:
        """Return the engines that can run here."""
        tls = self._terminator is not None and not self._places.one_address
        return tuple(engine_build(e.name, e.version, tls=tls) for e in self._programs.values())

    def find_builds(self) -> None:
        """Look for engines again."""
        self._programs = {(e.name, e.version): e for e in programs.available(self._state_dir)}

    def prepare(self) -> None:
        """Nothing to do: instances have no image."""

    def _program(self, name: str, version: str) -> programs.Engine:
        return programs.find(self._programs, name, version)

    def verify(self) -> Sequence[str]:
        """Keep logs short; there is no network that somebody could change."""
        self._nodes.trim()
        return ()

    # Processes

    def seen(self) -> Mapping[str, Seen]:
        """Return every process that was started and not forgotten, and the instances."""
        engines = {name: one for name, one in self._processes.seen().items() if not name.endswith(SUFFIX)}
        return engines | self._instances

    def start(self, machine: Machine) -> None:
        """Start a node; an instance is only noted."""
        if not isinstance(machine, NodePlan):
            self._instances[machine.process] = Seen(machine.process, alive=True)
            return
        refuse_tls_without_addresses(machine, self._places)
        try:
            self._nodes.start(self._places.placed(machine))
        except OSError as error:  # a full disk, a directory that somebody removed
            raise HostError(str(error), f"start {machine.process}") from error

    async def stop(self, name: str, grace_seconds: float) -> None:
        """End a process: politely, then by force.  Raises HostError."""
        if name in self._instances:
            self._instances[name] = replace(self._instances[name], alive=False, status=0)
            self._wake()
            return
        ended = await asyncio.to_thread(
            self._processes.end, name, grace_seconds=grace_seconds, seconds_max=KILL_SECONDS
        )
        if not ended:
            raise HostError(f"it did not end within {KILL_SECONDS:.0f} s of a KILL", f"stop {name}")

    def forget(self, name: str) -> None:
        """Forget a process that has ended."""
        self._instances.pop(name, None)
        self._processes.forget(name)
        self._processes.forget(name + SUFFIX)
        self._loop.call_soon_threadsafe(self._nodes.administrator.forget, name)
        self._loop.call_soon_threadsafe(self._nodes.announcing.forget, name)

    def sweep(self, keep: Collection[str]) -> None:
        """Throw away the directories of all other nodes, and the places of addresses that nobody has."""
        self._nodes.sweep(keep)
        self._places.keep({(i.vpc_id, i.address) for i in self._world().seen_by(None).all(Interface)})

    def last_words(self, name: str) -> str:
        """Return the last line that a process has said."""
        if because := self._nodes.seeds.failures.get(name):
            return because
        lines = self._nodes.log(name.rpartition("#")[0]).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def vital(self, name: str) -> Vital | None:
        """Return what the system says of a process."""
        return self._processes.vital(name)

    async def fence(self, name: str) -> None:
        """Kill a process, and return when it has ended.  Raises HostError."""
        await self.stop(name, 0.0)

    async def harm(self, node: NodePlan, what: Harm) -> None:
        """Kill, hang or heal a node.  Raises HostError."""
        if what == "partition":
            raise HostError("on the flat host nodes have no links that could be cut", f"{what} {node.name}")
        found = self._processes.find(node.process)
        if found is None and what != "heal":
            raise HostError("it does not run", f"{what} {node.name}")
        if found:
            found.send(_SIGNALS[what])

    def console(self, instance_id: str) -> bytes:
        """Return a line that says why there is no console."""
        return b"This instance is an interface without a machine: Atoll runs on the flat host (docs/flat.md).\n"

    # Engines

    async def ask(self, node: NodePlan) -> str | None:
        """Ask a node whether it serves."""
        return await self._nodes.ask(self._places.placed(node))

    async def statistics(self, node: NodePlan) -> Mapping[str, str]:
        """Return all that an engine says of itself."""
        return await self._nodes.statistics(self._places.placed(node))

    async def replication(self, node: NodePlan) -> Replication | None:
        """Ask an engine for its role; whom it follows is told by the address in the VPC."""
        found = await self._nodes.administrator.replication(node)
        if found is None or found.follows is None:
            return found
        return replace(found, follows=self._places.back(*found.follows))

    async def known(self, node: NodePlan) -> Known:
        """Ask an engine in cluster mode for its cluster."""
        return await self._nodes.administrator.known(node)

    async def topology(self, node: NodePlan) -> Topology:
        """Ask an engine in cluster mode for all that it knows, by the addresses in the VPC."""
        found, peers = await self._nodes.slot_mover.topology(node), []
        for peer in found.peers:
            address, port = self._places.back(peer.address, peer.port)
            peers.append(replace(peer, address=address, port=port))
        return Topology(tuple(peers))

    async def move_slots(
        self, source: NodePlan, target: NodePlan, slots: Slots, primaries: Sequence[NodePlan]
    ) -> None:
        """Move slots between primaries."""
        here = self._places.placed
        await self._nodes.slot_mover.move(here(source), here(target), slots, [here(node) for node in primaries])

    async def command(self, node: NodePlan, *words: str, run: int | None = None) -> None:
        """Give an engine an order; addresses in it are those of the VPC."""
        await self._nodes.administrator.command(node, *self._places.worded(node, words), run=run)

    async def trust(self, node: NodePlan, *, is_foreign: bool) -> None:
        """Have an engine show its password to whom it copies from, or not."""
        await self._nodes.administrator.trust(node, is_foreign=is_foreign)

    async def hold(self, node: NodePlan, milliseconds: int) -> None:
        """Have an engine hold back writes for so long."""
        await self._nodes.hold(node, milliseconds)

    async def stranger(self, namespace: str, address: str, port: int, *words: str) -> str:
        """Return what a foreign engine says to anybody in a node's network."""
        return await stranger.ask(lambda: self.dial(namespace), address, port, words)

    async def announce(self, node: NodePlan) -> str | None:
        """Have a Memcached node tell clients of its cluster's members."""
        return await self._nodes.announce(self._places.placed(node))

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
        """Do nothing: what holds here is the engine's own `maxmemory`, which it is told by `tune`."""

    async def admit(self, node: NodePlan, cut: Collection[str]) -> None:
        """Give a running engine the users of its plan, and no others."""
        await self._nodes.admit(node, cut)

    async def dump(self, node: NodePlan, file: Path) -> Saved:
        """Write all data of an engine to a new file."""
        return await self._nodes.dump(self._places.placed(node), file)

    async def encrypt(self, node: NodePlan) -> None:
        """Have a node's clients meet TLS, or plain text, as its plan says."""
        refuse_tls_without_addresses(node, self._places)
        await self._nodes.encrypt(self._places.placed(node))

    def encrypts(self, node: NodePlan) -> bool:
        """Tell whether a node's TLS terminator runs."""
        return self._nodes.encrypts(node)

    async def reaches(self, node: NodePlan) -> bool:
        """Tell whether a connection arrives at a node's engine."""
        here = self._places.placed(node)
        return await connects(tcp_socket(node.interface_id), str(here.address), here.port)

    # Life

    def on_exit(self, wake: Callable[[], None]) -> None:
        """Call `wake` when a process ends.  Called in the event loop, before anything is started or seen."""
        self._wake = wake
        self._processes.on_end = self._ended
        self.serve()

    async def lost(self) -> str:
        """Wait for ever: there is no keeper to lose."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody completes it")

    def close(self) -> None:
        """Leave everything running."""
        self.through.close()

    def destroy(self) -> None:
        """End everything and leave nothing behind."""
        self.through.close()
        self._processes.end_all(KILL_SECONDS)
        shutil.rmtree(self._run_dir, ignore_errors=True)

    def _ended(self, name: str) -> None:
        """A program has ended; its terminator goes with it: whoever was its client must know at once."""
        if terminator := self._processes.find(name + SUFFIX):
            terminator.send(signal.SIGKILL)
        with contextlib.suppress(RuntimeError):  # the loop has ended before it
            self._loop.call_soon_threadsafe(self._wake)
