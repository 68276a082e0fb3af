"""Engine versions, events, tags, and the listings that are empty here, through boto3."""

import inspect
import pkgutil
from datetime import timedelta
from importlib import import_module

import pytest
from botocore.session import get_session

import atoll.elasticache
from atoll.aws.errors import Err
from atoll.cache.history import forget_old_events
from atoll.model.engine import EngineBuild
from atoll.model.event import Event
from tests.api.caches import settle
from tests.api.paper import ACCOUNT, code, refusal

ARN = f"arn:aws:elasticache:us-east-1:{ACCOUNT}"


def versions(cache, **asked):
    found = cache.describe_cache_engine_versions(**asked)["CacheEngineVersions"]
    return [(v["Engine"], v["EngineVersion"], v["CacheParameterGroupFamily"]) for v in found]


def test_the_versions_are_those_that_this_machine_can_run(cache):
    assert versions(cache) == [
        ("memcached", "1.6.18", "memcached1.6"),
        ("redis", "6.2", "redis6.x"),
        ("redis", "7.0", "redis7"),
        ("valkey", "9.1", "valkey9"),
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"Engine": "redis"}, ["6.2", "7.0"]),
        ({"Engine": "redis", "DefaultOnly": True}, ["7.0"]),
        ({"Engine": "redis", "EngineVersion": "6.2"}, ["6.2"]),
        ({"CacheParameterGroupFamily": "valkey9"}, ["9.1"]),
        ({"Engine": "mysql"}, []),
        ({"DefaultOnly": True}, ["1.6.18", "7.0", "9.1"]),
    ],
)
def test_the_versions_can_be_narrowed(cache, asked, expected):
    assert [version for _, version, _ in versions(cache, **asked)] == expected


def test_an_engine_too_old_to_forbid_commands_is_not_offered(cache, paper):
    paper.write(
        lambda tx: tx.put(EngineBuild(id="redis/5.0.6", account="", region="", engine="redis", version="5.0.6"))
    )

    assert [version for _, version, _ in versions(cache, Engine="redis")] == ["6.2", "7.0"]


def test_where_nothing_runs_awss_versions_are_listed(cache, paper):
    for build in list(paper.world.all(EngineBuild)):
        paper.write(lambda tx, build=build: tx.delete(build))

    assert ("redis", "7.1", "redis7") in versions(cache)
    assert ("valkey", "8.0", "valkey8") in versions(cache)
    assert cache.redis(EngineVersion="7.1")["EngineVersion"] == "7.1.0"


def test_a_version_without_a_choice_is_the_newest(cache):
    assert cache.redis("a")["EngineVersion"] == "7.0.15"
    assert cache.redis("b", EngineVersion="6.x")["EngineVersion"] == "6.2.14"
    assert cache.memcached("c", EngineVersion="1.6.18")["EngineVersion"] == "1.6.18"


def test_events_are_those_of_the_last_hour_unless_asked(cache, paper):
    cache.redis()
    settle(paper)
    paper.clock += timedelta(hours=2)
    cache.create_cache_parameter_group(
        CacheParameterGroupName="p", CacheParameterGroupFamily="redis7", Description=""
    )

    def messages(**asked):
        return [event["Message"] for event in cache.describe_events(**asked)["Events"]]

    assert messages() == ["Cache parameter group p created"]
    assert messages(Duration=180) == ["Cache cluster created", "Cache parameter group p created"]
    assert messages(StartTime=paper.clock - timedelta(hours=3), EndTime=paper.clock - timedelta(hours=1)) == [
        "Cache cluster created"
    ]
    assert messages(Duration=180, SourceType="cache-cluster") == ["Cache cluster created"]
    assert messages(Duration=180, SourceType="cache-cluster", SourceIdentifier="ONE") == ["Cache cluster created"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"SourceIdentifier": "one"}, "InvalidParameterCombination"),
        ({"SourceType": "planet"}, "InvalidParameterValue"),
        ({"Duration": 20161}, "InvalidParameterValue"),
        ({"Duration": 5, "StartTime": "2026-11-20T00:00:00Z"}, "InvalidParameterCombination"),
        ({"StartTime": "2026-11-20T02:00:00Z", "EndTime": "2026-11-20T01:00:00Z"}, "InvalidParameterCombination"),
    ],
)
def test_times_and_sources_that_make_no_sense_are_refused(cache, asked, expected):
    assert code(cache.describe_events, **asked) == expected


