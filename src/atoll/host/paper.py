"""The paper host: every call works, verdicts come from the tracer, and nothing runs.

For machines that allow no namespaces, and for tests of everything that is not the kernel.
"""

import asyncio
import hashlib
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from atoll.cache.logs import SlowCommand, SlowPlace
from atoll.cache.node import NodePlan
from atoll.cache.rdb import EMPTY, HEADER_BYTES
from atoll.cache.shards import Slots
from atoll.cache.slots import union, without
from atoll.cache.topology import Peer, Topology
from atoll.host.contract import (
    Connection,
    Disks,
    Door,
    Doorway,
    Failure,
    Harm,
    HostError,
    Known,
    LinkCount,
    Machine,
    Replication,
    Saved,
    Seen,
    Tallied,
    Tracked,
    Vital,
)
from atoll.host.disks import NoDisks
from atoll.model.digest import Digest
from atoll.model.engine import EngineBuild
from atoll.network.facts import Container
from atoll.network.plan import Plan


class PaperDoorway:
    """A door that nobody uses."""

    async def attend(self, node: NodePlan, judge: Callable[[bytes], Awaitable[None]]) -> None:
        """Nobody connects."""

    def dismiss(self, name: str) -> None:
        """Nobody was shown anything."""

    async def lend(self, node: NodePlan, user: str, password: Digest, *, valid: bool) -> None:
        """Nobody logs in."""

    async def cut(self, node: NodePlan, users: Collection[str], *, seconds: float) -> int:
        """Nobody is connected."""
        return 0


