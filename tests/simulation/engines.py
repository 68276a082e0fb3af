"""Engines for the simulation: they replicate as Redis and Valkey do, and everything happens to them.

A primary appends to its history and sends each record to the replicas that follow it, as the real one does before it
answers the client; what was sent arrives a moment later, also when the sender is killed meanwhile (its kernel still
delivers), unless one of both is cut off.  A replica whose history does not continue its leader's copies everything,
and keeps what it had until the copy is there, as real ones do (tests/cache/test_real_engines.py).
"""

import asyncio
import itertools
from dataclasses import dataclass, field
from functools import cached_property
from random import Random

from atoll.cache.node import NodePlan
from atoll.cache.shards import NO_ELECTION
from atoll.host.contract import HostError, Machine, Replication, Vital
from tests.simulation.faulty import FaultyHost

Address = tuple[str, int]


@dataclass
class Engine:
    """One process of a node."""

    plan: NodePlan
    follows: Address | None
    history: str
    records: list[int] = field(default_factory=list)
    former: str = ""  # the history that it continued when it was promoted, and how far
    former_end: int = -1
    link_up: bool = False
    is_copying: bool = False
    is_stopped: bool = False
    paused_until: float = 0.0
    answers: bool = True
    is_saved: bool = False  # its data are in a file, and it takes no writes
    loaded_at: float = 0.0  # when it has read the file that was left to it; until then it only says so
    elects: bool = True  # in cluster mode: it may make itself a primary
    heard: float | None = None  # when its leader spoke last on the bus, since it has had that one's data
    arrival: float = 0.0  # of the newest record that is under way to it
    epoch: int = -1  # in cluster mode (tests/simulation/shards.py): of two primaries, the greater has the slots
    run: int = field(default_factory=itertools.count(1).__next__)
    is_elected: bool = False  # by the others, and not made a primary by the control plane

    @cached_property
    def address(self) -> Address:
        return str(self.plan.address), self.plan.port

    @cached_property
    def shard_id(self) -> str:
        return self.plan.cluster.seat.shard_id if self.plan.cluster else ""


