"""A change of the primary region on paper, with engines that say what a test has them say, and a clock of its own."""

import asyncio
from dataclasses import replace
from random import Random

import pytest

from atoll.cache import global_group as steps
from atoll.cache import takeover
from atoll.cache.failover import decide
from atoll.cache.failover_acts import Fence, Reload
from atoll.cache.plan import Planner, nodes
from atoll.cache.shards import NO_ELECTION
from atoll.cache.transitions import node_answered, node_silent
from atoll.control import global_groups
from atoll.control.failover import Failovers
from atoll.control.global_groups import (
    AS_EVER,
    CALM_SECONDS,
    DEPOSE_SECONDS,
    HANDOVER_SECONDS,
    PATIENCE_SECONDS,
    PROMOTE_SECONDS,
    YIELD_SECONDS,
    GlobalGroups,
)
from atoll.control.hearing import PATIENCE, SHORT_SECONDS
from atoll.control.lag import Lag
from atoll.control.watch import Watch
from atoll.host.contract import HostError, Replication, Vital
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.fault import Fault
from atoll.model.global_group import GlobalReplicationGroup, leader_of, links
from atoll.model.interface import Interface
from tests.api.caches import Caches, settle
from tests.api.test_global_group import BIG, ID, join, saw
from tests.api.test_global_shards import SHARDS
from tests.simulation.clock import VirtualLoop

NEAR, FAR, HISTORY = "one", "two", "h"
SHORT = str(SHORT_SECONDS)
LEADERS = [f"{group}-000{n}-001" for group in (NEAR, FAR) for n in (1, 2)]


class Engines:
    """Engines: primaries here, copies there, all with as much, until a test says otherwise."""

    def __init__(self, paper):
        self.paper, self.calls, self.ended = paper, [], set()
        self.silent, self.deaf, self.behind = set(), set(), set()  # by the names of members
        self.elected, self.loading = set(), set()
        self.unending = set()  # not even by KILL
        self.former = set()  # processes of nodes before they were rebooted
        self.tuned = []
        self.seconds = 0.0  # for each answer

    def vital(self, process):
        runs = process in self.former or any(plan.process == process for plan in nodes(self.paper.world))
        return Vital(is_stopped=False, ticks=1) if runs and name(process) not in self.ended else None

    async def statistics(self, plan):
        who = name(plan.name)
        await asyncio.sleep(self.seconds)
        if who in self.silent | self.ended:
            raise HostError("no answer", "ask")
        if (who in LEADERS and who.startswith(NEAR)) or who in self.elected:
            loading = str(int(who in self.loading))
            return {"role": "master", "master_replid": HISTORY, "master_repl_offset": "10", "loading": loading}
        link = "down" if who in self.deaf else "up"
        offset = "9" if who in self.behind else "10"
        return {"role": "slave", "master_replid": HISTORY, "slave_repl_offset": offset, "master_link_status": link}

    async def hold(self, plan, milliseconds):
        self.calls.append(("hold" if milliseconds else "go", name(plan.name)))

    async def command(self, plan, *words):
        self.calls.append((words, name(plan.name)))

    async def tune(self, plan, directive, value):
        self.tuned.append((name(plan.name), directive, value))

    async def fence(self, process):
        self.calls.append(("fence", name(process)))
        if name(process) in self.unending:
            raise HostError("it did not end", "fence")
        self.ended.add(name(process))

    def called(self, what):
        return {who for called, who in self.calls if called == what}


def name(process):
    return process.rpartition("/")[2].partition(":")[0]


