"""Engine, version and node type of caches that run: what is asked for, what waits, and what begins."""

from datetime import timedelta

import pytest

from atoll.cache import changed
from atoll.cache.changes import Carry, HandOver, Resize, Restart, steps
from atoll.cache.plan import nodes
from atoll.cache.takeover import published
from atoll.cache.transitions import node_silent
from atoll.control.maintenance import maintain
from atoll.model.cache import CacheCluster, ReplicationGroup
from tests.api.caches import settle
from tests.api.paper import code, refusal

BOTH = "InvalidParameterCombination"


def take(paper):
    """Do what is next, as the control loop and the failover would; returns it."""
    done = steps(paper.world)
    for step in done:
        match step:
            case Restart(id) | Carry(id):
                paper.write(lambda tx, id=id: changed.restarting(tx, id))
            case HandOver(group, shard):
                paper.write(lambda tx, g=group, s=shard: changed.handing_over(tx, g, s))
                found = paper.world[ReplicationGroup, group].shard
                target = next(id for id in found.member_ids if id != found.primary_id)
                paper.write(lambda tx, g=group, s=shard, t=target: published(tx, g, s, t))
            case Resize(ids):
                boots = {(id, paper.world[CacheCluster, id].nodes[0].boot) for id in ids}
                paper.write(lambda tx, ids=ids, boots=boots: changed.resized(tx, ids, boots))
    return [type(step).__name__ for step in done]


def finish(paper):
    """Do all that is to be done; returns it."""
    done = []
    while step := take(paper):
        done += step
        settle(paper)
    return done


@pytest.fixture
def rg(cache, paper, private):
    """A group of three Redis OSS 7.0 nodes, available."""
    cache.group("rg", 3, Engine="redis", EngineVersion="7.0", CacheSubnetGroupName=private)
    settle(paper)
    return "rg"


@pytest.fixture
def one(cache, paper, private):
    """A Redis OSS 6.2 node, available."""
    cache.redis("one", CacheSubnetGroupName=private, EngineVersion="6.2")
    settle(paper)
    return "one"


def ask(cache, **asked):
    return cache.modify_replication_group(ReplicationGroupId="rg", **asked)["ReplicationGroup"]


def shown(cache):
    return cache.describe_replication_groups(ReplicationGroupId="rg")["ReplicationGroups"][0]


@pytest.mark.usefixtures("rg")
def test_a_group_changes_its_engine_replica_by_replica_and_its_primary_last(cache, paper):
    assert ask(cache, Engine="valkey", EngineVersion="9.1", ApplyImmediately=True)["Status"] == "modifying"
    assert cache.cluster("rg-001")["PendingModifiedValues"] == {"EngineVersion": "9.1.2"}

    assert finish(paper) == ["Restart", "Restart", "HandOver", "Restart"]

    assert (shown(cache)["Status"], shown(cache)["Engine"]) == ("available", "valkey")
    for name in ("rg-001", "rg-002", "rg-003"):
        found = cache.cluster(name)
        assert (found["Engine"], found["EngineVersion"]) == ("valkey", "9.1.2")
        assert found["CacheParameterGroup"]["CacheParameterGroupName"] == "default.valkey9"
        assert (found["CacheClusterStatus"], found["PendingModifiedValues"]) == ("available", {})


@pytest.mark.usefixtures("rg")
def test_one_replica_at_a_time_is_without_data(cache, paper):
    ask(cache, Engine="valkey", EngineVersion="9.1", ApplyImmediately=True)

    assert take(paper) == ["Restart"]

    assert take(paper) == [], "the first does not answer yet"
    down = [c.name for c in paper.world.all(CacheCluster) if c.nodes[0].status != "available"]
    assert down == ["rg-002"]


def test_a_group_of_one_carries_its_data_over(cache, paper, private):
    cache.group("rg", 1, Engine="redis", EngineVersion="6.2", CacheSubnetGroupName=private)
    settle(paper)

    ask(cache, EngineVersion="7.0", CacheParameterGroupName="default.redis7", ApplyImmediately=True)

    assert finish(paper) == ["Carry"]
    assert cache.cluster("rg-001")["EngineVersion"] == "7.0.15"


def test_a_node_type_changes_in_place_and_before_the_version(cache, paper, one):
    cache.modify_cache_cluster(
        CacheClusterId=one,
        CacheNodeType="cache.m5.large",
        EngineVersion="7.0",
        CacheParameterGroupName="default.redis7",
        ApplyImmediately=True,
    )
    assert cache.cluster(one)["CacheClusterStatus"] == "modifying"

    assert finish(paper) == ["Resize", "Carry"]

    found = cache.cluster(one)
    assert (found["CacheNodeType"], found["EngineVersion"]) == ("cache.m5.large", "7.0.15")
    told = "Finished modifying cache node type from cache.t3.micro to cache.m5.large"
    assert told in cache.told(one, "cache-cluster")


