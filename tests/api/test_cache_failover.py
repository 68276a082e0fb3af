"""Automatic failover, Multi-AZ, TestFailover, manual promotion and the number of replicas, through boto3."""

from datetime import timedelta

import pytest

from atoll.cache import takeover
from atoll.cache.endpoint import resolve
from atoll.cache.plan import nodes
from atoll.model.cache import CacheCluster, ReplicationGroup
from tests.api.caches import settle
from tests.api.paper import code, refusal

VALUE, BOTH, STATE = "InvalidParameterValue", "InvalidParameterCombination", "InvalidReplicationGroupState"


@pytest.fixture
def rg(cache, paper, private):
    """A group of three that fails over by itself, available."""
    cache.group("rg", 3, CacheSubnetGroupName=private, AutomaticFailoverEnabled=True)
    settle(paper)
    return "rg"


@pytest.fixture
def manual(cache, paper, private):
    """A group of two that does not."""
    cache.group("man", 2, CacheSubnetGroupName=private)
    settle(paper)
    return "man"


def shown(cache, name="rg"):
    return cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]


def roles(cache, name="rg"):
    return {m["CacheClusterId"]: m["CurrentRole"] for m in cache.shard(name)["NodeGroupMembers"]}


def id_of(paper, name):
    return next(c.id for c in paper.world.all(CacheCluster) if c.name == name)


def take_over(paper, name, new):
    """Do what the control loop writes down when a member has been promoted."""
    group = next(g for g in paper.world.all(ReplicationGroup) if g.name == name)
    paper.write(lambda tx: takeover.published(tx, group.id, "0001", id_of(paper, new)))


# Settings


def test_failover_and_multi_az_are_chosen_at_creation(cache, paper, private):
    made = cache.group("rg", 2, CacheSubnetGroupName=private, AutomaticFailoverEnabled=True, MultiAZEnabled=True)
    settle(paper)

    assert (made["AutomaticFailover"], made["MultiAZ"]) == ("enabled", "enabled")
    zones = [m["PreferredAvailabilityZone"] for m in cache.shard()["NodeGroupMembers"]]
    assert zones == ["us-east-1a", "us-east-1b"], "Multi-AZ spreads"


def test_failover_is_turned_on_and_off(cache, manual):
    on = cache.modify_replication_group(ReplicationGroupId=manual, AutomaticFailoverEnabled=True, MultiAZEnabled=True)
    assert (on["ReplicationGroup"]["AutomaticFailover"], on["ReplicationGroup"]["MultiAZ"]) == ("enabled", "enabled")
    assert refusal(cache.modify_replication_group, ReplicationGroupId=manual, AutomaticFailoverEnabled=False) == (
        BOTH, "Automatic failover must be enabled to enable Multi-AZ.",
    )  # fmt: skip

    cache.modify_replication_group(ReplicationGroupId=manual, AutomaticFailoverEnabled=False, MultiAZEnabled=False)

    assert shown(cache, manual)["AutomaticFailover"] == "disabled"
    assert cache.told(manual, "replication-group")[1:] == [
        "Automatic failover has been turned on for replication group man",
        "Automatic failover has been turned off for replication group man",
    ]


def test_failover_needs_a_replica(cache, paper):
    cache.group("rg", 1)
    settle(paper)

    assert refusal(cache.modify_replication_group, ReplicationGroupId="rg", AutomaticFailoverEnabled=True) == (
        VALUE, "Replication group must have at least one read replica to enable autofailover.",
    )  # fmt: skip
    assert shown(cache)["AutomaticFailover"] == "disabled"


def test_multi_az_needs_nodes_in_two_zones(cache, paper, private):
    cache.group("rg", 2, CacheSubnetGroupName=private, PreferredCacheClusterAZs=["us-east-1b"] * 2,
                AutomaticFailoverEnabled=True)  # fmt: skip
    settle(paper)

    assert refusal(cache.modify_replication_group, ReplicationGroupId="rg", MultiAZEnabled=True) == (
        BOTH,
        "Multi-AZ needs cache clusters in at least two availability zones; those of rg are all in us-east-1b.",
    )