def test_events_are_forgotten_after_14_days(cache, paper):
    cache.redis()
    settle(paper)
    paper.clock += timedelta(days=13)
    paper.write(forget_old_events)
    assert list(paper.world.all(Event))

    paper.clock += timedelta(days=1, minutes=1)
    paper.write(forget_old_events)

    assert not list(paper.world.all(Event))


def test_tags_are_given_changed_and_taken(cache, paper):
    cache.redis(Tags=[{"Key": "team", "Value": "a"}])
    settle(paper)
    arn = f"{ARN}:cluster:one"

    added = cache.add_tags_to_resource(
        ResourceName=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "tier", "Value": ""}]
    )["TagList"]

    assert added == [{"Key": "team", "Value": "b"}, {"Key": "tier", "Value": ""}]
    assert cache.list_tags_for_resource(ResourceName=arn)["TagList"] == added
    left = cache.remove_tags_from_resource(ResourceName=arn, TagKeys=["team"])["TagList"]
    assert left == [{"Key": "tier", "Value": ""}]
    assert code(cache.remove_tags_from_resource, ResourceName=arn, TagKeys=["team"]) == "TagNotFound"


def test_a_groups_tags_are_its_members_too(cache, paper):
    cache.group("rg", 2)
    settle(paper)

    cache.add_tags_to_resource(ResourceName=f"{ARN}:replicationgroup:rg", Tags=[{"Key": "k", "Value": "v"}])

    for name in ("rg-001", "rg-002"):
        tags = cache.list_tags_for_resource(ResourceName=f"{ARN}:cluster:{name}")["TagList"]
        assert tags == [{"Key": "k", "Value": "v"}]


@pytest.mark.parametrize(
    "arn",
    [f"{ARN}:subnetgroup:private", f"{ARN}:parametergroup:default.redis7", f"{ARN}:user:default"],
    ids=["subnet group", "default parameter group", "default user"],
)
def test_everything_that_is_listed_can_be_asked_for_its_tags(cache, private, arn):
    assert private == "private"
    assert cache.list_tags_for_resource(ResourceName=arn)["TagList"] == []


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("one", "InvalidARN"),
        ("arn:aws:elasticache:eu-west-1:000000000000:cluster:one", "InvalidARN"),
        ("arn:aws:elasticache:us-east-1:222222222222:cluster:one", "InvalidARN"),
        (f"{ARN}:planet:one", "InvalidARN"),
        (f"{ARN}:cluster:nobody", "CacheClusterNotFound"),
        (f"{ARN}:replicationgroup:nobody", "ReplicationGroupNotFoundFault"),
        (f"{ARN}:subnetgroup:nobody", "CacheSubnetGroupNotFoundFault"),
        (f"{ARN}:parametergroup:nobody", "CacheParameterGroupNotFound"),
        (f"{ARN}:user:nobody", "UserNotFound"),
    ],
)
def test_an_arn_that_names_nothing_is_refused(cache, arn, expected):
    assert code(cache.list_tags_for_resource, ResourceName=arn) == expected


def test_tags_are_not_changed_while_something_comes_up(cache):
    cache.group("rg", 1)
    cache.redis()
    tags = [{"Key": "k", "Value": "v"}]
    words = "Cluster not in available state to perform tagging operations."

    assert refusal(cache.add_tags_to_resource, ResourceName=f"{ARN}:replicationgroup:rg", Tags=tags) == (
        "InvalidReplicationGroupState",
        words,
    )
    assert refusal(cache.add_tags_to_resource, ResourceName=f"{ARN}:cluster:one", Tags=tags) == (
        "InvalidCacheClusterState",
        words,
    )
    assert code(cache.add_tags_to_resource, ResourceName=f"{ARN}:user:default", Tags=tags) == "InvalidARN"


def test_a_resource_has_at_most_50_tags(cache):
    tags = [{"Key": str(n), "Value": ""} for n in range(51)]

    assert code(cache.redis, Tags=tags) == "TagQuotaPerResourceExceeded"


