"""Simulated engines of two regions: they know each other by names on the backbone, and pass on what they copy."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from atoll.cache.node import NodePlan
from atoll.host.contract import HostError, Machine, Replication
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import FIRST, NODES_MAX, global_of
from atoll.model.interface import Interface
from atoll.model.world import World
from tests.simulation.engines import Address, Engine, EngineHost


class ChainHost(EngineHost):
    """A host whose engines pass on what they copy, and are asked how much that is."""

    async def statistics(self, node: NodePlan) -> Mapping[str, str]:
        said = await self.replication(node)
        assert said, "these engines are never too busy"
        loading = str(int(self.loads(self._engine(node))))
        if said.role == "primary":
            offset = str(said.offset)
            return {"role": "master", "master_replid": said.history, "master_repl_offset": offset, "loading": loading}
        return {
            "role": "slave",
            "master_replid": said.history,
            "slave_repl_offset": str(said.offset),
            "master_link_status": "up" if said.link_up and not said.is_copying else "down",
        }

    async def hold(self, node: NodePlan, milliseconds: int) -> None:
        await self._perhaps_crash()
        engine = self._engine(node)
        if self._fails():
            raise HostError("no answer")
        engine.paused_until = self.loop.time() + milliseconds / 1000
        await self._perhaps_crash()

    def _connect(self, replica: Engine, leader: Engine) -> None:
        before = replica.history, len(replica.records)
        super()._connect(replica, leader)
        self._pass_on(replica, before)

    def _copied(self, replica: Engine, leader: Engine) -> None:
        before = replica.history, len(replica.records)
        super()._copied(replica, leader)
        self._pass_on(replica, before)

    def _replicaof(self, engine: Engine, leader: Address | None) -> None:
        """Have those who copy from one that is promoted ask again, too: it begins a history of its own."""
        super()._replicaof(engine, leader)
        if leader is None:
            for further in self._replicas(engine.address):
                further.link_up = False

    def _pass_on(self, replica: Engine, before: tuple[str, int]) -> None:
        """Have those who copy from a replica ask again, after it has got other data than one record more."""
        if (replica.history, len(replica.records)) != before:
            for further in self._replicas(replica.address):
                further.link_up = False

    def _arrive(self, replica: Engine, history: str, position: int, record: int) -> None:
        had = len(replica.records)
        super()._arrive(replica, history, position, record)
        if len(replica.records) == had:
            return
        for further in self._replicas(replica.address):
            if further.link_up:
                further.arrival = max(further.arrival + 1e-6, self.loop.time() + self.dice.random() * 0.03)
                self.loop.call_at(further.arrival, self._arrive, further, history, position, record)


class GlobeHost(ChainHost):
    """A host of two regions whose VPCs happen to have different addresses."""

    world: Callable[[], World]

    def start(self, machine: Machine) -> None:
        super().start(machine)
        if engine := self.engines.get(machine.process):
            engine.follows = self._real(engine.follows)

    async def replication(self, node: NodePlan) -> Replication | None:
        said = await super().replication(node)
        return replace(said, follows=self._named(node, said.follows)) if said and said.follows else said

    async def ask(self, node: NodePlan) -> str | None:
        if node.primary and (address := self._real((str(node.primary.address), node.primary.port))):
            near = next(e for e in self.engines.values() if e.address == address) if self._at(address) else None
            if near:
                node = replace(node, primary=replace(node.primary, address=near.plan.address, port=near.plan.port))
        return await super().ask(node)

    def _replicaof(self, engine: Engine, leader: Address | None) -> None:
        super()._replicaof(engine, self._real(leader))

    def masters(self) -> list[str]:
        """Return the clusters that take writes."""
        return sorted(e.plan.cluster_id for e in self.engines.values() if e.follows is None)

    def _names(self) -> dict[Address, Address]:
        """Return the real addresses of all nodes of global datastores, by those that they have on the backbone."""
        world, found = self.world().seen_by(None), {}
        for group in world.all(ReplicationGroup):
            datastore = global_of(world, group)
            member = datastore.member(group.id) if datastore else None
            for id in group.member_ids if member else ():
                cluster = world[CacheCluster, id]
                for node in cluster.nodes:
                    interface = world[Interface, node.interface_id]
                    known = FIRST + member.number * NODES_MAX + interface.number % NODES_MAX if member else FIRST
                    found[str(known), cluster.port] = (str(interface.address), cluster.port)
        return found

    def _real(self, address: Address | None) -> Address | None:
        return self._names().get(address, address) if address else None

    def _named(self, node: NodePlan, address: Address) -> Address:
        leader = self._at(address)
        if leader and leader.plan.cluster_id.split("/")[1] == node.cluster_id.split("/")[1]:
            return address
        return next((known for known, real in self._names().items() if real == address), address)