# Failover


def test_after_a_failover_the_names_and_roles_have_moved(cache, paper, rg):
    shard = cache.shard(rg)
    names = shard["PrimaryEndpoint"]["Address"], shard["ReaderEndpoint"]["Address"]
    before = [resolve(paper.world, name) for name in names]

    take_over(paper, rg, "rg-002")

    assert roles(cache) == {"rg-001": "replica", "rg-002": "primary", "rg-003": "replica"}
    assert shown(cache)["Status"] == "modifying", "until the lost node is back"
    (primary,), readers = (resolve(paper.world, name) for name in names)
    assert primary in before[1]
    assert readers == tuple(a for a in before[1] if a != primary), "the lost node reads nothing yet"
    assert {plan.name.rpartition("/")[2]: plan.boot for plan in nodes(paper.world)} == {
        "rg-001:0001": 2, "rg-002:0001": 1, "rg-003:0001": 1,
    }  # fmt: skip
    settle(paper)
    assert shown(cache)["Status"] == "available"
    assert set(resolve(paper.world, names[1])) == {*before[0], *readers}


def test_test_failover_tells_awss_events_in_awss_order(cache, paper, rg):
    answer = cache.test_failover(ReplicationGroupId="RG", NodeGroupId="0001")["ReplicationGroup"]
    assert answer["Status"] == "modifying"
    take_over(paper, rg, "rg-003")
    settle(paper)

    events = cache.describe_events(Duration=60)["Events"]
    said = [(e["SourceType"], e["SourceIdentifier"], e["Message"]) for e in events]
    assert said[-5:] == [
        ("replication-group", "rg", "Test Failover API called for node group 0001"),
        ("cache-cluster", "rg-003", "Failover from primary node rg-001 to replica node rg-003 completed"),
        ("replication-group", "rg", "Failover from primary node rg-001 to replica node rg-003 completed"),
        ("cache-cluster", "rg-001", "Recovering cache nodes 0001"),
        ("cache-cluster", "rg-001", "Finished recovery for cache nodes 0001"),
    ]
    assert shown(cache)["Status"] == "available"


