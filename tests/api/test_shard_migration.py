"""Migrations to groups in cluster mode through boto3, on paper: what is accepted, refused, planned and said."""

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from atoll.cache import changed, changes, takeover, transitions
from atoll.cache import shard_migration as steps
from atoll.cache.node import Primary
from atoll.cache.plan import nodes
from atoll.cache.shards import MIXED_TIMEOUT_MS, NODE_TIMEOUT_MS
from atoll.cache.source_cluster import Owner
from atoll.control.shard_migration import ShardMigrations
from atoll.model.cache import CacheCluster, ReplicationGroup
from tests.api.caches import NODE, settle
from tests.api.paper import code, refusal

BOTH, STATE = "InvalidParameterCombination", "InvalidReplicationGroupState"
A, B, C = (IPv4Address(f"10.9.0.{n}") for n in (1, 2, 3))
WHERE = {"ReplicationGroupId": "cl", "CustomerNodeEndpointList": [{"Address": str(C), "Port": 7000}]}
SAME = {"0001": Owner(((0, 8191),), A, 6379), "0002": Owner(((8192, 16383),), B, 6380)}
OTHER = {"0001": Owner(((0, 99),), A, 6379), "0002": Owner(((100, 16383),), B, 6380)}
EVERYBODY = {"0001": True, "0002": True}
GOALS = {"0001": ("a", 7), "0002": ("b", 9)}  # histories of the sources, and how much of them there was


def make(cache, subnets, **more):
    cache.create_replication_group(**{
        "ReplicationGroupId": "cl", "ReplicationGroupDescription": "x", "CacheNodeType": NODE, "Engine": "valkey",
        "AutomaticFailoverEnabled": True, "ClusterMode": "enabled", "NumNodeGroups": 2, "ReplicasPerNodeGroup": 1,
        "CacheSubnetGroupName": subnets, **more,
    })  # fmt: skip


@pytest.fixture
def cl(cache, paper, private):
    """Two shards with a replica each, available."""
    make(cache, private)
    settle(paper)
    return paper


def shown(cache):
    return cache.describe_replication_groups(ReplicationGroupId="cl")["ReplicationGroups"][0]


def group(paper):
    return next(g for g in paper.world.all(ReplicationGroup) if g.name == "cl")


def saw(paper, step, *more, **named):
    paper.write(lambda tx: step(tx, group(paper).id, *more, **named))


def plans(paper):
    return {plan.name.rpartition("/")[2].partition(":")[0]: plan for plan in nodes(paper.world)}


def modes(paper):
    return {name: plan.cluster is not None for name, plan in plans(paper).items()}


def copying(cache, paper, owners=SAME):
    cache.start_migration(**WHERE)
    saw(paper, steps.begun, owners, None)
    settle(paper)


def change_modes(paper):
    """Let the changes of members be carried out: replicas first, then a change of primary in each shard."""
    for _ in range(20):
        for step in changes.steps(paper.world):
            match step:
                case changes.Restart(id):
                    paper.write(lambda tx, id=id: changed.restarting(tx, id))
                case changes.HandOver(id, shard_id):
                    shard = next(s for s in group(paper).node_groups if s.id == shard_id)
                    other = next(m for m in shard.member_ids if m != shard.primary_id)
                    paper.write(lambda tx, at=(id, shard_id): changed.handing_over(tx, *at))
                    paper.write(lambda tx, at=(id, shard_id, other): takeover.published(tx, *at))
        settle(paper)
    assert not changes.steps(paper.world)


def test_engines_leave_cluster_mode_copy_by_shards_and_come_back(cache, cl):
    assert cache.start_migration(**WHERE)["ReplicationGroup"]["Status"] == "migrating"
    assert set(modes(cl).values()) == {True}, "the source is looked at first"
    assert plans(cl)["cl-0001-001"].primary is None

    saw(cl, steps.begun, SAME, None)

    assert set(modes(cl).values()) == {False}
    assert plans(cl)["cl-0001-001"].primary == Primary(A, 6379, is_foreign=True)
    assert plans(cl)["cl-0002-001"].primary == Primary(B, 6380, is_foreign=True)
    assert plans(cl)["cl-0002-002"].primary.address == plans(cl)["cl-0002-001"].address
    assert {plan.boot for plan in plans(cl).values()} == {2}
    assert {dict(plan.settings)["min-replicas-to-write"] for plan in plans(cl).values()} == {"1000"}
    settle(cl)
    assert (shown(cache)["Status"], shown(cache)["ClusterMode"]) == ("migrating", "enabled")
    assert "ConfigurationEndpoint" in shown(cache)

    saw(cl, steps.copied, {"0001": True, "0002": False})
    assert code(cache.complete_migration, ReplicationGroupId="cl") == STATE
    saw(cl, steps.copied, EVERYBODY)
    cache.complete_migration(ReplicationGroupId="cl")
    saw(cl, steps.caught_up, GOALS)

    assert plans(cl)["cl-0001-001"].primary == Primary(A, 6379, is_foreign=True), "until its replica takes over"
    change_modes(cl)
    assert set(modes(cl).values()) == {True}
    assert plans(cl)["cl-0001-002"].primary is None
    assert {plan.cluster.node_timeout_ms for plan in plans(cl).values()} == {MIXED_TIMEOUT_MS}
    assert shown(cache)["Status"] == "migrating"
    saw(cl, steps.returned)

    assert shown(cache)["Status"] == "available"
    assert {plan.cluster.node_timeout_ms for plan in plans(cl).values()} == {NODE_TIMEOUT_MS}
    assert {dict(plan.settings)["min-replicas-to-write"] for plan in plans(cl).values()} == {"0"}
    told = cache.told("cl", "replication-group")
    assert [line for line in told if "igration" in line or "sync" in line] == [
        "Data migration started for replication group cl",
        "Replication group cl is in sync with its source",
        "Complete Migration API called for replication group cl",
        "Data migration completed",
    ]