class Story:
    """A global datastore of two shards; a change of its primary has been asked for."""

    def __init__(self, paper):
        self.paper, self.engines = paper, Engines(paper)
        self.groups = GlobalGroups(paper.store, self.want, self.engines)

    def want(self):
        return {plan.process: plan for plan in nodes(self.paper.world)}

    @property
    def datastore(self):
        (found,) = self.paper.world.all(GlobalReplicationGroup)
        return found

    @property
    def stage(self):
        handover = self.datastore.handover
        return handover.stage if handover else None

    def group(self, name):
        return next(g for g in self.paper.world.all(ReplicationGroup) if g.name == name)

    def member(self, name):
        return next(id for g in self.paper.world.all(ReplicationGroup) for id in g.member_ids if id.endswith(name))

    def loses(self, name):
        self.paper.write(lambda tx: node_silent(tx, self.member(name), "0001"))

    def answers(self, name):
        self.paper.write(lambda tx: node_answered(tx, self.member(name), "0001"))

    async def look(self, *pauses):
        """Look, and again after each of these pauses, in seconds."""
        for seconds in (0.0, *pauses):
            await asyncio.sleep(seconds)
            await self.groups._look(self.datastore)
            await self.groups._hearing.restore()


@pytest.fixture
def story(cache, paper):
    asked = {"ReplicationGroupId": NEAR, "ReplicationGroupDescription": "x", "AutomaticFailoverEnabled": True}
    cache.create_replication_group(**asked, Engine="valkey", **BIG, **SHARDS)
    settle(paper)
    cache.create_global_replication_group(GlobalReplicationGroupIdSuffix="sessions", PrimaryReplicationGroupId=NEAR)
    saw(paper, steps.associated, NEAR)
    join(Caches(paper.client("elasticache", region="eu-west-1")))
    settle(paper)
    saw(paper, steps.associated, FAR)
    ask(paper)
    return Story(paper)


def ask(paper):
    paper.client("elasticache").failover_global_replication_group(
        GlobalReplicationGroupId=ID, PrimaryRegion="eu-west-1", PrimaryReplicationGroupId=FAR
    )


def tell(told):
    loop = VirtualLoop(Random(1))
    try:
        return loop.run_until_complete(told)
    finally:
        loop.close()


def said(cache, name):
    return cache.told(name, "replication-group")


def far_cache(paper):
    return Caches(paper.client("elasticache", region="eu-west-1"))


def test_leaders_end_one_by_one_when_nobody_is_elected_any_more_and_each_with_its_writes_held_anew(story):
    tell(story.look(0.0, 0.0))

    calls = story.engines.calls
    fences = [n for n, call in enumerate(calls) if call[0] == "fence"]
    assert [calls[n][1] for n in fences] == ["one-0001-001", "one-0002-001"]
    assert [calls[n - 1] for n in fences] == [("hold", "one-0001-001"), ("hold", "one-0002-001")]
    assert {who for what, who in calls[: fences[0]] if what == NO_ELECTION} == {"one-0001-002", "one-0002-002"}
    assert (story.stage, story.datastore.primary_id) == ("promoting", story.group(FAR).id)


def test_a_target_that_copies_again_is_waited_for_and_then_given_up(story, paper):
    story.engines.deaf.add("two-0001-001")

    tell(story.look(*[PATIENCE_SECONDS + 1.0] * 4))

    assert story.stage == "asked", "its primary is well"
    tell(story.look(HANDOVER_SECONDS + 1.0))
    assert (story.stage, story.datastore.primary_id) == (None, story.group(NEAR).id)
    assert said(far_cache(paper), FAR)[-1].endswith("it does not have the data of the primary yet")
    assert not story.engines.calls, "no write was held, and nobody ended"


def test_a_target_that_hears_its_primary_again_goes_on(story):
    async def told():
        story.engines.deaf.add("two-0001-001")
        await story.look(10.0)
        story.engines.deaf.clear()
        await story.look(0.0, 0.0)

    tell(told())

    assert story.stage == "promoting"


@pytest.mark.parametrize("silent", ["one-0001-001", "one-0002-001"])
def test_a_primary_that_is_lost_is_taken_over_from_when_all_its_leaders_have_ended(story, silent):
    story.engines.silent.add(silent)

    tell(story.look(PATIENCE_SECONDS - 1.0))
    assert story.stage == "asked"
    tell(story.look(PATIENCE_SECONDS + 0.1))
    assert (story.stage, story.engines.ended) == ("deposing", set()), "written before it is done"
    story.engines.silent.clear()  # it answers again in this very moment
    tell(story.look())
    assert (story.stage, story.engines.ended) == ("deposing", {"one-0001-001", "one-0002-001"})
    tell(story.look(CALM_SECONDS))

    assert (story.stage, story.datastore.primary_id) == ("promoting", story.group(FAR).id)
    assert story.engines.called("hold") == set(), "nobody waits for what it had not sent"