EMPTY = {
    "describe_global_replication_groups": "GlobalReplicationGroups",
    "describe_serverless_cache_snapshots": "ServerlessCacheSnapshots",
    "describe_serverless_caches": "ServerlessCaches",
    "describe_snapshots": "Snapshots",
    "describe_user_groups": "UserGroups",
}


@pytest.mark.parametrize("name", EMPTY)
def test_what_does_not_exist_here_is_an_empty_list(cache, name):
    assert cache.get_paginator(name).paginate().build_full_result()[EMPTY[name]] == []


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("describe_snapshots", {"SnapshotName": "x"}, "SnapshotNotFoundFault"),
        ("describe_users", {"UserId": "x"}, "UserNotFound"),
        ("describe_user_groups", {"UserGroupId": "x"}, "UserGroupNotFound"),
        ("describe_serverless_caches", {"ServerlessCacheName": "x"}, "ServerlessCacheNotFoundFault"),
        ("describe_global_replication_groups", {"GlobalReplicationGroupId": "x"},
         "GlobalReplicationGroupNotFoundFault"),
        ("describe_service_updates", {"ServiceUpdateName": "x"}, "ServiceUpdateNotFoundFault"),
        ("describe_reserved_cache_nodes", {"ReservedCacheNodeId": "x"}, "ReservedCacheNodeNotFound"),
        ("describe_snapshots", {"MaxRecords": 51}, "InvalidParameterValue"),
        ("list_allowed_node_type_modifications", {}, "InvalidParameterCombination"),
        ("list_allowed_node_type_modifications", {"CacheClusterId": "x"}, "CacheClusterNotFound"),
        ("describe_users", {"Filters": [{"Name": "x", "Values": ["y"]}]}, "InvalidParameterValue"),
    ],
)  # fmt: skip
def test_a_certain_thing_that_is_not_there_is_not_found(cache, name, asked, expected):
    assert code(getattr(cache, name), **asked) == expected


def test_awss_default_user_is_shown(cache):
    (user,) = cache.describe_users(Filters=[{"Name": "user-name", "Values": ["default"]}])["Users"]

    assert (user["UserId"], user["AccessString"], user["Status"]) == ("default", "on ~* +@all", "active")
    assert cache.describe_users(Engine="valkey")["Users"] == []


def test_a_cache_can_change_to_every_node_type_of_which_there_are_nodes(cache):
    cache.redis(CacheNodeType="cache.t3.small")

    found = cache.list_allowed_node_type_modifications(CacheClusterId="one")

    up, down = found["ScaleUpModifications"], found["ScaleDownModifications"]
    assert {"cache.t3.medium", "cache.r5.large"} < set(up)
    assert {"cache.t3.micro", "cache.t4g.micro"} < set(down)
    assert "cache.t3.small" not in up + down
    assert not set(up) & set(down)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("create_cache_security_group", {"CacheSecurityGroupName": "x", "Description": "x"}),
        ("describe_cache_security_groups", {}),
        ("delete_cache_security_group", {"CacheSecurityGroupName": "x"}),
        *(
            (
                f"{verb}_cache_security_group_ingress",
                {
                    "CacheSecurityGroupName": "x",
                    "EC2SecurityGroupName": "y",
                    "EC2SecurityGroupOwnerId": ACCOUNT,
                },
            )
            for verb in ("authorize", "revoke")
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_cache_security_groups_are_refused_in_awss_words(cache, name, asked):
    assert refusal(getattr(cache, name), **asked) == (
        "InvalidParameterValue",
        "Use of cache security groups is not permitted in this API version for your account.",
    )


def test_every_error_has_the_http_status_that_aws_documents():
    model = get_session().get_service_model("elasticache")
    documented = {
        shape.error_code: shape.metadata["error"]["httpStatusCode"]
        for shape in (model.shape_for(name) for name in model.shape_names)
        if "error" in shape.metadata
    }
    modules = pkgutil.iter_modules(atoll.elasticache.__path__, "atoll.elasticache.")
    rows = [
        err
        for module in modules
        for _, err in inspect.getmembers(import_module(module.name), lambda member: isinstance(member, Err))
    ]

    assert len(rows) > 50
    for err in rows:
        assert err.code in documented, err
        assert err.status == documented[err.code], err