def test_memcached_starts_anew(cache, paper, private):
    paper.write(lambda tx: tx.put(next(b for b in [*paper.world] if b.id == "memcached/1.6.18").but(
        id="memcached/1.6.22", version="1.6.22")))  # fmt: skip
    cache.memcached("mem", 2, EngineVersion="1.6.18", CacheSubnetGroupName=private)
    settle(paper)

    cache.modify_cache_cluster(CacheClusterId="mem", EngineVersion="1.6.22", ApplyImmediately=True)

    assert finish(paper) == ["Restart"]
    (cluster,) = paper.world.all(CacheCluster)
    assert [(node.boot, node.loads) for node in cluster.nodes] == [(2, False), (2, False)]
    assert cache.cluster("mem")["EngineVersion"] == "1.6.22"


class TestWaiting:
    @pytest.mark.usefixtures("rg")
    def test_what_waits_is_shown_and_begins_in_the_maintenance_window(self, cache, paper):
        ask(cache, CacheNodeType="cache.t3.small", PreferredMaintenanceWindow="sun:05:00-sun:06:00")

        assert shown(cache)["Status"] == "available"
        assert cache.cluster("rg-002")["PendingModifiedValues"] == {"CacheNodeType": "cache.t3.small"}
        assert steps(paper.world) == []
        sunday = paper.clock + timedelta(days=6 - paper.clock.weekday())
        maintain(paper.store, sunday.replace(hour=4, minute=59))
        assert shown(cache)["Status"] == "available", "the window is not open yet"
        maintain(paper.store, sunday.replace(hour=5, minute=0))
        assert shown(cache)["Status"] == "modifying"
        assert finish(paper) == ["Resize"]
        assert shown(cache)["CacheNodeType"] == "cache.t3.small"

    def test_a_later_request_changes_it_or_begins_it(self, cache, paper, one):
        ask = cache.modify_cache_cluster
        ask(CacheClusterId=one, CacheNodeType="cache.t3.small")
        ask(CacheClusterId=one, EngineVersion="7.0", CacheParameterGroupName="default.redis7")
        found = ask(CacheClusterId=one, CacheNodeType="cache.t3.medium")["CacheCluster"]
        assert found["PendingModifiedValues"] == {"CacheNodeType": "cache.t3.medium", "EngineVersion": "7.0.15"}

        ask(CacheClusterId=one, ApplyImmediately=True)

        assert finish(paper) == ["Resize", "Carry"]

    def test_it_comes_with_the_next_process_if_the_node_fails_before(self, cache, paper, one):
        cache.modify_cache_cluster(CacheClusterId=one, CacheNodeType="cache.t3.small", EngineVersion="7.0",
                                   CacheParameterGroupName="default.redis7")  # fmt: skip
        (cluster,) = paper.world.all(CacheCluster)

        paper.write(lambda tx: node_silent(tx, cluster.id, "0001"))

        found = cache.cluster(one)
        assert (found["CacheNodeType"], found["EngineVersion"]) == ("cache.t3.small", "7.0.15")
        assert found["PendingModifiedValues"] == {}
        (plan,) = nodes(paper.world)
        assert (plan.version, plan.loads) == ("7.0.15", False)

    def test_asking_for_what_is_there_cancels(self, cache, one):
        ask = cache.modify_cache_cluster
        ask(CacheClusterId=one, CacheNodeType="cache.t3.small", EngineVersion="7.0",
            CacheParameterGroupName="default.redis7")  # fmt: skip

        ask(CacheClusterId=one, CacheNodeType="cache.t3.micro")
        found = ask(CacheClusterId=one, EngineVersion="6.2", ApplyImmediately=True)["CacheCluster"]

        assert (found["PendingModifiedValues"], found["CacheClusterStatus"]) == ({}, "available")


