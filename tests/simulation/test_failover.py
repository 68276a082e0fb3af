"""Failover under random faults, on a clock of our own: hours of crashes, hangs, partitions and lost answers.

Each seed is another story of a replication group, with a client that writes all the time.  Throughout, at most one
process is a primary, however it hangs or is cut off; in the end there is one, everybody follows it, and the names
lead there.  In stories with one fault at a time no acknowledged write may be gone.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from atoll.aws.errors import AwsError
from atoll.aws.operation import OPERATIONS
from atoll.cache import failover
from atoll.cache.endpoint import primary_name, resolve
from atoll.control.changes import Changes
from atoll.control.failover import Failovers
from atoll.control.machines import Machines
from atoll.control.record import Recorder
from atoll.control.wanted import Wanted
from atoll.ec2.defaults import open_territory
from atoll.host.contract import HostError
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.kinds import KINDS
from atoll.store.sqlite import StoreError
from tests.simulation.clock import VirtualLoop
from tests.simulation.engines import EngineHost
from tests.simulation.faulty import FaultyStore
from tests.simulation.planted import search
from tests.simulation.test_machines import CALLER

# A story takes half a second and tells of two to five minutes.  ATOLL_SEEDS=1000 tells for a day.
SEEDS, SEEDS_AT_ONCE = int(os.environ.get("ATOLL_SEEDS", "20")), 5
BUG_SEEDS = 80
FAULTS = 12
QUIET_SECONDS = 60.0
WRITE_SECONDS = 0.02
OUTAGE_SECONDS_MAX = 6.0  # with one fault at a time, which may be a daemon that is away for three
CRASH_CHANCES = (0.0, 0.1, 0.4)

pytestmark = pytest.mark.timeout(300)  # a planted bug may take dozens of stories, on a busy machine


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_AT_ONCE))
def test_there_is_never_a_second_primary_and_always_one_in_the_end(first, tmp_path):
    seconds = 0.0
    for seed in range(first, first + SEEDS_AT_ONCE):
        story = Story(seed, tmp_path / f"{seed}.db")
        story.play()
        assert not story.wrongs(), f"seed {seed}: {story.wrongs()}"
        seconds += story.loop.now
    print(f"seeds {first} to {first + SEEDS_AT_ONCE - 1}: {seconds / 60:.0f} minutes")


@pytest.mark.parametrize("first", range(1000, 1000 + SEEDS // 2, SEEDS_AT_ONCE))
def test_with_one_fault_at_a_time_no_acknowledged_write_is_lost(first, tmp_path):
    for seed in range(first, first + SEEDS_AT_ONCE):
        story = Story(seed, tmp_path / f"{seed}.db", one_at_a_time=True)
        story.play()
        assert not story.wrongs(), f"seed {seed}: {story.wrongs()}"
        assert not story.lost(), f"seed {seed}: lost {story.lost()[:5]} of {len(story.acknowledged)}"
        assert len(story.acknowledged) > 500, f"seed {seed}: hardly anything was written"


def test_the_stories_are_eventful(tmp_path):
    stories = [Story(seed, tmp_path / f"{seed}.db") for seed in range(10)]
    for story in stories:
        story.play()
    acts = [step["act"] for story in stories for step in story.steps]
    for act in ("fence", "choose", "promote", "publish", "follow", "pause", "demote", "restore"):
        assert acts.count(act) > 2, f"{act} happened {acts.count(act)} times"
    assert sum(story.lives for story in stories) > 20


# Planted bugs: each is a rule of cache/failover.py left out.


def promotes_without_a_fence(shard):
    act = failover.decide(shard)
    if isinstance(act, failover.Fence) and act.id == shard.leader_id and (best := failover._best(shard)):
        return failover.Promote(best.id, "in a hurry")
    return act


def forgets_whom_it_chose(shard):
    return failover.decide(replace(shard, target_id=None) if shard.promotion == "failure" else shard)


def promotes_before_it_demotes(shard):
    act = failover.decide(shard)
    return failover.Promote(act.to, "first") if isinstance(act, failover.Demote) else act


def does_not_drain(shard):
    """What is under way does not matter."""
    long_dead = tuple(replace(m, gone_seconds=max(m.gone_seconds, failover.DRAIN_SECONDS)) for m in shard.members)
    return failover.decide(replace(shard, members=long_dead))


def trusts_that_it_caught_up(shard):
    act, chosen = failover.decide(shard), shard.find(shard.target_id)
    if isinstance(act, failover.Wait) and "catches up" in act.because:
        return failover.Demote(shard.leader_id, shard.target_id, "now")
    if isinstance(act, failover.Promote) and act.id == shard.leader_id and chosen and chosen.role == "replica":
        return failover.Promote(chosen.id, "it was chosen")
    return act


def gives_up_whoever_hangs(shard):
    act = failover.decide(shard)
    return None if isinstance(act, failover.Fence) else act


@pytest.mark.parametrize(
    ("bug", "alone", "telling"),
    [
        (promotes_without_a_fence, True, 0),
        (forgets_whom_it_chose, False, 3),
        (promotes_before_it_demotes, True, 0),
        (does_not_drain, True, 0),
        (trusts_that_it_caught_up, True, 41),
        (gives_up_whoever_hangs, True, 0),
    ],
)
@pytest.mark.timeout(900)  # dozens of stories, on a machine that does much else
def test_a_planted_bug_is_found(bug, alone, telling, monkeypatch, tmp_path):
    monkeypatch.setattr("atoll.control.failover.decide", bug)

    def notices(seed):
        story = Story(seed, tmp_path / f"{seed}.db", one_at_a_time=alone)
        story.play()
        return story.wrongs() or (alone and story.lost())

    search(notices, BUG_SEEDS, telling)


class Life:
    """A daemon, from its start to its crash."""

    def __init__(self, story: "Story"):
        self.store = FaultyStore(story.path, KINDS)
        self.store.dice = story.dice
        self.store.trouble = 0.0
        wanted = Wanted(lambda: self.store.world)
        self.machines = Machines(wanted.machines, story.host, Recorder(self.store), self._ready)
        self.failovers = Failovers(self.store, wanted.machines, story.host, self.machines.wake)
        self.failovers.steps = story.steps
        self.changes = Changes(self.store, wanted.machines, story.host, self.machines.wake)
        story.host.on_exit(self._exited)
        self.store.watch(lambda _: (self.failovers.wake(), self.machines.wake(), self.changes.wake()))
        self.tasks = [asyncio.ensure_future(self._run())]

    async def _run(self) -> None:
        while True:
            try:
                await self.machines.take_stock()
                break
            except HostError:  # a daemon would end, and be started again
                await asyncio.sleep(0.1)
        await asyncio.gather(self.machines.run(), self.failovers.run(), self.changes.run())

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.machines.close()
        self.store.close()

    def _exited(self) -> None:
        self.failovers.exited()
        self.machines.wake()

    async def _ready(self) -> bool:
        return True


class Story:
    """One seed's story of one group."""

    outage_seconds_max = OUTAGE_SECONDS_MAX

    def __init__(self, seed: int, path: Path, *, one_at_a_time: bool = False):
        self.dice, self.path, self.alone = Random(seed), path, one_at_a_time
        self.loop = VirtualLoop(self.dice)
        self.host = EngineHost(self.dice, self.loop)
        self.host.crash = self._crash_soon
        self.steps: list[dict[str, Any]] = []
        self.acknowledged: list[int] = []
        self.found: list[str] = []
        self.lives = 0
        self.last, self.longest = 0.0, 0.0  # when a write was accepted, and how long none was
        self._crashing: asyncio.Task[None] | None = None

    def play(self) -> None:
        try:
            self.loop.run_until_complete(self._play())
        finally:
            self.loop.close()

    def wrongs(self) -> list[str]:
        return [*self.host.wrongs[:3], *self.found]

    def lost(self) -> list[int]:
        return sorted(set(self.acknowledged) - set(self.kept))

    async def _play(self) -> None:
        self._begin()
        self.life.store.write(open_territory, caller=CALLER, what="open")
        self._create()
        background = [asyncio.ensure_future(work()) for work in (self._client, self._replication)]
        await asyncio.sleep(5.0)
        assert self._group().status == "available", "it came up"
        self.host.crash_chance = 0.0 if self.alone else self.dice.choice(CRASH_CHANCES)
        self._set_trouble(0.0 if self.alone else self.dice.choice((0.0, 0.02, 0.1)))
        for _ in range(FAULTS):
            await self.dice.choice(self._acts())()
            await asyncio.sleep(self.dice.expovariate(0.3) if not self.alone else 12.0)
            if self.alone:
                self._heal()
                await asyncio.sleep(5.0)
        self.host.crash_chance = 0.0
        await asyncio.sleep(0.1)
        if self._crashing:
            await self._crashing
        self._set_trouble(0.0)
        self._heal()
        await asyncio.sleep(QUIET_SECONDS)
        self.found = self._wrongs()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self.life.end()

    def _create(self) -> None:
        self.automatic = self.alone or self.dice.random() < 0.7
        self._ask("CreateReplicationGroup", replication_group_id="rg", replication_group_description="x",
                  engine="valkey", num_cache_clusters=self.dice.choice((2, 3, 4)) if not self.alone else 3,
                  cache_node_type="cache.t3.micro", automatic_failover_enabled=self.automatic)  # fmt: skip

    def _acts(self) -> list[Callable[[], Awaitable[None]]]:
        acts = [self._kill, self._hang, self._cut, self._test, self._promote, self._crash]
        if not self.alone:
            acts += [self._kill, self._hang, self._replicas, self._mute, self._all]
        return acts

    # What happens meanwhile

    async def _client(self) -> None:
        """Write numbered records to whom the name of the primary leads."""
        record, world, leads = 0, None, []
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            if world is not self.life.store.world:  # in the same World it leads to the same
                world = self.life.store.world
                leads = [(str(address), 6379) for address in resolve(world, primary_name(self._group())) or ()]
            for address in leads:
                record += 1
                if self.host.write(address, record):
                    self.acknowledged.append(record)
                    self.longest = max(self.longest, self.loop.now - (self.last or self.loop.now))
                    self.last = self.loop.now

    async def _replication(self) -> None:
        while True:
            await asyncio.sleep(0.01 + self.dice.random() * 0.05)
            self.host.step()

    # Faults

    async def _kill(self) -> None:
        if alive := sorted(self.host.alive):
            self.host.end(self._pick(alive), -9)

    async def _hang(self) -> None:
        if alive := sorted(self.host.engines):
            self.host.engines[self._pick(alive)].is_stopped = True

    async def _mute(self) -> None:
        if alive := sorted(self.host.engines):
            self.host.engines[self._pick(alive)].answers = False

    async def _cut(self) -> None:
        if alive := sorted(self.host.engines):
            self.host.cut.add(self.host.engines[self._pick(alive)].address)

    async def _all(self) -> None:
        for name in sorted(self.host.alive):
            self.host.end(name, -9)

    async def _test(self) -> None:
        self._ask("TestFailover", replication_group_id="rg", node_group_id="0001")

    async def _promote(self) -> None:
        names = [c.name for c in self.life.store.world.all(CacheCluster)]
        self._ask("ModifyReplicationGroup", replication_group_id="rg", primary_cluster_id=self.dice.choice(names),
                  apply_immediately=True)  # fmt: skip

    async def _replicas(self) -> None:
        count = len(self._group().member_ids) - 1
        more = self.dice.random() < 0.5
        self._ask("IncreaseReplicaCount" if more else "DecreaseReplicaCount", replication_group_id="rg",
                  new_replica_count=count + (1 if more else -1), apply_immediately=True)  # fmt: skip

    async def _crash(self) -> None:
        self._crash_soon()
        if self._crashing:
            await self._crashing

    def _pick(self, names: list[str]) -> str:
        """Choose a process: most often the primary's."""
        primaries = [n for n in names if n in self.host.engines and self.host.engines[n].follows is None]
        return self.dice.choice(primaries if primaries and self.dice.random() < 0.6 else names)

    def _ask(self, name: str, **parameters: Any) -> None:
        if self._crashing:
            return  # there is nobody to ask
        run: Callable[..., Any] = OPERATIONS["elasticache", name].run
        try:
            self.life.store.write(lambda tx: run(tx, **parameters), caller=CALLER, what=name)
        except (AwsError, StoreError):
            return

    def _heal(self) -> None:
        self.host.cut.clear()
        for engine in self.host.engines.values():
            engine.is_stopped, engine.answers = False, True

    def _crash_soon(self) -> None:
        if self._crashing is None:
            self._crashing = asyncio.ensure_future(self._restart())

    async def _restart(self) -> None:
        await self.life.end()
        await asyncio.sleep(self.dice.random() * 3.0)
        self._begin()
        self._crashing = None

    def _begin(self) -> None:
        self.life = Life(self)
        self.life.store.trouble = self.host.trouble / 2
        self.lives += 1

    def _set_trouble(self, trouble: float) -> None:
        self.host.trouble, self.life.store.trouble = trouble, trouble / 2
        self.loop.slow = 0.1 if trouble else 0.01

    def _group(self) -> ReplicationGroup:
        return next(iter(self.life.store.world.all(ReplicationGroup)))

    def _wrongs(self) -> list[str]:
        world, group, found = self.life.store.world, self._group(), []
        primaries = {e.plan.cluster_id: e for e in self.host.engines.values() if e.follows is None}
        if list(primaries) != [group.shard.primary_id]:
            found.append(f"{sorted(primaries)} lead, the World says {group.shard.primary_id}")
        self.kept = [r for e in primaries.values() for r in e.records]
        if (group.status, group.shard.promotion, group.shard.source_id) != ("available", None, None):
            found.append(f"the group is {group.status}: {group.shard}")
        leader = next(iter(primaries.values()), None)
        for process, engine in self.host.engines.items():
            if leader and engine is not leader and (engine.follows != leader.address or not engine.link_up):
                found.append(f"{process} does not follow {leader.plan.process}")
        for cluster in world.all(CacheCluster):
            for node in cluster.nodes:
                if (cluster.status, node.status) != ("available", "available"):
                    found.append(f"{cluster.name} is {cluster.status}, {node.status}")
        if self.alone and self.longest > self.outage_seconds_max:
            found.append(f"no write was accepted for {self.longest:.1f} s")
        if not self.alone and found:
            found.append(f"last steps: {[(s['act'], s.get('id')) for s in self.steps[-6:]]}")
        return found
