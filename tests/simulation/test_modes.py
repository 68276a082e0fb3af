"""Changes of cluster mode under random faults: to compatible and back, with engines of both kinds in one shard.

An engine of one mode obeys none of the other: it refuses the other's orders, hears of no takeover, and replicates.
Throughout there are never two primaries of which one knows nothing of slots; in the end all engines are of the mode
that the World says, and no acknowledged write is gone.
"""

import os

import pytest

from atoll.cache import changes, failover
from atoll.cache.changes import HandOver, Restart
from atoll.cache.node import NodePlan
from atoll.cache.plan import nodes
from atoll.host.contract import HostError
from atoll.model.cache import CacheCluster, ReplicationGroup
from tests.simulation.engines import Engine, EngineHost
from tests.simulation.planted import search
from tests.simulation.shards import ShardHost
from tests.simulation.test_failover import Story, does_not_drain

SEEDS = int(os.environ.get("ATOLL_SEEDS", "3"))  # a story takes four seconds
BUG_SEEDS = 30

pytestmark = pytest.mark.timeout(300)


class MixedHost(ShardHost):
    """A host whose engines run in cluster mode, or do not, each by its own plan."""

    async def command(self, node: NodePlan, *words: str, run: int | None = None) -> None:
        if (words[0] == "CLUSTER") != (node.cluster is not None) and words[0] in ("CLUSTER", "REPLICAOF"):
            raise HostError(f"ERR {words[0]} is not for an engine of this mode")
        if words[:2] == ("CLUSTER", "REPLICATE"):  # to its knowledge that one is a replica still: there is no gossip
            at = next(seat for seat in node.cluster.seats if seat.id == words[2])
            if (leader := self._at((str(at.address), at.port))) and leader.plan.cluster is None:
                raise HostError("ERR I can only replicate a master, not a replica.")
        await super().command(node, *words, run=run)

    def shard_of(self, engine: Engine) -> list[Engine]:
        return [e for e in self.engines.values() if e.plan.cluster] if engine.plan.cluster else []

    def _check(self) -> None:
        leads = [e for e in self.engines.values() if e.follows is None]
        if len(leads) > 1 and not all(e.plan.cluster for e in leads):
            EngineHost._check(self)


class Modes(Story):
    """A story of one group of three, in which one thing happens at a time: most often a change of cluster mode."""

    host: MixedHost
    outage_seconds_max = 30.0  # daemons are away for seconds, again and again

    def __init__(self, seed, path):
        super().__init__(seed, path, one_at_a_time=True)
        self.host = MixedHost(self.dice, self.loop)
        self.host.crash = self._crash_soon
        self.modes = set()

    def _create(self):
        self.automatic = True
        self._ask("CreateReplicationGroup", replication_group_id="rg", replication_group_description="x",
                  engine="valkey", num_cache_clusters=3, cache_node_type="cache.t3.micro",
                  automatic_failover_enabled=True)  # fmt: skip

    def _acts(self):
        self.host.crash_chance = 0.1
        return [self._mode, self._mode, self._mode_and_crash, self._mode_and_kill, self._kill, self._test]

    async def _mode(self):
        group = self._group()
        self.modes.add(group.cluster_mode)
        mode = "compatible" if group.cluster_mode == "disabled" else "disabled"
        self._ask("ModifyReplicationGroup", replication_group_id="rg", cluster_mode=mode, apply_immediately=True)

    async def _mode_and_crash(self):
        await self._mode()
        await self._crash()

    async def _mode_and_kill(self):
        await self._mode()
        await self._kill()

    def _wrongs(self):
        found = super()._wrongs()
        sharded = self._group().cluster_mode == "compatible"
        if self._group().becoming or any(c.sharded != sharded for c in self.life.store.world.all(CacheCluster)):
            found.append(f"the group is {self._group().cluster_mode}, on its way to {self._group().becoming}")
        for plan in nodes(self.life.store.world):
            if (self.host.engines[plan.process].plan.cluster is not None) != sharded:
                found.append(f"{plan.process} is of another mode")
        return found


def play(seed, path):
    story = Modes(seed, path / f"{seed}.db")
    story.play()
    return story


def test_a_change_of_cluster_mode_is_finished_and_no_acknowledged_write_is_lost(tmp_path):
    stories = [play(seed, tmp_path) for seed in range(SEEDS)]

    for seed, story in enumerate(stories):
        assert not story.wrongs(), f"seed {seed}: {story.wrongs()}"
        assert not story.lost(), f"seed {seed}: lost {story.lost()[:5]} of {len(story.acknowledged)}"
        assert len(story.acknowledged) > 500, f"seed {seed}: hardly anything was written"
    assert {mode for story in stories for mode in story.modes} == {"disabled", "compatible"}, (
        "the stories are eventful"
    )


# Planted bugs: each is a rule left out.


def promotes_beside_a_leader_of_the_other_mode(shard):
    """A leader that cannot step down is not killed first."""
    act = failover.decide(shard)
    if isinstance(act, failover.Fence) and "of another cluster mode" in act.because:
        return failover.Promote(shard.target_id, "at once")
    return act


def forgets_to_wait_for_the_rest(shard):
    """Neither before the leader is killed, nor after."""
    act = does_not_drain(shard)
    if isinstance(act, failover.Pause) and (target := shard.find(shard.target_id)):
        leader = shard.find(shard.leader_id)
        if target.is_cluster != leader.is_cluster:
            return failover.Fence(leader.id, "at once")
    return act


@pytest.mark.parametrize("bug", [promotes_beside_a_leader_of_the_other_mode, forgets_to_wait_for_the_rest])
def test_a_planted_bug_is_found(bug, monkeypatch, tmp_path):
    monkeypatch.setattr("atoll.control.failover.decide", bug)

    def notices(seed):
        story = play(seed, tmp_path)
        return story.wrongs() or story.lost()

    search(notices, BUG_SEEDS)


def changes_the_primary_at_once(world):
    found = []
    for step in changes.steps(world):
        primary = world[ReplicationGroup, step.group_id].shard.primary_id if isinstance(step, HandOver) else None
        found.append(Restart(primary) if primary else step)
    return found


def test_a_primary_that_is_started_anew_in_the_other_mode_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr("atoll.control.changes.steps", changes_the_primary_at_once)

    def notices(seed):
        story = play(seed, tmp_path)
        return story.wrongs() or story.lost()

    search(notices, BUG_SEEDS)
