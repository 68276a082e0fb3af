"""ModifyCacheCluster and RebootCacheCluster through boto3."""

from datetime import datetime, timedelta

import pytest

from atoll.cache import transitions
from atoll.cache.plan import nodes
from atoll.elasticache import scaling
from atoll.model.cache import CacheCluster
from atoll.model.interface import Interface
from atoll.model.world import Caller
from tests.api.caches import settle
from tests.api.paper import ACCOUNT, REGION, code, refusal

VALUE, BOTH = "InvalidParameterValue", "InvalidParameterCombination"


def only(paper):
    return next(paper.world.all(CacheCluster))


@pytest.fixture
def mem(cache, paper, private):
    """A Memcached cluster of three nodes, available."""
    cache.memcached("mem", 3, CacheSubnetGroupName=private)
    settle(paper)
    return "mem"


@pytest.fixture
def one(cache, paper, private):
    """A Redis OSS node, available."""
    cache.redis("one", CacheSubnetGroupName=private)
    settle(paper)
    return "one"


def test_new_security_groups_are_on_the_nodes_interfaces_when_the_call_returns(cache, paper, ec2, vpc, mem):
    group = ec2.create_security_group(GroupName="cache", Description="x", VpcId=vpc)["GroupId"]
    before = paper.backend.waits

    changed = cache.modify_cache_cluster(CacheClusterId=mem, SecurityGroupIds=[group])["CacheCluster"]

    assert changed["SecurityGroups"] == [{"SecurityGroupId": group, "Status": "active"}]
    assert changed["CacheClusterStatus"] == "available"
    assert {i.group_ids for i in paper.world.all(Interface)} == {(group,)}
    assert paper.backend.waits == before + 1


def test_windows_topic_and_upgrades_change_at_once(cache, one):
    topic = "arn:aws:sns:us-east-1:000000000000:cache"

    cache.modify_cache_cluster(
        CacheClusterId=one,
        PreferredMaintenanceWindow="Sun:05:00-sun:06:30",
        SnapshotWindow="01:00-02:00",
        NotificationTopicArn=topic,
        NotificationTopicStatus="inactive",
        AutoMinorVersionUpgrade=False,
    )

    shown = cache.cluster(one)
    assert shown["PreferredMaintenanceWindow"] == "sun:05:00-sun:06:30"
    assert shown["SnapshotWindow"] == "01:00-02:00"
    assert shown["NotificationConfiguration"] == {"TopicArn": topic, "TopicStatus": "inactive"}
    assert shown["AutoMinorVersionUpgrade"] is False
    assert shown["PendingModifiedValues"] == {}