@pytest.mark.parametrize(
    ("asked", "expected", "words"),
    [
        ({"NodeGroupId": "0002"}, "NodeGroupNotFoundFault", "Node group 0002 not found."),
        ({"ReplicationGroupId": "no"}, "ReplicationGroupNotFoundFault", "ReplicationGroup no not found."),
        ({"ReplicationGroupId": "man"}, STATE,
         "Automatic failover must be enabled for replication group man to test it."),
        ({"NodeGroupId": None}, VALUE, "The parameter NodeGroupId must be provided and must not be null."),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("manual")
def test_a_failover_that_cannot_be_tested(cache, paper, rg, asked, expected, words):
    request = {"ReplicationGroupId": rg, "NodeGroupId": "0001"} | asked
    before = list(paper.world)

    given = {k: v for k, v in request.items() if v is not None}
    assert refusal(cache.test_failover, **given) == (expected, words)

    assert list(paper.world) == before


def test_a_busy_group_is_not_tested(cache, rg):
    cache.test_failover(ReplicationGroupId=rg, NodeGroupId="0001")

    assert refusal(cache.test_failover, ReplicationGroupId=rg, NodeGroupId="0001") == (
        STATE, "Replication group rg is not in available state.",
    )  # fmt: skip


def test_fifteen_failovers_may_be_tested_a_day(cache, paper, rg):
    members = ["rg-002", "rg-001"] * 8
    for new in members[:15]:
        cache.test_failover(ReplicationGroupId=rg, NodeGroupId="0001")
        take_over(paper, rg, new)
        settle(paper)

    assert code(cache.test_failover, ReplicationGroupId=rg, NodeGroupId="0001") == "APICallRateForCustomerExceeded"
    paper.clock += timedelta(hours=24)
    cache.test_failover(ReplicationGroupId=rg, NodeGroupId="0001")


# Manual promotion


def test_a_replica_is_promoted_by_hand(cache, paper, manual):
    changed = cache.modify_replication_group(
        ReplicationGroupId=manual, PrimaryClusterId="MAN-002", ApplyImmediately=True
    )["ReplicationGroup"]
    assert (changed["Status"], changed["PendingModifiedValues"]) == ("modifying", {"PrimaryClusterId": "man-002"})

    take_over(paper, manual, "man-002")

    assert roles(cache, manual) == {"man-001": "replica", "man-002": "primary"}
    assert (shown(cache, manual)["Status"], shown(cache, manual)["PendingModifiedValues"]) == ("available", {})
    assert [plan.boot for plan in nodes(paper.world)] == [1, 1], "nobody is started again"


def test_nobody_is_promoted_by_hand_while_failover_is_on(cache, rg):
    asked = {"ReplicationGroupId": rg, "PrimaryClusterId": "rg-002", "ApplyImmediately": True}

    assert refusal(cache.modify_replication_group, **asked) == (
        STATE, "Cannot manually promote a new master cache cluster while autofailover is enabled",
    )  # fmt: skip


@pytest.mark.usefixtures("rg")
def test_only_a_replica_of_the_group_is_promoted_and_at_once(cache, manual):
    def asked(name, *, now=True):
        return refusal(
            cache.modify_replication_group, ReplicationGroupId=manual, PrimaryClusterId=name, ApplyImmediately=now
        )

    assert asked("rg-002") == (VALUE, "Cache cluster rg-002 is not part of replication group man.")
    assert asked("man-001") == (VALUE, "Cache cluster man-001 is the primary of replication group man.")
    assert asked("man-002", now=False)[1].startswith("Atoll does not support PrimaryClusterId with ApplyImmediately")
    assert asked("nobody") == ("CacheClusterNotFound", "CacheCluster not found: nobody")


# A primary that is lost without failover


def test_without_failover_a_lost_primary_comes_back_as_primary_with_its_data(cache, paper, manual):
    group = next(g for g in paper.world.all(ReplicationGroup) if g.name == manual)
    replica = id_of(paper, "man-002")

    paper.write(lambda tx: takeover.restoring(tx, group.id, "0001", replica))

    assert roles(cache, manual) == {"man-001": "primary", "man-002": "replica"}, "no promotion"
    plans = {plan.name.rpartition("/")[2]: plan for plan in nodes(paper.world)}
    assert plans["man-001:0001"].primary.address == plans["man-002:0001"].address, "it copies from the replica"
    assert (plans["man-001:0001"].boot, plans["man-002:0001"].primary) == (2, None)
    settle(paper)
    assert shown(cache, manual)["Status"] == "modifying"
    primary = id_of(paper, "man-001")
    paper.write(lambda tx: takeover.chosen(tx, group.id, "0001", primary, because=takeover.RESTORED))
    take_over(paper, manual, "man-001")
    assert shown(cache, manual)["Status"] == "available"
    assert not [m for m in cache.told(manual, "replication-group") if "Failover" in m]


def test_a_primary_whose_source_is_lost_while_it_copies_leads_with_what_it_has(cache, paper, manual):
    group = next(g for g in paper.world.all(ReplicationGroup) if g.name == manual)
    paper.write(lambda tx: takeover.restoring(tx, group.id, "0001", id_of(paper, "man-002")))
    settle(paper)

    paper.write(lambda tx: takeover.restoring(tx, group.id, "0001", id_of(paper, "man-001")))

    assert roles(cache, manual) == {"man-001": "primary", "man-002": "replica"}
    assert paper.world[ReplicationGroup, group.id].node_groups[0].source_id is None
    settle(paper)
    assert shown(cache, manual)["Status"] == "available"


# The number of replicas


def test_replicas_are_added(cache, paper, rg):
    changed = cache.increase_replica_count(ReplicationGroupId=rg, NewReplicaCount=4, ApplyImmediately=True)
    assert changed["ReplicationGroup"]["Status"] == "modifying"
    settle(paper)

    assert shown(cache)["MemberClusters"] == ["rg-001", "rg-002", "rg-003", "rg-004", "rg-005"]
    assert shown(cache)["Status"] == "available"
    assert roles(cache)["rg-005"] == "replica"


def test_replicas_are_added_in_zones(cache, paper, manual):
    cache.increase_replica_count(
        ReplicationGroupId=manual,
        ApplyImmediately=True,
        ReplicaConfiguration=[
            {
                "NodeGroupId": "0001",
                "NewReplicaCount": 3,
                "PreferredAvailabilityZones": ["us-east-1a", "us-east-1b", "us-east-1b", "us-east-1b"],
            }
        ],
    )
    settle(paper)

    zones = [m["PreferredAvailabilityZone"] for m in cache.shard(manual)["NodeGroupMembers"]]
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1b", "us-east-1b"]


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        ({"NewReplicaCount": 1}, ["rg-003"]),
        ({"ReplicasToRemove": ["RG-002"]}, ["rg-002"]),
        ({"ReplicaConfiguration": [{"NodeGroupId": "0001", "NewReplicaCount": 1}]}, ["rg-003"]),
        ({"ReplicaConfiguration": [{"NodeGroupId": "0001", "NewReplicaCount": 1,
                                    "PreferredAvailabilityZones": ["us-east-1a", "us-east-1a"]}]}, ["rg-002"]),
    ],
    ids=["the last", "the one named", "as configured", "the one in a zone that is not listed"],
)  # fmt: skip
def test_replicas_are_removed(cache, paper, rg, asked, gone):
    changed = cache.decrease_replica_count(ReplicationGroupId=rg, ApplyImmediately=True, **asked)
    assert changed["ReplicationGroup"]["Status"] == "modifying"
    settle(paper)

    assert sorted({"rg-001", "rg-002", "rg-003"} - set(shown(cache)["MemberClusters"])) == gone
    assert shown(cache)["Status"] == "available"