def test_whoever_was_elected_in_a_lost_region_is_ended_before_another_region_leads(story, paper):
    saw(paper, steps.deposing)
    tell(story.look())
    story.engines.elected.add("one-0002-002")  # by those who have ended meanwhile

    tell(story.look())
    assert (story.stage, "one-0002-002" in story.engines.ended) == ("deposing", True)
    tell(story.look())
    assert story.stage == "deposing", "a start may be under way"
    tell(story.look(CALM_SECONDS))

    assert story.stage == "promoting"


def test_whoever_is_rebooted_in_a_lost_region_is_looked_at_until_its_former_process_has_ended(story, paper):
    rebooted = story.member("one-0001-001")
    plan = next(plan for plan in story.want().values() if plan.cluster_id == rebooted)
    saw(paper, steps.deposing)
    story.engines.former.add(plan.process)
    cluster = paper.world[CacheCluster, rebooted]
    again = tuple(replace(node, boot=node.boot + 1) for node in cluster.nodes)
    paper.write(lambda tx: tx.put(cluster.but(nodes=again)))
    story.engines.ended = {"one-0002-001"}

    tell(story.look())

    assert ("fence", "one-0001-001") in story.engines.calls
    assert story.stage == "deposing"


def test_a_leader_of_a_lost_region_that_has_only_just_been_started_is_not_ended_at_once(story, paper):
    async def told():
        saw(paper, steps.deposing)
        story.loses("one-0001-001")
        story.engines.silent.add("one-0001-001")
        await story.look()
        assert "one-0001-001" not in story.engines.ended
        await story.look(YIELD_SECONDS + 0.1)
        assert "one-0001-001" in story.engines.ended

    tell(told())


def test_a_replica_of_a_lost_region_that_does_not_answer_is_ended_after_a_while(story, paper):
    async def told():
        saw(paper, steps.deposing)
        story.engines.silent.add("one-0002-002")
        await story.look(0.0, YIELD_SECONDS)
        assert (story.stage, story.engines.ended) == ("deposing", {"one-0001-001", "one-0002-001"})
        await story.look(0.1, 0.0, CALM_SECONDS + 0.1)

    tell(told())

    assert (story.stage, "one-0002-002" in story.engines.ended) == ("promoting", True)


def test_when_a_node_of_a_lost_region_can_not_be_ended_the_change_is_given_up_which_is_told(story, paper):
    story.engines.unending.add("one-0002-001")
    saw(paper, steps.deposing)

    async def told():
        for seconds in (0.0, DEPOSE_SECONDS - 1.0):
            await asyncio.sleep(seconds)
            with pytest.raises(HostError):
                await story.look()
        assert story.stage == "deposing"
        await asyncio.sleep(2.0)
        await story.look()

    tell(told())

    assert (story.stage, story.datastore.primary_id) == (None, story.group(NEAR).id)
    assert story.datastore.status == "available"
    assert "was not promoted" in said(far_cache(paper), FAR)[-1]
    assert "one-0002-001 of its former primary can be neither ended" in said(far_cache(paper), FAR)[-1]


def test_a_change_that_is_asked_for_again_at_once_has_all_of_its_time(story, paper):
    """The loop has not looked since it gave up the one before."""

    async def told():
        for _ in range(2):
            story.engines.unending.add("one-0002-001")
            saw(paper, steps.deposing)
            with pytest.raises(HostError):
                await story.look()
            await asyncio.sleep(DEPOSE_SECONDS - 1.0)
            with pytest.raises(HostError):
                await story.look()
            assert story.stage == "deposing"
            await asyncio.sleep(2.0)
            await story.look()
            assert story.stage is None
            ask(paper)

    tell(told())