class PaperHost:
    """Keeps the contract in memory."""

    mode = "paper"
    because = "Nothing runs on the paper host: every call works, and the tracer gives the verdicts."
    is_paper = True
    doorway: Doorway = PaperDoorway()
    disks: Disks = NoDisks()

    def __init__(self) -> None:
        """Start with nothing."""
        self._seen: dict[str, Seen] = {}
        self._follows: dict[str, tuple[str, int] | None] = {}
        self._slots: dict[str, Slots] = {}  # of shards whose slots have moved
        self._wake: Callable[[], None] = lambda: None

    def builds(self) -> Sequence[EngineBuild]:
        """Nothing is built: verbs list AWS's versions."""
        return ()

    def find_builds(self) -> None:
        """There is nothing to find."""

    def prepare(self) -> None:
        """Nothing to do."""

    def apply(self, plan: Plan) -> Sequence[Failure]:
        """Accept any plan."""
        return ()

    def verify(self) -> Sequence[str]:
        """Nothing can have changed."""
        return ()

    def service_sockets(self, vpc_id: str | None, doors: Sequence[Door]) -> list[socket.socket]:
        """There is no network to listen in."""
        return []

    def dial(self, namespace: str) -> socket.socket | None:
        """There is no network to connect in."""
        return None

    def tallies(self, containers: Iterable[Container], *, take: bool = False) -> Sequence[Tallied]:
        """No packet passes."""
        return ()

    def link_counts(self, names: Collection[str]) -> Mapping[str, Mapping[str, LinkCount]]:
        """There are no links."""
        return {}

    def tracked(self, names: Collection[str]) -> Mapping[str, Tracked]:
        """Nothing is tracked."""
        return {}

    def connections(self, names: Collection[str], most: int) -> Mapping[str, Mapping[Connection, int]]:
        """Nobody is connected."""
        return {}

    def seen(self) -> Mapping[str, Seen]:
        """Return what was started on paper."""
        return dict(self._seen)

    def start(self, machine: Machine) -> None:
        """Note that it runs."""
        self._seen[machine.process] = Seen(machine.process, alive=True)

    async def stop(self, name: str, grace_seconds: float) -> None:
        """Note that it ended."""
        self._seen[name] = replace(self._seen[name], alive=False, status=0)
        self._wake()

    def forget(self, name: str) -> None:
        """Forget it."""
        self._seen.pop(name, None)
        self._follows.pop(name, None)

    def sweep(self, keep: Collection[str]) -> None:
        """There are no disks."""

    def last_words(self, name: str) -> str:
        """Nobody says anything."""
        return ""

    async def ask(self, node: NodePlan) -> str | None:
        """Every node on paper serves."""
        return None

    async def statistics(self, node: NodePlan) -> Mapping[str, str]:
        """No engine has anything to say."""
        return {}

    def vital(self, name: str) -> Vital | None:
        """Everything on paper runs until it is stopped."""
        found = self._seen.get(name)
        return Vital(is_stopped=False, ticks=0) if found and found.alive else None

    async def replication(self, node: NodePlan) -> Replication | None:
        """Return the role that a node was last given."""
        if self.vital(node.process) is None:
            raise HostError("it does not run", f"ask {node.name}")
        follows = self._follows.setdefault(node.process, _leader(node))
        if follows is None:
            return Replication(role="primary")
        return Replication(role="replica", follows=follows, link_up=True)

    async def known(self, node: NodePlan) -> Known:
        """Everybody on paper knows everybody."""
        return Known(epoch=0, ids=frozenset(seat.id for seat in (node.cluster.seats if node.cluster else ())))

    async def topology(self, node: NodePlan) -> Topology:
        """Everybody on paper knows everything."""
        assert node.cluster, "a node in cluster mode"
        peers = (
            Peer(
                id=seat.id,
                address=str(seat.address),
                port=seat.port,
                flags=frozenset(
                    {"slave" if seat.leader_id else "master", "myself" if seat.id == node.cluster.id else "other"}
                ),
                primary_id=seat.leader_id,
                epoch=0,
                slots=() if seat.leader_id else self._slots.get(seat.shard_id, seat.slots),
            )
            for seat in node.cluster.seats
        )
        return Topology(tuple(peers))

    async def move_slots(
        self, source: NodePlan, target: NodePlan, slots: Slots, primaries: Sequence[NodePlan]
    ) -> None:
        """Note who has them now."""
        assert source.cluster, "a node in cluster mode"
        assert target.cluster, "a node in cluster mode"
        ends = source.cluster.seat, target.cluster.seat
        theirs, ours = (self._slots.get(seat.shard_id, seat.slots) for seat in ends)
        self._slots[ends[0].shard_id] = without(theirs, slots)
        self._slots[ends[1].shard_id] = union(ours, slots)

    async def command(self, node: NodePlan, *words: str, run: int | None = None) -> None:
        """Note a new role; everything else is done as soon as it is said."""
        if words[0] == "REPLICAOF":
            self._follows[node.process] = None if words[1:] == ("NO", "ONE") else (words[1], int(words[2]))
        elif words[:2] == ("CLUSTER", "FAILOVER"):
            self._take_over(node)
        elif words[:2] == ("CLUSTER", "REPLICATE") and node.cluster:
            leader = next(seat for seat in node.cluster.seats if seat.id == words[2])
            self._follows[node.process] = str(leader.address), leader.port

    def _take_over(self, node: NodePlan) -> None:
        """Make a node a primary; who led it, and who followed that one, follows it."""
        leader, own = self._follows.get(node.process), (str(node.address), node.port)
        seats, shard = (node.cluster.seats, node.cluster.seat.shard_id) if node.cluster else ((), "")
        names = {seat.name for seat in seats if seat.shard_id == shard}
        for process in [process for process in self._follows if process.rpartition("#")[0] in names]:
            if leader and process != node.process:
                self._follows[process] = own
        self._follows[node.process] = None

    async def trust(self, node: NodePlan, *, is_foreign: bool) -> None:
        """There are no passwords."""

    async def hold(self, node: NodePlan, milliseconds: int) -> None:
        """Nobody writes."""

    async def stranger(self, namespace: str, address: str, port: int, *words: str) -> str:
        """There is no network."""
        raise HostError("nothing runs on paper", f"ask {address}:{port}")

    async def slow_log(self, node: NodePlan, after: SlowPlace | None) -> tuple[str, Sequence[SlowCommand]]:
        """No engine is slow."""
        return "", ()

    def engine_log(self, node: NodePlan) -> str:
        """No engine has anything to say."""
        return ""

    async def announce(self, node: NodePlan) -> str | None:
        """Nobody asks."""
        return None

    async def tune(self, node: NodePlan, directive: str, value: str) -> str | None:
        """Paper takes every setting."""
        return None

    async def save(self, node: NodePlan, *, is_copy: bool = False) -> None:
        """There are no data."""

    async def resume(self, node: NodePlan) -> None:
        """Nothing was held back."""

    def limit(self, node: NodePlan, memory_bytes: int) -> None:
        """Paper needs no memory."""

    async def admit(self, node: NodePlan, cut: Collection[str]) -> None:
        """Nobody comes to paper."""

    async def dump(self, node: NodePlan, file: Path) -> Saved:
        """Write a file without keys: no engine has any."""
        await asyncio.to_thread(file.write_bytes, EMPTY)
        digest = hashlib.blake2b(EMPTY, digest_size=16).hexdigest()
        return Saved(len(EMPTY), 0, digest, EMPTY[:HEADER_BYTES].decode())

    async def encrypt(self, node: NodePlan) -> None:
        """Nobody can read what is never sent."""

    def encrypts(self, node: NodePlan) -> bool:
        """Paper keeps its secrets."""
        return True

    async def reaches(self, node: NodePlan) -> bool:
        """Paper has no holes."""
        return True

    async def fence(self, name: str) -> None:
        """Note that it ended."""
        if name in self._seen:
            await self.stop(name, 0.0)

    async def harm(self, node: NodePlan, what: Harm) -> None:
        """Nothing runs that could suffer."""
        raise HostError("nothing runs on paper", f"{what} {node.name}")

    def console(self, instance_id: str) -> bytes:
        """Return a line that says why there is no console."""
        return b"This instance exists on paper only: Atoll runs with --host paper.\n"

    def on_exit(self, wake: Callable[[], None]) -> None:
        """Remember whom to wake."""
        self._wake = wake

    async def lost(self) -> str:
        """Paper is patient."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody completes it")

    def close(self) -> None:
        """Nothing to let go of."""

    def destroy(self) -> None:
        """Forget everything."""
        self._seen.clear()


def _leader(node: NodePlan) -> tuple[str, int] | None:
    return (str(node.primary.address), node.primary.port) if node.primary else None