@pytest.mark.parametrize(
    ("asked", "expected", "words"),
    [
        ({"EngineVersion": "6.2"}, BOTH, "Cannot downgrade from 7.0.15 to 6.2."),
        ({"Engine": "memcached", "EngineVersion": "1.6.18"}, BOTH,
         "The engine cannot be changed from redis to memcached."),
        ({"Engine": "mysql"}, "InvalidParameterValue", "Invalid value mysql for Engine."),
        ({"Engine": "valkey", "EngineVersion": "8.0"}, "InvalidParameterValue",
         "Cannot find version 8.0 for valkey."),
        ({"EngineVersion": "9.9"}, "InvalidParameterValue", "Cannot find version 9.9 for redis."),
        ({"Engine": "valkey", "EngineVersion": "9.1", "CacheParameterGroupName": "default.redis7"}, BOTH,
         "Expected a parameter group of family valkey9 but found one of family redis7"),
        ({"Engine": "valkey", "EngineVersion": "9.1", "CacheParameterGroupName": "default.valkey9.cluster.on"}, BOTH,
         "The parameter group must have the same cluster mode as the present one."),
        ({"CacheParameterGroupName": "default.valkey9"}, BOTH, "Expected a parameter group of family redis7"),
        ({"CacheNodeType": "cache.t1.micro"}, "InvalidParameterValue", "The cache node type cache.t1.micro is of"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(cache, paper, rg, asked, expected, words):
    before = list(paper.world)

    got, message = refusal(cache.modify_replication_group, ReplicationGroupId=rg, ApplyImmediately=True, **asked)

    assert (got, message[: len(words)]) == (expected, words)
    assert list(paper.world) == before


def test_valkey_never_becomes_redis_oss_again(cache, paper, private):
    cache.group("rg", 2, CacheSubnetGroupName=private)
    settle(paper)

    assert code(cache.modify_replication_group, ReplicationGroupId="rg", Engine="redis", EngineVersion="7.0") == BOTH


def test_a_parameter_group_of_ones_own_has_to_be_exchanged_by_name(cache, paper, rg):
    for family in ("redis7", "valkey9"):
        cache.create_cache_parameter_group(
            CacheParameterGroupName=f"own-{family}", CacheParameterGroupFamily=family, Description="x"
        )
    ask(cache, CacheParameterGroupName="own-redis7")
    upgrade = {"Engine": "valkey", "EngineVersion": "9.1", "ApplyImmediately": True}
    assert code(cache.modify_replication_group, ReplicationGroupId=rg, **upgrade) == BOTH

    ask(cache, CacheParameterGroupName="own-valkey9", **upgrade)

    assert cache.cluster("rg-001")["CacheParameterGroup"]["CacheParameterGroupName"] == "own-redis7", "until it is"
    finish(paper)
    assert cache.cluster("rg-001")["CacheParameterGroup"]["CacheParameterGroupName"] == "own-valkey9"


@pytest.mark.usefixtures("rg")
def test_members_of_a_group_change_with_it_only(cache):
    got, message = refusal(cache.modify_cache_cluster, CacheClusterId="rg-001", CacheNodeType="cache.t3.small")

    assert (got, message[:61]) == (BOTH, "Cache cluster rg-001 belongs to a replication group: use Modi")


def test_one_change_at_a_time(cache, rg):
    ask(cache, AutomaticFailoverEnabled=False)

    assert code(cache.modify_replication_group, ReplicationGroupId=rg, PrimaryClusterId="rg-002",
                CacheNodeType="cache.t3.small", ApplyImmediately=True) == BOTH  # fmt: skip
    ask(cache, CacheNodeType="cache.t3.small", ApplyImmediately=True)
    assert code(cache.modify_replication_group, ReplicationGroupId=rg, EngineVersion="7.0") == (
        "InvalidReplicationGroupState"
    )


@pytest.mark.usefixtures("rg")
def test_what_does_not_fit_is_told_and_everything_stays(cache, paper):
    ask(cache, CacheNodeType="cache.t2.micro", ApplyImmediately=True)
    (step,) = steps(paper.world)

    paper.write(lambda tx: changed.does_not_fit(tx, step.cluster_ids))

    assert (shown(cache)["Status"], shown(cache)["CacheNodeType"]) == ("available", "cache.t3.micro")
    assert cache.cluster("rg-001")["PendingModifiedValues"] == {}
    told = "Failed applying modification to cache node type to cache.t2.micro."
    assert told in cache.told("rg-001", "cache-cluster")


@pytest.mark.usefixtures("rg")
def test_a_new_engine_that_does_not_run_is_given_up(cache, paper):
    ask(cache, Engine="valkey", EngineVersion="9.1", ApplyImmediately=True)
    take(paper)

    changed_id = next(c.id for c in paper.world.all(CacheCluster) if c.former)
    paper.write(lambda tx: changed.rolled_back(tx, changed_id, "it does not start"))
    settle(paper)

    assert (shown(cache)["Status"], shown(cache)["Engine"]) == ("available", "redis")
    assert {c.engine_version for c in paper.world.all(CacheCluster)} == {"7.0.15"}
    assert steps(paper.world) == []
    name = paper.world[CacheCluster, changed_id].name
    assert "Failed modifying the engine to valkey 9.1.2: it does not start" in cache.told(name, "cache-cluster")