def one(count, *zones, shard="0001"):
    return {"ReplicaConfiguration": [
        {"NodeGroupId": shard, "NewReplicaCount": count, "PreferredAvailabilityZones": list(zones)}
    ]}  # fmt: skip


MORE = [
    ({"NewReplicaCount": 2}, "NoOperationFault", "The operation was not performed because no changes were required."),
    ({"NewReplicaCount": 1}, VALUE, "NewReplicaCount 1 must be more than the present number of replicas, 2."),
    ({"NewReplicaCount": 6}, VALUE, "The number of replicas must be from 1 to 5; 6 were asked for."),
    ({}, BOTH, "Exactly one of NewReplicaCount and ReplicaConfiguration must be provided."),
    ({"NewReplicaCount": 3} | one(3), BOTH, "Exactly one of NewReplicaCount and ReplicaConfiguration must be"),
    ({"NewReplicaCount": 3, "ApplyImmediately": False}, VALUE, "ApplyImmediately must be true"),
    (one(3, shard="0002"), "NodeGroupNotFoundFault", "Node group 0002 not found."),
    (one(3, "us-east-1a"), BOTH, "PreferredAvailabilityZones must list 4 availability zones"),
    (one(3, *["us-east-1a"] * 4), VALUE, "PreferredAvailabilityZones must include the availability zones of the"),
    (one(3, "us-east-1a", "us-east-1a", "us-east-1b", "us-east-1x"), VALUE,
     "The cache subnet group private has no subnet in the availability zone us-east-1x."),
    ({"ReplicationGroupId": "no", "NewReplicaCount": 3}, "ReplicationGroupNotFoundFault", "ReplicationGroup no"),
]  # fmt: skip
FEWER = [
    ({"NewReplicaCount": 2}, "NoOperationFault", "The operation was not performed because no changes were required."),
    ({"NewReplicaCount": 3}, VALUE, "NewReplicaCount 3 must be less than the present number of replicas, 2."),
    ({"NewReplicaCount": 0}, VALUE,
     "Must have at least 1 replica when cluster mode is disabled with auto failover enabled."),
    ({}, BOTH, "Exactly one of NewReplicaCount, ReplicaConfiguration and ReplicasToRemove must be provided."),
    ({"NewReplicaCount": 1, "ReplicasToRemove": ["rg-002"]}, BOTH, "Exactly one of NewReplicaCount, Replica"),
    ({"NewReplicaCount": 1, "ApplyImmediately": False}, VALUE, "ApplyImmediately must be true"),
    ({"ReplicasToRemove": ["rg-001"]}, VALUE, "Cache cluster rg-001 is the primary of replication group rg."),
    ({"ReplicasToRemove": ["rg-009"]}, VALUE, "Cache cluster rg-009 is not a replica of replication group rg."),
    ({"ReplicasToRemove": ["rg-002", "rg-003"]}, VALUE, "Must have at least 1 replica when cluster mode is"),
    (one(1, shard="0002"), "NodeGroupNotFoundFault", "Node group 0002 not found."),
    (one(1, "us-east-1b", "us-east-1b"), VALUE, "PreferredAvailabilityZones must include the availability zones"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "asked", "expected", "words"),
    [*(("increase_replica_count", *row) for row in MORE), *(("decrease_replica_count", *row) for row in FEWER)],
)
def test_a_number_of_replicas_that_cannot_be(cache, paper, rg, operation, asked, expected, words):
    before = list(paper.world)

    got, message = refusal(
        getattr(cache, operation), **({"ReplicationGroupId": rg, "ApplyImmediately": True} | asked)
    )

    assert got == expected
    assert message.startswith(words)
    assert list(paper.world) == before


