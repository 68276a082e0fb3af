"""ClusterMode of ModifyReplicationGroup: what is asked for, what is refused, and what members go through."""

import pytest

from atoll.cache import changed
from atoll.cache.changes import HandOver, Restart, steps, to_be_looked_at
from atoll.cache.plan import nodes
from atoll.cache.shards import MIXED_TIMEOUT_MS, NODE_TIMEOUT_MS, nodes_conf
from atoll.model.cache import CacheCluster, ReplicationGroup
from tests.api.caches import settle
from tests.api.paper import code
from tests.api.paper import refusal as refused
from tests.api.test_cache_engine_change import finish, take

BOTH = "InvalidParameterCombination"


@pytest.fixture
def rg(cache, paper, private):
    """A group of three Valkey nodes with automatic failover, available."""
    cache.group("rg", 3, Engine="valkey", EngineVersion="9.1", CacheSubnetGroupName=private,
                AutomaticFailoverEnabled=True)  # fmt: skip
    settle(paper)
    return "rg"


def refusal(call, expected):
    """Return the words with which a call is refused, by that code."""
    found, said = refused(call)
    assert found == expected
    return said


def described(cache):
    return cache.describe_replication_groups(ReplicationGroupId="rg")["ReplicationGroups"][0]


def mode(cache, to, **more):
    asked = {"ReplicationGroupId": "rg", "ClusterMode": to, "ApplyImmediately": True}
    return cache.modify_replication_group(**asked | more)["ReplicationGroup"]


@pytest.mark.usefixtures("rg")
def test_the_replicas_go_first_then_one_of_them_takes_over(cache, paper):
    shown = mode(cache, "compatible")

    assert (shown["Status"], shown["ClusterMode"]) == ("modifying", "disabled")
    assert shown["PendingModifiedValues"] == {"ClusterMode": "compatible"}
    done = finish(paper)

    assert done == ["Restart", "Restart", "HandOver", "Restart"]
    shown = described(cache)
    assert (shown["Status"], shown["ClusterMode"], shown["PendingModifiedValues"]) == ("available", "compatible", {})
    assert "ConfigurationEndpoint" in shown
    assert "PrimaryEndpoint" in shown["NodeGroups"][0]
    (group,) = paper.world.all(ReplicationGroup)
    assert group.shard.slots == ((0, 16383),)
    assert {c.parameter_group for c in paper.world.all(CacheCluster)} == {"default.valkey9.cluster.on"}


@pytest.mark.usefixtures("rg")
def test_a_replica_in_cluster_mode_finds_in_its_file_that_its_primary_has_all_slots(cache, paper):
    mode(cache, "compatible")
    take(paper)

    (plan,) = [plan for plan in nodes(paper.world) if plan.cluster]
    leader = next(p for p in nodes(paper.world) if p.primary is None)

    assert plan.primary is not None
    assert f"{leader.address}:6379" in nodes_conf(plan)
    assert nodes_conf(plan).count("0-16383") == 1
    assert plan.cluster.node_timeout_ms == MIXED_TIMEOUT_MS
    settle(paper)
    finish(paper)
    assert {p.cluster.node_timeout_ms for p in nodes(paper.world)} == {NODE_TIMEOUT_MS}


@pytest.mark.usefixtures("rg")
def test_every_step_into_cluster_mode_looks_at_the_databases_first(cache, paper):
    mode(cache, "compatible")

    looked = []
    while found := steps(paper.world):
        looked += [(type(step), to_be_looked_at(paper.world, step) is not None) for step in found]
        take(paper)
        settle(paper)

    assert looked == [(Restart, True), (Restart, True), (HandOver, True), (Restart, False)]


@pytest.mark.usefixtures("rg")
def test_keys_elsewhere_take_a_change_back_whatever_has_been_done(cache, paper):
    mode(cache, "compatible")
    take(paper)
    settle(paper)
    (group,) = paper.world.all(ReplicationGroup)

    paper.write(lambda tx: changed.mode_refused(tx, group.id, "there are keys in db1"))
    finish(paper)

    shown = described(cache)
    assert (shown["Status"], shown["ClusterMode"], shown["PendingModifiedValues"]) == ("available", "disabled", {})
    clusters = list(paper.world.all(CacheCluster))
    assert {(c.sharded, c.parameter_group, c.change) for c in clusters} == {(False, "default.valkey9", None)}
    (group,) = paper.world.all(ReplicationGroup)
    assert (group.becoming, group.shard.slots) == (None, ())


@pytest.mark.usefixtures("rg")
def test_compatible_leads_to_enabled_and_back_to_disabled(cache, paper):
    mode(cache, "compatible")
    finish(paper)
    mode(cache, "disabled")
    finish(paper)
    assert described(cache)["ClusterMode"] == "disabled"
    assert "ConfigurationEndpoint" not in described(cache)
    mode(cache, "compatible")
    finish(paper)

    shown = mode(cache, "enabled")

    assert (shown["ClusterMode"], shown["Status"]) == ("enabled", "available")
    assert (shown["NodeGroups"][0]["Slots"], steps(paper.world)) == ("0-16383", [])
    for back in ("disabled", "compatible"):
        assert "enabled cannot be reverted" in refusal(lambda back=back: mode(cache, back), BOTH)


@pytest.mark.usefixtures("rg")
def test_what_aws_refuses_on_the_way_is_refused(cache, paper):
    assert "to compatible first" in refusal(lambda: mode(cache, "enabled"), BOTH)
    more = {"SnapshotWindow": "01:00-02:00"}
    assert "but CacheParameterGroupName" in refusal(lambda: mode(cache, "compatible", **more), BOTH)
    asked = {"CacheParameterGroupName": "default.valkey9"}
    assert "should be enabled" in refusal(lambda: mode(cache, "compatible", **asked), BOTH)
    mode(cache, "compatible")
    finish(paper)

    change = {"ReplicationGroupId": "rg", "ApplyImmediately": True}
    state = "InvalidReplicationGroupState"
    assert code(lambda: cache.modify_replication_group(CacheNodeType="cache.t3.small", **change)) == state
    assert code(lambda: cache.increase_replica_count(NewReplicaCount=3, **change)) == state
    assert code(lambda: cache.decrease_replica_count(NewReplicaCount=1, **change)) == state
    assert code(lambda: cache.create_cache_cluster(CacheClusterId="more", ReplicationGroupId="rg")) == state


@pytest.mark.parametrize(("members", "version"), [(1, "9.1"), (2, "9.1")])
def test_a_group_needs_a_replica_and_automatic_failover(cache, paper, private, members, version):
    cache.group("rg", members, Engine="valkey", EngineVersion=version, CacheSubnetGroupName=private)
    settle(paper)

    assert "at least one replica" in refusal(lambda: mode(cache, "compatible"), BOTH)


def test_an_old_engine_cannot_change_its_mode(cache, paper, private):
    cache.group("rg", 2, Engine="redis", EngineVersion="6.2", CacheSubnetGroupName=private,
                AutomaticFailoverEnabled=True)  # fmt: skip
    settle(paper)

    assert "from Valkey 7.2 and Redis OSS 7.0 on" in refusal(lambda: mode(cache, "compatible"), BOTH)


@pytest.mark.usefixtures("rg")
def test_another_mode_waits_for_the_maintenance_window_like_another_version(cache, paper):
    shown = mode(cache, "compatible", ApplyImmediately=False)

    assert (shown["Status"], shown["PendingModifiedValues"]) == ("available", {"ClusterMode": "compatible"})
    assert steps(paper.world) == []
