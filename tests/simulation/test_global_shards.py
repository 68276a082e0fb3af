"""A global datastore in cluster mode on a clock of our own: its primary changes, planned and forced, while all fails.

Each seed is another story of two regions with two shards each.  Clients write to whoever takes it.  At no time do
both regions take writes of a shard; when the faults stop, all is available again within QUIET_SECONDS, and the one
region copies from the other.  While nothing but the daemon fails, no acknowledged write is lost.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from atoll.cache import failover, takeover
from atoll.cache import global_group as steps
from atoll.cache.upstream import is_handed_over
from atoll.control.failover import Failovers
from atoll.control.global_groups import GlobalGroups
from atoll.control.hearing import Hearing
from atoll.control.machines import Machines
from atoll.control.record import Recorder
from atoll.control.roster import Rosters
from atoll.control.sight import Sight, looking
from atoll.control.wanted import Wanted
from atoll.ec2.defaults import open_territory
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import global_of, links
from atoll.model.kinds import KINDS
from tests.simulation import test_global
from tests.simulation.backbone import NODE_TIMEOUT_SECONDS, BackboneHost
from tests.simulation.engines import Engine
from tests.simulation.faulty import FaultyStore
from tests.simulation.planted import search
from tests.simulation.rough import ZONES, Roughness, region_of
from tests.simulation.test_global import CALLERS, REGIONS

SEEDS = int(os.environ.get("ATOLL_SEEDS", "1"))  # a story takes two to five seconds
CHANGES = 5
QUIET_SECONDS = 45.0  # an engine that waits for an answer that never comes would do so for 60
PLUG_SECONDS_MAX = 0.1  # until the network obeys
WRITE_SECONDS = 0.02
BUG_SEEDS = 20
LOAD_SECONDS = (1.0, NODE_TIMEOUT_SECONDS + 5.0)  # the one sooner, the other later than engines elect
PARTED_SECONDS_MAX = 2.0
GROUPS = {"us-east-1": "one", "eu-west-1": "two"}

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("seed", range(1, 1 + SEEDS))
def test_planned_changes_lose_nothing_and_come_to_an_end_whenever_the_daemon_dies(seed, tmp_path):
    story = Story(seed, tmp_path / "store.db")

    story.play()

    assert not story.wrongs, story.wrongs[:3]
    assert not story.lost, f"lost {story.lost[:5]} of {len(story.acknowledged)}"
    assert len(story.acknowledged) > 500, "hardly anything was written"
    assert story.changes


@pytest.mark.parametrize("seed", range(100, 100 + SEEDS))
def test_whatever_fails_one_region_leads_and_the_other_copies_in_the_end(seed, tmp_path):
    story = Rough(seed, tmp_path / "store.db")

    story.play()

    assert not story.wrongs, story.wrongs[:3]
    assert len(story.acknowledged) > 500, "hardly anything was written"


@pytest.mark.parametrize("seed", range(200, 200 + SEEDS))
def test_nothing_is_lost_when_the_only_one_that_could_be_promoted_dies(seed, tmp_path):
    story = Bereft(seed, tmp_path / "store.db")

    story.play()

    assert not story.wrongs, story.wrongs[:3]
    assert not story.lost, f"lost {story.lost[:5]} of {len(story.acknowledged)}"
    assert len(story.acknowledged) > 500, "hardly anything was written"
    assert story.changes
    assert story.killed


@pytest.mark.parametrize("seed", range(300, 300 + SEEDS))
def test_nobody_is_elected_with_less_data_while_a_leader_reads_its_own(seed, tmp_path):
    story = Slow(seed, tmp_path / "store.db")

    story.play()

    assert not story.wrongs, story.wrongs[:3]
    assert not story.lost, f"lost {story.lost[:5]} of {len(story.acknowledged)}"
    assert len(story.acknowledged) > 500, "hardly anything was written"
    assert story.changes


# Planted bugs


def waits_for_an_heir(shard):
    act = failover.decide(shard)
    return failover.Wait("no replica is in step") if isinstance(act, failover.Reload) else act


def test_a_leader_that_waits_for_an_heir_who_never_comes_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("atoll.control.failover.decide", waits_for_an_heir)

    def notices(seed):
        story = Bereft(seed, tmp_path / f"{seed}.db")
        story.play()
        return any("modifying" in wrong for wrong in story.wrongs)

    search(notices, BUG_SEEDS)


def test_a_leader_that_begins_anew_without_its_data_is_found(tmp_path, monkeypatch):
    def begins_empty(tx, group_id, shard_id, **_):
        takeover.rebuilding(tx, group_id, shard_id)

    monkeypatch.setattr("atoll.control.failover.takeover.reloading", begins_empty)

    def notices(seed):
        story = Bereft(seed, tmp_path / f"{seed}.db")
        story.play()
        return story.lost

    search(notices, BUG_SEEDS, telling=1)


def test_an_election_while_a_leader_reads_its_data_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("atoll.cache.plan.may_elect", elects_as_soon_as_it_is_to_lead)
    monkeypatch.setattr("atoll.control.failover.NO_ELECTION", ("PING",))

    def notices(seed):
        story = Slow(seed, tmp_path / f"{seed}.db")
        story.play()
        return story.lost

    search(notices, BUG_SEEDS, telling=2)


def elects_as_soon_as_it_is_to_lead(world, group, _):
    datastore = global_of(world, group)
    return datastore is None or (datastore.source_id(group.id) is None and not is_handed_over(world, group))


async def waits_as_long_as_engines_do(*_, **__):
    """A copy whose source says nothing is left alone."""


def test_a_copy_that_is_left_alone_with_a_silent_source_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(Hearing, "look", waits_as_long_as_engines_do)

    def notices(seed):
        story = Story(seed, tmp_path / f"{seed}.db")
        story.play()
        return any("modifying" in wrong for wrong in story.wrongs)

    search(notices, BUG_SEEDS, telling=4)


def test_a_target_that_is_promoted_before_the_old_leaders_have_ended_is_found(tmp_path, monkeypatch):
    fencing = steps.fencing

    def hasty(tx, id):
        fencing(tx, id)
        steps.taken_over(tx, id)

    monkeypatch.setattr("atoll.control.global_groups.steps.fencing", hasty)

    def notices(seed):
        story = Story(seed, tmp_path / f"{seed}.db")
        story.play()
        return story.wrongs or story.lost

    search(notices, BUG_SEEDS)


class Life(test_global.Life):
    """A daemon whose loops are woken as they really are: by what they look at."""

    def __init__(self, story: "Story"):
        self.story = story
        self.store = store = FaultyStore(story.path, KINDS)
        store.dice = story.dice
        wanted = Wanted(lambda: store.world)
        recorder = Recorder(sight := Sight(store))
        self.machines = Machines(sight.through(wanted.machines), story.host, recorder, self._ready)
        sight.watch(self.machines.wake)
        self.failovers = looking(
            store, wanted.nodes, lambda at, want: Failovers(at, want, story.host, self.machines.wake), 0.0
        )
        self.globe = looking(store, wanted.nodes, lambda at, want: GlobalGroups(at, want, story.host))
        self.rosters = looking(store, wanted.nodes, lambda _, want: Rosters(want, story.host))
        story.host.on_exit(self._exited)
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        await asyncio.gather(super()._run(), self._plug(), self.rosters.run())

    async def _plug(self) -> None:
        revision = -1
        while True:
            await asyncio.sleep(self.story.dice.random() * PLUG_SECONDS_MAX)
            if revision != self.store.world.revision:
                revision = self.store.world.revision
                self.story.host.plug(links(self.store.world))


class Story(test_global.Story):
    """One seed's story, in which nothing fails but the daemon, answers and patience."""

    host: BackboneHost

    def __init__(self, seed, path):
        super().__init__(seed, path)
        self.host = BackboneHost(self.dice, self.loop)
        self.host.crash = self._crash_soon
        self.changes = 0

    async def _play(self) -> None:
        self.life = Life(self)
        background = [asyncio.ensure_future(work()) for work in (self._client, self._replication)]
        await self._create()
        self.host.crash_chance = self.dice.choice((0.0, 0.05, 0.2))
        self.host.trouble = self.dice.choice((0.0, 0.02))
        for change in range(CHANGES):
            if self.wrongs:
                break
            while task := self._crashing:  # there is nobody to ask; some daemons die again and again
                await asyncio.wait({task})
            self._fail_over(self.dice.choice(REGIONS) if change else REGIONS[1])  # which is the secondary yet
            for act in self._acts():
                await act()
            await asyncio.sleep(self.dice.expovariate(0.15))
        self.host.crash_chance = self.host.trouble = 0.0
        self._heal()
        if not self.wrongs:
            await asyncio.sleep(5.0)
            self._heal()
            await asyncio.sleep(QUIET_SECONDS)
            self._judge()
        if self._crashing:
            await self._crashing
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self.life.end()

    async def _create(self) -> None:
        for region in REGIONS:
            self.life.store.write(open_territory, caller=CALLERS[region], what="open")
        made = {"replication_group_description": "x", "automatic_failover_enabled": True, "num_node_groups": 2,
                "replicas_per_node_group": 1, "cluster_mode": "enabled"}  # fmt: skip
        self._ask("us-east-1", "CreateReplicationGroup", replication_group_id="one", engine="valkey", **made,
                  cache_node_type="cache.m5.large", node_group_configuration=_places("us-east-1"))  # fmt: skip
        await asyncio.sleep(4.0)
        self._ask("us-east-1", "CreateGlobalReplicationGroup", global_replication_group_id_suffix="g",
                  primary_replication_group_id="one")  # fmt: skip
        await asyncio.sleep(3.0)
        self._ask("eu-west-1", "CreateReplicationGroup", replication_group_id="two", **made,
                  global_replication_group_id="ldgnf-g", node_group_configuration=_places("eu-west-1"))  # fmt: skip
        await asyncio.sleep(10.0)
        assert self._globe().status == "available", "it came up"

    def _fail_over(self, region: str) -> None:
        before = self._globe().handover
        self._ask(region, "FailoverGlobalReplicationGroup", global_replication_group_id="ldgnf-g",
                  primary_region=region, primary_replication_group_id=GROUPS[region])  # fmt: skip
        self.changes += before is None and self._globe().handover is not None

    def _acts(self) -> list[Callable[[], Awaitable[None]]]:
        return [self._crash] if self.dice.random() < 0.4 else []

    async def _crash(self) -> None:
        await asyncio.sleep(self.dice.random() * 3.0)
        self._crash_soon()

    def _heal(self) -> None:
        """Nothing is broken."""

    async def _client(self) -> None:
        record = 0
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            for masters in self.host.masters().values():
                record += 1
                took = [e for e in masters if self.host.write(e.address, record)]
                if took:
                    self.acknowledged.append(record)
            for shard, primaries in self.host.primaries().items():
                if len({region_of(e) for e in primaries}) > 1:
                    who = [engine.plan.process for engine in primaries]
                    self.wrongs.append(f"{self.loop.now:.3f}: {who} are primaries of {shard}")

    def _judge(self) -> None:
        globe, world = self._globe(), self.life.store.world.seen_by(None)
        groups = [world[ReplicationGroup, member.group_id] for member in globe.members]
        statuses = {globe.name: globe.status, **{group.name: group.status for group in groups}}
        if set(statuses.values()) != {"available"}:
            waits = [f"{c.name}: {c.nodes[0].status}" for c in world.all(CacheCluster) if c.status != "available"]
            self.wrongs.append(f"after {QUIET_SECONDS} s it is {statuses}: {globe.handover}, {waits}")
        kept = set()
        for group in groups:
            leads = group.id == globe.primary_id
            for shard in group.node_groups:
                mine = [e for e in self.host.engines.values() if e.plan.cluster_id in shard.member_ids]
                leader = next((e for e in mine if e.plan.cluster_id == shard.leader_id), None)
                self.wrongs += self._strays(leader, mine, leads=leads)
                kept |= set(leader.records if leader and leads else ())
        self.lost = sorted(set(self.acknowledged) - kept)
        self.wrongs += self.host.wrongs[:3]

    def _strays(self, leader: Engine | None, members: list[Engine], *, leads: bool) -> list[str]:
        """Say which members of a shard are not in their places."""
        if leader is None:
            return ["a leader does not run"]
        is_in_place = leader.follows is None if leads else self.host.leads(leader) and leader.link_up
        found = [] if is_in_place else [f"{leader.plan.process} follows {leader.follows}"]
        return found + [
            f"{e.plan.process} does not follow {leader.plan.process}"
            for e in members
            if e is not leader and (e.follows != leader.address or not e.link_up)
        ]

    async def _restart(self) -> None:
        await self.life.end()
        await asyncio.sleep(self.dice.random() * 3.0)
        self.life = Life(self)
        self._crashing = None


