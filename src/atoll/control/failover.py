"""Failover, acted out: each shard of a replication group is looked at, judged (`cache/failover.py`) and mended.

A task for each shard: look, decide, do one act, look again.  It is woken by the end of a process, by a commit that
concerns the shard, and by the clock.  Whatever fails is seen again by the next look; after a crash of the daemon the
next one begins with a look, and finds in the World what was chosen.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from atoll.cache import takeover
from atoll.cache.failover import (
    Shard,
    after,
    decide,
)
from atoll.cache.failover_acts import (
    Abandon,
    Act,
    Choose,
    Demote,
    Fence,
    Follow,
    Pause,
    Promote,
    Publish,
    Rebuild,
    Reload,
    Restore,
    Wait,
)
from atoll.cache.node import NodePlan
from atoll.cache.shards import NO_ELECTION
from atoll.cache.upstream import may_change_role, upstream_sources
from atoll.control.events import log, log_mistake
from atoll.control.lag import Lag
from atoll.control.news import News
from atoll.control.sight import Book
from atoll.control.watch import Watch
from atoll.host.contract import Host, HostError, Machine
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.resource import Resource
from atoll.model.world import Tx, World
from atoll.store.sqlite import StoreError

TICK_SECONDS = 0.1  # between two quick looks, and
TICK_SHARE = 4.0  # no less than so many times what the leader took: hundreds of shards share one processor
FULL_SECONDS = 1.0  # between two full ones; no quick look waits for longer
AGAIN_FIRST_SECONDS, AGAIN_LAST_SECONDS = 0.001, 0.05  # while something is about to happen, or an act did nothing
NEWS_SECONDS = 1.0  # a look at the World even when nothing woke us
PAUSE_MILLISECONDS = 5_000  # the engine's own bound for held writes, should the daemon die meanwhile
STEPS_KEPT = 500
TAKE_OVER = ("CLUSTER", "FAILOVER", "TAKEOVER")


class Failovers:
    """Runs the failover of one host's replication groups."""

    def __init__(
        self, store: Book, want: Callable[[], Mapping[str, Machine]], host: Host, wake_machines: Callable[[], None]
    ) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._store, self._want, self._host, self._wake_machines = store, want, host, wake_machines
        self._news, self.lag = News(), Lag()
        self._guards: dict[tuple[str, str], _Guard] = {}
        self.steps: deque[dict[str, Any]] = deque(maxlen=STEPS_KEPT)

    def wake(self) -> None:
        """The World has changed: look, soon, at the shards that it concerns."""
        self._news.tell()

    def exited(self) -> None:
        """A process has ended: look at once."""
        for guard in self._guards.values():
            guard.wake()

    async def run(self) -> None:
        """Run until cancelled."""
        await self._adopt()
        lag = asyncio.ensure_future(self.lag.run())
        try:
            while True:
                self._follow(self._store.world)
                await self._news.wait(NEWS_SECONDS)
        finally:
            lag.cancel()
            for guard in self._guards.values():
                guard.task.cancel()
            await asyncio.gather(*(guard.task for guard in self._guards.values()), return_exceptions=True)
            self._guards.clear()

    async def _adopt(self) -> None:
        """Learn of every process that runs: one that we do not know would pass for dead."""
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(None, self._host.seen)
                return
            except HostError as error:
                log("processes not seen", because=str(error))
                await asyncio.sleep(TICK_SECONDS)

    def _follow(self, world: World) -> None:
        """Have a guard for each shard that has replicas, or is told from whom it copies."""
        wanted: dict[tuple[str, str], tuple[Resource, ...]] = {}
        for group in world.seen_by(None).all(ReplicationGroup):
            for shard in group.node_groups:
                if group.status != "deleting" and (len(shard.member_ids) > 1 or may_change_role(group, shard)):
                    members = (world.get(CacheCluster, id) for id in shard.member_ids)
                    outside = upstream_sources(world, group, shard)
                    wanted[group.id, shard.id] = (group, *(m for m in members if m), *outside)
        for key in self._guards.keys() - wanted.keys():
            self._guards.pop(key).task.cancel()
        for key, basis in wanted.items():
            guard = self._guards.get(key)
            if guard is None or guard.task.done():  # none ends by itself, but for a mistake of ours
                guard = self._guards[key] = _Guard(self, *key)
            guard.notice(basis)

    # What guards do

    @property
    def world(self) -> World:
        """The newest World."""
        return self._store.world

    def wanted(self) -> Mapping[str, Machine]:
        """Return the machines that should run."""
        return self._want()

    async def act(self, act: Act, watch: Watch, shard: Shard) -> None:
        """Do one act.  Raises HostError, StoreError."""
        self._say(act, watch, shard)
        at = watch.group_id, watch.shard_id
        match act:
            case Fence(id):
                await self._host.fence(watch.processes[id])
            case Choose(id):
                restored = shard.source_id is not None and id == shard.primary_id
                beside = (leader := shard.find(shard.leader_id)) is not None and leader.from_outside
                because = takeover.RESTORED if restored else takeover.CHANGE if beside else takeover.FAILURE
                self._write("chosen", partial(takeover.chosen, because=because), *at, id)
                if not takeover.is_chosen(self._store.world, *at, id):  # whoever is promoted has to be known for it
                    raise HostError("the World has moved on", f"choose {id}")
            case Promote(id):
                await self._lead(watch, watch.plans[id])
            case Publish(id):
                self._write("published", takeover.published, *at, id)
                self._wake_machines()
                if (old := shard.find(shard.leader_id)) and old.is_running and old.id in watch.plans:
                    await self._release(watch, watch.plans[old.id])
            case Follow(id, leader):
                await self._obey(watch, id, leader)
                if (member := shard.find(id)) and member.role == "primary":
                    await self._release(watch, watch.plans[id])
            case Pause(id):
                plan = watch.plans[id]
                watch.paused = plan.process, asyncio.get_running_loop().time()
                await self._host.command(plan, "CLIENT", "PAUSE", str(PAUSE_MILLISECONDS), "WRITE")
            case Demote(id, to):
                await self._obey(watch, id, to)
            case Abandon(id, because):
                watch.paused = None
                await self._host.command(watch.plans[id], "CLIENT", "UNPAUSE")
                self._write("abandoned", takeover.abandoned, *at, because)
            case Restore(id):
                self._write("restoring", takeover.restoring, *at, id)
                self._wake_machines()
            case Rebuild():
                self._write("rebuilding", takeover.rebuilding, *at)
                self._wake_machines()
            case Reload(id):
                await self._reload(watch, shard, watch.plans[id])

    async def _reload(self, watch: Watch, shard: Shard, plan: NodePlan) -> None:
        """Have a copy leave its data to its next process, which is a primary.

        An engine that loads says nothing to its cluster: in the time that this may take, the others would elect a
        replica that lacks something.  The World forbids it, too (`may_elect`), but perhaps they have not been told.
        """
        for member in shard.members:
            other = watch.plans.get(member.id)
            if other and other.process != plan.process and member.is_running and member.is_available:
                await self._host.command(other, *NO_ELECTION)
        try:
            await self._host.save(plan, is_copy=True)
            if watch.is_outdated(self._store.world):  # another region may be about to lead
                raise HostError("the World has moved on", f"reload {plan.name}")
            said, seen = await self._host.replication(plan), shard.find(shard.leader_id)
            if said is None or seen is None or (said.history, said.offset) != (seen.history, seen.offset):
                raise HostError("it may have got more meanwhile", f"reload {plan.name}")
            self._write("reloading", partial(takeover.reloading, boot=plan.boot), watch.group_id, watch.shard_id)
        except BaseException:
            with contextlib.suppress(HostError):  # the file is of no use any more
                await self._host.resume(plan)
            raise
        await self._host.fence(plan.process)
        self._wake_machines()

    async def _lead(self, watch: Watch, plan: NodePlan) -> None:
        """Make a node the leader: a primary, or the one that copies from outside."""
        if watch.is_outdated(self._store.world):  # another region may be about to lead
            raise HostError("the World has moved on", f"promote {plan.name}")
        run = watch.runs.get(plan.process)  # one that was started meanwhile has no data
        if plan.cluster:
            await self._host.command(plan, *TAKE_OVER, run=run)
            return
        if (source := watch.upstream) is None:
            if watch.is_migrating:
                await self._host.trust(plan, is_foreign=False)
            await self._host.command(plan, "REPLICAOF", "NO", "ONE", run=run)
            return
        if source.is_foreign:
            await self._host.trust(plan, is_foreign=True)
        await self._host.command(plan, "REPLICAOF", str(source.address), str(source.port), run=run)

    async def _obey(self, watch: Watch, id: str, leader_id: str) -> None:
        plan, leader = watch.plans[id], watch.plans[leader_id]
        if plan.cluster:
            seat = next(seat.id for seat in plan.cluster.seats if seat.name == leader.name)
            await self._host.command(plan, "CLUSTER", "REPLICATE", seat)
            return
        await self._host.command(plan, "REPLICAOF", str(leader.address), str(leader.port))

    async def _release(self, watch: Watch, plan: NodePlan) -> None:
        """Cut the clients of a node that was a primary, so that they ask for the name again, and end its pause.

        In cluster mode it tells them itself where the slots are.
        """
        watch.paused = None
        with contextlib.suppress(HostError):  # it may be ended already: its clients are cut by that
            if not plan.cluster:
                await self._host.command(plan, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await self._host.command(plan, "CLIENT", "UNPAUSE")

    def _write(self, what: str, change: Callable[..., None], *about: str) -> None:
        def write(tx: Tx) -> None:
            change(tx, *about)

        self._store.write(write, what=f"failover: {what}")

    def _say(self, act: Act, watch: Watch, shard: Shard) -> None:
        if act is None or isinstance(act, Wait):
            return
        said = {k: v for k, v in asdict(act).items() if k != "because"}
        names = {member.id: member.name for member in shard.members}
        said = {k: names.get(v, v) for k, v in said.items()}
        group = watch.group_id.rpartition("/")[2]
        step = {"act": type(act).__name__.lower(), "group": group, "shard": watch.shard_id, **said}
        self.steps.append({"at": time.time(), **step, "because": act.because})
        log("failover", **step, because=act.because)


class _Guard:
    """Looks after one shard."""

    def __init__(self, failovers: Failovers, group_id: str, shard_id: str) -> None:
        self._failovers = failovers
        self._watch = Watch(failovers._host, failovers.lag, group_id, shard_id)
        self._awake = asyncio.Event()
        self._basis: tuple[Resource, ...] = ()
        self._full = float("-inf")  # when everybody was looked at last
        self._probed = float("-inf")  # when the network was tried last
        self.task = asyncio.ensure_future(self._run())

    def wake(self) -> None:
        """Look at once."""
        self._awake.set()

    def notice(self, basis: tuple[Resource, ...]) -> None:
        """Look at once if what the shard is made of has changed."""
        if len(basis) != len(self._basis) or any(a is not b for a, b in zip(basis, self._basis, strict=True)):
            self._basis = basis
            self._full = float("-inf")
            self._awake.set()

    async def _run(self) -> None:
        last, again, failures = None, AGAIN_FIRST_SECONDS, 0
        while True:
            try:
                act = await self._step(hot=last is not None)
                failures = 0
            except (HostError, StoreError) as error:  # at once first; a disk that stays full is no hurry
                log("failover act failed", group=self._watch.group_id, because=str(error))
                await self._rest(min(AGAIN_FIRST_SECONDS * 2**failures, FULL_SECONDS))
                failures, act = min(failures + 1, 20), Wait(str(error))
            except Exception:  # a mistake of ours about one shard must not stop all others
                log_mistake("failover")
                act = None
            if act is None:
                last = None
                watch = self._watch
                rest = TICK_SECONDS if watch.in_doubt else max(TICK_SECONDS, TICK_SHARE * watch.leader_seconds)
                await self._rest(min(rest, FULL_SECONDS))
                continue
            again = min(again * 1.3, AGAIN_LAST_SECONDS) if type(act) is type(last) else AGAIN_FIRST_SECONDS
            if isinstance(act, Wait) or act == last:
                await self._rest(again)
            last = act

    async def _step(self, *, hot: bool) -> Act:
        """Look, decide, act, and do what follows for certain; returns the last act."""
        self._awake.clear()
        now = asyncio.get_running_loop().time()
        full = hot or now - self._full >= FULL_SECONDS
        probe = not hot or now - self._probed >= FULL_SECONDS  # what is waited for may be that it reaches somebody
        if probe:
            self._probed = now
        shard = await self._look(full=full, probe=probe)
        if shard is None:
            return None
        act = decide(shard)
        if not full and not isinstance(act, Fence | None):
            shard = await self._look(full=True, probe=False)  # what the others said may be old
            act = decide(shard) if shard else None
        while act is not None and shard is not None:
            await self._failovers.act(act, self._watch, shard)
            certain = after(shard, act)
            following = decide(certain) if certain else None
            if not isinstance(following, Promote | Publish | Pause):
                break
            shard, act = certain, following
        return act

    async def _look(self, *, full: bool, probe: bool) -> Shard | None:
        if full:
            self._full = asyncio.get_running_loop().time()
        failovers = self._failovers
        return await self._watch.look(failovers.world, failovers.wanted(), full=full, probe=probe)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()
