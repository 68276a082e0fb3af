"""Online migrations to a group in cluster mode under random faults, with a source whose primaries are replaced, too.

Each seed is another story of a group of some shards and a source of as many, which may divide the slots otherwise.
Clients write to the source all the time, and to the group whenever it takes it.  What the source had when the
migration was completed, and has still, is in the group, shard by shard; no engine takes a write that does not know
its slots; and no write that the group has acknowledged afterwards is gone, with one fault at a time.  In the end all
engines are in cluster mode, and the group is available.

One fault has stories of its own: the new leader of a shard in cluster mode dies within its first second, when it may
be the only one that the others' data continue.
"""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from atoll.cache import shard_migration as steps
from atoll.cache.shards import SLOTS, Slots, divide
from atoll.control.migration import Migrations
from atoll.control.wanted import Wanted
from atoll.ec2.defaults import open_territory
from atoll.model.cache import CacheCluster, NodeGroup
from tests.simulation import test_failover
from tests.simulation.engines import Engine
from tests.simulation.planted import search
from tests.simulation.source import PORT, SOURCE, MigrationHost, place_of
from tests.simulation.test_failover import CRASH_CHANCES, WRITE_SECONDS
from tests.simulation.test_machines import CALLER
from tests.simulation.test_shards import ShardStory

SEEDS = int(os.environ.get("ATOLL_SEEDS", "6"))  # a story takes one to three seconds
BUG_SEEDS = 40
MIGRATIONS = 2
QUIET_SECONDS = 60.0
EXTRA_SLOTS = 100  # of the first shares of a source, beyond what the service gives
FIRST_OF_SOURCE = 1_000_000  # of the records that are written there
FOLLOWED_SECONDS = 0.2  # for others to connect to a new leader, so that its clients' writes are theirs, too
SYNC_SECONDS = 120.0  # for a source that is well again to be copied
pytestmark = pytest.mark.timeout(300)


