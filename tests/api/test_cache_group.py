"""Replication groups through boto3: cluster mode disabled."""

import pytest

from atoll.cache import transitions
from atoll.cache.endpoint import resolve
from atoll.cache.plan import nodes
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from tests.api.caches import NODE, settle
from tests.api.paper import ACCOUNT, code, refusal


@pytest.fixture
def rg(cache, paper, private):
    """A Valkey group of three clusters, available."""
    cache.group("rg", 3, CacheSubnetGroupName=private, Tags=[{"Key": "team", "Value": "a"}])
    settle(paper)
    return "rg"


def test_a_new_group_lists_the_ids_of_its_members_and_no_shard(cache, private):
    made = cache.group("RG", 3, CacheSubnetGroupName=private, Engine="redis")

    assert made == {
        "ReplicationGroupId": "rg",
        "Description": "sessions",
        "GlobalReplicationGroupInfo": {},
        "Status": "creating",
        "PendingModifiedValues": {},
        "MemberClusters": ["rg-001", "rg-002", "rg-003"],
        "AutomaticFailover": "disabled",
        "MultiAZ": "disabled",
        "SnapshotRetentionLimit": 0,
        "SnapshotWindow": made["SnapshotWindow"],
        "ClusterEnabled": False,
        "CacheNodeType": NODE,
        "AuthTokenEnabled": False,
        "TransitEncryptionEnabled": False,
        "AtRestEncryptionEnabled": False,
        "ARN": f"arn:aws:elasticache:us-east-1:{ACCOUNT}:replicationgroup:rg",
        "UserGroupIds": [],
        "LogDeliveryConfigurations": [],
        "ReplicationGroupCreateTime": made["ReplicationGroupCreateTime"],
        "DataTiering": "disabled",
        "AutoMinorVersionUpgrade": True,
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        "ClusterMode": "disabled",
        "Engine": "redis",
    }


def test_a_group_is_available_when_every_member_replicates(cache, paper, private):
    cache.group("rg", 2, CacheSubnetGroupName=private)
    first, second = (c.id for c in paper.world.all(CacheCluster))

    paper.write(lambda tx: (transitions.node_answered(tx, first, "0001"), transitions.settle(tx, first)))
    assert cache.cluster("rg-001")["CacheClusterStatus"] == "available"
    assert cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "creating"
    paper.write(lambda tx: (transitions.node_answered(tx, second, "0001"), transitions.settle(tx, second)))

    cache.get_waiter("replication_group_available").wait(
        ReplicationGroupId="rg", WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )
    assert cache.told("rg", "replication-group") == ["Replication group rg created"]


def test_the_shard_shows_its_endpoints_and_roles(cache, rg):
    shard = cache.shard(rg)

    h = shard["PrimaryEndpoint"]["Address"].split(".")[1]
    tail = "use1.cache.amazonaws.com"
    assert shard == {
        "NodeGroupId": "0001",
        "Status": "available",
        "PrimaryEndpoint": {"Address": f"rg.{h}.ng.0001.{tail}", "Port": 6379},
        "ReaderEndpoint": {"Address": f"rg-ro.{h}.ng.0001.{tail}", "Port": 6379},
        "NodeGroupMembers": [
            {
                "CacheClusterId": f"rg-00{n}",
                "CacheNodeId": "0001",
                "ReadEndpoint": {"Address": f"rg-00{n}.{h}.0001.{tail}", "Port": 6379},
                "PreferredAvailabilityZone": f"us-east-1{zone}",
                "CurrentRole": role,
            }
            for n, zone, role in ((1, "a", "primary"), (2, "b", "replica"), (3, "a", "replica"))
        ],
    }


def test_names_lead_to_the_nodes_they_stand_for(cache, paper, rg):
    shard = cache.shard(rg)
    name = {m["CacheClusterId"]: m["ReadEndpoint"]["Address"] for m in shard["NodeGroupMembers"]}

    def found(dns_name):
        return [str(address) for address in resolve(paper.world, dns_name)]

    assert found(shard["PrimaryEndpoint"]["Address"]) == found(name["rg-001"]) == ["10.0.1.4"]
    assert found(shard["ReaderEndpoint"]["Address"].upper() + ".") == ["10.0.2.4", "10.0.1.5"]
    assert [str(node.primary.address) if node.primary else None for node in nodes(paper.world)] == [
        None,
        "10.0.1.4",
        "10.0.1.4",
    ]


