"""Global datastores, watched: who copies from whom across regions, how far behind, and a change of the primary.

Who follows whom is the failover's to do, in each region (`control/failover.py`); this says when, in the World.  The
one order that it gives itself is to hold back writes for a moment, until the secondary has them all.

No engine in cluster mode can be told to follow another one, so its leaders end when the secondary has all of theirs.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from atoll.cache import global_group as steps
from atoll.cache.node import NodePlan
from atoll.control.events import going_on, log
from atoll.control.news import News
from atoll.control.sight import Book
from atoll.host.contract import Host, HostError, Machine
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import GlobalReplicationGroup, end_of, leader_of, links
from atoll.store.sqlite import StoreError

LOOK_SECONDS, BUSY_SECONDS = 0.5, 0.015  # between two looks; while something changes
LONGEST_SECONDS = 1.0  # a look at the World even when nothing woke us
PAUSE_MILLISECONDS = 5_000  # the engine's own bound for held writes
PAUSE_SECONDS = 1.5  # for the last of them to arrive
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 3.0  # with a primary that does not answer, or that the secondary does not hear
HANDOVER_SECONDS = 20.0  # in all, while the primary answers
OFFSETS_KEPT = 240  # of a primary: two minutes

Said = Mapping[str, str]
Heard = Sequence[Said]  # of the leaders of a member's shards, in order
ENOUGH = ("CONFIG", "SET", "cluster-replica-no-failover", "yes")  # from now on, nobody is elected


class GlobalGroups:
    """Watches the global datastores of one host."""

    def __init__(self, store: Book, want: Callable[[], Mapping[str, Machine]], host: Host) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._store, self._want, self._host = store, want, host
        self._news = News()
        self._since: dict[tuple[str, str], float] = {}  # (datastore, what) -> since when it is so
        self._offsets: dict[tuple[str, int], deque[tuple[float, int]]] = {}  # of primaries: (datastore, shard)
        self.lags: dict[str, float] = {}  # seconds, by the World ids of secondaries' leading clusters

    def wake(self) -> None:
        """The World has changed."""
        self._news.tell()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            found = list(self._store.world.seen_by(None).all(GlobalReplicationGroup))
            is_busy = False
            for datastore in found:
                with going_on("global datastore", "datastore waits", HostError, StoreError, name=datastore.name):
                    is_busy |= await self._look(datastore)
            if not found:
                self.lags.clear()
            await self._news.wait(BUSY_SECONDS if is_busy else LOOK_SECONDS if found else LONGEST_SECONDS)

    async def _look(self, datastore: GlobalReplicationGroup) -> bool:
        """Look at one; tell whether it is changing."""
        if datastore.status == "deleting":
            self._write(steps.deleted, datastore.id)
            return True
        said = dict(
            zip(
                [m.group_id for m in datastore.members],
                await asyncio.gather(*(self._heard(m.group_id) for m in datastore.members)),
                strict=True,
            )
        )
        self._measure(datastore, said)
        for member in datastore.members:
            seen, leads = said[member.group_id], member.group_id == datastore.primary_id
            if member.status == "associating" and ((leads and steps.lead(seen)) or steps.follow(seen)):
                self._write(steps.associated, datastore.id, member.group_id)
            if member.status == "disassociating" and steps.lead(seen):
                self._write(steps.left, datastore.id, member.group_id)
        if datastore.handover:
            await self._hand_over(datastore, said)
        else:
            self._since = {key: at for key, at in self._since.items() if key[0] != datastore.id}
        if steps.is_reshaped(self._store.world, datastore):
            self._write(steps.reshaped, datastore.id)
        return datastore.handover is not None or any(m.status != "associated" for m in datastore.members)

    async def _hand_over(self, datastore: GlobalReplicationGroup, said: Mapping[str, Heard]) -> None:
        assert datastore.handover, "asked by _look"
        stage, id = datastore.handover.stage, datastore.id
        if stage == "promoting":
            if steps.lead(said[datastore.primary_id]):
                self._write(steps.promoted, id)
            return
        primary, target = said[datastore.primary_id], said[datastore.handover.target_id]
        if stage == "fencing":
            await self._fence(datastore)
        elif not all(one.get("role") for one in target):
            if self._lasts(id, "silent target") > HANDOVER_SECONDS:
                self._write(steps.given_up, id, "its own primary does not answer")
        elif not _is_heard(primary) or not self._is_linked(datastore) or _is_deaf(stage, target):
            if self._lasts(id, "lost primary") > PATIENCE_SECONDS:
                self._write(steps.taken_over, id)  # what it had not sent is lost
        elif stage == "demoting":
            await self._after_demotion(datastore, primary[0], target[0])
        elif self._lasts(id, "handover") > HANDOVER_SECONDS:
            self._write(steps.given_up, id, "it did not catch up")
        else:
            await self._catch_up(datastore)

    async def _after_demotion(self, datastore: GlobalReplicationGroup, primary: Said, target: Said) -> None:
        if primary["role"] != "slave":
            return  # its guard is about to tell it
        if steps.offset_of(target) < steps.offset_of(primary):
            self._write(steps.back, datastore.id)
            return
        self._write(steps.taken_over, datastore.id)
        for plan in self._leaders(datastore.primary_id):  # one that holds back writes copies none either
            if plan:
                await self._host.hold(plan, 0)

    async def _catch_up(self, datastore: GlobalReplicationGroup) -> None:
        """Hold back the primary's writes until the target has them all; then have it follow the target."""
        assert datastore.handover, "asked by _look"
        leaders, loop = [plan for plan in self._leaders(datastore.primary_id) if plan], asyncio.get_running_loop()
        until = loop.time() + PAUSE_SECONDS
        await self._hold(leaders, PAUSE_MILLISECONDS)
        while loop.time() < until:
            primary, target = await asyncio.gather(
                self._heard(datastore.primary_id), self._heard(datastore.handover.target_id)
            )
            if steps.lead(primary) and all(map(steps.has_all, target, primary)):
                is_cluster = any(plan.cluster for plan in leaders)
                self._write(steps.fencing if is_cluster else steps.demoting, datastore.id)
                return
            await asyncio.sleep(POLL_SECONDS)
        await self._hold(leaders, 0)

    async def _fence(self, datastore: GlobalReplicationGroup) -> None:
        """End the primary's leaders, each when the target has all that it took; then the target is the primary.

        A daemon that finds this begun asks those that are left again: their writes have gone on meanwhile.
        """
        assert datastore.handover, "asked by _look"
        olds, news = self._leaders(datastore.primary_id), self._leaders(datastore.handover.target_id)
        left = [(old, new) for old, new in zip(olds, news, strict=False) if old and self._host.vital(old.process)]
        patience = HANDOVER_SECONDS if self._is_linked(datastore) else PATIENCE_SECONDS
        if not left or self._lasts(datastore.id, "fencing") > patience:
            self._write(steps.taken_over, datastore.id)  # whoever is left is ended for not following
            return
        await self._hold([old for old, _ in left], PAUSE_MILLISECONDS)
        for old, new in left:
            primary, target = await asyncio.gather(self._said(old), self._said(new))
            if primary.get("role") != "master" or not steps.has_all(target, primary):
                return
            for replica in self._replicas(old):
                with contextlib.suppress(HostError):  # it is told again by whoever keeps the roster
                    await self._host.command(replica, *ENOUGH)
            await self._host.fence(old.process)
        self._write(steps.taken_over, datastore.id)

    async def _hold(self, leaders: Sequence[NodePlan], milliseconds: int) -> None:
        await asyncio.gather(*(self._host.hold(plan, milliseconds) for plan in leaders))

    def _measure(self, datastore: GlobalReplicationGroup, said: Mapping[str, Heard]) -> None:
        """Note how far behind the secondaries are: since when the primary has more than they."""
        for number, primary in enumerate(said[datastore.primary_id]):
            offsets = self._offsets.setdefault((datastore.id, number), deque(maxlen=OFFSETS_KEPT))
            if primary.get("role") == "master":
                if offsets and steps.offset_of(primary) < offsets[-1][1]:
                    offsets.clear()  # another history
                offsets.append((asyncio.get_running_loop().time(), steps.offset_of(primary)))
        for member in datastore.members:
            for number, (plan, seen) in enumerate(
                zip(self._leaders(member.group_id), said[member.group_id], strict=False)
            ):
                if plan and member.group_id == datastore.primary_id:
                    self.lags.pop(plan.cluster_id, None)
                elif plan:
                    self.lags[plan.cluster_id] = self._lag(datastore, number, seen)

    def _lag(self, datastore: GlobalReplicationGroup, number: int, seen: Said) -> float:
        offsets = self._offsets.get((datastore.id, number), ())
        missed = [at for at, offset in offsets if offset > steps.offset_of(seen)]
        return asyncio.get_running_loop().time() - missed[0] if missed else 0.0

    def _is_linked(self, datastore: GlobalReplicationGroup) -> bool:
        """Tell whether the backbone is there between the primary and the target: engines notice after a minute."""
        assert datastore.handover, "asked by _look"
        world = self._store.world
        group = world.get(ReplicationGroup, datastore.primary_id)
        there = {frozenset((link.one.interface_id, link.other.interface_id)) for link in links(world)}
        both = (datastore.primary_id, datastore.handover.target_id)
        for shard in group.node_groups if group else ():
            ends = [end_of(world, datastore, id, shard.id) for id in both]
            if frozenset(end.interface_id for end in ends if end) not in there:
                return False
        return True

    def _leaders(self, group_id: str) -> list[NodePlan | None]:
        """Return the leaders of a member's shards, in order; None where there is none just now."""
        group = self._store.world.get(ReplicationGroup, group_id)
        shards = group.node_groups if group else ()
        return [self._plan_of(leader_of(self._store.world, group_id, shard.id)) for shard in shards]

    def _replicas(self, leader: NodePlan) -> list[NodePlan]:
        plans = self._want().values()
        return [p for p in plans if isinstance(p, NodePlan) and p.primary and p.primary.name == leader.name]

    def _plan_of(self, cluster: CacheCluster | None) -> NodePlan | None:
        node = cluster.nodes[0] if cluster else None
        plan = self._want().get(f"{cluster.id}:{node.id}#{node.boot}") if cluster and node else None
        return plan if isinstance(plan, NodePlan) else None

    async def _heard(self, group_id: str) -> Heard:
        """Return what the leaders of a member's shards say of themselves, in order."""
        return await asyncio.gather(*(self._said(plan) for plan in self._leaders(group_id)))

    async def _said(self, plan: NodePlan | None) -> Said:
        """Return what a leader says of itself; nothing: it does not answer."""
        if plan is not None:
            with contextlib.suppress(HostError):
                return await self._host.statistics(plan)
        return {}

    def _lasts(self, id: str, what: str) -> float:
        now = asyncio.get_running_loop().time()
        return now - self._since.setdefault((id, what), now)

    def _write(self, change: Callable[..., None], *about: str) -> None:
        self._store.write(lambda tx: change(tx, *about), what=f"global datastore: {change.__name__}")
        log("global datastore", step=change.__name__, name=about[0].rpartition("/")[2])


def _is_heard(primary: Heard) -> bool:
    """Tell whether all leaders of the primary answer."""
    return all(one.get("role") for one in primary)


def _is_deaf(stage: str, target: Heard) -> bool:
    """Tell whether a target does not hear the primary, as it should before that is demoted."""
    return stage == "asked" and not steps.follow(target)