@pytest.mark.parametrize(
    ("asked", "expected", "words"),
    [
        ({"PreferredMaintenanceWindow": "sun:05:00-sun:05:30"}, VALUE,
         "Invalid maintenance window sun:05:00-sun:05:30. It must have the form ddd:hh24:mi-ddd:hh24:mi and last "
         "from 60 minutes to 24 hours."),
        ({"PreferredMaintenanceWindow": "sun:05:00-tue:05:00"}, VALUE, "Invalid maintenance window"),
        ({"PreferredMaintenanceWindow": "sun:25:00-mon:05:00"}, VALUE, "Invalid maintenance window"),
        ({"SnapshotWindow": "05:00-05:59"}, VALUE, "Invalid snapshot window 05:00-05:59."),
        ({"SnapshotWindow": "04:30-05:30", "PreferredMaintenanceWindow": "mon:05:00-mon:06:00"},
         VALUE,
         "The snapshot window 04:30-05:30 and the maintenance window mon:05:00-mon:06:00 must not overlap."),
        ({"NotificationTopicStatus": "off"}, VALUE,
         "Invalid value off for NotificationTopicStatus. Must be active or inactive."),
        ({"CacheParameterGroupName": "default.valkey9"}, BOTH,
         "Expected a parameter group of family redis7 but found one of family valkey9"),
        ({"Engine": "valkey"}, VALUE, "Atoll does not support Engine=valkey"),
        ({"EngineVersion": "6.2"}, BOTH, "Cannot downgrade from 7.0.15 to 6.2."),
        ({"EngineVersion": "8.0"}, VALUE, "Cannot find version 8.0 for redis."),
        ({"CacheNodeType": "cache.m9.large"}, VALUE, "Invalid Cache Node Type: cache.m9.large."),
        ({"AZMode": "cross-az"}, VALUE, "Atoll does not support AZMode=cross-az"),
        ({"NumCacheNodes": 2}, BOTH, "NumCacheNodes is only supported for Memcached"),
        ({"SnapshotRetentionLimit": 36}, VALUE, "Invalid value 36 for SnapshotRetentionLimit."),
        ({"CacheSecurityGroupNames": ["x"]}, BOTH, "Use of cache security groups"),
        ({"CacheNodeIdsToRemove": ["0001"]}, VALUE, "The parameter NumCacheNodes must be provided"),
        ({"AuthToken": "a" * 16}, VALUE, "Atoll does not support the parameter AuthToken"),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_made_is_refused_and_changes_nothing(cache, paper, one, asked, expected, words):
    before = only(paper)

    got, message = refusal(cache.modify_cache_cluster, CacheClusterId=one, **asked)

    assert got == expected
    assert message.startswith(words)
    assert only(paper) is before


def test_asking_for_what_is_there_is_no_change(cache, paper, one):
    before = only(paper)

    cache.modify_cache_cluster(
        CacheClusterId=one, EngineVersion="7.0", CacheNodeType="cache.t3.micro", NumCacheNodes=1, AZMode="single-az"
    )

    assert only(paper) == before


def test_a_cluster_that_is_busy_is_not_changed(cache, one):
    cache.reboot_cache_cluster(CacheClusterId=one, CacheNodeIdsToReboot=["0001"])

    busy = "InvalidCacheClusterState", "Cache cluster one is not in available state."
    assert refusal(cache.modify_cache_cluster, CacheClusterId=one, SnapshotWindow="01:00-02:00") == busy
    assert refusal(cache.reboot_cache_cluster, CacheClusterId=one, CacheNodeIdsToReboot=["0001"]) == busy


def test_more_memcached_nodes_join_when_they_have_answered(cache, paper, mem):
    changed = cache.modify_cache_cluster(CacheClusterId=mem, NumCacheNodes=5, ApplyImmediately=True)["CacheCluster"]

    assert (changed["CacheClusterStatus"], changed["NumCacheNodes"]) == ("modifying", 5)
    coming = cache.cluster(mem)["CacheNodes"][3]
    assert (coming["CacheNodeStatus"], "Endpoint" in coming) == ("creating", False)
    version = only(paper).configuration_version
    settle(paper)
    assert cache.cluster(mem)["CacheClusterStatus"] == "available"
    assert only(paper).configuration_version == version + 2
    assert "Added cache node 0004 in availability zone us-east-1a" in cache.told(mem, "cache-cluster")


def test_the_named_memcached_nodes_leave(cache, paper, mem):
    cache.modify_cache_cluster(
        CacheClusterId=mem, NumCacheNodes=2, CacheNodeIdsToRemove=["0002"], ApplyImmediately=True
    )

    assert [n["CacheNodeStatus"] for n in cache.cluster(mem)["CacheNodes"]] == ["available", "deleting", "available"]
    assert cache.cluster(mem)["NumCacheNodes"] == 2
    assert [node.node_id for node in nodes(paper.world)] == ["0001", "0002", "0003"], "until the others tell so"
    settle(paper)
    assert [node.node_id for node in nodes(paper.world)] == ["0001", "0003"]
    assert cache.cluster(mem)["CacheClusterStatus"] == "available"
    assert [n["CacheNodeId"] for n in cache.cluster(mem)["CacheNodes"]] == ["0001", "0003"]
    assert len(list(paper.world.all(Interface))) == 2
    assert "Removed cache node 0002" in cache.told(mem, "cache-cluster")


@pytest.mark.parametrize(
    ("asked", "expected", "words"),
    [
        ({"NumCacheNodes": 2}, BOTH,
         "CacheNodeIdsToRemove must list 1 cache nodes: the present number less NumCacheNodes."),
        ({"NumCacheNodes": 2, "CacheNodeIdsToRemove": ["0001", "0002"]}, BOTH,
         "CacheNodeIdsToRemove must list 1 cache nodes"),
        ({"NumCacheNodes": 2, "CacheNodeIdsToRemove": ["0009"]}, VALUE,
         "The cache node 0009 does not exist in cache cluster mem."),
        ({"NumCacheNodes": 4, "CacheNodeIdsToRemove": ["0001"]}, BOTH,
         "CacheNodeIdsToRemove can only be used when NumCacheNodes is below the present number."),
        ({"NumCacheNodes": 5, "NewAvailabilityZones": ["us-east-1a"]}, BOTH,
         "NewAvailabilityZones must list 2 availability zones, one for each new node."),
        ({"NumCacheNodes": 4, "NewAvailabilityZones": ["us-east-1f"]}, VALUE,
         "The cache subnet group private has no subnet in the availability zone us-east-1f."),
        ({"NumCacheNodes": 61}, "NodeQuotaForClusterExceeded", "Cluster node quota exceeded."),
        ({"NumCacheNodes": 0}, VALUE, "NumCacheNodes must be at least 1."),
    ],
)  # fmt: skip
def test_a_number_of_nodes_that_does_not_add_up_is_refused(cache, paper, mem, asked, expected, words):
    before = only(paper)

    got, message = refusal(cache.modify_cache_cluster, CacheClusterId=mem, ApplyImmediately=True, **asked)

    assert got == expected
    assert message.startswith(words)
    assert only(paper) is before


def test_a_number_of_nodes_waits_for_the_maintenance_window_unless_it_is_to_apply_at_once(cache, paper, mem):
    cache.modify_cache_cluster(CacheClusterId=mem, PreferredMaintenanceWindow="sun:05:00-sun:06:00")
    pending = cache.modify_cache_cluster(CacheClusterId=mem, NumCacheNodes=2, CacheNodeIdsToRemove=["0003"])[
        "CacheCluster"
    ]
    sunday = datetime.fromisoformat("2026-11-22T05:30:00+00:00")

    assert pending["PendingModifiedValues"] == {"NumCacheNodes": 2, "CacheNodeIdsToRemove": ["0003"]}
    assert (pending["CacheClusterStatus"], pending["NumCacheNodes"]) == ("available", 3)
    assert scaling.due(paper.world, sunday - timedelta(hours=1)) == []
    assert [cluster.name for cluster in scaling.due(paper.world, sunday)] == [mem]
    caller = Caller(account=ACCOUNT, region=REGION, arn="")
    paper.store.write(lambda tx: scaling.apply_pending(tx, mem), caller=caller)
    settle(paper)
    assert cache.cluster(mem)["NumCacheNodes"] == 2
    assert cache.cluster(mem)["PendingModifiedValues"] == {}


def test_asking_for_the_present_number_cancels_what_is_pending(cache, mem):
    cache.modify_cache_cluster(CacheClusterId=mem, NumCacheNodes=5)

    changed = cache.modify_cache_cluster(CacheClusterId=mem, NumCacheNodes=3)["CacheCluster"]

    assert changed["PendingModifiedValues"] == {}


def test_a_reboot_is_a_new_process_at_the_same_address(cache, paper, mem):
    before = {node.node_id: node for node in nodes(paper.world)}

    told = cache.reboot_cache_cluster(CacheClusterId=mem, CacheNodeIdsToReboot=["0001", "0003"])["CacheCluster"]

    after = {node.node_id: node for node in nodes(paper.world)}
    assert told["CacheClusterStatus"] == "rebooting cluster nodes"
    assert [after[id].boot - before[id].boot for id in ("0001", "0002", "0003")] == [1, 0, 1]
    assert after["0001"].process != before["0001"].process
    assert after["0001"].address == before["0001"].address
    assert [n["CacheNodeStatus"] for n in cache.cluster(mem)["CacheNodes"]] == ["rebooting", "available", "rebooting"]
    settle(paper)
    cache.get_waiter("cache_cluster_available").wait(CacheClusterId=mem, WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    assert cache.told(mem, "cache-cluster")[-4:] == [
        "Cache node 0001 shutdown",
        "Cache node 0003 shutdown",
        "Cache node 0001 restarted",
        "Cache node 0003 restarted",
    ]


def test_a_reboot_needs_nodes_that_exist(cache, one):
    assert refusal(cache.reboot_cache_cluster, CacheClusterId=one, CacheNodeIdsToReboot=["0002"]) == (
        VALUE,
        "The cache node 0002 does not exist in cache cluster one.",
    )
    assert code(cache.reboot_cache_cluster, CacheClusterId=one) == VALUE


def test_a_node_that_died_is_rebooting_until_it_answers_again(cache, paper, one):
    id = only(paper).id

    paper.write(lambda tx: transitions.node_silent(tx, id, "0001"))

    assert cache.cluster(one)["CacheNodes"][0]["CacheNodeStatus"] == "rebooting"
    assert cache.cluster(one)["CacheClusterStatus"] == "available"
    settle(paper)
    assert cache.cluster(one)["CacheNodes"][0]["CacheNodeStatus"] == "available"
    assert cache.told(one, "cache-cluster")[-2:] == [
        "Recovering cache nodes 0001",
        "Finished recovery for cache nodes 0001",
    ]