class Rough(Roughness, Story):
    """A story in which engines die, hang and fall silent, and regions are cut off."""


class Bereft(Story):
    """A story in which replicas of the target die while it is about to be promoted, and nobody else does."""

    def __init__(self, seed, path):
        super().__init__(seed, path)
        self.killed = 0

    def _fail_over(self, region: str) -> None:
        del region  # it is always the other one's turn
        leads = self._globe().primary_id.split("/")[1]
        super()._fail_over(next(one for one in REGIONS if one != leads))

    def _acts(self) -> list[Callable[[], Awaitable[None]]]:
        return [*super()._acts(), self._kill_heirs]

    async def _kill_heirs(self) -> None:
        """Kill one replica of each shard, some time after the change begins; from the last second on, most often."""
        handover = self._globe().handover
        if handover is None:
            return
        for _ in range(100):
            await asyncio.sleep(0.1)
            if (now := self._globe().handover) is None or now.stage in ("fencing", "promoting"):
                break
        await asyncio.sleep(self.dice.random() * 0.2)
        group = self.life.store.world.seen_by(None)[ReplicationGroup, handover.target_id]
        for shard in group.node_groups:
            mine = [e for e in self.host.engines.values() if e.plan.cluster_id in shard.member_ids]
            heirs = [e for e in mine if e.plan.cluster_id != shard.leader_id and e.follows]
            if heirs and len(mine) > 1 and self.dice.random() < 0.7:
                self.killed += 1
                self.host.end(self.dice.choice(heirs).plan.process, -9)