def test_a_busy_group_keeps_its_number_of_replicas(cache, rg):
    cache.increase_replica_count(ReplicationGroupId=rg, NewReplicaCount=3, ApplyImmediately=True)

    for call in (cache.increase_replica_count, cache.decrease_replica_count):
        assert code(call, ReplicationGroupId=rg, NewReplicaCount=1, ApplyImmediately=True) == STATE


def test_without_failover_the_last_replica_may_go(cache, paper, manual):
    cache.decrease_replica_count(ReplicationGroupId=manual, NewReplicaCount=0, ApplyImmediately=True)
    settle(paper)

    assert shown(cache, manual)["MemberClusters"] == ["man-001"]


@pytest.mark.usefixtures("rg")
def test_with_failover_the_last_replica_is_not_deleted(cache):
    cache.delete_cache_cluster(CacheClusterId="rg-002")

    assert refusal(cache.delete_cache_cluster, CacheClusterId="rg-003") == (
        "InvalidCacheClusterState",
        "Cache cluster rg-003 is the last read replica of replication group rg, which has automatic failover "
        "enabled, and cannot be deleted.",
    )


def test_the_old_primary_can_be_deleted_after_a_failover_and_the_new_one_cannot(cache, paper, rg):
    take_over(paper, rg, "rg-002")
    settle(paper)

    assert code(cache.delete_cache_cluster, CacheClusterId="rg-002") == "InvalidCacheClusterState"
    cache.delete_cache_cluster(CacheClusterId="rg-001")
    settle(paper)
    assert shown(cache)["MemberClusters"] == ["rg-002", "rg-003"]


def test_a_group_that_failed_over_can_be_deleted_and_keeps_its_new_primary(cache, paper, rg):
    take_over(paper, rg, "rg-002")
    settle(paper)

    cache.delete_replication_group(ReplicationGroupId=rg, RetainPrimaryCluster=True)
    settle(paper)

    assert [c.name for c in paper.world.all(CacheCluster)] == ["rg-002"]


def test_the_primary_cannot_be_kept_while_it_changes(cache, rg):
    cache.test_failover(ReplicationGroupId=rg, NodeGroupId="0001")

    assert code(cache.delete_replication_group, ReplicationGroupId=rg, RetainPrimaryCluster=True) == STATE
    cache.delete_replication_group(ReplicationGroupId=rg)
