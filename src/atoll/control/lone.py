"""Nodes that nobody could take over for, watched: one that hangs is ended, so that the machine loop starts it again.

It comes back empty, at the same name and address, as on AWS, which puts another node in its place.  A process that
ended needs no watching (the machine loop sees it), and neither does a shard with replicas: its failover decides.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from atoll.cache.node import NodePlan
from atoll.cache.upstream import may_change_role
from atoll.control.events import going_on, log
from atoll.control.pulse import rest
from atoll.host.contract import Host, HostError, Machine, Vital
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.world import World

LOOK_SECONDS = 1.0
ASK_SECONDS = 5.0  # between two questions to one engine
# Its data go with it, so nobody is hasty: a primary with replicas is given up after a tenth, 3 and 10 seconds.
STOPPED_SECONDS = 5.0  # by a signal
SILENT_SECONDS = 20.0  # without an answer, and without using the processor
SILENT_ASKED = 4  # times in a row, at least: when we are late ourselves, one question alone says little
SILENT_BUSY_SECONDS = 120.0  # likewise while it works: on one long command, perhaps


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What was seen of one process, look after look."""

    stopped_since: float | None  # by a signal
    answered: float  # when it answered last
    asked: float
    ticks: int  # of processor time when it answered last
    unanswered: int = 0  # questions since then


def trouble(seen: Glimpse, vital: Vital, now: float) -> str | None:
    """Say why a lone node is given up; None: it is not."""
    if seen.stopped_since is not None and now - seen.stopped_since >= STOPPED_SECONDS:
        return "its process is stopped"
    silent = now - seen.answered
    asked = seen.unanswered >= SILENT_ASKED
    if asked and silent >= (SILENT_BUSY_SECONDS if vital.ticks > seen.ticks else SILENT_SECONDS):
        return f"it has not answered for {silent:.0f} s"
    return None


def lone_clusters(world: World) -> set[str]:
    """Return the World ids of clusters whose available nodes no failover looks after."""
    found = set()
    for cluster in world.seen_by(None).all(CacheCluster):
        group = world.get(ReplicationGroup, cluster.group_id) if cluster.group_id else None
        shard = group.shard_of(cluster.id) if group else None
        if group is None or shard is None or (len(shard.member_ids) == 1 and not may_change_role(group, shard)):
            found.add(cluster.id)
    return found


class LoneNodes:
    """Looks after the lone nodes of one host."""

    def __init__(self, world: Callable[[], World], want: Callable[[], Mapping[str, Machine]], host: Host) -> None:
        """Prepare.  `world` is the newest World, `want` compiles its machines."""
        self._world, self._want, self._host = world, want, host
        self._seen: dict[str, Glimpse] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            with going_on("lone nodes", "lone node not seen", HostError):
                await self.look()
            await rest(LOOK_SECONDS)

    async def look(self) -> None:
        """Look at every lone node once, and end those that hang."""
        world = self._world().seen_by(None)
        lone, plans = lone_clusters(world), [p for p in self._want().values() if isinstance(p, NodePlan)]
        watched = [p for p in plans if p.cluster_id in lone and _is_available(world, p)]
        self._seen = {p.process: seen for p in watched if (seen := self._seen.get(p.process))}
        for plan in watched:
            await self._look_at(plan)

    async def _look_at(self, plan: NodePlan) -> None:
        vital, now = self._host.vital(plan.process), asyncio.get_running_loop().time()
        if vital is None:
            return  # the machine loop sees that
        seen = self._seen.get(plan.process) or Glimpse(None, now, now, vital.ticks)
        since = (seen.stopped_since or now) if vital.is_stopped else None
        seen = replace(seen, stopped_since=since)
        if not plan.is_memcached and not vital.is_stopped and now - seen.asked >= ASK_SECONDS:
            if await self._answers(plan):
                seen = Glimpse(since, now, now, vital.ticks)
            else:
                seen = replace(seen, asked=now, unanswered=seen.unanswered + 1)
        elif plan.is_memcached or vital.is_stopped:
            seen = Glimpse(since, now, seen.asked, vital.ticks)  # Memcached's threads do not wait for each other
        self._seen[plan.process] = seen
        if because := trouble(seen, vital, now):
            log("lone node given up", node=plan.name, because=because)
            await self._host.fence(plan.process)

    async def _answers(self, plan: NodePlan) -> bool:
        try:
            await self._host.replication(plan)
        except HostError:
            return False
        return True


def _is_available(world: World, plan: NodePlan) -> bool:
    """Tell whether the World takes this boot of a node for available."""
    cluster = world.get(CacheCluster, plan.cluster_id)
    nodes = cluster.nodes if cluster else ()
    return any((n.id, n.boot, n.status) == (plan.node_id, plan.boot, "available") for n in nodes)
