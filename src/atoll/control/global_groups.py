"""Global datastores, watched: who copies from whom across regions, how far behind, and a change of the primary.

Who follows whom is the failover's to do, in each region (`control/failover.py`); this says when, in the World.  The
one order that it gives itself is to hold back writes for a moment, until the secondary has them all.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping

from atoll.cache import global_group as steps
from atoll.cache.node import NodePlan
from atoll.control.events import going_on, log
from atoll.control.news import News
from atoll.control.sight import Book
from atoll.host.contract import Host, HostError, Machine
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import GlobalReplicationGroup, end_of, links
from atoll.store.sqlite import StoreError

LOOK_SECONDS, BUSY_SECONDS = 0.5, 0.015  # between two looks; while something changes
LONGEST_SECONDS = 1.0  # a look at the World even when nothing woke us
PAUSE_MILLISECONDS, PAUSE_SECONDS = (
    5_000,
    1.5,
)  # the engine's own bound for held writes; for the last of them to arrive
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 3.0  # with a primary that does not answer, or that the secondary does not hear
HANDOVER_SECONDS = 20.0  # in all, while the primary answers
OFFSETS_KEPT = 240  # of a primary: two minutes

Said = Mapping[str, str]


class GlobalGroups:
    """Watches the global datastores of one host."""

    def __init__(self, store: Book, want: Callable[[], Mapping[str, Machine]], host: Host) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._store, self._want, self._host = store, want, host
        self._news = News()
        self._since: dict[tuple[str, str], float] = {}  # (datastore, what) -> since when it is so
        self._offsets: dict[str, deque[tuple[float, int]]] = {}  # of primaries, by their clusters
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
                await asyncio.gather(*(self._said(m.group_id) for m in datastore.members)),
                strict=True,
            )
        )
        self._measure(datastore, said)
        for member in datastore.members:
            seen, leads = said[member.group_id], member.group_id == datastore.primary_id
            if member.status == "associating" and ((leads and seen.get("role") == "master") or steps.follows(seen)):
                self._write(steps.associated, datastore.id, member.group_id)
            if member.status == "disassociating" and seen.get("role") == "master":
                self._write(steps.left, datastore.id, member.group_id)
        if datastore.handover:
            await self._hand_over(datastore, said)
        else:
            self._since = {key: at for key, at in self._since.items() if key[0] != datastore.id}
        return datastore.handover is not None or any(m.status != "associated" for m in datastore.members)

    async def _hand_over(self, datastore: GlobalReplicationGroup, said: Mapping[str, Said]) -> None:
        assert datastore.handover, "asked by _look"
        stage, id = datastore.handover.stage, datastore.id
        if stage == "promoting":
            if said[datastore.primary_id].get("role") == "master":
                self._write(steps.promoted, id)
            return
        primary, target = said[datastore.primary_id], said[datastore.handover.target_id]
        if target.get("role") is None:
            if self._lasts(id, "silent target") > HANDOVER_SECONDS:
                self._write(steps.given_up, id, "its own primary does not answer")
        elif primary.get("role") is None or not self._is_linked(datastore) or _is_deaf(stage, target):
            if self._lasts(id, "lost primary") > PATIENCE_SECONDS:
                self._write(steps.taken_over, id)  # what it had not sent is lost
        elif stage == "demoting":
            await self._after_demotion(datastore, primary, target)
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
        if plan := self._leader(datastore.primary_id):  # one that holds back writes copies none either
            await self._host.hold(plan, 0)

    async def _catch_up(self, datastore: GlobalReplicationGroup) -> None:
        """Hold back the primary's writes until the target has them all; then have it follow the target."""
        assert datastore.handover, "asked by _look"
        plan, loop = self._leader(datastore.primary_id), asyncio.get_running_loop()
        if plan is None:
            return
        until = loop.time() + PAUSE_SECONDS
        await self._host.hold(plan, PAUSE_MILLISECONDS)
        while loop.time() < until:
            primary, target = await asyncio.gather(
                self._said(datastore.primary_id), self._said(datastore.handover.target_id)
            )
            if primary.get("role") == "master" and steps.has_all(target, primary):
                self._write(steps.demoting, datastore.id)
                return
            await asyncio.sleep(POLL_SECONDS)
        await self._host.hold(plan, 0)

    def _measure(self, datastore: GlobalReplicationGroup, said: Mapping[str, Said]) -> None:
        """Note how far behind the secondaries are: since when the primary has more than they."""
        now, primary = asyncio.get_running_loop().time(), said[datastore.primary_id]
        offsets = self._offsets.setdefault(datastore.id, deque(maxlen=OFFSETS_KEPT))
        if primary.get("role") == "master":
            if offsets and steps.offset_of(primary) < offsets[-1][1]:
                offsets.clear()  # another history
            offsets.append((now, steps.offset_of(primary)))
        for member in datastore.members:
            seen = said[member.group_id]
            plan = self._leader(member.group_id)
            if plan is None or member.group_id == datastore.primary_id:
                if plan is not None:
                    self.lags.pop(plan.cluster_id, None)
                continue
            missed = [at for at, offset in offsets if offset > steps.offset_of(seen)]
            self.lags[plan.cluster_id] = now - missed[0] if missed else 0.0

    def _is_linked(self, datastore: GlobalReplicationGroup) -> bool:
        """Tell whether the backbone is there between the primary and the target: engines notice after a minute."""
        assert datastore.handover, "asked by _look"
        world = self._store.world
        ends = [end_of(world, datastore, id) for id in (datastore.primary_id, datastore.handover.target_id)]
        wanted = {end.interface_id for end in ends if end}
        return any({link.one.interface_id, link.other.interface_id} == wanted for link in links(world))

    def _leader(self, group_id: str) -> NodePlan | None:
        world = self._store.world
        group = world.get(ReplicationGroup, group_id)
        cluster = world.get(CacheCluster, group.shard.leader_id) if group else None
        if cluster is None or not cluster.nodes:
            return None
        node = cluster.nodes[0]
        plan = self._want().get(f"{cluster.id}:{node.id}#{node.boot}")
        return plan if isinstance(plan, NodePlan) else None

    async def _said(self, group_id: str) -> Said:
        """Return what a member's leader says of itself; nothing: it does not answer."""
        plan = self._leader(group_id)
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


def _is_deaf(stage: str, target: Said) -> bool:
    """Tell whether a target does not hear the primary, as it should before that is demoted."""
    return stage == "asked" and not steps.follows(target)
