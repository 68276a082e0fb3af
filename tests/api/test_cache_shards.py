"""Cluster mode through boto3: shards as they are asked for, shown, changed and refused."""

import pytest

from atoll.cache.endpoint import resolve
from atoll.cache.plan import nodes
from atoll.cache.shards import nobody, nodes_conf
from atoll.model.cache import ReplicationGroup
from tests.api.caches import NODE, settle
from tests.api.paper import refusal

VALUE, BOTH, STATE = "InvalidParameterValue", "InvalidParameterCombination", "InvalidReplicationGroupState"
CLUSTER = {"ReplicationGroupId": "cl", "ReplicationGroupDescription": "x", "CacheNodeType": NODE, "Engine": "valkey",
           "AutomaticFailoverEnabled": True, "ClusterMode": "enabled"}  # fmt: skip


@pytest.fixture
def cl(cache, paper, private):
    """Two shards with a replica each, available."""
    make(cache, NumNodeGroups=2, ReplicasPerNodeGroup=1, CacheSubnetGroupName=private)
    settle(paper)
    return "cl"


def make(cache, **more):
    return cache.create_replication_group(**{k: v for k, v in (CLUSTER | more).items() if v is not None})


def shown(cache, name="cl"):
    return cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]


def test_a_sharded_group_shows_planned_members_first_and_then_its_shards(cache, paper, private):
    made = make(cache, NumNodeGroups=3, ReplicasPerNodeGroup=2, CacheSubnetGroupName=private)["ReplicationGroup"]

    assert made["MemberClusters"] == [f"cl-000{s}-00{n}" for s in (1, 2, 3) for n in (1, 2, 3)]
    assert (made["Status"], made["ClusterEnabled"], made["ClusterMode"]) == ("creating", True, "enabled")
    assert "NodeGroups" not in made
    assert "ConfigurationEndpoint" not in made
    settle(paper)
    group = shown(cache)
    assert [(s["NodeGroupId"], s["Status"], s["Slots"]) for s in group["NodeGroups"]] == [
        ("0001", "available", "0-5460"), ("0002", "available", "5461-10922"), ("0003", "available", "10923-16383"),
    ]  # fmt: skip
    assert group["AutomaticFailover"] == "enabled"
    shard = group["NodeGroups"][1]
    assert set(shard) == {"NodeGroupId", "Status", "Slots", "NodeGroupMembers"}, "no endpoints of roles"
    assert shard["NodeGroupMembers"][0] == {
        "CacheClusterId": "cl-0002-001", "CacheNodeId": "0001", "PreferredAvailabilityZone": "us-east-1b",
    }  # fmt: skip
    (member,) = cache.describe_cache_clusters(CacheClusterId="cl-0001-001")["CacheClusters"]
    assert member["CacheParameterGroup"]["CacheParameterGroupName"] == "default.valkey9.cluster.on"


@pytest.mark.usefixtures("cl")
def test_the_configuration_endpoint_leads_to_all_nodes_and_roles_have_no_names(cache, paper):
    endpoint = shown(cache)["ConfigurationEndpoint"]

    name = endpoint["Address"]
    assert name.startswith("cl.")
    assert ".clustercfg.use1.cache.amazonaws.com" in name
    assert endpoint["Port"] == 6379
    assert len(resolve(paper.world, name)) == 4
    for role in ("cl", "cl-ro"):
        assert resolve(paper.world, name.replace("cl.", f"{role}.", 1).replace("clustercfg", "ng.0001")) is None


def test_a_custom_parameter_group_decides_the_mode_and_keeps_it(cache, paper, private):
    named = {"CacheParameterGroupName": "on", "Description": "x"}
    cache.create_cache_parameter_group(CacheParameterGroupFamily="valkey9", **named)
    turn = {"ParameterName": "cluster-enabled", "ParameterValue": "yes"}
    cache.modify_cache_parameter_group(CacheParameterGroupName="on", ParameterNameValues=[turn])

    make(cache, ClusterMode=None, CacheParameterGroupName="on", NumCacheClusters=2, CacheSubnetGroupName=private)

    settle(paper)
    assert [s["Slots"] for s in shown(cache)["NodeGroups"]] == ["0-16383"]
    assert shown(cache)["MemberClusters"] == ["cl-0001-001", "cl-0001-002"]
    turn["ParameterValue"] = "no"
    assert (
        "cluster-enabled of on cannot be changed"
        in refusal(cache.modify_cache_parameter_group, CacheParameterGroupName="on", ParameterNameValues=[turn])[1]
    )