def test_a_group_takes_over_how_its_source_divides_the_slots(cache, cl):
    copying(cache, cl, OTHER)
    saw(cl, steps.copied, EVERYBODY)
    cache.complete_migration(ReplicationGroupId="cl")
    saw(cl, steps.caught_up, GOALS)
    change_modes(cl)
    saw(cl, steps.returned)

    assert [shard["Slots"] for shard in shown(cache)["NodeGroups"]] == ["0-99", "100-16383"]


def test_a_source_that_cannot_be_copied_leaves_the_group_as_it_was(cache, cl):
    before = plans(cl)
    assert cache.test_migration(**WHERE)["ReplicationGroup"]["Status"] == "modifying"
    saw(cl, steps.tested, None)
    assert cache.told("cl", "replication-group")[-1] == "Migration test succeeded"
    cache.start_migration(**WHERE)
    saw(cl, steps.begun, {}, "10.9.0.3:7000: its cluster has 3 shards, and the replication group has 2")

    assert shown(cache)["Status"] == "available"
    assert cache.told("cl", "replication-group")[-1].startswith("Migration failed: 10.9.0.3:7000: its cluster has 3")
    assert {n: (p.boot, p.settings) for n, p in plans(cl).items()} == {
        n: (p.boot, p.settings) for n, p in before.items()
    }


def test_a_new_primary_of_the_source_is_followed_and_told(cache, cl):
    copying(cache, cl)
    saw(cl, steps.followed, "0002", C, 6381)
    saw(cl, steps.followed, "0002", C, 6381)

    assert plans(cl)["cl-0002-001"].primary == Primary(C, 6381, is_foreign=True)
    assert plans(cl)["cl-0001-001"].primary == Primary(A, 6379, is_foreign=True)
    told = cache.told("cl", "replication-group")
    assert told.count("Shard 0002 of replication group cl copies from the new primary 10.9.0.3:6381") == 1


def test_force_promotes_without_waiting_and_engines_go_back(cache, cl):
    copying(cache, cl)
    cache.complete_migration(ReplicationGroupId="cl", Force=True)
    assert plans(cl)["cl-0001-001"].primary is None
    assert dict(plans(cl)["cl-0001-001"].settings)["min-replicas-to-write"] == "1000", "it knows of no slots"
    saw(cl, steps.promoted)
    change_modes(cl)
    saw(cl, steps.returned)

    assert shown(cache)["Status"] == "available"
    assert set(modes(cl).values()) == {True}


def test_force_before_anything_was_copied_changes_nothing(cache, cl):
    cache.start_migration(**WHERE)
    cache.complete_migration(ReplicationGroupId="cl", Force=True)
    saw(cl, steps.promoted)

    assert shown(cache)["Status"] == "available"
    assert {plan.boot for plan in plans(cl).values()} == {1}


def test_leaders_that_have_everything_go_on_without_their_source(cache, cl):
    copying(cache, cl)
    saw(cl, steps.copied, EVERYBODY)
    cache.complete_migration(ReplicationGroupId="cl")
    saw(cl, steps.caught_up, GOALS)
    saw(cl, steps.detached)

    assert plans(cl)["cl-0001-001"].primary is None
    change_modes(cl)
    saw(cl, steps.returned)
    assert shown(cache)["Status"] == "available"