def test_a_new_primary_that_is_none_for_long_is_told_once(story, paper):
    saw(paper, steps.deposing)
    saw(paper, steps.taken_over)
    before = len(said(far_cache(paper), FAR))

    async def told():
        await story.look(PROMOTE_SECONDS - 1.0)
        assert len(said(far_cache(paper), FAR)) == before
        await story.look(2.0, 1.0)

    tell(told())

    assert len(said(far_cache(paper), FAR)) == before + 1
    assert "nobody leads its node groups 0001, 0002 yet" in said(far_cache(paper), FAR)[-1]
    assert story.stage == "promoting"


def test_a_new_primary_is_none_while_a_leader_of_it_reads_its_data(story, paper):
    saw(paper, steps.deposing)
    saw(paper, steps.taken_over)
    story.engines.elected |= {f"{FAR}-0001-001", f"{FAR}-0002-001"}
    story.engines.loading.add(f"{FAR}-0002-001")

    tell(story.look(PROMOTE_SECONDS + 1.0))

    assert story.stage == "promoting"
    assert "nobody leads its node groups 0002 yet" in said(far_cache(paper), FAR)[-1]
    story.engines.loading.clear()
    tell(story.look())
    assert story.stage is None


def test_guards_of_a_lost_region_promote_nobody_and_end_whoever_leads(story, paper):
    one = story.group(NEAR)
    shard = one.node_groups[0]
    watch = Watch(Claims(shard.member_ids[1], ("10.0.0.1", 6379)), Lag(), one.id, shard.id)
    tell(watch.look(paper.world, story.want(), full=True, probe=True))
    assert not watch.is_outdated(paper.world)

    saw(paper, steps.deposing)

    assert watch.is_outdated(paper.world), "what was decided before must not be done"
    act = decide(tell(watch.look(paper.world, story.want(), full=True, probe=True)))
    assert act == Fence(shard.leader_id, "it does not copy from outside")


def test_what_was_lost_for_a_moment_and_heard_again_is_not_lost(story):
    async def told():
        story.engines.behind.add("two-0001-001")
        for _ in range(4):
            story.engines.silent.add("one-0001-001")
            await story.look()
            story.engines.silent.clear()
            await story.look()
            await asyncio.sleep(2.0)
        story.engines.silent.add("one-0001-001")
        await story.look()

    tell(told())

    assert story.stage == "asked"


def test_a_target_that_was_silent_for_a_moment_has_its_patience_again(story):
    async def told():
        story.engines.deaf.add("two-0001-001")
        for _ in range(2):
            story.engines.silent.add("two-0002-001")
            await story.look(0.6 * HANDOVER_SECONDS)
            story.engines.silent.clear()
            await story.look()

    tell(told())

    assert story.stage == "asked"


@pytest.mark.parametrize("lost", ["two-0002-002", "two-0001-001"])
def test_no_leader_ends_while_the_target_has_nobody_who_could_be_promoted(story, paper, lost):
    story.loses(lost)

    tell(story.look(5.0, 5.0, 5.0))

    assert story.stage == "asked"
    assert not story.engines.calls, "no write is held for nothing"
    saw(paper, steps.fencing)
    assert story.stage == "asked", "nor by what was seen before"
    story.answers(lost)
    tell(story.look(0.0, 0.0))
    assert story.stage == "promoting"


def test_a_change_for_which_the_target_has_no_replica_is_given_up(story, paper):
    story.loses("two-0002-002")

    tell(story.look(HANDOVER_SECONDS + 1.0))

    assert story.stage is None
    assert said(far_cache(paper), FAR)[-1].endswith("no replica of its node group 0002 has all data")


def test_a_replica_that_does_not_hear_its_leader_is_nobody_who_could_be_promoted(story):
    story.engines.deaf.add("two-0002-002")

    tell(story.look(5.0))

    assert story.stage == "asked"
    assert not story.engines.calls


