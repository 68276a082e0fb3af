"""A global datastore: planned changes of its primary, crashes of the daemon, lost answers, on a clock of our own.

Each seed is another story.  A client writes to whomever the World says is the primary.  No acknowledged write may be
gone, no two engines may take writes, and in the end one region leads and the other copies.
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
from atoll.cache import global_group as steps
from atoll.cache.endpoint import address_of
from atoll.control.failover import Failovers
from atoll.control.global_groups import GlobalGroups
from atoll.control.machines import Machines
from atoll.control.record import Recorder
from atoll.control.wanted import Wanted
from atoll.ec2.defaults import open_territory
from atoll.host.contract import HostError
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import GlobalReplicationGroup
from atoll.model.kinds import KINDS
from atoll.store.sqlite import StoreError
from tests.simulation.clock import VirtualLoop
from tests.simulation.faulty import FaultyStore
from tests.simulation.globe import GlobeHost
from tests.simulation.planted import search
from tests.simulation.rough import Roughness
from tests.simulation.test_machines import CALLER

SEEDS = int(os.environ.get("ATOLL_SEEDS", "20")) // 2
CHANGES = 6
BUG_SEEDS = 20
QUIET_SECONDS = 40.0
REGIONS = ("us-east-1", "eu-west-1")
CALLERS = {region: replace(CALLER, region=region) for region in REGIONS}

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_planned_changes_of_the_primary_region_lose_nothing_whenever_the_daemon_dies(seed, tmp_path):
    story = Story(seed, tmp_path / "store.db")

    story.play()

    assert not story.wrongs, story.wrongs[:3]
    assert not story.lost, f"lost {story.lost[:5]} of {len(story.acknowledged)}"
    assert len(story.acknowledged) > 200, "hardly anything was written"


@pytest.mark.parametrize("seed", range(100, 100 + SEEDS))
def test_whatever_fails_one_region_leads_and_the_other_copies_in_the_end(seed, tmp_path):
    story = Rough(seed, tmp_path / "store.db")

    story.play()

    assert not story.wrongs, story.wrongs[:3]
    assert len(story.acknowledged) > 200, "hardly anything was written"


def test_a_target_that_is_promoted_before_a_lost_primary_yields_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("atoll.control.global_groups.steps.deposing", steps.taken_over)

    def notices(seed):
        story = Rough(seed, tmp_path / f"{seed}.db")
        story.play()
        return story.wrongs

    search(notices, BUG_SEEDS, telling=8)


def test_a_planted_bug_is_found(tmp_path, monkeypatch):
    """The target is promoted when it has all, before the primary is demoted."""

    demoting = steps.demoting

    def hasty(tx, id):
        demoting(tx, id)
        steps.taken_over(tx, id)

    monkeypatch.setattr("atoll.control.global_groups.steps.demoting", hasty)

    def notices(seed):
        story = Story(seed, tmp_path / f"{seed}.db")
        story.play()
        return story.wrongs or story.lost

    search(notices, BUG_SEEDS)


class Life:
    """A daemon, from its start to its crash."""

    def __init__(self, story: "Story"):
        self.store = FaultyStore(story.path, KINDS)
        self.store.dice = story.dice
        story.host.world = lambda: self.store.world
        wanted = Wanted(lambda: self.store.world)
        self.machines = Machines(wanted.machines, story.host, Recorder(self.store), self._ready)
        self.failovers = Failovers(self.store, wanted.machines, story.host, self.machines.wake)
        self.globe = GlobalGroups(self.store, wanted.machines, story.host)
        story.host.on_exit(self._exited)
        self.store.watch(lambda _: (self.failovers.wake(), self.machines.wake(), self.globe.wake()))
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            try:
                await self.machines.take_stock()
                break
            except HostError:
                await asyncio.sleep(0.1)
        await asyncio.gather(self.machines.run(), self.failovers.run(), self.globe.run())

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.machines.close()
        self.store.close()

    def _exited(self) -> None:
        self.failovers.exited()
        self.machines.wake()

    async def _ready(self) -> bool:
        return True


class Story:
    """One seed's story."""

    def __init__(self, seed: int, path: Path):
        self.dice, self.path = Random(seed), path
        self.loop = VirtualLoop(self.dice)
        self.host = GlobeHost(self.dice, self.loop)
        self.host.crash = self._crash_soon
        self.acknowledged: list[int] = []
        self.wrongs: list[str] = []
        self.lost: list[int] = []
        self._crashing: asyncio.Task[None] | None = None

    def play(self) -> None:
        try:
            self.loop.run_until_complete(self._play())
        finally:
            self.loop.close()

    async def _play(self) -> None:
        self.life = Life(self)
        for region in REGIONS:
            self.life.store.write(open_territory, caller=CALLERS[region], what="open")
        made = {"replication_group_description": "x", "automatic_failover_enabled": True, "num_cache_clusters": 2}
        self._ask("us-east-1", "CreateReplicationGroup", replication_group_id="one", engine="valkey",
                  cache_node_type="cache.m5.large", preferred_cache_cluster_azs=["us-east-1a"] * 2,
                  **made)  # fmt: skip
        background = [asyncio.ensure_future(work()) for work in (self._client, self._replication)]
        await asyncio.sleep(3.0)
        self._ask("us-east-1", "CreateGlobalReplicationGroup", global_replication_group_id_suffix="g",
                  primary_replication_group_id="one")  # fmt: skip
        await asyncio.sleep(3.0)
        self._ask("eu-west-1", "CreateReplicationGroup", replication_group_id="two", **made,
                  global_replication_group_id="ldgnf-g", preferred_cache_cluster_azs=["eu-west-1c"] * 2)  # fmt: skip
        await asyncio.sleep(8.0)
        assert self._globe().status == "available", "it came up"
        self.host.crash_chance = self.dice.choice((0.0, 0.2, 0.5))
        self.host.trouble = self.dice.choice((0.0, 0.02))
        for _ in range(CHANGES):
            region = self.dice.choice(REGIONS)
            group = "one" if region == "us-east-1" else "two"
            self._ask(region, "FailoverGlobalReplicationGroup", global_replication_group_id="ldgnf-g",
                      primary_region=region, primary_replication_group_id=group)  # fmt: skip
            for act in self._acts():
                await act()
            await asyncio.sleep(self.dice.expovariate(0.2))
            if self.dice.random() < 0.3:
                self._crash_soon()
        self.host.crash_chance = self.host.trouble = 0.0
        self._heal()
        await asyncio.sleep(5.0)
        self._heal()
        await asyncio.sleep(QUIET_SECONDS)
        self._judge()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self.life.end()

    def _acts(self) -> list[Callable[[], Awaitable[None]]]:
        return []

    async def _crash(self) -> None:
        await asyncio.sleep(self.dice.random() * 3.0)
        self._crash_soon()

    def _heal(self) -> None:
        """Nothing is broken."""

    async def _client(self) -> None:
        record = 0
        while True:
            await asyncio.sleep(0.02)
            record += 1
            for address in self._addresses():
                if self.host.write(address, record):
                    self.acknowledged.append(record)
            if len(masters := self.host.masters()) > 1:
                self.wrongs.append(f"{self.loop.now:.3f}: {masters} take writes")

    def _addresses(self) -> list[tuple[str, int]]:
        """Return where clients of both regions write: some still try the former primary."""
        world = self.life.store.world.seen_by(None)
        leaders = [world[CacheCluster, group.shard.primary_id] for group in world.all(ReplicationGroup)]
        return [(str(address_of(world, one.nodes[0])), one.port) for one in leaders]

    async def _replication(self) -> None:
        while True:
            await asyncio.sleep(0.01 + self.dice.random() * 0.05)
            self.host.step()

    def _judge(self) -> None:
        globe, world = self._globe(), self.life.store.world.seen_by(None)
        leaders = {id: world[ReplicationGroup, id].shard.primary_id for id in (m.group_id for m in globe.members)}
        engines = {e.plan.cluster_id: e for e in self.host.engines.values()}
        if globe.status != "available" or any(world[ReplicationGroup, id].status != "available" for id in leaders):
            self.wrongs.append(f"it is {globe.status}: {globe.handover}")
        if self.host.masters() != [leaders[globe.primary_id]]:
            self.wrongs.append(f"{self.host.masters()} lead, the World says {globe.primary_id}")
        kept = engines[leaders[globe.primary_id]].records
        self.lost = sorted(set(self.acknowledged) - set(kept))
        behind = [id for id in leaders.values() if not set(kept[:-20]) <= set(engines[id].records)]
        if behind:
            self.wrongs.append(f"{behind} have not copied everything")

    def _ask(self, region: str, name: str, **parameters: Any) -> None:
        if self._crashing:
            return
        run = OPERATIONS["elasticache", name].run
        try:
            self.life.store.write(lambda tx: run(tx, **parameters), caller=CALLERS[region], what=name)
        except (AwsError, StoreError) as refused:
            if not name.startswith("Failover"):
                raise AssertionError(name) from refused

    def _globe(self) -> GlobalReplicationGroup:
        return next(iter(self.life.store.world.seen_by(None).all(GlobalReplicationGroup)))

    def _crash_soon(self) -> None:
        if self._crashing is None:
            self._crashing = asyncio.ensure_future(self._restart())

    async def _restart(self) -> None:
        await self.life.end()
        await asyncio.sleep(self.dice.random() * 3.0)
        self.life = Life(self)
        self._crashing = None


class Rough(Roughness, Story):
    """A story in which engines die, hang and fall silent, and regions are cut off."""
