"""Resharding, acted out: slots move between the shards of a group, some at a time, until all are where they belong.

A task for each group whose shards change: look at what the engines say, write it down, decide
(`cache/resharding.py`), do one act, look again.  Whatever fails, a shard that loses its primary for instance, is seen
again by the next look; after a crash of the daemon the next one begins with a look.

In a global datastore the groups of other regions have a task, too, which has their engines follow
(`cache/mirroring.py`).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from atoll.cache import mirroring, resharding
from atoll.cache.node import NodePlan
from atoll.cache.replicated import offset_of
from atoll.cache.resharding import Carry, Finish, Holding, Wait
from atoll.cache.shards import Slots, bus_port, write_slots
from atoll.cache.slots import Move, slots_of
from atoll.cache.topology import Topology
from atoll.control.events import going_on, log
from atoll.control.news import News
from atoll.control.sight import Book
from atoll.host.contract import Host, HostError, Machine
from atoll.model.cache import ReplicationGroup
from atoll.model.global_group import source_of
from atoll.model.world import Tx
from atoll.store.sqlite import StoreError

AGAIN_SECONDS = 0.1  # between two looks while something is about to happen
SOON_SECONDS = 0.02  # likewise in a secondary, whose readers miss what has moved until its leaders claim it
POLL_SECONDS = 0.005
FAILED_SECONDS = 0.5  # after an act that failed
NEWS_SECONDS = 1.0  # a look at the World even when nothing woke us
AGREE_SECONDS = 10.0  # for everybody to hear who has which slots; who has not by then hears it later
ARRIVAL_SECONDS = 1.0  # for what a shard took to arrive at its copies; they claim its slots then, at the latest
FAREWELL_SECONDS = 1.0  # in which a shard without slots still sends clients to the others
STEPS_KEPT = 500


class Reshardings:
    """Changes the shards of one host's replication groups."""

    def __init__(
        self, store: Book, want: Callable[[], Mapping[str, Machine]], host: Host, wake_machines: Callable[[], None]
    ) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._store, self._want, self._host, self._wake_machines = store, want, host, wake_machines
        self._news = News()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.steps: deque[dict[str, Any]] = deque(maxlen=STEPS_KEPT)

    def wake(self) -> None:
        """The World has changed: look, soon."""
        self._news.tell()

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            while True:
                for group in self._store.world.seen_by(None).all(ReplicationGroup):
                    if group.resharding and group.id not in self._tasks:
                        self._tasks[group.id] = asyncio.ensure_future(self._reshard(group.id))
                await self._news.wait(NEWS_SECONDS)
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _reshard(self, group_id: str) -> None:
        while group := self._find(group_id):
            pause = FAILED_SECONDS
            with going_on("resharding", "resharding act failed", HostError, StoreError, group=group.name):
                pause = await self._step(group)
            await asyncio.sleep(pause)
        self._tasks.pop(group_id, None)

    def _find(self, group_id: str) -> ReplicationGroup | None:
        group = self._store.world.get(ReplicationGroup, group_id)
        return group if group and group.resharding and group.status != "deleting" else None

    async def _step(self, group: ReplicationGroup) -> float:
        """Look, note, decide, do one act; returns for how long to rest before the next."""
        if source := source_of(self._store.world, group):
            return await self._mirror(group, source)
        if resharding.waits_for(self._store.world, group):
            return AGAIN_SECONDS
        plans = self._primaries(group)
        held = await self._look(group, plans)
        owned = {id: holding.slots for id, holding in held.items()}
        if owned != {shard.id: shard.slots for shard in group.node_groups}:
            self._write("moved", resharding.moved, group.id, owned)
        act = resharding.decide(group, held)
        match act:
            case Wait(because):
                log("resharding waits", group=group.name, because=because)
                return AGAIN_SECONDS
            case Carry(moves):
                too_much = await self._is_too_much(group, plans) if resharding.progress(group) == 0.0 else None
                if too_much:
                    self._say(group, "give up", because=too_much)
                    self._write("given up", resharding.given_up, group.id, too_much)
                    return 0.0
                await self._carry(group, moves, plans)
            case Finish():
                if resharding.is_needed(self._store.world, group):
                    return AGAIN_SECONDS
                await self._finish(group, owned)
        return 0.0

    async def _mirror(self, group: ReplicationGroup, source: ReplicationGroup) -> float:
        """Have a secondary's leaders own the slots that the primary's do; returns for how long to rest.

        One that starts just now, or whose host is down, reads of them in its file.
        """
        if resharding.waits_for(self._store.world, source):
            return AGAIN_SECONDS
        above, plans = self._primaries(source), self._plans(group)
        leaders = {shard.id: plans[shard.leader_id] for shard in group.node_groups if shard.leader_id in plans}
        looks = await asyncio.gather(self._look(source, above), self._ask_each(group, leaders))
        wanted, held = ({id: holding.slots for id, holding in said.items()} for said in looks)
        if not mirroring.is_whole(wanted):
            return SOON_SECONDS  # some are on their way just now
        due = mirroring.claims(wanted, held)
        for claim in due:
            if claim.lacks:
                self._say(group, "claim", target=claim.shard_id, slots=write_slots(claim.lacks))
        await asyncio.gather(*(self._claim(above[c.shard_id], leaders[c.shard_id], c.lacks) for c in due))
        if wanted != {shard.id: shard.slots for shard in group.node_groups}:
            self._write("moved", resharding.moved, group.id, wanted)
        if due or len(held) < len(leaders) or wanted != {shard.id: shard.slots for shard in source.node_groups}:
            return SOON_SECONDS
        match mirroring.outcome(source, group):
            case "finished":
                await self._finish(group, wanted)
            case "given up":
                self._write("given up", resharding.given_up, group.id, f"{source.name} keeps its node groups")
        return SOON_SECONDS

    async def _arrival(self, source: NodePlan, copy: NodePlan) -> None:
        """Wait until a copy has what its source has now.  Raises HostError."""
        offset = offset_of(await self._host.statistics(source))
        until = asyncio.get_running_loop().time() + ARRIVAL_SECONDS
        while asyncio.get_running_loop().time() < until:
            if offset_of(await self._host.statistics(copy)) >= offset:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _claim(self, source: NodePlan, leader: NodePlan, lacks: Slots) -> None:
        """Have a leader own slots, and introduce itself to the others, who learn of it by that.  Raises HostError."""
        assert leader.cluster, "it is in cluster mode"
        if lacks:
            await self._arrival(source, leader)
            await self._host.command(leader, "EVAL", mirroring.CLAIM, "0", *map(str, slots_of(lacks)))
        others = [seat for seat in leader.cluster.seats if seat.id != leader.cluster.id]
        meeting = [("CLUSTER", "MEET", str(s.address), str(s.port), str(bus_port(s.port))) for s in others]
        await asyncio.gather(*(self._host.command(leader, *words) for words in meeting))

    def _plans(self, group: ReplicationGroup) -> dict[str, NodePlan]:
        """Return the plans of a group's members that should run, by the World ids of their clusters."""
        mine = set(group.member_ids)
        return {p.cluster_id: p for p in self._want().values() if isinstance(p, NodePlan) and p.cluster_id in mine}

    def _primaries(self, group: ReplicationGroup) -> dict[str, NodePlan]:
        """Return the plans of the primaries, by shard.  Raises HostError."""
        plans = self._plans(group)
        for shard in group.node_groups:
            if shard.primary_id not in plans:
                raise HostError("it does not run", f"ask {shard.primary_id}")
        return {shard.id: plans[shard.primary_id] for shard in group.node_groups}

    async def _look(self, group: ReplicationGroup, plans: Mapping[str, NodePlan]) -> dict[str, Holding]:
        """Return what each shard's primary says of its slots.  Raises HostError."""
        said = dict(zip(plans, await asyncio.gather(*(self._host.topology(p) for p in plans.values())), strict=True))
        shards = self._shards(group)
        return {id: _holding(topology, plans[id], shards) for id, topology in said.items()}

    async def _ask_each(self, group: ReplicationGroup, plans: Mapping[str, NodePlan]) -> dict[str, Holding]:
        """Return what those say that answer."""
        looks = (self._look(group, {id: plan}) for id, plan in plans.items())
        found: dict[str, Holding] = {}
        for said in await asyncio.gather(*looks, return_exceptions=True):
            if isinstance(said, dict):
                found |= said
            elif not isinstance(said, HostError):
                raise said
        return found

    def _shards(self, group: ReplicationGroup) -> dict[str, str]:
        """Return the shard of each node, by the engine's id for it."""
        plans = self._plans(group)
        return {
            plans[id].cluster.id: shard.id  # type: ignore[union-attr]  # all are in cluster mode
            for shard in group.node_groups
            for id in shard.member_ids
            if id in plans
        }

    async def _carry(self, group: ReplicationGroup, moves: tuple[Move, ...], plans: Mapping[str, NodePlan]) -> None:
        for move in moves:
            self._say(group, "move", source=move.source, target=move.target, slots=write_slots(move.slots))
        others = list(plans.values())
        done = await asyncio.gather(
            *(self._host.move_slots(plans[m.source], plans[m.target], m.slots, others) for m in moves),
            return_exceptions=True,
        )
        for error in done:
            if isinstance(error, BaseException):
                raise error

    async def _finish(self, group: ReplicationGroup, owned: Mapping[str, Slots]) -> None:
        await self._agree(group, owned)
        if group.resharding and group.resharding.leaving:
            await asyncio.sleep(FAREWELL_SECONDS)
        self._say(group, "finish")
        self._write("finished", resharding.finished, group.id)
        self._wake_machines()

    async def _agree(self, group: ReplicationGroup, owned: Mapping[str, Slots]) -> None:
        """Wait until every node knows who has which slots."""
        shards, plans = self._shards(group), self._plans(group)
        until = asyncio.get_running_loop().time() + AGREE_SECONDS
        while not all([await self._knows(plan, shards, owned) for plan in plans.values()]):
            if asyncio.get_running_loop().time() > until:
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def _knows(self, plan: NodePlan, shards: Mapping[str, str], owned: Mapping[str, Slots]) -> bool:
        if self._host.vital(plan.process) is None:
            return True
        try:
            said = await self._host.topology(plan)
        except HostError:
            return False
        seen: dict[str, list[int]] = {id: [] for id in owned}
        for peer in said.peers:
            if peer.id in shards:
                seen[shards[peer.id]] += slots_of(peer.slots)
        return all(sorted(seen[id]) == slots_of(slots) for id, slots in owned.items())

    async def _is_too_much(self, group: ReplicationGroup, plans: Mapping[str, NodePlan]) -> str | None:
        """Say why the shards that stay cannot have all data; None: they can.  Raises HostError."""
        staying = resharding.keep(group)
        if len(staying) == len(plans):
            return None
        said = dict(
            zip(plans, await asyncio.gather(*(self._host.statistics(p) for p in plans.values())), strict=True)
        )
        data = sum(int(one.get("used_memory_dataset", "0")) for one in said.values())
        room = sum(int(said[id].get("maxmemory", "0")) for id in staying)
        if not room or data <= room:
            return None
        return f"{data} bytes of data do not fit into {len(staying)} node groups, which hold {room}"

    def _write(self, what: str, change: Callable[..., None], *about: object) -> None:
        def write(tx: Tx) -> None:
            change(tx, *about)

        self._store.write(write, what=f"resharding: {what}")

    def _say(self, group: ReplicationGroup, act: str, **about: str) -> None:
        step = {"act": act, "group": group.name, **about}
        self.steps.append({"at": time.time(), **step})
        log("resharding", **step)


def _holding(said: Topology, plan: NodePlan, shards: Mapping[str, str]) -> Holding:
    """Return a primary's slots, open ones with the shard of the other side.  Raises HostError."""
    own = said.myself
    if not own.is_primary:
        raise HostError("it is a replica", f"ask {plan.name}")
    return Holding(
        own.slots,
        {slot: shards[id] for slot, id in own.migrating.items() if id in shards},
        {slot: shards[id] for slot, id in own.importing.items() if id in shards},
    )