def test_where_nobody_has_the_data_nobody_takes_over_from_a_lost_primary_which_is_told(story, paper):
    story.loses("two-0002-002")
    story.loses("two-0002-001")
    story.engines.silent.add("one-0001-001")

    tell(story.look(PATIENCE_SECONDS + 1.0))

    assert (story.stage, story.datastore.primary_id) == (None, story.group(NEAR).id)
    why = "its primary is out of reach, and nobody of its node group 0002 has all data"
    assert said(far_cache(paper), FAR)[-1].endswith(why)


def test_a_leader_that_alone_has_the_data_is_enough_to_take_over_from_a_lost_primary(story):
    story.loses("two-0002-002")
    story.engines.silent.add("one-0001-001")

    tell(story.look(PATIENCE_SECONDS + 1.0))

    assert story.stage == "deposing"


def test_a_leader_begins_anew_as_a_primary_with_the_data_that_it_left(story, paper):
    story.loses("two-0002-002")
    saw(paper, steps.deposing)
    saw(paper, steps.taken_over)
    group, leader = story.group(FAR), story.member("two-0002-001")
    before = paper.world[CacheCluster, leader].nodes[0]

    paper.write(lambda tx: takeover.reloading(tx, group.id, "0002", boot=before.boot))

    plan = next(plan for plan in nodes(paper.world) if plan.cluster_id == leader)
    assert (plan.boot, plan.loads, plan.primary) == (before.boot + 1, True, None)
    assert not plan.guarded, "nobody else could take over"
    story.answers("two-0002-001")
    assert not paper.world[CacheCluster, leader].nodes[0].loads


def test_nobody_is_elected_until_a_new_primary_is_one_nor_while_a_leader_begins_anew(story, paper):
    def electing():
        return {name(plan.name) for plan in nodes(paper.world) if plan.cluster.elects}

    near, far, anew = (f"{NEAR}-0001-002", f"{FAR}-0001-002", f"{FAR}-0002-002")
    assert {one for one in electing() if one.endswith("-002")} == {near, f"{NEAR}-0002-002"}
    for step in (steps.fencing, steps.taken_over):
        saw(paper, step)
        assert electing() == set()
    group = story.group(FAR)
    paper.write(lambda tx: takeover.reloading(tx, group.id, "0002", boot=1))

    saw(paper, steps.promoted)

    assert far in electing(), "this node group has nothing to wait for"
    assert anew not in electing(), "its leader is silent, and it may lack something"
    story.answers("two-0002-001")
    assert anew in electing()


class Heirless:
    """A leader that has copied from outside and hears nobody any more, and a replica of it that lacks something."""

    def __init__(self, leader):
        self.leader, self.offset, self.calls = leader, 10, []

    def vital(self, _process):
        return Vital(is_stopped=False, ticks=1)

    async def replication(self, plan):
        if plan.cluster_id == self.leader:
            return Replication(role="replica", follows=("169.254.97.2", 6379), offset=self.offset, history=HISTORY)
        return Replication(role="replica", follows=("10.0.0.1", 6379), offset=9, history=HISTORY)

    async def reaches(self, _plan):
        return True

    async def command(self, plan, *words):
        self.calls.append((words, name(plan.name)))

    async def save(self, plan, *, is_copy):
        self.calls.append(("save a copy" if is_copy else "save", name(plan.name)))

    async def resume(self, plan):
        self.calls.append(("resume", name(plan.name)))

    async def fence(self, process):
        self.calls.append(("fence", name(process)))


@pytest.fixture
def heirless(story, paper):
    """Have the first node group of the new primary begin anew; returns what does it, and its engines."""
    saw(paper, steps.fencing)
    saw(paper, steps.taken_over)
    group = story.group(FAR)
    shard = group.node_groups[0]
    engines = Heirless(shard.leader_id)
    watch = Watch(engines, Lag(), group.id, shard.id)
    guards = Failovers(paper.store, story.want, engines, lambda: None)

    async def begin(meanwhile=0):
        seen = await watch.look(paper.world, story.want(), full=True, probe=True)
        act = decide(replace(seen, target_id=shard.member_ids[1]))
        assert isinstance(act, Reload)
        engines.offset += meanwhile
        await guards.act(act, watch, seen)

    return begin, engines