def test_shards_are_as_configured(cache, paper, private):
    configured = [
        {"NodeGroupId": "7", "Slots": "8000-16383", "ReplicaCount": 1, "PrimaryAvailabilityZone": "us-east-1b",
         "ReplicaAvailabilityZones": ["us-east-1a"]},
        {"NodeGroupId": "0012", "Slots": "0-7999", "ReplicaCount": 0},
    ]  # fmt: skip

    make(cache, NodeGroupConfiguration=configured, CacheSubnetGroupName=private)

    settle(paper)
    one, other = shown(cache)["NodeGroups"]
    assert (one["NodeGroupId"], one["Slots"], other["NodeGroupId"], other["Slots"]) == (
        "0007", "8000-16383", "0012", "0-7999",
    )  # fmt: skip
    assert [(m["CacheClusterId"], m["PreferredAvailabilityZone"]) for m in one["NodeGroupMembers"]] == [
        ("cl-0007-001", "us-east-1b"), ("cl-0007-002", "us-east-1a"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "expected", "words"),
    [
        ({"AutomaticFailoverEnabled": False}, BOTH,
         "Redis with cluster mode enabled cannot be created with auto failover turned off."),
        ({"AutomaticFailoverEnabled": None}, BOTH, "Redis with cluster mode enabled cannot be created with auto"),
        ({"NumNodeGroups": 0}, VALUE, "The number of node groups must be at least 1."),
        ({"NumNodeGroups": 91}, "NodeGroupsPerReplicationGroupQuotaExceeded",
         "maximum allowed number of node groups"),
        ({"ReplicasPerNodeGroup": 6}, VALUE, "The number of replicas per node group must be between 0 and 5."),
        ({"NumNodeGroups": 90, "ReplicasPerNodeGroup": 5}, "NodeQuotaForClusterExceeded", "at most 500 nodes"),
        ({"MultiAZEnabled": True}, BOTH, "Each node group must have at least one read replica"),
        ({"CacheParameterGroupName": "default.valkey9"}, BOTH, "Cluster mode should be enabled in parameter group"),
        ({"PrimaryClusterId": "one"}, BOTH, "PrimaryClusterId cannot be used"),
        ({"NumNodeGroups": 2, "NumCacheClusters": 2}, BOTH, "NumCacheClusters cannot be used with NumNodeGroups"),
        ({"NumNodeGroups": 3, "NodeGroupConfiguration": [{"ReplicaCount": 1}]}, BOTH,
         "one entry for each of the 3 node groups"),
        ({"NodeGroupConfiguration": [{"Slots": "0-1"}]}, VALUE, "Slots must cover the keyspace 0-16383"),
        ({"NodeGroupConfiguration": [{"Slots": "0-9000"}, {"Slots": "9000-16383"}]}, VALUE,
         "each slot exactly once"),
        ({"NodeGroupConfiguration": [{"Slots": "0-16383"}, {"ReplicaCount": 1}]}, BOTH,
         "for all node groups or for none"),
        ({"NodeGroupConfiguration": [{"Slots": "a-b"}]}, VALUE, "Invalid Slots a-b."),
        ({"NodeGroupConfiguration": [{"NodeGroupId": "12345"}]}, VALUE, "Invalid NodeGroupId 12345."),
        ({"NodeGroupConfiguration": [{"NodeGroupId": "1"}, {"NodeGroupId": "0001"}]}, VALUE,
         "NodeGroupId 0001 is used"),
        ({"NodeGroupConfiguration": [{"ReplicaCount": 2, "PrimaryAvailabilityZone": "us-east-1a",
                                      "ReplicaAvailabilityZones": ["us-east-1b"]}]}, BOTH,
         "ReplicaAvailabilityZones of node group 0001 must list 2 availability zones"),
        ({"NodeGroupConfiguration": [{"PrimaryAvailabilityZone": "us-east-1x"}]}, VALUE,
         "no subnet in the availability"),
        ({"Engine": "memcached"}, VALUE, "Invalid value memcached for Engine."),
        ({"ClusterMode": "perhaps"}, VALUE, "Invalid value perhaps for ClusterMode."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_makes_nothing(cache, paper, private, asked, expected, words):
    got, message = refusal(make, cache, **{"CacheSubnetGroupName": private, **asked})

    assert got == expected
    assert words in message
    assert not list(paper.world.all(ReplicationGroup))


@pytest.mark.parametrize(
    ("call", "asked", "expected", "words"),
    [
        ("modify_replication_group", {"ReplicationGroupId": "cl", "AutomaticFailoverEnabled": False}, BOTH,
         "Turning off automatic failover for replication group with cluster mode enabled is not supported."),
        ("modify_replication_group", {"ReplicationGroupId": "cl", "PrimaryClusterId": "cl-0001-002"}, STATE,
         "Cannot manually promote a new master cache cluster while autofailover is enabled"),
        ("modify_replication_group", {"ReplicationGroupId": "cl", "CacheParameterGroupName": "default.valkey9"}, BOTH,
         "Cluster mode should be enabled in parameter group, but found it is disabled."),
        ("create_cache_cluster", {"CacheClusterId": "x", "ReplicationGroupId": "cl"}, VALUE,
         "cluster mode is enabled"),
        ("delete_cache_cluster", {"CacheClusterId": "cl-0001-002"}, "InvalidCacheClusterState",
         "cannot be deleted"),
        ("reboot_cache_cluster", {"CacheClusterId": "cl-0001-001", "CacheNodeIdsToReboot": ["0001"]},
         "InvalidCacheClusterState", "cannot be rebooted: cluster mode is enabled."),
        ("delete_replication_group", {"ReplicationGroupId": "cl", "RetainPrimaryCluster": True}, BOTH,
         "RetainPrimaryCluster cannot be used when cluster mode is enabled."),
        ("test_failover", {"ReplicationGroupId": "cl", "NodeGroupId": "0003"}, "NodeGroupNotFoundFault",
         "Node group 0003 not found."),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("cl")
def test_a_sharded_group_cannot_do_what_single_ones_can(cache, call, asked, expected, words):
    got, message = refusal(getattr(cache.client, call), **asked)

    assert got == expected
    assert words in message


@pytest.mark.usefixtures("cl")
def test_replicas_come_and_go_in_every_shard_or_in_one(cache, paper):
    cache.increase_replica_count(ReplicationGroupId="cl", NewReplicaCount=2, ApplyImmediately=True)
    settle(paper)
    assert [len(s["NodeGroupMembers"]) for s in shown(cache)["NodeGroups"]] == [3, 3]
    assert "cl-0002-003" in shown(cache)["MemberClusters"]

    one = [{"NodeGroupId": "0002", "NewReplicaCount": 0}]
    cache.decrease_replica_count(ReplicationGroupId="cl", ReplicaConfiguration=one, ApplyImmediately=True)
    settle(paper)
    assert [len(s["NodeGroupMembers"]) for s in shown(cache)["NodeGroups"]] == [3, 1], "none is left, and that may be"


@pytest.mark.usefixtures("cl")
def test_a_node_finds_everybody_in_its_file_and_a_primary_begins_as_nobodys_replica(paper):
    plans = {plan.cluster_id.rpartition("/")[2]: plan for plan in nodes(paper.world)}
    primary, replica = plans["cl-0001-001"], plans["cl-0001-002"]

    lines = nodes_conf(primary).splitlines()
    own = next(line for line in lines if "myself" in line).split()
    assert own[0] == primary.cluster.id
    assert own[2:4] == ["myself,slave", nobody(primary.cluster.id)]
    assert any(line.startswith(own[3]) and line.endswith(" 0-8191") for line in lines)
    assert len(lines) == 4 + 1 + 1, "the members, nobody, and the epochs"
    own = next(line for line in nodes_conf(replica).splitlines() if "myself" in line).split()
    assert own[2:4] == ["myself,slave", primary.cluster.id]
    assert len({plan.cluster.id for plan in plans.values()}) == 4
    assert ("cluster-enabled", "yes") in primary.settings
    assert [plan.cluster.seats for plan in plans.values()] == [primary.cluster.seats] * 4
    assert all(plan.cluster.seats is primary.cluster.seats for plan in plans.values())


@pytest.mark.usefixtures("cl")
def test_a_group_goes_with_all_its_shards(cache, paper):
    cache.delete_replication_group(ReplicationGroupId="cl")

    settle(paper)

    assert not list(paper.world.all(ReplicationGroup))
    assert not nodes(paper.world)