def test_members_are_clusters_that_name_their_group(cache, rg):
    shown = cache.cluster("rg-002")

    assert shown["ReplicationGroupId"] == rg
    assert (shown["Engine"], shown["EngineVersion"]) == ("valkey", "9.1.2")
    assert shown["CacheParameterGroup"]["CacheParameterGroupName"] == "default.valkey9"
    assert shown["AtRestEncryptionEnabled"] is True  # AWS's default for Valkey


@pytest.mark.parametrize(
    ("asked", "members"),
    [
        ({"NumCacheClusters": None}, 1),
        ({"NumCacheClusters": 1}, 1),
        ({"NumCacheClusters": None, "ReplicasPerNodeGroup": 2}, 3),
        ({"NumCacheClusters": None, "NumNodeGroups": 1, "ReplicasPerNodeGroup": 5}, 6),
        ({"NumCacheClusters": None, "NumNodeGroups": 1}, 1),
    ],
    ids=["one by default", "one", "replicas", "one shard with five replicas", "one shard"],
)
def test_the_size_is_said_in_either_way(cache, asked, members):
    made = cache.create_replication_group(
        ReplicationGroupId="rg",
        ReplicationGroupDescription="",
        CacheNodeType=NODE,
        **{name: value for name, value in asked.items() if value is not None},
    )["ReplicationGroup"]

    assert len(made["MemberClusters"]) == members
    assert made["Engine"] == "redis"


VALUE, BOTH = "InvalidParameterValue", "InvalidParameterCombination"


