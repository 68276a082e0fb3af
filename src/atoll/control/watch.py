"""What is seen of a shard's members, look after look: the observations that `cache/failover.py` decides on.

A quick look asks the leader only, ten times a second; a full look asks everybody.  What is remembered between looks
is how long something has been so: all of it is forgotten with the daemon, and seen again by the next one.

What was asked or read late counts for little: nobody is killed because this daemon had no processor (`lag.py`).
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from atoll.cache.failover import Shard, Sight
from atoll.cache.node import NodePlan, Primary
from atoll.cache.plan import STOPPED
from atoll.cache.upstream import is_handed_over, may_change_role, upstream
from atoll.control.lag import Lag
from atoll.host.contract import Host, HostError, Machine, Replication, Vital
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.global_group import on_backbone
from atoll.model.world import World

REACH_SECONDS = 0.2  # between two connections to a leader that answered the last
REACH_OTHERS_SECONDS = 1.0
STOPPED_LOOKS = 2
LATE_SHARE = (
    0.1  # of the silence that we were late to look at: it may be ours, and one that hangs is found all the same
)
LATE_MISS = 0.3  # of a connection that failed meanwhile: the kernel makes it without us (`connects`)
GAP_SECONDS = 1.5  # between two questions to one engine: no more of a longer gap counts


@dataclass(slots=True)
class _Memory:
    """How long things have been so with one process."""

    silent: float = 0.0  # for so many seconds it was asked in time, and did not answer
    ticks: int = 0  # of processor time, then
    gone: float | None = None  # since when it has ended
    stopped_looks: int = 0
    misses: float = 0.0
    reached: float = float("-inf")  # when that was last tried
    asked: float | None = None  # when we knew what came of the last question


class Watch:
    """Looks at one shard."""

    def __init__(self, host: Host, lag: Lag, group_id: str, shard_id: str) -> None:
        """Prepare; nothing is looked at yet."""
        self._host, self._lag, self.group_id, self.shard_id = host, lag, group_id, shard_id
        self._memory: dict[str, _Memory] = {}
        self._last: dict[str, Sight] = {}
        self._history = ""
        self._promotion: tuple[object, float] = (None, 0.0)
        self._rivals: float | None = None  # since when there are two primaries
        self.paused: tuple[str, float] | None = None  # a process whose writes we hold back, and since when
        self.upstream: Primary | None = None  # what the leader is to copy from: it then counts as a primary
        self.is_migrating = False
        self.is_handed_over = False
        self.plans: dict[str, NodePlan] = {}  # of the members that may run, by the World ids of their clusters
        self.processes: dict[str, str] = {}  # of all members, likewise
        self.runs: dict[str, int] = {}  # of the processes of plans: who has answered last
        self.leader_seconds = 0.0  # what looking at the leader took; a slow replica has nobody wait for the next look
        self.in_doubt = False  # whether the leader was out of reach, or stopped, at the last look: look again soon

    async def look(self, world: World, want: Mapping[str, Machine], *, full: bool, probe: bool) -> Shard | None:
        """Return what is to be seen; `probe`: try the network too.

        None: the shard is gone, or has one member that nobody tells whom to copy from.
        """
        group = world.get(ReplicationGroup, self.group_id)
        shard = next((s for s in group.node_groups if s.id == self.shard_id), None) if group else None
        if group is None or shard is None or group.status == "deleting":
            return None
        clusters = self._members(world, shard, want)
        if shard.leader_id not in clusters or (len(clusters) < 2 and not may_change_role(group, shard)):
            return None
        self.upstream, self.is_migrating = upstream(world, group, shard), shard.migration is not None
        self.is_handed_over = is_handed_over(world, group)
        asked = clusters if full else {shard.leader_id: clusters[shard.leader_id]}
        found = await asyncio.gather(*(self._see(c, shard, probe=probe) for c in asked.values()))
        sights = dict(zip(asked, found, strict=True))
        for id, cluster in clusters.items():
            if id not in sights:
                sights[id] = self._glance(cluster)
        if clusters[shard.leader_id].sharded:
            sights = await self._compare(sights)
        self._last = sights
        seen = self._memory.get(self.processes[shard.leader_id])
        self.in_doubt = seen is not None and bool(seen.misses or seen.stopped_looks)
        if (leader := sights[shard.leader_id]).history:
            self._history = leader.history
        return self._shard(group, shard, tuple(sights.values()))

    def is_outdated(self, world: World) -> bool:
        """Tell whether the leader is to copy from another one by now than at the last look, or from nobody."""
        group = world.get(ReplicationGroup, self.group_id)
        shard = next((s for s in group.node_groups if s.id == self.shard_id), None) if group else None
        return group is None or shard is None or upstream(world, group, shard) != self.upstream

    async def _compare(self, sights: dict[str, Sight]) -> dict[str, Sight]:
        """Have primaries beside each other say their epochs."""
        rivals = [
            id for id, sight in sights.items() if sight.role == "primary" and sight.is_cluster and id in self.plans
        ]
        if len(rivals) < 2:
            self._rivals = None
            return sights
        self._rivals = self._rivals or _now()
        for id in rivals:
            with contextlib.suppress(HostError):  # the next look asks again
                sights[id] = replace(sights[id], epoch=(await self._host.known(self.plans[id])).epoch)
        return sights

    def _members(self, world: World, shard: NodeGroup, want: Mapping[str, Machine]) -> dict[str, CacheCluster]:
        """Return the members, and remember their plans; one whose host is down has none, and is a member."""
        found: dict[str, CacheCluster] = {}
        self.plans, self.processes = {}, {}
        for id in shard.member_ids:
            cluster = world.get(CacheCluster, id)
            if cluster is None or cluster.status in STOPPED or not cluster.nodes:
                continue
            node = cluster.nodes[0]
            if node.status == "deleting":
                continue
            found[id], self.processes[id] = cluster, f"{id}:{node.id}#{node.boot}"
            plan = want.get(self.processes[id])
            if isinstance(plan, NodePlan):
                self.plans[id] = plan
        kept = set(self.processes.values())
        self._memory = {process: m for process, m in self._memory.items() if process in kept}
        self.runs = {process: run for process, run in self.runs.items() if process in kept}
        return found

    async def _see(self, cluster: CacheCluster, shard: NodeGroup, *, probe: bool) -> Sight:
        """Look at one member closely."""
        plan, process, now = self.plans.get(cluster.id), self.processes[cluster.id], _now()
        memory = self._memory.setdefault(process, _Memory())
        before = self._host.vital(process)
        said: Replication | None = None
        if plan is not None and before is not None and not before.is_stopped:
            every = REACH_SECONDS if cluster.id == shard.leader_id else REACH_OTHERS_SECONDS
            due = memory.misses > 0 or now - memory.reached >= every
            reach = probe and due and cluster.nodes[0].status == "available"
            said, _ = await asyncio.gather(self._ask(plan, memory), self._reach(plan, memory, due=reach))
        vital = self._host.vital(process)
        if said is not None or vital is None or memory.ticks == 0:
            memory.ticks = vital.ticks if vital else 0
        if cluster.id == shard.leader_id:
            self.leader_seconds = _now() - now
        return self._sight(cluster, memory, vital, said)

    def _glance(self, cluster: CacheCluster) -> Sight:
        """Look at one member without asking it: what it said last stands."""
        process = self.processes[cluster.id]
        memory = self._memory.setdefault(process, _Memory())
        sight = self._sight(cluster, memory, self._host.vital(process), None)
        known = self._last.get(cluster.id)
        if known is None or not sight.is_running:
            return sight
        return replace(
            known, is_available=sight.is_available, is_running=True, is_stopped=sight.is_stopped, misses=sight.misses
        )

    async def _ask(self, plan: NodePlan, memory: _Memory) -> Replication | None:
        begun, before = _now(), memory.asked
        try:
            said = await self._host.replication(plan)
        except HostError:
            memory.asked = ended = _now()
            share = LATE_SHARE if self._lag.late_since(begun) else 1.0
            since = begun if before is None or not memory.silent else before  # nobody had asked before the first
            memory.silent += share * min(ended - since, GAP_SECONDS)
            return None
        memory.asked, memory.silent = _now(), 0.0
        if said is not None:
            self.runs[plan.process] = said.run
        if said is None or self.upstream is None:
            return said
        if plan.cluster and self.is_migrating:  # none in cluster mode copies from a server of a user's
            return said
        if plan.cluster and said.role == "primary" and not plan.copies_from_outside:  # it has slots, and takes writes
            return said
        seen = led_from_outside(said, self.upstream)
        if self.is_migrating and said.follows and seen.role == "primary":
            return replace(seen, is_copying=not said.link_up)
        return seen

    async def _reach(self, plan: NodePlan, memory: _Memory, *, due: bool) -> None:
        if due:
            memory.reached = _now()
            if await self._host.reaches(plan):
                memory.misses = 0
            else:
                memory.misses += LATE_MISS if self._lag.late_since(memory.reached) else 1

    def _sight(self, cluster: CacheCluster, memory: _Memory, vital: Vital | None, said: Replication | None) -> Sight:
        now, process, node = _now(), self.processes[cluster.id], cluster.nodes[0]
        if vital is None and memory.gone is None:
            memory.gone = now
        elif vital is not None:
            memory.gone = None
        memory.stopped_looks = memory.stopped_looks + 1 if vital and vital.is_stopped else 0
        follows = said.follows if said else None
        held = self.paused if self.paused and self.paused[0] == process else None
        return Sight(
            id=cluster.id,
            name=cluster.name,
            is_available=node.status == "available",
            is_running=vital is not None,
            gone_seconds=now - memory.gone if memory.gone is not None else 0.0,
            is_stopped=memory.stopped_looks >= STOPPED_LOOKS,
            silent_seconds=memory.silent if vital else 0.0,
            is_busy=vital is not None and vital.ticks > memory.ticks,
            misses=memory.misses,
            role=said.role if said else None,
            follows=next((id for id, p in self.plans.items() if follows == (str(p.address), p.port)), None),
            link_up=said.link_up if said else False,
            is_copying=said.is_copying if said else False,
            offset=said.offset if said else 0,
            history=said.history if said else "",
            paused_seconds=now - held[1] if held else None,
            is_cluster=cluster.sharded,
            from_outside=follows is not None and on_backbone(follows[0]),
        )

    def _shard(self, group: ReplicationGroup, shard: NodeGroup, members: tuple[Sight, ...]) -> Shard:
        if shard.promotion != self._promotion[0]:
            self._promotion = shard.promotion, _now()
        return Shard(
            primary_id=shard.primary_id,
            source_id=shard.source_id,
            is_automatic=group.automatic_failover == "enabled",
            promotion=shard.promotion.because if shard.promotion else None,
            target_id=shard.promotion.target_id if shard.promotion else None,
            promotion_seconds=_now() - self._promotion[1] if shard.promotion else 0.0,
            history=self._history,
            is_cluster=any(m.id == shard.leader_id and m.is_cluster for m in members),
            rivals_seconds=_now() - self._rivals if self._rivals is not None else 0.0,
            copies_outside=self.upstream is not None,
            is_handed_over=self.is_handed_over,
            members=members,
        )


def led_from_outside(said: Replication, upstream: Primary) -> Replication:
    """Return what an engine says as a shard sees it whose leader copies from outside: that is to be its primary.

    One that is a primary indeed leads nobody: it is to be told to copy.
    """
    leads = said.follows == (str(upstream.address), upstream.port)
    if said.role == "primary" or leads:
        return replace(said, role="primary" if leads else "replica", follows=None)
    return said


def _now() -> float:
    return asyncio.get_running_loop().time()
