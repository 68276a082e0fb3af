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
from atoll.cache.replicated import Said, end_of, follows, has_all, offset_of
from atoll.cache.shards import NO_ELECTION
from atoll.control.events import going_on, log
from atoll.control.hearing import Hearing
from atoll.control.news import News
from atoll.control.sight import Book
from atoll.host.contract import Host, HostError, Machine
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import GlobalReplicationGroup, leader_of, link_of, links
from atoll.model.global_group import end_of as place_of
from atoll.store.sqlite import StoreError

LOOK_SECONDS, BUSY_SECONDS = 0.5, 0.015  # between two looks; while something changes
LONGEST_SECONDS = 1.0  # a look at the World even when nothing woke us
PAUSE_MILLISECONDS = 5_000  # the engine's own bound for held writes
PAUSE_SECONDS = 1.5  # for the last of them to arrive
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 3.0  # with a primary that does not answer, or that the secondary does not hear
HANDOVER_SECONDS = 20.0  # in all, while the primary answers
DEPOSE_SECONDS = 60.0  # for all nodes of a lost primary to yield; the host's own bound for an end is far less
PROMOTE_SECONDS = 60.0  # for a new primary to become one, until that is told: by then nobody takes writes
CALM_SECONDS = 0.2  # in which nobody of a lost primary is found who takes writes: a start may be under way
BOOTS_LOOKED_AT = 4  # the newest first: a reboot does not wait for the end of the former one
YIELD_SECONDS = 1.0  # for a node of a lost primary to be told by its guard, or to answer, before it is ended
OFFSETS_KEPT = 240  # of a primary: two minutes

Heard = Sequence[Said]  # of the leaders of a member's shards, in order
UNYIELDING = (
    "{} of its former primary can be neither ended nor told to follow it, and might take writes; it can be promoted "
    "when that has ended, or be disassociated, and accepts writes then"
)
AS_EVER = (*NO_ELECTION[:-1], "no")


