"""Serverless caches through boto3: what their user sees, and what is behind them."""

import pytest

from atoll.cache.endpoint import resolve
from atoll.cache.plan import nodes
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.interface import Interface
from atoll.model.serverless import SERVICE
from tests.api import caches
from tests.api.caches import settle
from tests.api.paper import ACCOUNT, code, refusal

GB = 1 << 30


@pytest.fixture
def subnets(ec2, vpc, subnet):
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    return [subnet, other]


@pytest.fixture
def make(cache, subnets):
    def make(name="burst", engine="valkey", **more):
        asked = {"SubnetIds": subnets} | more
        return cache.create_serverless_cache(ServerlessCacheName=name, Engine=engine, **asked)["ServerlessCache"]

    return make


def shown(cache, name="burst"):
    return cache.describe_serverless_caches(ServerlessCacheName=name)["ServerlessCaches"][0]


def test_a_new_one_is_creating_and_has_one_name_for_both_endpoints_when_it_serves(cache, paper, make, subnets):
    made = make(
        Description="bursts",
        CacheUsageLimits={"DataStorage": {"Maximum": 2, "Unit": "GB"}, "ECPUPerSecond": {"Maximum": 5000}},
        Tags=[{"Key": "team", "Value": "a"}],
    )
    assert made == {
        "ServerlessCacheName": "burst",
        "Description": "bursts",
        "CreateTime": made["CreateTime"],
        "Status": "creating",
        "Engine": "valkey",
        "MajorEngineVersion": "9",
        "FullEngineVersion": "9.1",
        "CacheUsageLimits": {"DataStorage": {"Maximum": 2, "Unit": "GB"}, "ECPUPerSecond": {"Maximum": 5000}},
        "SecurityGroupIds": made["SecurityGroupIds"],
        "ARN": f"arn:aws:elasticache:us-east-1:{ACCOUNT}:serverlesscache:burst",
        "SubnetIds": subnets,
        "SnapshotRetentionLimit": 0,
        "DailySnapshotTime": made["DailySnapshotTime"],
        "NetworkType": "ipv4",
    }

    settle(paper)
    ready = shown(cache)
    assert ready["Status"] == "available"
    host = ready["Endpoint"]["Address"]
    assert host.startswith("burst-")
    assert host.endswith(".serverless.use1.cache.amazonaws.com")
    assert (ready["Endpoint"], ready["ReaderEndpoint"]) == (
        {"Address": host, "Port": 6379},
        {"Address": host, "Port": 6380},
    )
    (group,) = paper.world.seen_by(None).all(ReplicationGroup)
    primary = paper.world.seen_by(None)[CacheCluster, group.shard.primary_id]
    assert resolve(paper.world, host) == (paper.world[Interface, primary.nodes[0].interface_id].address,)
    assert cache.list_tags_for_resource(ResourceName=ready["ARN"])["TagList"] == [{"Key": "team", "Value": "a"}]
    assert cache.told("burst", "serverless-cache") == ["Serverless cache burst created"]


def test_what_is_behind_it_belongs_to_the_service_and_speaks_tls_only(cache, paper, make):
    make(CacheUsageLimits={"DataStorage": {"Maximum": 2, "Unit": "GB"}})
    settle(paper)

    assert cache.describe_replication_groups()["ReplicationGroups"] == []
    assert cache.describe_cache_clusters()["CacheClusters"] == []
    plans = nodes(paper.world)
    assert len(plans) == 2
    for plan in plans:
        assert plan.encryption.mode == "required"
        assert plan.encryption.also == (6380,)
        assert shown(cache)["Endpoint"]["Address"] in plan.encryption.names
        assert dict(plan.settings)["maxmemory"] == str(2 * GB)
    (group,) = paper.world.seen_by(None).all(ReplicationGroup)
    assert (group.account, group.cluster_mode, group.multi_az) == (SERVICE, "enabled", "enabled")
    zones = {paper.world[Interface, plan.interface_id].zone for plan in plans}
    assert zones == {"us-east-1a", "us-east-1b"}


def test_its_interfaces_are_its_users(ec2, make):
    make()
    found = ec2.describe_network_interfaces(Filters=[{"Name": "requester-id", "Values": ["amazon-elasticache"]}])
    assert len(found["NetworkInterfaces"]) == 2


def test_memcached_has_one_node_and_ports_of_its_own(cache, paper, make):
    assert code(make, engine="memcached", SnapshotRetentionLimit=1) == "InvalidParameterCombination"
    make(engine="memcached")
    settle(paper)
    ready = shown(cache)
    assert (ready["Endpoint"]["Port"], ready["ReaderEndpoint"]["Port"]) == (11211, 11212)
    assert "DailySnapshotTime" not in ready
    (plan,) = nodes(paper.world)
    assert plan.encryption.also == (11212,)


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"engine": "mongo"}, "InvalidParameterValue"),
        ({"MajorEngineVersion": "5"}, "InvalidParameterValue"),
        ({"name": "-burst"}, "InvalidParameterValue"),
        ({"SubnetIds": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]}, "InvalidParameterValue"),
        ({"SnapshotRetentionLimit": 36}, "InvalidParameterValue"),
        ({"DailySnapshotTime": "25:00"}, "InvalidParameterValue"),
        ({"CacheUsageLimits": {"DataStorage": {"Maximum": 5001, "Unit": "GB"}}}, "InvalidParameterValue"),
        ({"CacheUsageLimits": {"ECPUPerSecond": {"Maximum": 1}}}, "InvalidParameterValue"),
        (
            {"CacheUsageLimits": {"DataStorage": {"Minimum": 3, "Maximum": 2, "Unit": "GB"}}},
            "InvalidParameterValue",
        ),
        ({"UserGroupId": "nobody"}, "UserGroupNotFound"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidParameterValue"),
        ({"NetworkType": "ipv6"}, "InvalidParameterValue"),
        ({"SnapshotArnsToRestore": ["arn:aws:s3:::none/x.rdb"]}, "InvalidParameterValue"),
    ],
)
def test_a_wrong_request_changes_nothing(paper, make, asked, wrong):
    before = len(list(paper.world))
    assert code(make, **asked) == wrong
    assert len(list(paper.world)) == before