@pytest.mark.parametrize(
    ("asked", "expected", "words"),
    [
        ({"AutomaticFailoverEnabled": True, "NumCacheClusters": 1}, BOTH,
         "When using automatic failover, there must be at least 2 cache clusters in the replication group."),
        ({"MultiAZEnabled": True}, BOTH, "Automatic failover must be enabled to enable Multi-AZ."),
        ({"MultiAZEnabled": True, "AutomaticFailoverEnabled": True,
          "PreferredCacheClusterAZs": ["us-east-1a", "us-east-1a"]}, BOTH,
         "Multi-AZ needs cache clusters in at least two availability zones; those of rg are all in us-east-1a."),
        ({"NumCacheClusters": None, "NumNodeGroups": 2, "ClusterMode": "disabled"}, BOTH,
         "Cluster mode must be enabled for a replication group with more than one node group"),
        ({"ClusterMode": "compatible"}, VALUE, "Atoll does not support ClusterMode=compatible: "),
        ({"CacheParameterGroupName": "default.valkey9.cluster.on", "ClusterMode": "disabled"}, BOTH,
         "Cluster mode should be disabled in"),
        ({"TransitEncryptionMode": "required"}, BOTH, "To modify transit encryption mode, set encryption-in-tra"),
        ({"TransitEncryptionEnabled": True, "TransitEncryptionMode": "x"}, VALUE, "Invalid value x for TransitEncr"),
        ({"DataTieringEnabled": True}, VALUE, "Atoll does not support DataTieringEnabled=true: "),
        ({"SnapshotRetentionLimit": 36}, VALUE, "Invalid value 36 for SnapshotRetentionLimit. "),
        ({"NetworkType": "dual_stack"}, VALUE, "Atoll does not support NetworkType=dual_stack: "),
        ({"KmsKeyId": "x", "AtRestEncryptionEnabled": False}, BOTH, "KmsKeyId can only be used with"),
        ({"SnapshotName": "x"}, "SnapshotNotFoundFault", "Snapshot not found: x"),
        ({"GlobalReplicationGroupId": "x"}, "GlobalReplicationGroupNotFoundFault",
         "Global Replication Group x not found."),
        ({"LogDeliveryConfigurations": [{"LogType": "slow-log"}]}, VALUE,
         "The parameter DestinationType must be provided and must not be null."),
        ({"NodeGroupConfiguration": [{"Slots": "0-1"}]}, BOTH,
         "NodeGroupConfiguration can only be used when cluster mode is enabled."),
        ({"NumCacheClusters": 7}, VALUE, "A replication group can have from 1 to 6 cache clusters."),
        ({"NumCacheClusters": 0}, VALUE, "A replication group can have from 1 to 6 cache clusters."),
        ({"ReplicasPerNodeGroup": 1}, BOTH, "NumCacheClusters cannot be used with NumNodeGroups or"),
        ({"PreferredCacheClusterAZs": ["us-east-1a"]}, BOTH, "PreferredCacheClusterAZs must list 2 availability"),
        ({"PreferredCacheClusterAZs": ["us-east-1a", "us-east-1x"]}, VALUE,
         "The cache subnet group default has no subnet in the availability zone us-east-1x."),
        ({"Engine": "memcached"}, VALUE, "Invalid value memcached for Engine. Must be one of redis, valkey."),
        ({"CacheNodeType": None}, VALUE, "The parameter CacheNodeType must be provided and must not be null."),
        ({"EngineVersion": "8.0"}, VALUE,
         "Cannot find version 8.0 for valkey. The versions available here are: 9.1."),
        ({"EngineVersion": "9.1.2"}, VALUE,
         "Specific version selection is not allowed for '9.1.2', please use '9.1'"),
        ({"ReplicationGroupId": "a" * 41}, VALUE, "The parameter ReplicationGroupId must be shorter than 41"),
        ({"ReplicationGroupId": "9"}, VALUE, "The parameter ReplicationGroupId is not a valid identifier."),
        ({"ReplicationGroupDescription": None}, VALUE,
         "The parameter ReplicationGroupDescription must be provided and must not be null."),
        ({"PrimaryClusterId": "nobody", "CacheNodeType": None}, BOTH,
         "Cannot specify additional cache cluster parameters together with PrimaryClusterId."),
    ],
)  # fmt: skip
def test_what_does_not_exist_here_is_refused_by_name_and_makes_nothing(cache, paper, asked, expected, words):
    request = {
        "ReplicationGroupId": "rg", "ReplicationGroupDescription": "x", "Engine": "valkey", "NumCacheClusters": 2,
        "CacheNodeType": NODE,
    } | asked  # fmt: skip
    if "PrimaryClusterId" in asked:
        request |= {"Port": 7000}
    given = {name: value for name, value in request.items() if value is not None}

    got, message = refusal(cache.create_replication_group, **given)

    assert got == expected
    assert message.startswith(words)
    assert not list(paper.world.all(CacheCluster))
    assert not list(paper.world.all(ReplicationGroup))
    assert not list(paper.world.all(Interface))


def test_a_name_is_taken_by_a_group_or_by_a_cluster_called_like_a_member(cache, paper):
    cache.group("rg", 1)
    cache.redis("other-002")

    assert refusal(cache.group, "RG", 1) == (
        "ReplicationGroupAlreadyExists",
        "Replication group with specified name already exists.",
    )
    assert code(cache.group, "other", 2) == "CacheClusterAlreadyExists"
    assert [g.name for g in paper.world.all(ReplicationGroup)] == ["rg"]


def test_the_members_go_to_the_zones_listed_for_them(cache, paper, private):
    zones = ["us-east-1b", "us-east-1b", "us-east-1a"]
    cache.group("rg", 3, CacheSubnetGroupName=private, PreferredCacheClusterAZs=zones)
    settle(paper)

    assert [m["PreferredAvailabilityZone"] for m in cache.shard()["NodeGroupMembers"]] == zones


def test_a_cluster_can_join_as_a_replica(cache, paper, rg):
    made = cache.create_cache_cluster(
        CacheClusterId="extra", ReplicationGroupId=rg, PreferredAvailabilityZone="us-east-1b"
    )["CacheCluster"]

    assert (made["Engine"], made["ReplicationGroupId"]) == ("valkey", rg)
    assert cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "modifying"
    assert [node.primary is None for node in nodes(paper.world) if node.cluster_id.endswith("/extra")] == [False]
    settle(paper)
    assert cache.describe_replication_groups()["ReplicationGroups"][0]["MemberClusters"] == [
        "extra", "rg-001", "rg-002", "rg-003",
    ]  # fmt: skip
    assert cache.shard()["NodeGroupMembers"][0]["CurrentRole"] == "replica"
    assert cache.list_tags_for_resource(ResourceName=made["ARN"])["TagList"] == [{"Key": "team", "Value": "a"}]


