"""Log delivery of caches, as the API shows it; that it delivers is in tests/clients/test_logs.py."""

import pytest

from tests.api.caches import settle
from tests.api.paper import refusal

SLOW = {
    "LogType": "slow-log",
    "DestinationType": "cloudwatch-logs",
    "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": "/caches/slow"}},
    "LogFormat": "json",
}
ENGINE = SLOW | {"LogType": "engine-log", "LogFormat": "text"}
FIREHOSE = {"DestinationType": "kinesis-firehose"}


@pytest.fixture
def group(cache, paper, private):
    cache.create_replication_group(
        ReplicationGroupId="rg", ReplicationGroupDescription="x", Engine="valkey", CacheNodeType="cache.t3.micro",
        NumCacheClusters=2, LogDeliveryConfigurations=[SLOW], CacheSubnetGroupName=private,
    )  # fmt: skip
    settle(paper)
    return "rg"


def told(cache, group):
    (found,) = cache.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"]
    return [(one["LogType"], one["LogFormat"], one["Status"]) for one in found["LogDeliveryConfigurations"]]


def test_a_groups_logs_are_enabling_until_they_are_delivered(cache, group):
    assert told(cache, group) == [("slow-log", "json", "enabling")]
    member = cache.describe_cache_clusters(CacheClusterId="rg-001")["CacheClusters"][0]
    assert (member["ReplicationGroupLogDeliveryEnabled"], member["LogDeliveryConfigurations"]) == (True, [])


def test_logs_are_added_changed_and_disabled(cache, group):
    change = cache.modify_replication_group
    change(ReplicationGroupId=group, LogDeliveryConfigurations=[ENGINE, SLOW | {"LogFormat": "text"}])
    assert told(cache, group) == [("engine-log", "text", "enabling"), ("slow-log", "text", "modifying")]

    change(ReplicationGroupId=group, LogDeliveryConfigurations=[{"LogType": "slow-log", "Enabled": False}])
    assert told(cache, group)[1] == ("slow-log", "text", "disabling")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([SLOW, SLOW], "LogDeliveryConfigurations can contain each LogType only once."),
        ([SLOW | FIREHOSE], "Only cloudwatch-logs is supported here."),
        ([SLOW | {"LogFormat": "xml"}], "Valid values: text, json"),
        ([SLOW | {"DestinationDetails": {}}], "LogGroup"),
        ([{"LogType": "engine-log", "Enabled": False}], "Log delivery of engine-log is not enabled."),
    ],
)
def test_what_cannot_be_delivered_is_refused_by_name(cache, group, asked, words):
    code, said = refusal(cache.modify_replication_group, ReplicationGroupId=group, LogDeliveryConfigurations=asked)
    assert code.startswith("InvalidParameter")
    assert words in said
    assert told(cache, group) == [("slow-log", "json", "enabling")]


@pytest.mark.usefixtures("group")
def test_a_member_has_no_logs_of_its_own_and_memcached_has_none_at_all(cache, paper, private):
    cache.memcached("mem", 1, CacheSubnetGroupName=private)
    settle(paper)
    for name, words in (("rg-001", "belongs to replication group rg"), ("mem", "not supported for engine memcached")):
        code, said = refusal(cache.modify_cache_cluster, CacheClusterId=name, LogDeliveryConfigurations=[SLOW])
        assert code == "InvalidParameterCombination"
        assert words in said