def uneven(count: int) -> list[Slots]:
    """Return a division of the slots that the service does not make: the first share is larger."""
    ends = [0, *(slots[0][1] + 1 + EXTRA_SLOTS for slots in divide(count)[:-1]), SLOTS]
    return [((first, after - 1),) for first, after in itertools.pairwise(ends)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_with_one_fault_at_a_time_a_completed_migration_has_all_and_loses_nothing_afterwards(seed, tmp_path):
    story = MigrationStory(seed, tmp_path / "store.db", one_at_a_time=True)

    story.play()

    assert not story.wrongs(), story.wrongs()
    assert not story.lost(), f"lost {story.lost()[:5]} of {len(story.acknowledged)}"
    assert story.missing == {}, "what the source had when the migration was completed"
    assert story.completed
    assert len(story.written) > 500, "hardly anything was written to the source"


@pytest.mark.parametrize("seed", range(100, 100 + SEEDS))
def test_whatever_fails_a_migration_comes_to_an_end(seed, tmp_path):
    story = MigrationStory(seed, tmp_path / "store.db")

    story.play()

    assert not story.wrongs(), story.wrongs()
    assert len(story.written) > 500, "hardly anything was written to the source"


@pytest.mark.parametrize("seed", range(200, 200 + SEEDS))
def test_a_new_leader_that_dies_in_its_first_second_takes_nothing_with_it(seed, tmp_path):
    story = NewLeaderStory(seed, tmp_path / "store.db")

    story.play()

    assert story.struck, "a new leader died"
    assert not story.wrongs(), story.wrongs()
    assert not story.lost(), f"lost {story.lost()[:5]} of {len(story.acknowledged)}"
    assert story.missing == {}, "what the source had when the migration was completed"
    assert story.completed == MIGRATIONS


# Planted bugs: each is a rule left out.


def forgets_what_the_source_had(*_):
    """Whatever a leader has is all."""
    return True


def takes_writes_before_it_knows_its_slots(*_):
    """A node that is out of cluster mode for a migration is as any other."""
    return False


@pytest.mark.parametrize(
    ("where", "bug", "telling"),
    [
        ("atoll.control.shard_migration.has_all", forgets_what_the_source_had, 8),
        ("atoll.cache.plan._has_left", takes_writes_before_it_knows_its_slots, 0),
    ],
)
def test_a_planted_bug_is_found(where, bug, telling, monkeypatch, tmp_path):
    monkeypatch.setattr(where, bug)

    def notices(seed):
        story = MigrationStory(seed, tmp_path / f"{seed}.db", one_at_a_time=True)
        story.play()
        return story.wrongs() or story.lost() or story.missing

    search(notices, BUG_SEEDS, telling)


def promotes_before_all_is_read(*_):
    """What a dead leader had sent is under way no more."""
    return False


def test_a_replica_that_is_promoted_before_all_have_read_what_was_sent_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr("atoll.cache.failover._is_under_way", promotes_before_all_is_read)

    def notices(seed):
        story = NewLeaderStory(seed, tmp_path / f"{seed}.db")
        story.play()
        return story.lost() or story.missing

    search(notices, BUG_SEEDS, 16)


class Life(test_failover.Life):
    """A daemon that migrates, too."""

    def __init__(self, story: "MigrationStory"):
        self.host = story.host
        super().__init__(story)

    async def _run(self) -> None:
        wanted = Wanted(lambda: self.store.world)
        migrations = Migrations(self.store, wanted.machines, self.host, self.machines.lead)
        self.store.watch(lambda _: migrations.wake())
        await asyncio.gather(super()._run(), migrations.run())


class MigrationStory(ShardStory):
    """One seed's story."""

    host: MigrationHost
    replicas = 0  # of each shard; 0: as the dice say
    force_chance = 0.3

    def __init__(self, seed: int, path: Path, *, one_at_a_time: bool = False):
        super().__init__(seed, path, one_at_a_time=one_at_a_time)
        self.host = MigrationHost(self.dice, self.loop)
        self.host.crash = self._crash_soon
        self.count = self.dice.choice((1, 2, 3))  # of shards
        self.written: list[int] = []  # to the source
        self.missing: dict[str, list[int]] = {}  # by shards: what the source has, and had when that was completed
        self.completed = 0
        self.ends: list[str] = []  # what was wrong with the end of a migration
        self.kept: list[int] = []

    async def _play(self) -> None:
        self._begin()
        self.life.store.write(open_territory, caller=CALLER, what="open")
        self._create()
        self.host.found(self.dice.choice((divide, uneven))(self.count))
        background = [asyncio.ensure_future(work()) for work in (self._client, self._replication, self._source)]
        await asyncio.sleep(5.0)
        assert self._group().status == "available", "it came up"
        for left in reversed(range(MIGRATIONS)):
            if not self.ends:
                await self._migrate(forced=left > 0 and self.dice.random() < self.force_chance)
        await asyncio.sleep(QUIET_SECONDS)
        self.found = [*self.ends, *self._wrongs()]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self.life.end()

    def _create(self) -> None:
        self.automatic = True
        self._ask("CreateReplicationGroup", replication_group_id="rg", replication_group_description="x",
                  engine="valkey", num_node_groups=self.count, cluster_mode="enabled",
                  cache_node_type="cache.t3.micro",
                  replicas_per_node_group=self.replicas or self.dice.choice((1, 2)),
                  automatic_failover_enabled=True)  # fmt: skip

    def _begin(self) -> None:
        self.life = Life(self)
        self.life.store.trouble = self.host.trouble / 2
        self.lives += 1

    # A migration

    async def _migrate(self, *, forced: bool) -> None:
        self._trouble(on=True)
        if not await self._until(self._starts, "a migration that begins"):
            return
        await self._disturb()
        if not await self._until(lambda: self._completes(forced=forced), "a source that has been copied"):
            return
        had = {part.slots: set(o.records) if (o := self.host.owner(part)) else set() for part in self.host.parts}
        await asyncio.sleep(self.dice.random() * 4.0)
        await self._disturb(may_vanish=not forced)
        self._trouble(on=False)
        if await self._until(lambda: self._group().shard.migration is None, "the end of a migration") and not forced:
            self.completed += 1
            if self.alone:  # else what it had may be lost by now
                self._compare(had)
        for part in self.host.parts:
            self.host.revive(part)

    def _starts(self) -> bool:
        """Ask for a migration, unless one is under way; tell whether it copies."""
        if self._group().shard.migration is None:
            some = self.dice.choice(self.host.parts).processes[self.dice.randrange(2)]
            endpoint = {"Address": str(place_of(some)), "Port": PORT}
            self._ask("StartMigration", replication_group_id="rg", customer_node_endpoint_list=[endpoint])
        is_begun = steps.stage_of(self._group()) == "copying"
        if is_begun:
            self.acknowledged.clear()  # a group's own data give way
        return is_begun

    def _completes(self, *, forced: bool) -> bool:
        """Ask for the end of a migration; tell whether it comes.  One that was given up is asked for again."""
        self._trouble(on=self.host.trouble > 0 and self.dice.random() < 0.9)
        self._ask("CompleteMigration", replication_group_id="rg", force=forced)
        return steps.stage_of(self._group()) not in ("starting", "copying", "completing")

    async def _until(self, true: Callable[[], bool], what: str) -> bool:
        until = self.loop.now + SYNC_SECONDS
        while not true():
            if self.loop.now > until - SYNC_SECONDS / 2:
                self._trouble(on=False)
            if self.loop.now > until:
                told = [(s.id, s.migration) for s in self._group().node_groups]
                self.ends.append(f"{self.loop.now:.0f}: {what} did not come: {self._group().status}, {told}")
                return False
            await asyncio.sleep(0.3)
        return True

    def _compare(self, had: dict[Slots, set[int]]) -> None:
        for shard in self._group().node_groups:
            part = next((part for part in self.host.parts if part.slots == shard.slots), None)
            leader = next((e for e in self._engines(shard) if e.follows is None), None)
            if part is None or leader is None:
                self.ends.append(f"shard {shard.id} has the slots {shard.slots}, and is led by {leader}")
                continue
            owner = self.host.owner(part)
            due = had[part.slots] & set(owner.records) if owner else had[part.slots]
            if lacking := sorted(due - set(leader.records)):
                self.missing[shard.id] = lacking[:5]

    # What happens meanwhile

    async def _disturb(self, *, may_vanish: bool = False) -> None:
        acts = [*self._acts(), self._lose, self._stall, self._swap]
        if may_vanish and steps.stage_of(self._group()) == "joining":
            acts.append(self._vanish)
        for _ in range(1 if self.alone else self.dice.randrange(4)):
            await self.dice.choice(acts)()
            await asyncio.sleep(12.0 if self.alone else self.dice.expovariate(0.3))
        if self.alone:
            self._heal()
            await asyncio.sleep(5.0)

    def _acts(self) -> list[Callable[[], Awaitable[None]]]:
        acts = [self._kill, self._hang, self._crash]
        return acts if self.alone else [*acts, self._kill, self._cut, self._mute, self._all]

    def _pick(self, names: list[str]) -> str:
        spared = {e.plan.process for e in self.host.ours() if self._is_last(e)} if self.alone else set()
        return super()._pick([name for name in names if not name.startswith(SOURCE) and name not in spared])

    def _is_last(self, engine: Engine) -> bool:
        """Tell whether a new leader in cluster mode alone has the data: see docs/migration.md."""
        leads = engine.plan.cluster is not None and engine.follows is None
        return leads and not any(e.follows == engine.address and e.link_up for e in self.host.ours())

    async def _lose(self) -> None:
        await self.host.lose(self.dice.choice(self.host.parts))

    async def _stall(self) -> None:
        await self.host.hang(self.dice.choice(self.host.parts))

    async def _swap(self) -> None:
        await self.host.swap(self.dice.choice(self.host.parts))

    async def _vanish(self) -> None:
        """Have a shard of the source end for good: the group has all of it, and needs it no more."""
        part = self.dice.choice(self.host.parts)
        for engine in self.host.nodes(part):
            self.host.end(engine.plan.process, -9)

    def _trouble(self, *, on: bool) -> None:
        if on and not self.alone and not self.host.trouble:
            self.host.crash_chance = self.dice.choice(CRASH_CHANCES)
            self._set_trouble(self.dice.choice((0.0, 0.02, 0.1)))
        elif not on and not self.alone:
            self.host.crash_chance = 0.0
            self._set_trouble(0.0)
            self._heal()

    async def _source(self) -> None:
        """Write numbered records to all shards of the source: to whoever believes that it leads."""
        record = FIRST_OF_SOURCE
        while True:
            await asyncio.sleep(WRITE_SECONDS * 2)
            for part in self.host.parts:
                leads = [e for e in self.host.nodes(part) if e.follows is None]
                if leads and len(self.host.nodes(part)) > 1:
                    record += 1
                    if self.host.write(self.dice.choice(leads).address, record):
                        self.written.append(record)

    async def _client(self) -> None:
        """Write numbered records to all shards of the group: to whoever takes it."""
        record = 0
        while True:
            await asyncio.sleep(WRITE_SECONDS * 2)
            group, world = self._group(), self.life.store.world
            for shard in group.node_groups:
                for engine in self._engines(shard):
                    record += 1
                    if engine.follows or not self.host.write(engine.address, record):
                        continue
                    if engine.plan.cluster is None:
                        self.ends.append(
                            f"{self.loop.now:.3f}: {engine.plan.process} took a write and knows no slots"
                        )
                    cluster = world.get(CacheCluster, engine.plan.cluster_id)
                    is_newest = cluster is not None and cluster.nodes[0].boot == engine.plan.boot
                    if is_newest and steps.stage_of(group) in ("", "joining", "promoting", "returning"):
                        self.acknowledged.append(record)

    def _engines(self, shard: NodeGroup) -> list[Engine]:
        return [e for e in self.host.ours() if e.plan.cluster_id in shard.member_ids]

    def _wrongs(self) -> list[str]:
        found = super()._wrongs()
        group, clusters = self._group(), self.life.store.world.all(CacheCluster)
        if group.becoming or group.shard.migration or not all(cluster.sharded for cluster in clusters):
            found.append(
                f"the group is {group.cluster_mode}, on its way to {group.becoming}: {group.shard.migration}"
            )
        found += [f"{e.plan.process} is not in cluster mode" for e in self.host.ours() if e.plan.cluster is None]
        return found


class NewLeaderStory(MigrationStory):
    """A story of shards with two replicas, in which new leaders in cluster mode die young, and nothing else happens.

    Two, for with one the new leader alone has the data until the other node has copied them (docs/migration.md).
    """

    replicas, force_chance = 2, 0.0

    def __init__(self, seed: int, path: Path):
        super().__init__(seed, path, one_at_a_time=True)
        self.count = 1
        self.struck = 0

    async def _disturb(self, *, may_vanish: bool = False) -> None:
        if not may_vanish:
            return  # it copies
        until = self.loop.now + SYNC_SECONDS
        while not (leads := [e for e in self.host.ours() if e.plan.cluster and e.follows is None]):
            if self.loop.now > until:
                return
            await asyncio.sleep(0.01)
        await asyncio.sleep(FOLLOWED_SECONDS + self.dice.random() * (1.0 - FOLLOWED_SECONDS))
        self.struck += 1
        self.host.end(leads[0].plan.process, -9)
        await asyncio.sleep(5.0)
