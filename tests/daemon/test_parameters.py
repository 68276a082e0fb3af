"""A parameter group that changes while engines run: they obey at once, or with their next process."""

import os
import signal

import pytest

from tests.daemon.atoll import until
from tests.daemon.stage import Stage

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


class Group:
    """A parameter group, and the single Valkey primary with a replica that obeys it."""

    def __init__(self, stage: Stage):
        self._stage, self._cache = stage, stage.elasticache
        found = self._cache.describe_cache_engine_versions(Engine="valkey")["CacheEngineVersions"][0]
        family = found["CacheParameterGroupFamily"]
        self._cache.create_cache_parameter_group(
            CacheParameterGroupName="mine", CacheParameterGroupFamily=family, Description="x"
        )
        self._cache.modify_replication_group(ReplicationGroupId="val", CacheParameterGroupName="mine")

    def put(self, **values: str) -> None:
        pairs = [{"ParameterName": n.replace("_", "-"), "ParameterValue": v} for n, v in values.items()]
        self._cache.modify_cache_parameter_group(CacheParameterGroupName="mine", ParameterNameValues=pairs)

    def applied(self, member: str) -> tuple[str, list[str]]:
        found = self._cache.describe_cache_clusters(CacheClusterId=member)["CacheClusters"][0]["CacheParameterGroup"]
        return found["ParameterApplyStatus"], found["CacheNodeIdsToReboot"]

    def until(self, status: str, *to_reboot: str) -> None:
        for member in ("val-001", "val-002"):
            until(lambda m=member: self.applied(m) == (status, [*to_reboot]), 10, f"{member} {status}")


def test_running_engines_obey_their_group_at_once(atoll):
    stage = Stage(atoll)
    group, pids = Group(stage), stage.pids()
    with stage.shell() as shell:
        shell.connect(*stage.node("val-001"))
        assert shell.say("SET key value") == "+OK"
        assert shell.say("OBJECT FREQ key").startswith("-ERR An LFU maxmemory policy is not selected")

        group.put(maxmemory_policy="allkeys-lfu")

        group.until("in-sync")
        assert shell.say("OBJECT FREQ key").startswith(":"), "the same connection, the same engine"
        stage.elasticache.reset_cache_parameter_group(CacheParameterGroupName="mine", ResetAllParameters=True)
        group.until("in-sync")
        assert shell.say("OBJECT FREQ key").startswith("-ERR An LFU maxmemory policy is not selected")
    assert stage.pids() == pids


def test_what_requires_a_reboot_comes_with_the_next_process(atoll):
    stage = Stage(atoll)
    group, replica = Group(stage), stage.pids()["val-002:0001"]

    group.put(databases="20")
    group.until("pending-reboot", "0001")
    with stage.shell() as shell:
        shell.connect(*stage.node("val-002"))
        assert shell.say("SELECT 17").startswith("-ERR DB index is out of range")
        os.kill(replica, signal.SIGKILL)
        until(lambda: stage.pids().get("val-002:0001") not in (None, replica), 10, "another process")
        stage.settled()
        shell.connect(*stage.node("val-002"))
        assert shell.say("SELECT 17") == "+OK"
    assert [group.applied(member)[0] for member in ("val-001", "val-002")] == ["pending-reboot", "in-sync"]


def test_what_an_engine_refuses_is_told_and_does_not_keep_it_from_starting(atoll):
    stage = Stage(atoll)
    group = Group(stage)

    group.put(timeout="3000000000", maxmemory_policy="allkeys-lfu")

    said = "Cache node 0001 did not take parameters of its group: timeout: ERR CONFIG SET failed"
    until(lambda: any(line.startswith(said) for line in stage.events("val-002")), 10, "the refusal")
    assert group.applied("val-002") == ("applying", [])
    with stage.shell() as shell:
        shell.connect(*stage.node("val-002"))
        assert shell.say("OBJECT FREQ nothing") == "$-1"
    stage.elasticache.reboot_cache_cluster(CacheClusterId="val-002", CacheNodeIdsToReboot=["0001"])
    stage.elasticache.get_waiter("cache_cluster_available").wait(
        CacheClusterId="val-002", WaiterConfig={"Delay": 0.05, "MaxAttempts": 600}
    )
    group.put(timeout="30")
    group.until("in-sync")