def test_a_leader_ends_to_begin_anew_when_its_replicas_are_told_to_elect_nobody(heirless):
    begin, engines = heirless

    tell(begin())

    leader = "two-0001-001"
    assert engines.calls == [(NO_ELECTION, "two-0001-002"), ("save a copy", leader), ("fence", leader)]


def test_a_leader_that_got_more_while_it_saved_its_data_does_not_begin_anew_without_that(heirless, story):
    begin, engines = heirless

    with pytest.raises(HostError, match="it may have got more"):
        tell(begin(meanwhile=1))

    assert ("fence", "two-0001-001") not in engines.calls
    assert story.group(FAR).node_groups[0].leader_id.endswith("two-0001-001")


def test_what_a_process_left_is_not_the_data_of_another_one(story, paper):
    group, leader = story.group(FAR), story.member("two-0002-001")
    before = paper.world[CacheCluster, leader].nodes[0]

    paper.write(lambda tx: takeover.reloading(tx, group.id, "0002", boot=before.boot + 1))

    assert paper.world[CacheCluster, leader].nodes[0] == before


def test_no_leader_ends_while_its_shard_changes_its_primary_within_its_region(story, paper):
    one = story.group(NEAR)
    replica = one.node_groups[0].member_ids[1]
    paper.write(lambda tx: takeover.chosen(tx, one.id, "0001", replica, because=takeover.TEST))

    saw(paper, steps.fencing)
    tell(story.look(1.0))

    assert story.stage == "asked", "whoever was promoted takes writes, and is not published yet"
    assert not story.engines.calls
    paper.write(lambda tx: takeover.published(tx, one.id, "0001", replica))
    saw(paper, steps.fencing)
    assert story.stage == "fencing"


def test_a_leader_whose_writes_may_not_be_held_any_more_does_not_end(story, paper):
    saw(paper, steps.fencing)
    story.engines.seconds = global_groups.PAUSE_MILLISECONDS / 2000

    tell(story.look())

    assert story.stage == "fencing"
    assert not story.engines.ended


def test_when_nobody_has_ended_a_change_that_takes_too_long_is_given_up(story, paper):
    saw(paper, steps.fencing)
    story.engines.behind.add("two-0001-001")

    tell(story.look(HANDOVER_SECONDS + 1.0))

    assert (story.stage, story.datastore.primary_id) == (None, story.group(NEAR).id)
    assert not story.engines.ended
    assert story.engines.called(AS_EVER) == {"one-0001-002", "one-0002-002"}
    assert story.engines.calls[-2:] == [("go", "one-0001-001"), ("go", "one-0002-001")]
    assert said(far_cache(paper), FAR)[-1].endswith("it did not catch up")


def test_when_one_has_ended_there_is_no_way_back(story, paper):
    saw(paper, steps.fencing)
    story.engines.behind.add("two-0002-001")

    tell(story.look(HANDOVER_SECONDS + 1.0))

    assert (story.stage, story.engines.ended) == ("deposing", {"one-0001-001"})
    tell(story.look(0.0, CALM_SECONDS + 0.1))
    assert story.engines.ended == {"one-0001-001", "one-0002-001"}
    assert (story.stage, story.datastore.primary_id) == ("promoting", story.group(FAR).id)


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_a_copy_that_waits_for_nothing_is_made_to_ask_again_while_its_link_is_there(story, paper, is_cut_off):
    story.engines.deaf |= {"two-0001-001", "two-0001-002"}
    if is_cut_off:
        (zone,) = {i.zone for i in paper.world.all(Interface) if i.id == leader_of_near(story).nodes[0].interface_id}
        paper.write(lambda tx: tx.put(Fault(id="f", account="", region="", act="partition-zone", target=zone,
                                            since=paper.clock)))  # fmt: skip

    tell(story.look(*[0.5] * 10))

    asked = {who for who, directive, value in story.engines.tuned if (directive, value) == (PATIENCE, SHORT)}
    assert asked == (set() if is_cut_off else {"two-0001-001"}), "it alone copies from outside"
    everybody = {name(plan.name) for plan in story.want().values()}
    assert {who for who, _, value in story.engines.tuned[: len(everybody)] if value == "60"} == everybody


