"""Simulated engines in cluster mode in two regions: leaders that copy from outside, over links that come and go.

A copy asks whoever is at the other end of its link.  If the link is moved before the answer has come, nobody ends
the connection: the copy waits for as long as its patience says (`repl-timeout`).  One that has all hears of a moved
link at its next acknowledgement.  Links are those of the World, a moment later, and stay while no daemon lives.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from atoll.cache.node import NodePlan
from atoll.cache.shards import NODE_TIMEOUT_MS
from atoll.control.hearing import PATIENCE
from atoll.host.contract import HostError, Machine
from atoll.model.global_group import Link
from tests.simulation.engines import Address, Engine
from tests.simulation.globe import ChainHost
from tests.simulation.shards import ShardHost

ANSWER_SECONDS_MAX = 0.5  # to a copy that asks, on a busy machine
PATIENCE_SECONDS = 60.0  # an engine's own
NODE_TIMEOUT_SECONDS = NODE_TIMEOUT_MS / 1000


@dataclass(slots=True)
class Connection:
    """What a copy has opened to the node at the other end of its link."""

    leader: Engine
    link: object  # this very link: one that is made anew is another
    since: float  # when the leader was heard last
    is_answered: bool = False


class BackboneHost(ShardHost, ChainHost):
    """A host of two regions with groups in cluster mode."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.links: dict[frozenset[str], object] = {}  # in force, by the interfaces at their ends
        self.connections: dict[str, Connection] = {}  # of copies, by their processes
        self.patience: dict[str, float] = {}
        self.elected = 0  # how often somebody made himself a primary
        self.stuck = 0  # how often a copy waited for what never came

    def plug(self, links: Iterable[Link]) -> None:
        """Have exactly these links."""
        ends = {frozenset((link.one.interface_id, link.other.interface_id)) for link in links}
        self.links = {pair: self.links.get(pair) or object() for pair in ends}

    # The contract

    def start(self, machine: Machine) -> None:
        self.connections.pop(machine.process, None)
        super().start(machine)

    async def tune(self, node: NodePlan, directive: str, value: str) -> str | None:
        if directive != PATIENCE:
            return await super().tune(node, directive, value)
        engine = self._engine(node)
        await self._perhaps_crash()
        if engine.is_stopped or not engine.answers or self._fails():
            raise HostError("no answer")
        self.patience[node.process] = float(value)
        await self._perhaps_crash()
        return None

    # Engines among themselves

    def leads(self, engine: Engine) -> bool:
        """A copy leads its shard until it hears of somebody with a greater epoch."""
        return engine.follows is None or self._is_copy(engine)

    def step(self) -> None:
        for process, made in list(self.connections.items()):
            engine = self.engines.get(process)
            if engine is None or not self._is_copy(engine) or not self._lasts(process, engine, made):
                del self.connections[process]
        self._elect()
        super().step()

    def masters(self) -> dict[str, list[Engine]]:
        """Return who takes writes, by the ids of shards, of all regions."""
        found = {}
        for shard, engines in self.primaries().items():
            able = [e for e in engines if not e.is_stopped and not self.loads(e)]
            if ready := [e for e in able if self.loop.time() >= e.paused_until]:
                found[shard] = ready
        return found

    def primaries(self) -> dict[str, list[Engine]]:
        """Return who is a primary, by the ids of shards, of all regions, also if it hangs or is cut off just now."""
        found: dict[str, list[Engine]] = {}
        for engine in self.engines.values():
            if engine.follows is None:
                found.setdefault(shard_id(engine), []).append(engine)
        return found

    def _elect(self) -> None:
        """Let replicas make themselves primaries whose leaders have said nothing for long, as engines do.

        Those of other shards are taken to agree: they do when they are two at least.
        """
        lost: dict[str, list[Engine]] = {}
        for replica in self.engines.values():
            if self.leads(replica) or not self._speaks(replica):
                continue
            leader = self._source(replica)
            if leader is not None and self._speaks(leader):
                if replica.link_up or replica.heard is not None:
                    replica.heard = self.loop.time()
            elif replica.heard is not None and self.loop.time() - replica.heard > NODE_TIMEOUT_SECONDS:
                lost.setdefault(replica.shard_id, []).append(replica)
        for replicas in lost.values():
            if able := [e for e in replicas if e.elects and not e.is_copying]:
                self.elected += 1
                self.take_over(max(able, key=lambda e: len(e.records)), is_elected=True)

    def _lasts(self, process: str, engine: Engine, made: Connection) -> bool:
        """Tell whether a connection of a copy is still there."""
        is_there = made.link in self.links.values()
        if self._is(made.leader) and is_there and made.is_answered and not made.leader.is_stopped:
            made.since = self.loop.time()
        if is_there and not self._is(made.leader):  # its kernel says so
            engine.link_up = engine.is_copying = False
            return False
        if engine.link_up and not is_there:  # whoever is there now does not know the connection
            engine.link_up = False
            return False
        if made.is_answered and not engine.link_up and not engine.is_copying:  # its leader was promoted meanwhile
            return False
        if not engine.link_up and self.loop.time() - made.since > self.patience.get(process, PATIENCE_SECONDS):
            engine.is_copying = False
            return False
        return True

    def _is_copy(self, engine: Engine) -> bool:
        source = engine.plan.primary
        return source is not None and not source.name and engine.follows == (str(source.address), source.port)

    def _source(self, replica: Engine) -> Engine | None:
        if not self._is_copy(replica):
            return super()._source(replica)
        pair = next((pair for pair in self.links if replica.plan.interface_id in pair), frozenset())
        return next((e for e in self.engines.values() if e is not replica and e.plan.interface_id in pair), None)

    def _replicas(self, address: Address) -> list[Engine]:
        copies = [
            engine
            for process, made in self.connections.items()
            if made.leader.address == address and made.link in self.links.values() and self._is(made.leader)
            if (engine := self.engines.get(process)) and self._is_copy(engine)
        ]
        return [*super()._replicas(address), *copies]

    def _connect(self, replica: Engine, leader: Engine) -> None:
        """Ask the leader; what follows is as with any replica, once it has answered."""
        process = replica.plan.process
        if not self._is_copy(replica):
            super()._connect(replica, leader)
        elif process not in self.connections:
            link = next(made for pair, made in self.links.items() if replica.plan.interface_id in pair)
            made = self.connections[process] = Connection(leader, link, self.loop.time())
            self.loop.call_later(self.dice.random() * ANSWER_SECONDS_MAX, self._answer, replica, made)

    def _answer(self, replica: Engine, made: Connection) -> None:
        process, leader = replica.plan.process, made.leader
        if self.connections.get(process) is not made or not self._is(leader):
            return
        if made.link not in self.links.values() or leader.is_stopped or self.loads(leader):
            self.stuck += 1  # it hears nothing, and says nothing
            return
        if leader.follows and not leader.link_up:
            del self.connections[process]  # -NOMASTERLINK
            return
        made.is_answered, made.since = True, self.loop.time()
        super()._connect(replica, leader)

    def _copied(self, replica: Engine, leader: Engine) -> None:
        made = self.connections.get(replica.plan.process)
        if self._is_copy(replica) and (made is None or made.link not in self.links.values()):
            self.stuck += made is not None
            return
        super()._copied(replica, leader)


def shard_id(engine: Engine) -> str:
    """Return the id that an engine's shard has in all regions."""
    return engine.plan.cluster_id.rpartition("/")[2].split("-")[-2]
