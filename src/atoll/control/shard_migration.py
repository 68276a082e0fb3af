"""Online migrations to groups in cluster mode, watched: `control/migration.py`, for all shards of a group at once.

The source's nodes are asked who leads which slots, before anything begins and again and again: whoever replaces a
primary there is copied from instead.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address

from atoll.cache import migration as single
from atoll.cache import shard_migration as steps
from atoll.cache import source_cluster as source
from atoll.cache.config import data_bytes
from atoll.cache.node_types import NODE_TYPES
from atoll.cache.replicated import Said, end_of, follows, has_all
from atoll.cache.source_cluster import Owner, View
from atoll.cache.tuning import wanted
from atoll.host.contract import Host, HostError
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.world import World

Place = tuple[IPv4Address, int]

FOLLOW_SECONDS = 1.0  # between two questions who leads which slots; engines elect another primary in 15 s or so
PLACES_MAX = 100  # nodes of a source that are remembered, and asked when the primaries do not answer


@dataclass(slots=True)
class _Goal:
    """What must be there to complete."""

    since: float
    of: dict[str, tuple[str, int]] = field(default_factory=dict)  # by the shard's id: a history, and how much of it


class ShardMigrations:
    """Watches the online migrations to groups in cluster mode."""

    def __init__(
        self,
        world: Callable[[], World],
        host: Host,
        ask: Callable[[CacheCluster], Awaitable[Said]],
        write: Callable[..., None],
        *,
        complete_seconds: float,
    ) -> None:
        """Prepare.  `ask` returns what a node says of itself; `write` has a step written down."""
        self._world, self._host, self._ask, self._write = world, host, ask, write
        self._complete_seconds = complete_seconds
        self._goals: dict[str, _Goal] = {}
        self._places: dict[str, set[Place]] = {}  # where the nodes of a group's source are
        self._followed: dict[str, float] = {}  # when they were asked last

    def forget(self, kept: set[str]) -> None:
        """Forget all groups but these."""
        for memory in (self._goals, self._places, self._followed):
            for id in memory.keys() - kept:
                del memory[id]

    async def look(self, group: ReplicationGroup) -> None:
        """Look at one group, and write down what follows.  Raises HostError, StoreError."""
        stage = steps.stage_of(group)
        if stage != "completing":
            self._goals.pop(group.id, None)
        match stage:
            case "testing":
                _, trouble = await self._examine(group)
                self._write(steps.tested, group.id, trouble)
            case "starting":
                owners, trouble = await self._examine(group)
                self._write(steps.begun, group.id, owners, trouble)
            case "copying":
                await self._note_step(group)
                await self._follow(group)
            case "completing":
                await self._complete(group)
            case "joining":
                await self._join(group)
            case "promoting":
                if all(said.get("role") == "master" for said in await self._leaders(group)):
                    self._write(steps.promoted, group.id)
            case "returning" if single.has_changed(self._world(), group):
                self._write(steps.returned, group.id)

    async def _examine(self, group: ReplicationGroup) -> tuple[Mapping[str, Owner], str | None]:
        """Return from whom each shard is to copy, and what is wrong with a source; None: nothing."""
        migration = group.shard.migration
        assert migration, "it is under way"
        place = migration.address, migration.port
        try:
            if trouble := await self._trouble(group.shard, place):
                return {}, trouble
            seen = await self._view(group, *place)
            if found := source.trouble_with(seen, group.node_groups):
                return {}, f"{migration.address}:{migration.port}: {found}"
            owners = source.pair(group.node_groups, source.owners([seen]))
            told = await asyncio.gather(*(self._trouble_of(group, s, owners[s.id]) for s in group.node_groups))
        except HostError as error:
            return {}, str(error).removeprefix("ask ")
        self._places[group.id] = seen.places()
        return owners, next((trouble for trouble in told if trouble), None)

    async def _trouble(self, shard: NodeGroup, place: Place) -> str | None:
        """Say what is wrong with a node of a source; its primaries must fit into the shards.  Raises HostError."""
        world = self._world()
        cluster = world[CacheCluster, shard.leader_id]
        room = data_bytes(NODE_TYPES[cluster.node_type], dict(wanted(world, cluster)))
        said = await self._described(cluster, place, "everything")
        found = single.trouble_with(said, cluster, room, sharded=True)
        if found is None and single.has_further_databases(said):
            found = "it has keys in other databases than 0; the replication group has no others"
        return f"{place[0]}:{place[1]}: {found}" if found else None

    async def _trouble_of(self, group: ReplicationGroup, shard: NodeGroup, owner: Owner) -> str | None:
        """Say what is wrong with a primary of a source, which must say itself that it is one.  Raises HostError."""
        if trouble := await self._trouble(shard, (owner.address, owner.port)):
            return trouble
        seen = await self._view(group, owner.address, owner.port, shard)
        found = source.trouble_of_owner(seen)
        if found is None and seen.topology.myself.slots != owner.slots:
            found = "its cluster does not agree whose the slots are"
        return f"{owner}: {found}" if found else None

    async def _note_step(self, group: ReplicationGroup) -> None:
        """Note which leaders have copied all; one that does not answer has not."""
        said = await self._leaders(group)
        now = {s.id: follows(one) for s, one in zip(group.node_groups, said, strict=True)}
        if any(s.migration and s.migration.in_step != now[s.id] for s in group.node_groups):
            self._write(partial(steps.copied, in_step=now), group.id)

    async def _follow(self, group: ReplicationGroup) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._followed.get(group.id, float("-inf")) < FOLLOW_SECONDS:
            return
        self._followed[group.id] = now
        with contextlib.suppress(HostError):  # nobody knows more
            self._obey(group, await self._owners(group))

    def _obey(self, group: ReplicationGroup, found: tuple[Owner, ...]) -> bool:
        """Copy from whoever leads by now; tells whether that changes anything."""
        by_slots, changes = {owner.slots: owner for owner in found}, False
        for shard in group.node_groups:
            owner, migration = by_slots.get(shard.slots), shard.migration
            if owner and migration and (owner.address, owner.port) != (migration.address, migration.port):
                self._write(steps.followed, group.id, shard.id, owner.address, owner.port)
                changes = True
        return changes

    async def _complete(self, group: ReplicationGroup) -> None:
        now = asyncio.get_running_loop().time()
        goal, because = self._goals.setdefault(group.id, _Goal(since=now)), "its source does not answer"
        with contextlib.suppress(HostError):
            if not goal.of:
                found = await self._owners(group)
                if moved := source.moved(group.node_groups, found):
                    self._give_up(group, moved)
                    return
                if self._obey(group, found):
                    return  # what it has is asked once it is followed
                goal.of = await self._ends(group)
            said = await self._leaders(group)
            if any(map(single.has_further_databases, said)):
                self._give_up(group, "there are keys in other databases than 0")
                return
            pairs = zip(group.node_groups, said, strict=True)
            if all(follows(one) and has_all(one, *goal.of[shard.id]) for shard, one in pairs):
                self._write(partial(steps.caught_up, goals=dict(goal.of)), group.id)
                because = "a node is being replaced"  # or it is caught up, and nothing is given up any more
            else:
                because = "its source has more"
        if now - goal.since > self._complete_seconds:
            self._give_up(group, because)

    def _give_up(self, group: ReplicationGroup, because: str) -> None:
        """Go on copying; whoever completes it again waits for what the source has then."""
        self._goals.pop(group.id, None)
        self._write(partial(steps.not_completed, because=because), group.id)

    async def _ends(self, group: ReplicationGroup) -> dict[str, tuple[str, int]]:
        """Return how far the history of each shard's source goes.  Raises HostError: one is no primary."""
        found = {}
        for shard in group.node_groups:
            assert shard.migration, "all have one"
            place = shard.migration.address, shard.migration.port
            said = await self._described(self._world()[CacheCluster, shard.leader_id], place, "replication")
            if said.get("role") != "master":
                raise HostError("it is a replica by now", f"ask {place[0]}:{place[1]}")
            found[shard.id] = end_of(said)
        return found

    async def _join(self, group: ReplicationGroup) -> None:
        """See engines go into cluster mode; leaders that lost a source of which they have all need it no more."""
        world = self._world()
        if single.has_changed(world, group):
            self._write(steps.returned, group.id)
            return
        outside = steps.led_outside(world, group)
        goals = [shard.migration.goal for shard in outside if shard.migration and shard.migration.goal]
        if not outside or len(goals) < len(outside):
            return
        said = await asyncio.gather(*(self._said(shard) for shard in outside))
        if all(map(follows, said)):
            return
        if all(has_all(one, *goal) for goal, one in zip(goals, said, strict=True)):
            self._write(steps.detached, group.id)

    async def _owners(self, group: ReplicationGroup) -> tuple[Owner, ...]:
        """Ask a source's nodes who owns which slots.  Raises HostError: nobody answers."""
        places = {(s.migration.address, s.migration.port) for s in group.node_groups if s.migration}
        views = await self._views(group, places)
        known = self._places.setdefault(group.id, set())
        if len(views) <= len(places) // 2:
            views += await self._views(group, set(sorted(known - places)[:PLACES_MAX]))
        if not views:
            raise HostError("no node of the source answers", f"ask {group.name}")
        known.update(*(seen.places() for seen in views))
        return source.owners(views)

    async def _views(self, group: ReplicationGroup, places: set[Place]) -> list[View]:
        found = await asyncio.gather(*(self._view(group, *place) for place in sorted(places)), return_exceptions=True)
        return [seen for seen in found if isinstance(seen, View)]

    async def _view(
        self, group: ReplicationGroup, address: IPv4Address, port: int, shard: NodeGroup | None = None
    ) -> View:
        """Ask a node of a source, from a shard's leader, whom it knows.  Raises HostError."""
        cluster = self._world()[CacheCluster, (shard or group.shard).leader_id]
        said = await self._stranger(cluster, (address, port), "CLUSTER", "NODES")
        try:
            return source.view(said, address)
        except ValueError as error:
            raise HostError(str(error), f"ask {address}:{port}") from error

    async def _described(self, cluster: CacheCluster, place: Place, section: str) -> Said:
        return single.fields(await self._stranger(cluster, place, "INFO", section))

    async def _stranger(self, cluster: CacheCluster, place: Place, *words: str) -> str:
        return await self._host.stranger(cluster.nodes[0].interface_id, str(place[0]), place[1], *words)

    async def _leaders(self, group: ReplicationGroup) -> list[Said]:
        """Return what all leaders say of themselves; of one that does not answer, nothing."""
        return await asyncio.gather(*(self._said(shard) for shard in group.node_groups))

    async def _said(self, shard: NodeGroup) -> Said:
        with contextlib.suppress(HostError):
            return await self._ask(self._world()[CacheCluster, shard.leader_id])
        return {}
