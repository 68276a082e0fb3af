"""Online migrations, watched: a source outside is looked at, copied, and left when everything is there.

Who follows whom is the failover's to do (`control/failover.py`); this only says when, in the World.  Whatever was
under way when the daemon died is looked at again by the next one.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from atoll.cache import migration as steps
from atoll.cache.config import data_bytes
from atoll.cache.node import NodePlan
from atoll.cache.node_types import NODE_TYPES
from atoll.cache.replicated import end_of, follows, has_all
from atoll.cache.shard_migration import is_under_way
from atoll.cache.tuning import wanted
from atoll.control.events import going_on, log
from atoll.control.news import News
from atoll.control.pulse import rest
from atoll.control.shard_migration import ShardMigrations
from atoll.control.sight import Book
from atoll.host.contract import Host, HostError, Machine
from atoll.model.cache import CacheCluster, Migration, NodeGroup, ReplicationGroup
from atoll.model.serverless import SERVICE
from atoll.model.world import World
from atoll.store.sqlite import StoreError

LOOK_SECONDS = 0.2
LONGEST_SECONDS = 1.0  # a look at the World even when nothing woke us
COMPLETE_SECONDS = 30.0  # for the last of the data; a source that goes on writing is caught in milliseconds


class Migrations:
    """Watches the online migrations of one host."""

    def __init__(
        self,
        store: Book,
        want: Callable[[], Mapping[str, Machine]],
        host: Host,
        lead: Callable[[NodePlan], Awaitable[None]],
    ) -> None:
        """Prepare.  `want` compiles the machines of the newest World; `lead` leads a node's clients where it says."""
        self._store, self._want, self._host, self._lead = store, want, host, lead
        self._news = News()
        self._shards = ShardMigrations(
            lambda: store.world, host, self._said, self._write, complete_seconds=COMPLETE_SECONDS
        )
        self._goals: dict[tuple[str, str], tuple[str, int, float]] = {}  # what must be there to complete; since when

    def wake(self) -> None:
        """The World has changed."""
        self._news.tell()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            found = list(_under_way(self._store.world))
            completing = {(g.id, s.id) for g, s, migration in found if migration.stage == "completing"}
            self._goals = {at: goal for at, goal in self._goals.items() if at in completing}
            for group, shard, migration in found:
                with going_on("migration", "migration waits", HostError, StoreError, group=group.name):
                    await self._look(group, shard, migration)
            sharded = [group for group in _groups(self._store.world) if is_under_way(group)]
            self._shards.forget({group.id for group in sharded})
            for group in sharded:
                with going_on("migration", "migration waits", HostError, StoreError, group=group.name):
                    await self._shards.look(group)
            if found or sharded:
                await rest(LOOK_SECONDS)
                continue
            await self._news.wait(LONGEST_SECONDS)

    async def _look(self, group: ReplicationGroup, shard: NodeGroup, migration: Migration) -> None:
        at = group.id, shard.id
        cluster = self._store.world[CacheCluster, shard.leader_id]
        match migration.stage:
            case "preparing":
                self._write(steps.looked_at, *at, await self._trouble(cluster, migration))
            case "leaving" if steps.has_changed(self._store.world, group):
                self._write(steps.left, *at)
            case "stopping":
                if (await self._said(cluster)).get("role") == "master":
                    self._write(steps.stopped, *at)
            case "returning" if steps.has_changed(self._store.world, group):
                if group.is_sharded or not steps.has_further_databases(await self._said(cluster)):
                    self._write(steps.returned, *at)
            case "testing":
                self._write(steps.tested, *at, await self._trouble(cluster, migration))
            case "starting":
                self._write(steps.begun, *at, await self._trouble(cluster, migration))
            case "copying":
                said = await self._said(cluster)
                self._note_step(at, migration, said)
            case "completing":
                await self._complete(group, shard, migration)
            case "promoting":
                if (await self._said(cluster)).get("role") == "master":
                    self._write(steps.completed, *at)

    async def _complete(self, group: ReplicationGroup, shard: NodeGroup, migration: Migration) -> None:
        at, cluster = (group.id, shard.id), self._store.world[CacheCluster, shard.leader_id]
        now = asyncio.get_running_loop().time()
        history, offset, since = self._goals.setdefault(at, ("", 0, now))
        because = "its source does not answer"
        with contextlib.suppress(HostError):
            said = await self._said(cluster)
            if group.account == SERVICE and steps.has_further_databases(said):
                self._give_up(at, "there are keys in other databases than 0")
                return
            if not history:
                await self._lead_back(group)
                source = await self._source(cluster, migration, "replication")
                history, offset = end_of(source)
                self._goals[at] = history, offset, since
            said = await self._said(cluster)
            if follows(said) and has_all(said, history, offset):
                self._write(steps.caught_up, *at)
                return
            because = "its source has more"
        if now - since > COMPLETE_SECONDS:
            self._give_up(at, because)

    def _give_up(self, at: tuple[str, str], because: str) -> None:
        """Go on copying; whoever completes it again waits for what the source has then."""
        self._goals.pop(at, None)
        self._write(partial(steps.not_completed, because=because), *at)

    async def _lead_back(self, group: ReplicationGroup) -> None:
        """Cut the clients whom a serverless cache has led to the source: what they wrote is in its history.

        Whoever connects from now on finds the leader.  Raises HostError.
        """
        if group.account != SERVICE:
            return
        for plan in self._want().values():
            if isinstance(plan, NodePlan) and plan.cluster_id in group.member_ids:
                if plan.encryption and plan.encryption.elsewhere:
                    raise HostError("its clients are led to the source yet", f"complete the migration of {group.id}")
                await self._lead(plan)

    def _note_step(self, at: tuple[str, str], migration: Migration, said: Mapping[str, str]) -> None:
        in_step = follows(said)
        if in_step != migration.in_step:
            self._write(partial(steps.copied, in_step=in_step), *at)

    async def _trouble(self, cluster: CacheCluster, migration: Migration) -> str | None:
        """Say what is wrong with a source: nobody answers, it asks for a password, it is of another kind."""
        room = data_bytes(NODE_TYPES[cluster.node_type], dict(wanted(self._store.world, cluster)))
        try:
            source = await self._source(cluster, migration, "everything")
        except HostError as error:
            return str(error).removeprefix("ask ")
        found = steps.trouble_with(source, cluster, room)
        if found is None and cluster.account == SERVICE:
            found = steps.trouble_of_serverless(source, await self._said(cluster), migration)
        return f"{migration.address}:{migration.port}: {found}" if found else None

    async def _source(self, cluster: CacheCluster, migration: Migration, section: str) -> Mapping[str, str]:
        """Ask a source as its future replica would: from the node, with no password."""
        interface_id = cluster.nodes[0].interface_id
        said = await self._host.stranger(interface_id, str(migration.address), migration.port, "INFO", section)
        return steps.fields(said)

    async def _said(self, cluster: CacheCluster) -> Mapping[str, str]:
        """Return what a node says of itself.  Raises HostError."""
        node = cluster.nodes[0]
        plan = self._want().get(f"{cluster.id}:{node.id}#{node.boot}")
        if not isinstance(plan, NodePlan):
            raise HostError("it does not run", f"ask {cluster.name}")
        return await self._host.statistics(plan)

    def _write(self, change: Callable[..., None], *about: Any) -> None:
        name = change.func.__name__ if isinstance(change, partial) else change.__name__
        self._store.write(lambda tx: change(tx, *about), what=f"migration: {name}")
        log("migration", step=name, group=about[0])


def _under_way(world: World) -> list[tuple[ReplicationGroup, NodeGroup, Migration]]:
    groups = (group for group in _groups(world) if not is_under_way(group))
    return [(g, s, s.migration) for g in groups for s in g.node_groups if s.migration]


def _groups(world: World) -> list[ReplicationGroup]:
    return [group for group in world.seen_by(None).all(ReplicationGroup) if group.status != "deleting"]
