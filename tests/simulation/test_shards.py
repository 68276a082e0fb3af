"""Failover in cluster mode under random faults: three shards, of which any may lose any node at any time.

Throughout, no primary takes a write whose slots another one has taken over; in the end each shard has one primary,
everybody follows it, and the World knows it.  In stories with one fault at a time no acknowledged write is gone.
"""

import asyncio
import os
from pathlib import Path

import pytest

from atoll.cache import failover
from atoll.model.cache import CacheCluster, NodeGroup
from tests.simulation.engines import Engine
from tests.simulation.planted import search
from tests.simulation.shards import ShardHost
from tests.simulation.test_failover import BUG_SEEDS, WRITE_SECONDS, Story

SEEDS = int(os.environ.get("ATOLL_SEEDS", "4"))  # a story takes one to three seconds
SHARDS = 3

pytestmark = pytest.mark.timeout(300)  # a planted bug may take dozens of stories, on a busy machine


def test_slots_have_one_primary_throughout_and_each_shard_has_one_in_the_end(tmp_path):
    stories = [ShardStory(seed, tmp_path / f"{seed}.db") for seed in range(SEEDS)]
    for seed, story in enumerate(stories):
        story.play()
        assert not story.wrongs(), f"seed {seed}: {story.wrongs()}"

    acts = [step["act"] for story in stories for step in story.steps]
    for act in ("fence", "choose", "promote", "publish", "rebuild"):
        assert acts.count(act) > 2, f"{act} happened {acts.count(act)} times"
    assert "demote" not in acts, "engines in cluster mode step down by themselves"
    assert sum(story.elections for story in stories) > 2
    assert any("has the slots of" in step["because"] for story in stories for step in story.steps)


def test_with_one_fault_at_a_time_no_shard_loses_an_acknowledged_write(tmp_path):
    acts = []
    for seed in range(1000, 1000 + SEEDS // 2):
        story = ShardStory(seed, tmp_path / f"{seed}.db", one_at_a_time=True)
        story.play()
        assert not story.wrongs(), f"seed {seed}: {story.wrongs()}"
        assert not story.lost(), f"seed {seed}: lost {story.lost()[:5]} of {len(story.acknowledged)}"
        assert len(story.acknowledged) > 500, f"seed {seed}: hardly anything was written"
        acts += [step["act"] for step in story.steps]

    assert "pause" in acts


# Planted bugs: each is a rule of cache/failover.py left out.


def does_not_hold_back_writes(shard):
    act = failover.decide(shard)
    return failover.Promote(shard.target_id, "at once") if isinstance(act, failover.Pause) else act


def believes_a_leader_that_has_not_heard(shard):
    act = failover.decide(shard)
    return None if isinstance(act, failover.Publish | failover.Fence) else act


@pytest.mark.parametrize(
    ("bug", "telling"), [(does_not_hold_back_writes, 1), (believes_a_leader_that_has_not_heard, 0)]
)
def test_a_planted_bug_is_found(bug, telling, monkeypatch, tmp_path):
    monkeypatch.setattr("atoll.control.failover.decide", bug)

    def notices(seed):
        story = ShardStory(seed, tmp_path / f"{seed}.db", one_at_a_time=True)
        story.play()
        return story.wrongs() or story.lost()

    search(notices, BUG_SEEDS, telling)


class ShardStory(Story):
    """One seed's story of a group of three shards."""

    host: ShardHost

    def __init__(self, seed: int, path: Path, *, one_at_a_time: bool = False):
        super().__init__(seed, path, one_at_a_time=one_at_a_time)
        self.host = ShardHost(self.dice, self.loop)
        self.host.crash = self._crash_soon
        self.elections = 0

    def _create(self) -> None:
        self.automatic = True
        self._ask("CreateReplicationGroup", replication_group_id="rg", replication_group_description="x",
                  engine="valkey", num_node_groups=SHARDS, cluster_mode="enabled", cache_node_type="cache.t3.micro",
                  replicas_per_node_group=2 if self.alone else self.dice.choice((1, 2)),
                  automatic_failover_enabled=True)  # fmt: skip

    def _acts(self):
        acts = [self._kill, self._hang, self._cut, self._test, self._crash]
        if not self.alone:
            acts += [self._kill, self._hang, self._replicas, self._mute, self._all, self._elect, self._elect]
        return acts

    async def _client(self) -> None:
        """Write numbered records to all shards: to whom the cluster says that their slots belong."""
        record = 0
        while True:
            await asyncio.sleep(WRITE_SECONDS * SHARDS)
            for shard in self._group().node_groups:
                leads = [e for e in self._engines(shard) if e.follows is None and e.address not in self.host.cut]
                if leads:
                    record += 1
                    leader = self.dice.choice(leads)
                    if self.host.write(leader.address, record):
                        self.acknowledged.append(record)

    async def _test(self) -> None:
        shard = self.dice.choice(self._group().node_groups)
        self._ask("TestFailover", replication_group_id="rg", node_group_id=shard.id)

    async def _replicas(self) -> None:
        count = min(len(shard.member_ids) for shard in self._group().node_groups) - 1
        more = self.dice.random() < 0.5
        self._ask("IncreaseReplicaCount" if more else "DecreaseReplicaCount", replication_group_id="rg",
                  new_replica_count=count + (1 if more else -1), apply_immediately=True)  # fmt: skip

    async def _elect(self) -> None:
        """Engines choose another primary while theirs is lost and no daemon looks after them."""
        if self._crashing is None:
            self._crash_soon()
            await asyncio.sleep(0)
        engines = self._engines(self.dice.choice(self._group().node_groups))
        leader = next((e for e in engines if e.follows is None), None)
        able = [e for e in engines if e.follows and e.link_up and not e.is_copying and not e.is_stopped
                and e.address not in self.host.cut]  # fmt: skip
        if leader and able:
            if self.dice.random() < 0.5:
                leader.is_stopped = True
            else:
                self.host.end(leader.plan.process, -9)
            self.elections += 1
            self.host.take_over(max(able, key=lambda e: len(e.records)), is_elected=True)

    def _engines(self, shard: NodeGroup) -> list[Engine]:
        return [e for e in self.host.engines.values() if e.plan.cluster_id in shard.member_ids]

    def _wrongs(self) -> list[str]:
        world, group, found = self.life.store.world, self._group(), []
        self.kept = []
        for shard in group.node_groups:
            engines = self._engines(shard)
            primaries = {e.plan.cluster_id: e for e in engines if e.follows is None}
            if list(primaries) != [shard.primary_id]:
                found.append(f"{sorted(primaries)} lead, the World says {shard.primary_id}")
            if (shard.promotion, shard.source_id) != (None, None):
                found.append(f"it has not settled: {shard}")
            leader = next(iter(primaries.values()), None)
            self.kept += leader.records if leader else []
            found += [f"{e.plan.process} does not follow {leader.plan.process}" for e in engines
                      if leader and e is not leader and (e.follows != leader.address or not e.link_up)]  # fmt: skip
        if group.status != "available":
            found.append(f"the group is {group.status}")
        found += [f"{c.name} is {c.status}, {c.nodes[0].status}" for c in world.all(CacheCluster)
                  if (c.status, c.nodes[0].status) != ("available", "available")]  # fmt: skip
        if found:
            found.append(f"last steps: {[(s['act'], s.get('id')) for s in self.steps[-6:]]}")
        return found