@pytest.mark.parametrize(("offset", "stage"), [("8", "joining"), ("9", "returning")])
def test_a_daemon_that_begins_in_the_middle_knows_what_the_leaders_must_have(cache, cl, offset, stage):
    copying(cache, cl)
    saw(cl, steps.copied, EVERYBODY)
    cache.complete_migration(ReplicationGroupId="cl")
    saw(cl, steps.caught_up, GOALS)

    async def ask(cluster):
        history, has = ("a", "7") if cluster.name.startswith("cl-0001") else ("b", offset)
        return {"role": "slave", "master_link_status": "down", "master_replid": history, "slave_repl_offset": has}

    def write(step, *about):
        cl.write(lambda tx: step(tx, *about))

    begun = ShardMigrations(lambda: cl.world, None, ask, write, complete_seconds=1.0)
    asyncio.run(begun.look(group(cl)))

    assert steps.stage_of(group(cl)) == stage


def test_no_parameter_of_a_user_has_engines_take_writes_that_are_out_of_cluster_mode(cache, cl):
    family = {"CacheParameterGroupFamily": "valkey9", "Description": "x"}
    cache.create_cache_parameter_group(CacheParameterGroupName="own", **family)

    def say(values):
        said = [{"ParameterName": name, "ParameterValue": value} for name, value in values.items()]
        cache.modify_cache_parameter_group(CacheParameterGroupName="own", ParameterNameValues=said)

    say({"cluster-enabled": "yes"})
    cache.modify_replication_group(ReplicationGroupId="cl", CacheParameterGroupName="own", ApplyImmediately=True)
    settle(cl)
    copying(cache, cl)
    values = {"min-replicas-max-lag": "0", "min-replicas-to-write": "0"}
    say(values)
    for plan in plans(cl).values():
        assert plan.tuning is None
    restart(cl)

    for plan in plans(cl).values():
        settings = [pair for pair in plan.settings if pair[0] in values]
        assert sorted(settings) == [("min-replicas-max-lag", "10"), ("min-replicas-to-write", "1000")]


def restart(paper):
    """Have all nodes start again: they start with what their parameter group says by then."""
    for cluster in list(paper.world.all(CacheCluster)):
        paper.write(lambda tx, c=cluster.id: transitions.node_silent(tx, c, "0001"))
    settle(paper)


def test_a_completion_that_fails_goes_on_copying(cache, cl):
    copying(cache, cl)
    saw(cl, steps.copied, EVERYBODY)
    cache.complete_migration(ReplicationGroupId="cl")
    saw(cl, steps.not_completed, because="its source has more")

    assert plans(cl)["cl-0001-001"].primary == Primary(A, 6379, is_foreign=True)
    assert cache.told("cl", "replication-group")[-1] == (
        "Data migration was not completed: its source has more for replication group cl"
    )
    cache.complete_migration(ReplicationGroupId="cl")
    saw(cl, steps.caught_up, GOALS)
    assert {c.change.sharded for c in cl.world.all(CacheCluster)} == {True}


def test_a_completion_waits_for_a_node_that_is_replaced(cache, cl):
    cache.start_migration(**WHERE)
    saw(cl, steps.begun, SAME, None)  # no node of the group has answered yet
    saw(cl, steps.copied, EVERYBODY)
    cache.complete_migration(ReplicationGroupId="cl")

    saw(cl, steps.caught_up, GOALS)
    assert steps.stage_of(group(cl)) == "completing"
    settle(cl)
    saw(cl, steps.caught_up, GOALS)
    assert steps.stage_of(group(cl)) == "joining"


def test_what_was_seen_too_late_changes_nothing(cache, cl):
    copying(cache, cl)
    before = list(cl.world)

    saw(cl, steps.caught_up, GOALS)
    for late in (steps.detached, steps.promoted, steps.returned):
        saw(cl, late)
    saw(cl, steps.tested, None)
    saw(cl, steps.begun, OTHER, None)

    assert list(cl.world) == before


def test_a_source_is_looked_at_again_while_a_node_is_replaced(cache, cl):
    cache.start_migration(**WHERE)
    one = group(cl)
    shard = replace(one.shard, source_id=one.shard.member_ids[1])
    cl.write(lambda tx: tx.put(tx.world[ReplicationGroup, one.id].with_shard(shard)))

    saw(cl, steps.begun, SAME, None)

    assert steps.stage_of(group(cl)) == "starting"


def test_a_group_without_replicas_or_with_pending_changes_is_refused_by_name(cache, paper, private):
    make(cache, private, ReplicasPerNodeGroup=0)
    settle(paper)
    assert refusal(cache.start_migration, **WHERE) == (
        BOTH,
        "Each shard of a replication group with cluster mode enabled must have a replica to be migrated to, and "
        "shard 0001 of cl has none.",
    )
    cache.increase_replica_count(ReplicationGroupId="cl", NewReplicaCount=1, ApplyImmediately=True)
    settle(paper)
    cache.modify_replication_group(ReplicationGroupId="cl", CacheNodeType="cache.t3.small")
    assert refusal(cache.start_migration, **WHERE) == (
        STATE, "Replication group cl has modifications that are pending."
    )  # fmt: skip
