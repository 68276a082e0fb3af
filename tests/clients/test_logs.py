"""Logs of caches from real engines, read by the CloudWatch Logs API: nothing is lost and nothing comes twice."""

import json
import re
from collections import Counter

import pytest

from tests.daemon.atoll import until
from tests.scenario.stage import ANYWHERE, QUICK

SLOW, ENGINE = "/caches/slow", "/caches/engine"


def configuration(kind, group, format, **more):
    target = {"DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": group}}, "LogFormat": format}
    return {"LogType": kind, "DestinationType": "cloudwatch-logs"} | target | more


class Logged:
    """A Redis OSS node to which every command is slow, and an instance that uses it."""

    def __init__(self, stage):
        self.stage, self.logs = stage, stage.atoll.client("logs")
        self.vpc = stage.vpc()
        subnets = self.subnets = stage.subnet_group(stage.subnet(self.vpc, "10.0.1.0/24"))
        self.app = stage.instance(stage.subnet(self.vpc, "10.0.0.0/24", public=True))
        group = self.group = stage.group(self.vpc)
        stage.allow(group, 6379, ANYWHERE)
        stage.cache.create_cache_parameter_group(
            CacheParameterGroupName="slow", CacheParameterGroupFamily="redis7", Description="x"
        )
        everything = {"ParameterName": "slowlog-log-slower-than", "ParameterValue": "0"}
        stage.cache.modify_cache_parameter_group(CacheParameterGroupName="slow", ParameterNameValues=[everything])
        logs = [configuration("slow-log", SLOW, "json"), configuration("engine-log", ENGINE, "text")]
        more = {"CacheParameterGroupName": "slow", "LogDeliveryConfigurations": logs}
        self.name = stage.cluster("redis", subnets, group, **more)
        (self.address,) = stage.node_addresses(self.name)

    def set(self, *keys):
        """Set keys by one connection; each is a slow command."""
        lines = "\\n".join(f"set {key} v" for key in keys)
        said = self.stage.shell(self.app, f"printf '{lines}\\n' | redis-cli -h {self.address}").output
        assert said.split() == ["OK"] * len(keys)

    def messages(self, group, **more):
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=group, **more)
        return [event["message"] for page in pages for event in page["events"]]

    def sets(self):
        """Return the ids of the SET commands that were delivered."""
        try:
            found = [json.loads(message) for message in self.messages(SLOW)]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [record["Id"] for record in found if record["Command"] == "set ... (2 more arguments)"]

    def statuses(self):
        found = self.stage.described(self.name)["LogDeliveryConfigurations"]
        return {one["LogType"]: one["Status"] for one in found}


@pytest.fixture(scope="module")
def logged(stage):
    return Logged(stage)


def test_slow_commands_are_delivered_once_also_over_the_death_of_the_daemon(stage, logged):
    logged.set(*range(40))
    until(lambda: len(logged.sets()) == 40, 20.0, "the slow log")
    until(lambda: set(logged.statuses().values()) == {"active"}, 20.0, "active logs")

    logged.set(*range(30))
    stage.atoll.kill()
    stage.atoll.up()
    logged.set(*range(20))
    until(lambda: len(logged.sets()) >= 90, 20.0, "the slow log")

    ids = logged.sets()
    assert len(ids) == len(set(ids)) == 90
    record = json.loads(logged.messages(SLOW)[-1])
    assert (record["CacheClusterId"], record["CacheNodeId"]) == (logged.name, "0001")
    assert record["ClientAddress"].startswith(f"{stage.address(logged.app)}:")
    (stream,) = logged.logs.describe_log_streams(logGroupName=SLOW)["logStreams"]
    assert stream["logStreamName"] == f"elasticache/redis/{logged.name}/0001/slow-log"


def test_the_engines_own_log_is_delivered_over_its_restart(stage, logged):
    def starts():
        return [message for message in logged.messages(ENGINE) if "Server initialized" in message]

    until(lambda: len(starts()) == 1, 20.0, "the engine's log")
    stage.cache.reboot_cache_cluster(CacheClusterId=logged.name, CacheNodeIdsToReboot=["0001"])
    stage.cache.get_waiter("cache_cluster_available").wait(CacheClusterId=logged.name, WaiterConfig=QUICK)
    until(lambda: len(starts()) == 2, 20.0, "the engine's log")

    messages = logged.messages(ENGINE)
    assert any("User requested shutdown" in message for message in messages), "the last words of the first process"
    assert all(
        re.match(rf"{logged.name}/0001:[MC] \d\d \w{{3}} \d{{4}} [\d:.]{{12}} UTC [-.*#] ", m) for m in messages
    )
    assert max(Counter(messages).values()) == 1


def test_a_log_that_is_disabled_ends_and_a_group_can_be_deleted(stage, logged):
    logged.set("before")
    change = {"LogType": "slow-log", "Enabled": False}
    stage.cache.modify_cache_cluster(CacheClusterId=logged.name, LogDeliveryConfigurations=[change])
    until(lambda: "slow-log" not in logged.statuses(), 20.0, "the end of the slow log")
    logged.logs.delete_log_group(logGroupName=SLOW)
    logged.set("after")

    groups = [group["logGroupName"] for group in logged.logs.describe_log_groups()["logGroups"]]

    assert groups == [ENGINE]
    assert logged.statuses() == {"engine-log": "active"}


def test_flow_logs_are_groups_of_the_same_kind(stage, logged):
    role = "arn:aws:iam::000000000000:role/flow-logs"
    stage.ec2.create_flow_logs(
        ResourceType="VPC", ResourceIds=[logged.vpc], TrafficType="ALL", LogGroupName="flows",
        DeliverLogsPermissionArn=role,
    )  # fmt: skip
    logged.set("flow")
    stage.atoll.cli("flow-logs", "--flush")

    streams = [s["logStreamName"] for s in logged.logs.describe_log_streams(logGroupName="flows")["logStreams"]]
    assert all(re.fullmatch(r"eni-[0-9a-f]{17}-all", stream) for stream in streams)
    assert any(" 6379 6 " in message for message in logged.messages("flows", filterPattern="ACCEPT"))


def test_every_member_of_a_group_has_a_stream(stage, logged):
    logs = [configuration("engine-log", "/group", "json"), configuration("slow-log", "/group/slow", "text")]
    group = stage.replication_group("valkey", logged.subnets, logged.group, 2, LogDeliveryConfigurations=logs)

    def roles():
        """Return who has said something as a primary, and who as a replica."""
        pages = logged.logs.get_paginator("filter_log_events").paginate(logGroupName="/group")
        records = [json.loads(event["message"]) for page in pages for event in page["events"]]
        return {(record["CacheClusterId"], record["Role"]) for record in records}

    def status():
        (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"]
        return {one["LogType"]: one["Status"] for one in found["LogDeliveryConfigurations"]}

    until(lambda: status() == {"engine-log": "active", "slow-log": "active"}, 20.0, "active logs")
    first, second = stage.members(group)
    until(lambda: {(first, "M"), (second, "S")} <= roles(), 20.0, "the engines' logs")
    streams = [s["logStreamName"] for s in logged.logs.describe_log_streams(logGroupName="/group")["logStreams"]]
    assert streams == [f"elasticache/valkey/{name}/0001/engine-log" for name in (first, second)]
