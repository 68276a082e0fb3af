"""Engines in cluster mode, for the simulation: takeovers, who hears of them when, and elections among themselves."""

import asyncio

from atoll.cache.node import NodePlan
from atoll.host.contract import HostError, Known, Machine
from tests.simulation.engines import Engine, EngineHost

HEARD_SECONDS_MAX = 0.03


class ShardHost(EngineHost):
    """A host whose engines run in cluster mode.

    A takeover gives the new primary the greatest epoch; everybody else of the shard hears of it a moment later,
    unless one of both is cut off or stopped, and obeys.
    """

    def start(self, machine: Machine) -> None:
        try:
            super().start(machine)
        finally:
            engine = self.engines.get(machine.process)
            if engine and engine.epoch < 0 and isinstance(machine, NodePlan) and machine.cluster:
                engine.epoch = machine.cluster.number if self.leads(engine) else 0
                engine.elects = machine.cluster.elects

    async def known(self, node: NodePlan) -> Known:
        await asyncio.sleep(self.dice.random() * 0.01)
        engine = self._engine(node)
        if engine.is_stopped or not engine.answers or self.loads(engine) or self._fails():
            raise HostError("no answer")
        seats = node.cluster.seats if node.cluster else ()
        return Known(epoch=engine.epoch, ids=frozenset(seat.id for seat in seats))

    async def command(self, node: NodePlan, *words: str, run: int | None = None) -> None:
        if words[0] != "CLUSTER":
            await super().command(node, *words, run=run)
            return
        await self._perhaps_crash()
        await asyncio.sleep(self.dice.random() * 0.01)
        engine = self._engine(node, run)
        if engine.is_stopped or not engine.answers or self._fails():
            await asyncio.sleep(2.0)
            raise HostError("no answer")
        if words[1:] == ("FAILOVER", "TAKEOVER"):
            if engine.follows is None:
                raise HostError("ERR You should send CLUSTER FAILOVER to a replica")
            self.take_over(engine)
        elif words[1] == "REPLICATE":
            if self.leads(engine) and engine.records:
                raise HostError("ERR To set a master the node must be empty and without assigned slots.")
            at = next(seat for seat in node.cluster.seats if seat.id == words[2])
            self._replicaof(engine, (str(at.address), at.port))
        await self._perhaps_crash()
        if self._fails():
            raise HostError("the answer was lost")

    def write(self, address: tuple[str, int], record: int) -> bool:
        engine = self._at(address)
        newer = [e for e in self.shard_of(engine) if e.follows is None and e.epoch > engine.epoch] if engine else []
        accepted = super().write(address, record)
        if accepted and any(not e.is_elected for e in newer):
            self.wrongs.append(f"{engine.plan.process} took a write that belongs to {newer[0].plan.process}")
        return accepted

    def take_over(self, engine: Engine, *, is_elected: bool = False) -> None:
        """Make a replica the primary, and let the others hear of it."""
        engine.epoch = max(e.epoch for e in self.shard_of(engine)) + 1
        engine.is_elected = is_elected
        self._replicaof(engine, None)
        for other in self.shard_of(engine):
            if other is not engine:
                self.loop.call_later(self.dice.random() * HEARD_SECONDS_MAX, self._hear, other, engine)

    def step(self) -> None:
        """Let everybody hear of the newest primary who has not, and links come up."""
        for engine in list(self.engines.values()):
            leads = [e for e in self.shard_of(engine) if self.leads(e)]
            if leads:
                self._hear(engine, max(leads, key=lambda e: e.epoch))
        super().step()

    def _speaks(self, engine: Engine) -> bool:
        """Tell whether an engine is heard by the others of its cluster: one that loads accepts no connection."""
        return not engine.is_stopped and engine.address not in self.cut and not self.loads(engine)

    def leads(self, engine: Engine) -> bool:
        """Tell whether the others of a shard take an engine for their primary."""
        return engine.follows is None

    def shard_of(self, engine: Engine) -> list[Engine]:
        return [e for e in self.engines.values() if e.shard_id == engine.shard_id]

    def _hear(self, engine: Engine, leader: Engine) -> None:
        """Obey the primary with the greatest epoch."""
        deaf = not (self._speaks(engine) and self._speaks(leader))
        if engine is leader or deaf or not (self._is(engine) and self._is(leader)) or not self.leads(leader):
            return
        if self.leads(engine) and engine.epoch >= leader.epoch:
            return
        followed = engine if self.leads(engine) else self._source(engine)
        if followed is leader:
            return
        if followed is None or not self.leads(followed) or followed.epoch <= leader.epoch:
            self._replicaof(engine, leader.address)

    def _check(self) -> None:
        """Two primaries are no wrong here, but a write that the older one takes: see `write`."""