def test_a_replica_takes_everything_from_its_group(cache, rg):
    assert refusal(cache.create_cache_cluster, CacheClusterId="extra", ReplicationGroupId=rg, CacheNodeType=NODE) == (
        "InvalidParameterCombination",
        "Cannot specify additional cache cluster parameters when creating a replica cluster",
    )
    assert code(cache.create_cache_cluster, CacheClusterId="x", ReplicationGroupId="no") == (
        "ReplicationGroupNotFoundFault"
    )


def test_a_group_has_at_most_five_replicas(cache, paper):
    cache.group("rg", 6)
    settle(paper)

    assert code(cache.create_cache_cluster, CacheClusterId="x", ReplicationGroupId="rg") == "InvalidParameterValue"


def test_a_lone_cluster_can_become_a_groups_primary(cache, paper, private):
    cache.redis("old", CacheSubnetGroupName=private, Port=7000)
    settle(paper)

    made = cache.create_replication_group(
        ReplicationGroupId="rg", ReplicationGroupDescription="", PrimaryClusterId="old", NumCacheClusters=2
    )["ReplicationGroup"]
    settle(paper)

    assert made["MemberClusters"] == ["old", "rg-001"]
    assert [m["CurrentRole"] for m in cache.shard()["NodeGroupMembers"]] == ["primary", "replica"]
    assert [(node.port, node.boot) for node in nodes(paper.world)] == [(7000, 1), (7000, 1)]
    assert (
        code(
            cache.create_replication_group,
            ReplicationGroupId="r2",
            ReplicationGroupDescription="",
            PrimaryClusterId="old",
        )
        == "InvalidParameterValue"
    )


def test_a_change_reaches_every_member(cache, paper, ec2, vpc, rg):
    group = ec2.create_security_group(GroupName="cache", Description="x", VpcId=vpc)["GroupId"]

    changed = cache.modify_replication_group(
        ReplicationGroupId=rg,
        ReplicationGroupDescription="",
        SecurityGroupIds=[group],
        PreferredMaintenanceWindow="sat:05:00-sat:06:00",
        SnapshotWindow="10:00-11:00",
        AutoMinorVersionUpgrade=False,
        ApplyImmediately=True,
    )["ReplicationGroup"]

    assert (changed["Description"], changed["Status"]) == ("", "available")
    assert (changed["SnapshotWindow"], changed["AutoMinorVersionUpgrade"]) == ("10:00-11:00", False)
    for name in ("rg-001", "rg-002", "rg-003"):
        assert cache.cluster(name)["SecurityGroups"] == [{"SecurityGroupId": group, "Status": "active"}]
        assert cache.cluster(name)["PreferredMaintenanceWindow"] == "sat:05:00-sat:06:00"
    assert {i.group_ids[0] for i in paper.world.all(Interface)} == {group}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"MultiAZEnabled": True}, "InvalidParameterCombination"),
        ({"Engine": "redis"}, "InvalidParameterCombination"),
        ({"EngineVersion": "8.0"}, "InvalidParameterValue"),
        ({"CacheNodeType": "cache.m9.large"}, "InvalidParameterValue"),
        ({"TransitEncryptionEnabled": True}, "InvalidParameterCombination"),
        ({"ClusterMode": "compatible"}, "InvalidParameterCombination"),
        ({"PrimaryClusterId": "rg-002"}, "InvalidParameterValue"),
        ({"PrimaryClusterId": "rg-001", "ApplyImmediately": True}, "InvalidParameterValue"),
        ({"PrimaryClusterId": "other", "ApplyImmediately": True}, "CacheClusterNotFound"),
        ({"NodeGroupId": "0002"}, "NodeGroupNotFoundFault"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidParameterValue"),
        ({"CacheParameterGroupName": "default.redis7"}, "InvalidParameterCombination"),
    ],
)
def test_a_change_that_cannot_be_made_changes_nothing(cache, paper, rg, asked, expected):
    before = list(paper.world)

    assert code(cache.modify_replication_group, ReplicationGroupId=rg, **asked) == expected

    assert list(paper.world) == before


