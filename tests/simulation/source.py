"""A user's own cluster beside simulated engines: primaries and replicas that replace each other, and say who leads.

Each node says what it believes.  A primary that hangs while another one is elected believes for a moment more that it
leads, and takes writes; the greater epoch is right.  Nobody here is a node of the service's.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any

from atoll.cache.config import NO_WRITES
from atoll.cache.shards import Slots
from atoll.host.contract import HostError
from tests.simulation.engines import Address, Engine
from tests.simulation.globe import ChainHost
from tests.simulation.test_modes import MixedHost

ELECTION_SECONDS_MAX = 4.0  # engines take longer, and in a story longer only means more of the same
SOURCE = "source-"
PORT = 7000


@dataclass(frozen=True, slots=True)
class Part:
    """A shard of the source: its slots, and its two nodes by their processes."""

    slots: Slots
    processes: tuple[str, str]


class MigrationHost(MixedHost, ChainHost):
    """A host of several shards whose engines are in cluster mode, or out of it; and a source."""

    parts: tuple[Part, ...] = ()

    def found(self, shares: list[Slots]) -> None:
        """Have a source of shards with these slots, of two nodes each."""
        names = [tuple(f"{SOURCE}{n}-{m}" for m in (1, 2)) for n in range(len(shares))]
        self.parts = tuple(Part(slots, (a, b)) for slots, (a, b) in zip(shares, names, strict=True))
        for part in self.parts:
            self.revive(part)

    def revive(self, part: Part) -> None:
        """Have a shard of the source begin, empty, of which no node runs."""
        if not self.nodes(part):
            first, second = part.processes
            self._begin(first, None, epoch=1)
            self._begin(second, self.engines[first].address, epoch=1)

    def owner(self, part: Part) -> Engine | None:
        """Return who leads a shard of the source, by the greatest epoch."""
        leads = [e for e in self.nodes(part) if e.follows is None]
        return max(leads, key=lambda e: e.epoch, default=None)

    def nodes(self, part: Part) -> list[Engine]:
        """Return the nodes of a shard of the source that run."""
        return [self.engines[process] for process in part.processes if process in self.engines]

    def ours(self) -> list[Engine]:
        """Return the engines that are no node of the source, in the order of their processes."""
        mine = [e for e in self.engines.values() if not e.plan.process.startswith(SOURCE)]
        return sorted(mine, key=lambda e: e.plan.process)

    # What happens to the source

    async def lose(self, part: Part) -> None:
        """Have a primary killed; its replica is elected, and it comes back as a replica of that."""
        lost, heir = self.owner(part), next((e for e in self.nodes(part) if e.follows and e.link_up), None)
        if lost is None or heir is None:
            return
        self.end(lost.plan.process, -9)
        await asyncio.sleep(self.dice.random() * ELECTION_SECONDS_MAX)
        self._elect(heir)
        self._begin(lost.plan.process, heir.address, epoch=heir.epoch)

    async def hang(self, part: Part) -> None:
        """Have a primary hang until another one is elected; it learns of that a moment after it is back."""
        lost, heir = self.owner(part), next((e for e in self.nodes(part) if e.follows and e.link_up), None)
        if lost is None or heir is None:
            return
        lost.is_stopped = True
        await asyncio.sleep(self.dice.random() * ELECTION_SECONDS_MAX)
        self._elect(heir)
        await asyncio.sleep(self.dice.random())
        lost.is_stopped = False
        await asyncio.sleep(self.dice.random())
        self._replicaof(lost, heir.address)

    async def swap(self, part: Part) -> None:
        """Have a replica take over in order, which loses nothing."""
        old, heir = self.owner(part), next((e for e in self.nodes(part) if e.follows and e.link_up), None)
        if old is None or heir is None:
            return
        old.paused_until = self.loop.time() + 5.0
        await asyncio.sleep(0.1)  # for what is under way
        self._elect(heir)
        self._replicaof(old, heir.address)
        old.paused_until = 0.0

    def _elect(self, heir: Engine) -> None:
        heir.epoch += 1
        self._replicaof(heir, None)

    def _begin(self, process: str, follows: Address | None, *, epoch: int) -> None:
        plan: Any = SimpleNamespace(
            process=process, cluster_id=process, cluster=None, settings=(),
            address=place_of(process), port=PORT, interface_id=process, primary=None,
        )  # fmt: skip
        history = hashlib.sha1(f"{process} {next(self._ids)}".encode(), usedforsecurity=False).hexdigest()
        self.engines[process] = Engine(plan, follows, history, epoch=epoch)

    # The contract

    async def stranger(self, namespace: str, address: str, port: int, *words: str) -> str:
        await asyncio.sleep(self.dice.random() * 0.05)
        engine = self._at((address, port))
        if engine is None or engine.is_stopped or self._fails() or self._is_cut(namespace):
            await asyncio.sleep(1.0)
            raise HostError("no answer", f"ask {address}:{port}")
        if words[0] == "CLUSTER":
            return self._cluster_nodes(engine)
        role, offset = "slave" if engine.follows else "master", len(engine.records)
        said = {"role": role, "cluster_enabled": 1, "valkey_version": "7.2.0", "master_replid": engine.history,
                "master_repl_offset": offset, "slave_repl_offset": offset}  # fmt: skip
        return "".join(f"{name}:{value}\r\n" for name, value in said.items())

    def _is_cut(self, interface_id: str) -> bool:
        return any(e.plan.interface_id == interface_id and e.address in self.cut for e in self.engines.values())

    def _cluster_nodes(self, asked: Engine) -> str:
        """Return what one node believes: of its own shard by what it is, of others what everybody does."""
        lines = []
        for part in self.parts:
            owner = asked if asked.plan.process in part.processes and not asked.follows else self.owner(part)
            for process in part.processes:
                engine = self.engines.get(process)
                place = f"{place_of(process)}:{PORT}@{PORT + 1}"
                leads, fails = engine is not None and engine is owner, engine is None or engine.is_stopped
                flags = ["myself"] * (engine is asked) + ["master" if leads else "slave"] + ["fail"] * fails
                slots = " ".join(f"{first}-{last}" for first, last in part.slots) if leads else ""
                of = "-" if leads or owner is None else _id(owner.plan.process)
                epoch = engine.epoch if engine else 0
                lines.append(f"{_id(process)} {place} {','.join(flags)} {of} 0 0 {epoch} connected {slots}")
        return "\n".join(lines) + "\n"

    # Engines among themselves

    def shard_of(self, engine: Engine) -> list[Engine]:
        if not engine.plan.cluster:
            return []
        return [e for e in self.engines.values() if e.plan.cluster and e.shard_id == engine.shard_id]

    def write(self, address: Address, record: int) -> bool:
        engine = self._at(address)
        if engine and NO_WRITES[0] in engine.plan.settings:
            return False
        return super().write(address, record)

    def _check(self) -> None:
        """No shard has two primaries of which one knows nothing of slots, unless that takes no writes."""
        shards: dict[str, list[Engine]] = {}
        for engine in self.ours():
            if engine.follows is None and NO_WRITES[0] not in engine.plan.settings:
                shards.setdefault(engine.plan.cluster_id.rpartition("-")[0], []).append(engine)
        for shard, leads in shards.items():
            if len(leads) > 1 and not all(e.plan.cluster for e in leads):
                self.wrongs.append(f"{self.loop.time():.3f}: {shard} has {[e.plan.process for e in leads]}")


def _id(process: str) -> str:
    return hashlib.sha1(process.encode(), usedforsecurity=False).hexdigest()


def place_of(process: str) -> IPv4Address:
    """Return the address of a node of the source."""
    shard, number = process.removeprefix(SOURCE).split("-")
    return IPv4Address("172.31.200.0") + 10 * int(shard) + int(number)