class EngineHost(FaultyHost):
    """A host whose cache nodes are simulated engines."""

    def __init__(self, dice: Random, loop: asyncio.AbstractEventLoop):
        super().__init__(dice)
        self.loop = loop
        self.engines: dict[str, Engine] = {}
        self.cut: set[Address] = set()  # survives a process, as an address does
        self.files: dict[str, list[int]] = {}  # what nodes left to their next processes
        self.load_seconds: tuple[float, ...] = ()  # how long it takes to read such a file
        self.crash_chance = 0.0
        self.crash = lambda: None
        self._ids = itertools.count(1)

    # The contract

    def start(self, machine: Machine) -> None:
        before = self.alive
        try:
            super().start(machine)
        finally:
            if machine.process in self.alive - before and isinstance(machine, NodePlan):
                leader = (str(machine.primary.address), machine.primary.port) if machine.primary else None
                left = self.files.pop(machine.name, [])
                records = list(left) if machine.loads else []
                if machine.loads:
                    self.files[machine.name] = left  # until it is known to serve
                engine = Engine(machine, leader, f"h{next(self._ids)}", records)
                if machine.loads and self.load_seconds:
                    engine.loaded_at = self.loop.time() + self.dice.choice(self.load_seconds)
                self.engines[machine.process] = engine
                self._check()

    def end(self, name: str, status: int) -> None:
        if engine := self.engines.pop(name, None):
            for replica in self._replicas(engine.address):  # when it has read what is under way
                at = max(replica.arrival, self.loop.time() + self.dice.random() * 0.03)
                self.loop.call_at(at + 0.001, self._lose_link, replica)
        super().end(name, status)

    async def stop(self, name: str, grace_seconds: float) -> None:
        if name in self.engines and self.engines[name].is_stopped and grace_seconds:
            await asyncio.sleep(grace_seconds)  # only KILL ends it
        await super().stop(name, grace_seconds)

    def vital(self, name: str) -> Vital | None:
        if name not in self.alive:
            return None
        engine = self.engines.get(name)
        return Vital(is_stopped=engine is not None and engine.is_stopped, ticks=1)

    async def replication(self, node: NodePlan) -> Replication | None:
        await asyncio.sleep(self.dice.random() * 0.01)
        engine = self._engine(node)
        if engine.is_stopped or not engine.answers or self._fails():
            await asyncio.sleep(0.1)
            raise HostError("no answer")
        if engine.follows is None:
            return Replication(role="primary", offset=len(engine.records), history=engine.history, run=engine.run)
        return Replication(
            role="replica",
            follows=engine.follows,
            link_up=engine.link_up,
            is_copying=engine.is_copying,
            offset=len(engine.records),
            history=engine.history,
            run=engine.run,
        )

    async def command(self, node: NodePlan, *words: str, run: int | None = None) -> None:
        await self._perhaps_crash()
        await asyncio.sleep(self.dice.random() * 0.01)
        engine = self._engine(node, run)
        if engine.is_stopped or not engine.answers or self._fails():
            await asyncio.sleep(2.0)
            raise HostError("no answer")
        if words[0] == "REPLICAOF":
            self._replicaof(engine, None if words[1:] == ("NO", "ONE") else (words[1], int(words[2])))
        elif words[:2] == ("CLIENT", "PAUSE"):
            engine.paused_until = self.loop.time() + int(words[2]) / 1000
        elif words[:2] == ("CLIENT", "UNPAUSE"):
            engine.paused_until = 0.0
        elif words[:-1] == NO_ELECTION[:-1]:
            engine.elects = words[-1] == "no"
        await self._perhaps_crash()
        if self._fails():
            raise HostError("the answer was lost")

    async def save(self, node: NodePlan, *, is_copy: bool = False) -> None:
        await self._perhaps_crash()
        engine = self._engine(node)
        engine.is_saved = not is_copy
        await asyncio.sleep(self.dice.random() * 2.0)
        if self.engines.get(node.process) is not engine or self._fails():
            raise HostError("it has ended")
        self.files[node.name] = list(engine.records)
        await self._perhaps_crash()

    async def resume(self, node: NodePlan) -> None:
        self._engine(node).is_saved = False

    async def reaches(self, node: NodePlan) -> bool:
        if (str(node.address), node.port) in self.cut or self._fails():
            await asyncio.sleep(0.1)
            return False
        return True

    async def fence(self, name: str) -> None:
        await self._perhaps_crash()
        await asyncio.sleep(self.dice.random() * 0.01)
        self.end(name, -9)
        await self._perhaps_crash()

    async def ask(self, node: NodePlan) -> str | None:
        await asyncio.sleep(self.dice.random() * 0.05)
        engine = self.engines.get(node.process)
        if engine is None or engine.is_stopped or not engine.answers or self.loads(engine) or self._fails():
            return "an answer"
        if node.primary is None:
            if node.loads and engine.follows is None:
                self.files.pop(node.name, None)
            return None if engine.follows is None else "its promotion"
        leader = (str(node.primary.address), node.primary.port)
        in_step = engine.follows == leader and engine.link_up and not engine.is_copying
        return None if in_step else "its synchronisation"

    # The world outside

    def write(self, address: Address, record: int) -> bool:
        """Be a client that writes; tells whether the write was acknowledged."""
        engine = self._at(address)
        if engine is None or engine.follows or engine.is_stopped or not engine.answers or address in self.cut:
            return False
        if engine.is_saved or self.loads(engine):
            return False
        if self.loop.time() < engine.paused_until:
            return False
        engine.records.append(record)
        position = len(engine.records)
        for replica in self._replicas(address):
            if replica.address in self.cut:
                replica.link_up = False
            if replica.link_up:
                replica.arrival = max(replica.arrival + 1e-6, self.loop.time() + self.dice.random() * 0.03)
                self.loop.call_at(replica.arrival, self._arrive, replica, engine.history, position, record)
        return True

    def loads(self, engine: Engine) -> bool:
        """Tell whether an engine still reads its file: it says so, and what it is, and is no use to anybody."""
        return self.loop.time() < engine.loaded_at

    def step(self) -> None:
        """Let links come up and break, and copies begin: what replicas do by themselves."""
        for replica in list(self.engines.values()):
            if replica.follows is None or replica.is_stopped:
                continue
            leader = self._source(replica)
            near = leader is not None and leader.address not in self.cut and replica.address not in self.cut
            near = near and leader is not None and not self.loads(leader)  # that refuses it: LOADING
            if not near or leader is None or leader.is_stopped or (leader.follows and not leader.link_up):
                continue
            if not replica.link_up:
                self._connect(replica, leader)

    def _connect(self, replica: Engine, leader: Engine) -> None:
        same = replica.history == leader.history and len(replica.records) <= len(leader.records)
        continues = replica.history == leader.former and len(replica.records) <= leader.former_end
        if (same or continues) and replica.records == leader.records[: len(replica.records)]:
            replica.history, replica.records, replica.link_up = leader.history, list(leader.records), True
            return
        replica.is_copying = True
        self.loop.call_later(0.05 + self.dice.random(), self._copied, replica, leader)

    def _copied(self, replica: Engine, leader: Engine) -> None:
        replica.is_copying = False
        if self._source(replica) is leader and self._is(replica):
            replica.history, replica.records, replica.link_up = leader.history, list(leader.records), True

    def _arrive(self, replica: Engine, history: str, position: int, record: int) -> None:
        if replica.history == history and len(replica.records) == position - 1 and replica.follows:
            replica.records.append(record)

    def _replicaof(self, engine: Engine, leader: Address | None) -> None:
        if leader == engine.follows:
            return
        if leader is None:
            engine.former, engine.former_end = engine.history, len(engine.records)
            engine.history = f"h{next(self._ids)}"
        else:
            for replica in self._replicas(engine.address):
                replica.link_up = False
        engine.follows, engine.link_up, engine.is_copying = leader, False, False
        self._check()

    def _lose_link(self, replica: Engine) -> None:
        if replica.follows and self._source(replica) is None:
            replica.link_up = False

    def _check(self) -> None:
        """At no time are there two primaries, whether they hang or are cut off: only the dead are fenced."""
        shards: dict[str, list[str]] = {}
        for process, engine in self.engines.items():
            if engine.follows is None:
                shards.setdefault(engine.plan.cluster_id.rpartition("-")[0], []).append(process)
        for shard, primaries in shards.items():
            if len(primaries) > 1:
                self.wrongs.append(f"{self.loop.time():.3f}: {shard} has the primaries {primaries}")

    def _engine(self, node: NodePlan, run: int | None = None) -> Engine:
        engine = self.engines.get(node.process)
        if engine is None:
            raise HostError("it does not run")
        if run is not None and run != engine.run:
            raise HostError("it is another process by now")
        return engine

    def _at(self, address: Address) -> Engine | None:
        for engine in self.engines.values():  # asked a million times: a generator would cost more than it does
            if engine.address == address:
                return engine
        return None

    def _source(self, replica: Engine) -> Engine | None:
        """Return whom a replica copies from."""
        return self._at(replica.follows) if replica.follows else None

    def _is(self, engine: Engine) -> bool:
        return self.engines.get(engine.plan.process) is engine

    def _replicas(self, address: Address) -> list[Engine]:
        return [e for e in self.engines.values() if e.follows == address]

    async def _perhaps_crash(self) -> None:
        if self.dice.random() < self.crash_chance:
            self.crash()
            await self.loop.create_future()  # the daemon is no more: its task ends here