def leader_of_near(story):
    one = story.group(NEAR)
    return leader_of(story.paper.world, one.id, one.node_groups[0].id)


def test_lags_are_kept_of_those_who_lead_secondaries_and_of_nobody_else(story, paper):
    lags = story.groups.lags  # which the sampler holds

    async def told():
        await story.look()
        story.groups._keep([story.datastore])

    two = story.group(FAR)
    before = two.node_groups[0].leader_id
    tell(told())
    assert before in lags
    paper.write(lambda tx: takeover.published(tx, two.id, "0001", two.node_groups[0].member_ids[1]))
    tell(told())

    assert before not in lags
    assert len(story.groups._offsets) == 2
    story.groups._keep([])
    assert (lags, story.groups._offsets) == ({}, {})


class Claims:
    """All that a watch asks: a leader that copies from outside, and beside it one that says that it is a primary."""

    def __init__(self, leader, source):
        self.leader, self.source = leader, source

    def vital(self, _process):
        return Vital(is_stopped=False, ticks=1)

    async def replication(self, plan):
        if plan.cluster_id == self.leader:
            return Replication(role="replica", follows=self.source, link_up=True, offset=10, history=HISTORY)
        return Replication(role="primary", offset=10, history=HISTORY)

    async def reaches(self, _plan):
        return True

    async def known(self, _plan):
        raise HostError("no answer", "ask")


def test_a_primary_beside_a_leader_that_copies_from_outside_is_seen_and_ended(story, paper):
    two = story.group(FAR)
    shard = two.node_groups[0]
    watch = Watch(Claims(shard.leader_id, ("169.254.97.1", 6379)), Lag(), two.id, shard.id)

    seen = tell(watch.look(paper.world, story.want(), full=True, probe=True))

    act = decide(seen)
    assert isinstance(act, Fence)
    assert act.id == shard.member_ids[1]


@pytest.fixture
def leave(story, paper, cache):
    """Have the secondary leave while some of its members start anew."""
    paper.write(lambda tx: steps.given_up(tx, story.datastore.id, "it is to leave"))
    settle(paper)

    def leave(*starting):
        for one in starting:
            story.loses(one)
        cache.disassociate_global_replication_group(
            GlobalReplicationGroupId=ID, ReplicationGroupId=FAR, ReplicationGroupRegion="eu-west-1"
        )

    return leave


def sources(plans):
    return {name(p.name): str(p.primary.address) for p in plans if p.copies_from_outside}


def test_a_shard_that_leaves_is_fed_until_a_replica_has_the_data(story, paper, leave):
    leave("two-0002-002")

    assert len(list(links(paper.world))) == 1, "the other shard has a replica"
    assert sources(nodes(paper.world)) == {}, "its leader has all, and waits for one"
    story.answers("two-0002-002")
    assert list(links(paper.world)) == []


@pytest.mark.parametrize("ends", ["a replica has the data", "the source is gone"])
def test_a_leader_that_does_not_have_the_data_copies_on_while_its_shard_leaves(story, paper, leave, ends):
    planner = Planner()
    leave("two-0002-001", "two-0002-002")
    assert sources(planner.nodes(paper.world)) == {"two-0002-001": "169.254.97.2"}
    assert len(list(links(paper.world))) == 1

    if ends == "the source is gone":
        for zone in {interface.zone for interface in paper.world.all(Interface) if interface.region == "us-east-1"}:
            fault = Fault(id=zone, account="", region="", act="kill-zone", target=zone, since=paper.clock)
            paper.write(lambda tx, fault=fault: tx.put(fault))
    else:
        story.answers("two-0002-002")

    assert sources(planner.nodes(paper.world)) == {}, "it is to be a primary's shard"
    assert list(links(paper.world)) == []