class GlobalGroups:
    """Watches the global datastores of one host."""

    def __init__(self, store: Book, want: Callable[[], Mapping[str, Machine]], host: Host) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._store, self._want, self._host = store, want, host
        self._news, self._hearing = News(), Hearing(host)
        self._since: dict[str, dict[str, float]] = {}  # of a datastore that changes: what -> since when it is so
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
            self._keep(found)
            await self._hearing.restore()
            await self._news.wait(BUSY_SECONDS if is_busy else LOOK_SECONDS if found else LONGEST_SECONDS)

    def _keep(self, found: Sequence[GlobalReplicationGroup]) -> None:
        """Forget what was measured of anybody but these; whoever reads the lags holds the very dictionary."""
        members = [(one, m.group_id) for one in found for m in one.members if m.group_id != one.primary_id]
        leading = {plan.cluster_id for _, id in members for plan in self._leaders(id) if plan}
        for id in self.lags.keys() - leading:
            del self.lags[id]
        self._hearing.keep(self._want())
        ids = {one.id for one in found}
        for key in [key for key in self._offsets if key[0] not in ids]:
            del self._offsets[key]

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
        await self._listen(datastore, said)
        for member in datastore.members:
            seen, leads = said[member.group_id], member.group_id == datastore.primary_id
            if member.status == "associating" and ((leads and steps.lead(seen)) or steps.follow(seen)):
                self._write(steps.associated, datastore.id, member.group_id)
            if member.status == "disassociating" and steps.lead(seen):
                self._write(steps.left, datastore.id, member.group_id)
        if datastore.handover:
            await self._hand_over(datastore, said)
        else:
            self._since.pop(datastore.id, None)
        if steps.is_reshaped(self._store.world, datastore):
            self._write(steps.reshaped, datastore.id)
        return datastore.handover is not None or any(m.status != "associated" for m in datastore.members)

    async def _hand_over(self, datastore: GlobalReplicationGroup, said: Mapping[str, Heard]) -> None:
        assert datastore.handover, "asked by _look"
        stage, id = datastore.handover.stage, datastore.id
        if stage == "promoting":
            self._see_promoted(datastore, said[datastore.primary_id])
            return
        if stage == "deposing":
            await self._depose(datastore)
            return
        primary, target = said[datastore.primary_id], said[datastore.handover.target_id]
        silent = self._lasts(id, "silent target", so=not _is_heard(target))
        lost = self._lasts(id, "lost primary", so=not _is_heard(primary) or not self._is_linked(datastore))
        if stage == "fencing":
            await self._fence(datastore)
        elif silent is not None:
            if silent > HANDOVER_SECONDS:
                self._write(steps.given_up, id, "its own primary does not answer")
        elif lost is not None:
            if lost > PATIENCE_SECONDS:
                self._take_over(datastore)
        elif stage == "demoting":
            await self._after_demotion(datastore, primary[0], target[0])
        elif (self._lasts(id, "handover") or 0.0) > HANDOVER_SECONDS:
            self._write(steps.given_up, id, await self._obstacle(datastore, target) or "it did not catch up")
        elif await self._obstacle(datastore, target) is None:
            await self._catch_up(datastore)

    def _see_promoted(self, datastore: GlobalReplicationGroup, said: Heard) -> None:
        """Its guards promote it; whoever waits for that for long is told where nobody leads yet."""
        if steps.lead(said):
            self._write(steps.promoted, datastore.id)
            return
        is_late = (self._lasts(datastore.id, "promoting") or 0.0) > PROMOTE_SECONDS
        if is_late and "told" not in self._since[datastore.id]:
            self._lasts(datastore.id, "told")
            group = self._store.world.seen_by(None)[ReplicationGroup, datastore.primary_id]
            pairs = zip(group.node_groups, said, strict=False)
            left = [shard.id for shard, one in pairs if not steps.lead([one])]
            self._write(steps.not_yet_promoted, datastore.id, ", ".join(left))

    def _take_over(self, datastore: GlobalReplicationGroup) -> None:
        """Promote the target without its primary, which is lost: what that had not sent is lost, too."""
        if because := steps.without_data(self._store.world, datastore):  # nor will have them, without the primary
            self._write(steps.given_up, datastore.id, f"its primary is out of reach, and {because}")
        else:
            self._write(steps.deposing, datastore.id)

    async def _depose(self, datastore: GlobalReplicationGroup) -> None:
        """Have nobody of the lost primary take writes, whether it answers again or not; then promote the target.

        Its guards obey the World, and promote nobody any more.  Whoever was promoted, elected or started a moment ago
        is found by the next looks: the target is promoted when some had nobody to end.  If somebody cannot be ended,
        the change is given up: he may take writes, and what nobody can do must not keep a datastore busy for ever.
        """
        world = self._store.world.seen_by(None)
        members = [cluster for cluster in world.all(CacheCluster) if cluster.group_id == datastore.primary_id]
        looks = (self._yields(datastore, cluster) for cluster in members)
        found = await asyncio.gather(*looks, return_exceptions=True)
        is_late = (self._lasts(datastore.id, "deposing") or 0.0) > DEPOSE_SECONDS
        if (self._lasts(datastore.id, "all yield", so=all(one is True for one in found)) or 0.0) >= CALM_SECONDS:
            self._write(steps.taken_over, datastore.id)
        elif is_late and (left := [c.name for c, one in zip(members, found, strict=True) if one is not True]):
            self._write(steps.given_up, datastore.id, UNYIELDING.format(", ".join(left)))
        elif failures := [one for one in found if isinstance(one, BaseException)]:
            raise failures[0]

    async def _yields(self, datastore: GlobalReplicationGroup, cluster: CacheCluster) -> bool:
        """Tell whether a node of a lost primary takes no writes; end it if it does not yield."""
        node = cluster.nodes[0] if cluster.nodes else None
        if node is None:
            return True
        process, *former = (f"{cluster.id}:{node.id}#{node.boot - n}" for n in range(BOOTS_LOOKED_AT))
        if left := [one for one in former if self._host.vital(one) is not None]:
            await asyncio.gather(*map(self._host.fence, left))
            return False
        if self._host.vital(process) is None:
            return True
        role, what = (await self._said(self._plan_of(cluster))).get("role"), f"{process} does not yield"
        lasts = self._lasts(datastore.id, what, so=role != "slave")
        if lasts is None:
            return True
        group = self._store.world.seen_by(None).get(ReplicationGroup, datastore.primary_id)
        leads = group is not None and any(shard.leader_id == cluster.id for shard in group.node_groups)
        # None in cluster mode can be told to copy.  A leader that is silent hangs, unless it has just been started.
        may_yield = not cluster.sharded if role else not (leads and node.status == "available")
        if not may_yield or lasts > YIELD_SECONDS:
            log("global datastore", ends=process, because="its region is lost, and it does not copy from the new one")
            await self._host.fence(process)
        return False

    async def _obstacle(self, datastore: GlobalReplicationGroup, target: Heard) -> str | None:
        """Say why writes are not held back yet, for the target to have all of them; None: they may be."""
        assert datastore.handover, "asked by _look"
        if not steps.follow(target):
            return "it does not have the data of the primary yet"
        leaders = [plan for plan in self._leaders(datastore.handover.target_id) if plan]
        if not any(plan.cluster for plan in leaders):
            return None
        if because := steps.obstacle(self._store.world, datastore):
            return because
        for leader in leaders:
            heirs = await asyncio.gather(*(self._said(replica) for replica in self._followers([leader])))
            if not any(map(follows, heirs)):
                return f"no replica of {leader.cluster_id.rpartition('/')[2]} hears it just now"
        return None

    async def _after_demotion(self, datastore: GlobalReplicationGroup, primary: Said, target: Said) -> None:
        if primary["role"] != "slave":
            return  # its guard is about to tell it
        if offset_of(target) < offset_of(primary):
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
            if steps.lead(primary) and all(has_all(t, *end_of(p)) for t, p in zip(target, primary, strict=True)):
                is_cluster = any(plan.cluster for plan in leaders)
                self._write(steps.fencing if is_cluster else steps.demoting, datastore.id)
                if self._stage(datastore.id) != datastore.handover.stage:
                    return
                break  # there is an obstacle by now
            await asyncio.sleep(POLL_SECONDS)
        await self._hold(leaders, 0)

    async def _fence(self, datastore: GlobalReplicationGroup) -> None:
        """End the primary's leaders, each when the target has all that it took; then the target is the primary.

        A daemon that finds this begun asks those that are left again: their writes have gone on meanwhile.
        """
        assert datastore.handover, "asked by _look"
        olds, news = self._leaders(datastore.primary_id), self._leaders(datastore.handover.target_id)
        left = [(old, new) for old, new in zip(olds, news, strict=False) if old and self._host.vital(old.process)]
        is_linked, leaders = self._is_linked(datastore), [old for old, _ in left]
        patience = HANDOVER_SECONDS if is_linked else PATIENCE_SECONDS
        is_late = (self._lasts(datastore.id, "fencing") or 0.0) > patience
        if is_late and is_linked and len(left) == len(olds):
            self._write(steps.given_up, datastore.id, "it did not catch up")
            await self._tell(self._followers(leaders), *AS_EVER)
            await self._hold(leaders, 0)
            return
        if not left or is_late:
            self._write(steps.deposing if left else steps.taken_over, datastore.id)
            return
        await self._hold(leaders, PAUSE_MILLISECONDS)
        await self._tell(self._followers(leaders), *NO_ELECTION)
        for old, new in left:
            if not await self._end(old, new):
                return
        self._write(steps.taken_over, datastore.id)

    async def _end(self, old: NodePlan, new: NodePlan | None) -> bool:
        """End a leader if another one has all of it; tells whether it has ended."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await self._host.hold(old, PAUSE_MILLISECONDS)  # anew: others may have taken their time
        primary, target = await asyncio.gather(self._said(old), self._said(new))
        is_held = loop.time() - begun < PAUSE_MILLISECONDS / 2000
        if not is_held or primary.get("role") != "master" or not has_all(target, *end_of(primary)):
            return False
        await self._host.fence(old.process)
        return True

    async def _tell(self, replicas: Sequence[NodePlan], *words: str) -> None:
        """Tell all who answer; whoever keeps the roster tells the others."""
        told = (self._host.command(replica, *words) for replica in replicas)
        for failure in await asyncio.gather(*told, return_exceptions=True):
            if failure is not None and not isinstance(failure, HostError):
                raise failure

    async def _hold(self, leaders: Sequence[NodePlan], milliseconds: int) -> None:
        await asyncio.gather(*(self._host.hold(plan, milliseconds) for plan in leaders))

    def _measure(self, datastore: GlobalReplicationGroup, said: Mapping[str, Heard]) -> None:
        """Note how far behind the secondaries are: since when the primary has more than they."""
        for number, primary in enumerate(said[datastore.primary_id]):
            offsets = self._offsets.setdefault((datastore.id, number), deque(maxlen=OFFSETS_KEPT))
            if primary.get("role") == "master":
                if offsets and offset_of(primary) < offsets[-1][1]:
                    offsets.clear()  # another history
                offsets.append((asyncio.get_running_loop().time(), offset_of(primary)))
        for member in datastore.members:
            for number, (plan, seen) in enumerate(
                zip(self._leaders(member.group_id), said[member.group_id], strict=False)
            ):
                if plan and member.group_id == datastore.primary_id:
                    self.lags.pop(plan.cluster_id, None)
                elif plan:
                    self.lags[plan.cluster_id] = self._lag(datastore, number, seen)

    async def _listen(self, datastore: GlobalReplicationGroup, said: Mapping[str, Heard]) -> None:
        """Have copies ask their sources again that say nothing."""
        world = self._store.world.seen_by(None)
        for member in datastore.members:
            group = world.get(ReplicationGroup, member.group_id)
            for id in group.member_ids if group else ():
                if plan := self._plan_of(world.get(CacheCluster, id)):
                    self._hearing.know(plan)
            shards = group.node_groups if group and group.id != datastore.primary_id else ()
            for shard, seen in zip(shards, said[member.group_id], strict=False):
                if plan := self._plan_of(leader_of(world, member.group_id, shard.id)):
                    linked = link_of(world, datastore, member, shard.id) is not None
                    await self._hearing.look(plan, seen, is_linked=linked)

    def _lag(self, datastore: GlobalReplicationGroup, number: int, seen: Said) -> float:
        offsets = self._offsets.get((datastore.id, number), ())
        missed = [at for at, offset in offsets if offset > offset_of(seen)]
        return asyncio.get_running_loop().time() - missed[0] if missed else 0.0

    def _is_linked(self, datastore: GlobalReplicationGroup) -> bool:
        """Tell whether the backbone is there between the primary and the target: engines notice after a minute."""
        assert datastore.handover, "asked by _look"
        world = self._store.world
        group = world.get(ReplicationGroup, datastore.primary_id)
        there = {frozenset((link.one.interface_id, link.other.interface_id)) for link in links(world)}
        both = (datastore.primary_id, datastore.handover.target_id)
        for shard in group.node_groups if group else ():
            ends = [place_of(world, datastore, id, shard.id) for id in both]
            if frozenset(end.interface_id for end in ends if end) not in there:
                return False
        return True

    def _leaders(self, group_id: str) -> list[NodePlan | None]:
        """Return the leaders of a member's shards, in order; None where there is none just now."""
        group = self._store.world.get(ReplicationGroup, group_id)
        shards = group.node_groups if group else ()
        return [self._plan_of(leader_of(self._store.world, group_id, shard.id)) for shard in shards]

    def _followers(self, leaders: Sequence[NodePlan]) -> list[NodePlan]:
        plans, names = self._want().values(), {leader.name for leader in leaders}
        return [p for p in plans if isinstance(p, NodePlan) and p.primary and p.primary.name in names]

    def _stage(self, id: str) -> str | None:
        """Return how far a change of the primary is by now."""
        now = self._store.world.seen_by(None).get(GlobalReplicationGroup, id)
        return now.handover.stage if now and now.handover else None

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

    def _lasts(self, id: str, what: str, *, so: bool = True) -> float | None:
        """Return for how many seconds something has been so, without a break; None: it is not."""
        since = self._since.setdefault(id, {})
        if not so:
            since.pop(what, None)
            return None
        now = asyncio.get_running_loop().time()
        return now - since.setdefault(what, now)

    def _write(self, change: Callable[..., None], *about: str) -> None:
        self._store.write(lambda tx: change(tx, *about), what=f"global datastore: {change.__name__}")
        if self._stage(about[0]) is None:  # the next change may be asked for before the next look
            self._since.pop(about[0], None)
        log("global datastore", step=change.__name__, name=about[0].rpartition("/")[2])


def _is_heard(leaders: Heard) -> bool:
    """Tell whether all leaders of a member answer."""
    return all(one.get("role") for one in leaders)