def test_without_a_terminator_it_is_refused_with_what_to_install(paper, subnets):
    caches.install(paper, tls=False)
    plain = paper.client("elasticache").create_serverless_cache
    assert "haproxy" in refusal(plain, ServerlessCacheName="burst", Engine="valkey", SubnetIds=subnets)[1]


def test_a_user_group_of_one_is_in_use(cache, paper, make):
    cache.create_user(
        UserId="app", UserName="app", Engine="valkey", AccessString="on ~* +@all",
        AuthenticationMode={"Type": "password", "Passwords": ["a-password-of-the-app"]},
    )  # fmt: skip
    cache.create_user_group(UserGroupId="team", Engine="valkey", UserIds=["app"])
    settle(paper)
    assert make(UserGroupId="team")["UserGroupId"] == "team"
    settle(paper)
    assert cache.describe_user_groups(UserGroupId="team")["UserGroups"][0]["ServerlessCaches"] == ["burst"]
    assert "app" in {user.name for plan in nodes(paper.world) for user in plan.users}
    assert cache.modify_serverless_cache(ServerlessCacheName="burst", RemoveUserGroup=True)
    settle(paper)
    assert "UserGroupId" not in shown(cache)


def test_one_subnet_is_too_few_and_names_are_unique(make, subnets):
    assert "two or three subnets" in refusal(make, SubnetIds=subnets[:1])[1]
    make()
    assert code(make, name="BURST") == "ServerlessCacheAlreadyExistsFault"


def test_limits_groups_and_description_change_in_place(cache, ec2, vpc, paper, make):
    make(CacheUsageLimits={"DataStorage": {"Maximum": 1, "Unit": "GB"}})
    assert code(cache.modify_serverless_cache, ServerlessCacheName="burst") == "InvalidServerlessCacheStateFault"
    settle(paper)
    group = ec2.create_security_group(GroupName="cache", Description="cache", VpcId=vpc)["GroupId"]

    changed = cache.modify_serverless_cache(
        ServerlessCacheName="burst",
        Description="more",
        SecurityGroupIds=[group],
        CacheUsageLimits={"DataStorage": {"Maximum": 3, "Unit": "GB"}},
    )["ServerlessCache"]

    assert changed["Status"] == "modifying"
    assert (changed["Description"], changed["SecurityGroupIds"]) == ("more", [group])
    assert changed["CacheUsageLimits"] == {"DataStorage": {"Maximum": 3, "Unit": "GB"}}
    interfaces = [paper.world[Interface, plan.interface_id] for plan in nodes(paper.world)]
    assert {one.group_ids for one in interfaces} == {(group,)}


def test_it_disappears_with_all_that_is_behind_it(cache, paper, make):
    make()
    settle(paper)
    assert cache.delete_serverless_cache(ServerlessCacheName="burst")["ServerlessCache"]["Status"] == "deleting"
    settle(paper)
    assert code(cache.describe_serverless_caches, ServerlessCacheName="burst") == "ServerlessCacheNotFoundFault"
    left = paper.world.seen_by(None)
    assert [*left.all(ReplicationGroup), *left.all(CacheCluster), *left.all(CacheSubnetGroup)] == []


def test_another_account_sees_nothing_of_it(paper, stranger, make):
    make()
    other = paper.client("elasticache", account=stranger.meta.config.user_agent and "111122223333")
    assert other.describe_serverless_caches()["ServerlessCaches"] == []
    assert code(other.delete_serverless_cache, ServerlessCacheName="burst") == "ServerlessCacheNotFoundFault"


def test_a_snapshot_is_taken_listed_copied_and_deleted(cache, paper, make):
    make()
    settle(paper)
    made = cache.create_serverless_cache_snapshot(ServerlessCacheSnapshotName="one", ServerlessCacheName="burst")
    found = made["ServerlessCacheSnapshot"]
    assert (found["Status"], found["SnapshotType"]) == ("creating", "manual")
    assert found["ServerlessCacheConfiguration"]["ServerlessCacheName"] == "burst"
    assert shown(cache)["Status"] == "available"
    again = {"ServerlessCacheSnapshotName": "one", "ServerlessCacheName": "burst"}
    assert code(cache.create_serverless_cache_snapshot, **again) == "ServerlessCacheSnapshotAlreadyExistsFault"
    assert cache.describe_snapshots()["Snapshots"] == []
    names = [s["ServerlessCacheSnapshotName"] for s in _snapshots(cache, SnapshotType="user")]
    assert (names, _snapshots(cache, SnapshotType="automated")) == (["one"], [])
    copy = {"SourceServerlessCacheSnapshotName": "one", "TargetServerlessCacheSnapshotName": "two"}
    assert code(cache.copy_serverless_cache_snapshot, **copy) == "InvalidServerlessCacheSnapshotStateFault"


def _snapshots(cache, **asked):
    return cache.describe_serverless_cache_snapshots(**asked)["ServerlessCacheSnapshots"]
