"""Changes of engine, version and node type under random faults, on a clock of our own.

Each seed is another story of a group that is upgraded and resized while its client writes and while daemons, engines
and answers are lost.  In the end it is what was asked for, and no acknowledged write is gone.
"""

import os

import pytest

from atoll.cache import changes
from atoll.cache.changes import Carry, HandOver, Restart
from atoll.cache.plan import nodes
from atoll.elasticache.engine_version import choose_build
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.engine import engine_build
from tests.simulation.planted import search
from tests.simulation.test_failover import Story

SEEDS = int(os.environ.get("ATOLL_SEEDS", "4"))
BUG_SEEDS = 40
VERSIONS = ("7.2.6", "8.0.1", "8.1.0", "9.0.1", "9.1.2")
TYPES = ("cache.t3.micro", "cache.t3.small", "cache.t3.medium")

pytestmark = pytest.mark.timeout(300)


class Upgrades(Story):
    """A story in which one thing happens at a time, most often a change."""

    members = 3
    outage_seconds_max = 30.0  # daemons are away for seconds, again and again

    def __init__(self, seed, path):
        super().__init__(seed, path, one_at_a_time=True)
        self.asked = 0

    def _create(self):
        for version in VERSIONS:
            build = engine_build("valkey", version)
            self.life.store.write(lambda tx, build=build: tx.put(build), what="engines")
        self._ask("CreateReplicationGroup", replication_group_id="rg", replication_group_description="x",
                  engine="valkey", engine_version="7.2", num_cache_clusters=self.members,
                  cache_node_type="cache.t3.micro", automatic_failover_enabled=self.members > 1)  # fmt: skip

    def _acts(self):
        self.host.crash_chance = 0.1
        return [self._change, self._change, self._resize, self._crash, self._kill, self._change_and_crash]

    async def _change(self):
        now = next(iter(self.life.store.world.all(CacheCluster))).engine_version
        newer = next((v for v in VERSIONS if v > now), None)
        if newer is None or self._crashing:
            return
        family = f"default.{choose_build(self.life.store.world, 'valkey', newer[:3]).family}"
        self._ask("ModifyReplicationGroup", replication_group_id="rg", engine_version=newer[:3],
                  cache_parameter_group_name=family, apply_immediately=True)  # fmt: skip

    async def _resize(self):
        self._ask("ModifyReplicationGroup", replication_group_id="rg", cache_node_type=self.dice.choice(TYPES),
                  apply_immediately=True)  # fmt: skip

    async def _change_and_crash(self):
        await self._change()
        await self._crash()

    def _wrongs(self):
        found = super()._wrongs()
        clusters = list(self.life.store.world.all(CacheCluster))
        is_ = {(c.engine_version, c.node_type, c.parameter_group) for c in clusters}
        if len(is_) != 1 or any(c.change or c.former for c in clusters):
            found.append(f"the members differ: {[(c.name, c.engine_version, c.change) for c in clusters]}")
        version = clusters[0].engine_version
        for plan in nodes(self.life.store.world):
            runs = self.host.settings[plan.process]["maxmemory", ""], self.host.engines[plan.process].plan.version
            if runs != (dict(plan.settings)["maxmemory"], version):
                found.append(f"{plan.process} has {runs}, the World says {version} and {plan.settings}")
        self.upgraded = version != VERSIONS[0]
        return found


class Lone(Upgrades):
    """The same of a group of one: nothing but the daemon fails, because a lost process takes its data with it."""

    members = 1

    def _acts(self):
        self.host.crash_chance = 0.3
        return [self._change, self._change_and_crash, self._resize, self._crash]


def play(kind, seed, path):
    story = kind(seed, path / f"{kind.__name__}{seed}.db")
    story.play()
    return story


@pytest.mark.parametrize("kind", [Upgrades, Lone])
def test_a_change_is_finished_and_no_acknowledged_write_is_lost(kind, tmp_path):
    stories = [play(kind, seed, tmp_path) for seed in range(SEEDS)]

    for seed, story in enumerate(stories):
        assert not story.wrongs(), f"seed {seed}: {story.wrongs()}"
        assert not story.lost(), f"seed {seed}: lost {story.lost()[:5]} of {len(story.acknowledged)}"
        assert len(story.acknowledged) > 500, f"seed {seed}: hardly anything was written"
    assert sum(story.upgraded for story in stories) > SEEDS // 2, "the stories are eventful"


# Planted bugs: each is a rule of cache/changes.py left out.


def replaces_the_primary_at_once(world):
    found = []
    for step in changes.steps(world):
        primary = world[ReplicationGroup, step.group_id].shard.primary_id if isinstance(step, HandOver) else None
        found.append(Restart(primary) if primary else step)
    return found


def replaces_all_replicas_at_once(world):
    due = [c for c in world.all(CacheCluster) if c.is_changing]
    shards = [world[ReplicationGroup, c.group_id].shard for c in due]
    return [Restart(c.id) for c, shard in zip(due, shards, strict=True)]


def lets_data_go(world):
    return [Restart(step.cluster_id) if isinstance(step, Carry) else step for step in changes.steps(world)]


@pytest.mark.parametrize(
    ("kind", "bug"),
    [
        (Upgrades, replaces_the_primary_at_once),
        (Upgrades, replaces_all_replicas_at_once),
        (Lone, lets_data_go),
    ],
)
def test_a_planted_bug_is_found(kind, bug, monkeypatch, tmp_path):
    monkeypatch.setattr("atoll.control.changes.steps", bug)

    def notices(seed):
        story = play(kind, seed, tmp_path)
        return story.wrongs() or story.lost()

    search(notices, BUG_SEEDS)