class Slow(Story):
    """A story in which replicas of the target lack the last records, and their leaders take long to read their files.

    For longer than engines wait until they elect somebody else.
    """

    def __init__(self, seed, path):
        super().__init__(seed, path)
        self.host.load_seconds = LOAD_SECONDS

    def _acts(self) -> list[Callable[[], Awaitable[None]]]:
        return [*super()._acts(), self._part_heirs]

    async def _part_heirs(self) -> None:
        """Part the target's replicas from their leaders once the primary's writes are held, for a moment."""
        target = handover.target_id if (handover := self._globe().handover) else None
        for _ in range(5_000):
            await asyncio.sleep(0.002)
            now = self._globe().handover
            if target is None or now is None:
                return
            if now.stage != "asked" or any(e.paused_until > self.loop.now for e in self.host.engines.values()):
                break
        group = self.life.store.world.seen_by(None)[ReplicationGroup, target]
        mine = [e for e in self.host.engines.values() if e.plan.cluster_id in group.member_ids]
        for heir in mine:
            if not self.host.leads(heir) and self.dice.random() < 0.7:
                heir.link_up = False
                self.host.cut.add(heir.address)
                self.loop.call_later(self.dice.random() * PARTED_SECONDS_MAX, self.host.cut.discard, heir.address)


def _places(region: str) -> list[dict[str, object]]:
    zone = ZONES[region]
    return [{"PrimaryAvailabilityZone": zone, "ReplicaAvailabilityZones": [zone]}] * 2