def test_the_primary_cannot_be_deleted_alone(cache, rg):
    assert refusal(cache.delete_cache_cluster, CacheClusterId=f"{rg}-001") == (
        "InvalidCacheClusterState",
        "Cache cluster rg-001 is serving as primary for replication group rg and cannot be deleted. "
        "To delete the entire replication group, use DeleteReplicationGroup.",
    )


def test_a_replica_can_be_deleted_alone(cache, paper, rg):
    cache.delete_cache_cluster(CacheClusterId=f"{rg}-002")
    settle(paper)

    assert [m["CacheClusterId"] for m in cache.shard()["NodeGroupMembers"]] == ["rg-001", "rg-003"]
    assert cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "available"


def test_a_deleted_group_takes_its_members_with_it(cache, paper, rg):
    assert cache.delete_replication_group(ReplicationGroupId=rg)["ReplicationGroup"]["Status"] == "deleting"

    assert cache.cluster("rg-001")["CacheClusterStatus"] == "deleting"
    assert cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "deleting"
    assert code(cache.delete_replication_group, ReplicationGroupId=rg) == "InvalidReplicationGroupState"
    settle(paper)
    cache.get_waiter("replication_group_deleted").wait(
        ReplicationGroupId=rg, WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )
    assert not list(paper.world.all(CacheCluster))
    assert not list(paper.world.all(Interface))
    assert cache.told(rg, "replication-group")[-1] == "Replication group rg deleted"


def test_a_group_that_is_coming_up_cannot_be_deleted(cache):
    cache.group("rg", 2)

    assert refusal(cache.delete_replication_group, ReplicationGroupId="rg") == (
        "InvalidReplicationGroupState",
        "Cache cluster rg-001 is not in a valid state to be deleted.",
    )


def test_the_primary_can_be_kept(cache, paper, rg):
    cache.delete_replication_group(ReplicationGroupId=rg, RetainPrimaryCluster=True)
    settle(paper)

    shown = cache.cluster("rg-001")
    assert shown["CacheClusterStatus"] == "available"
    assert "ReplicationGroupId" not in shown
    assert [c.name for c in paper.world.all(CacheCluster)] == ["rg-001"]
    chosen = tuple(group["SecurityGroupId"] for group in shown["SecurityGroups"])
    assert [i.group_ids for i in paper.world.all(Interface)] == [chosen]
    assert not [g for g in paper.world.all(SecurityGroup) if g.account == "amazon-elasticache"]
    assert code(cache.describe_replication_groups, ReplicationGroupId=rg) == "ReplicationGroupNotFoundFault"


def test_a_group_of_one_that_keeps_its_primary_is_gone_at_once(cache, paper):
    cache.group("rg", 1)
    settle(paper)

    cache.delete_replication_group(ReplicationGroupId="rg", RetainPrimaryCluster=True)

    assert cache.describe_replication_groups()["ReplicationGroups"] == []
    assert not [g for g in paper.world.all(SecurityGroup) if g.account == "amazon-elasticache"]


def test_what_is_not_there_is_not_found(cache):
    expected = "ReplicationGroupNotFoundFault", "ReplicationGroup nobody not found."

    for call in (cache.describe_replication_groups, cache.delete_replication_group, cache.modify_replication_group):
        assert refusal(call, ReplicationGroupId="nobody") == expected


def test_groups_belong_to_an_account_and_a_region(paper, rg):
    for other in (
        paper.client("elasticache", account="222222222222"),
        paper.client("elasticache", region="eu-west-1"),
    ):
        assert other.describe_replication_groups()["ReplicationGroups"] == []
        assert code(other.delete_replication_group, ReplicationGroupId=rg) == "ReplicationGroupNotFoundFault"


def test_listings_come_in_pages(cache):
    for n in range(22):
        cache.group(f"g{n:02d}", 1)

    pages = list(cache.get_paginator("describe_replication_groups").paginate(PaginationConfig={"PageSize": 20}))

    assert [len(page["ReplicationGroups"]) for page in pages] == [20, 2]
