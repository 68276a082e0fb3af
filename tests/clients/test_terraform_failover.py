"""Terraform against the real daemon: a group that fails over is changed in place.  See `conftest.py`."""

import os

import pytest


@pytest.mark.skipif(os.geteuid() != 0, reason="five runs of Terraform; what they see is the same as an ordinary user")
@pytest.mark.timeout(900)
def test_a_group_that_fails_over_is_applied_changed_in_place_and_destroyed(stage, configured):
    terraform = configured("failover.tf")

    def group():
        return stage.cache.describe_replication_groups(ReplicationGroupId="sessions")["ReplicationGroups"][0]

    def unchanged(members):
        terraform("plan", "-detailed-exitcode", f"-var=members={members}")

    terraform("apply", "-auto-approve")
    unchanged(2)
    assert (group()["AutomaticFailover"], group()["MultiAZ"]) == ("enabled", "enabled")

    stage.cache.test_failover(ReplicationGroupId="sessions", NodeGroupId="0001")
    stage.cache.get_waiter("replication_group_available").wait(
        ReplicationGroupId="sessions", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    roles = {m["CacheClusterId"]: m["CurrentRole"] for m in group()["NodeGroups"][0]["NodeGroupMembers"]}
    assert roles == {"sessions-001": "replica", "sessions-002": "primary"}
    unchanged(2)

    terraform("apply", "-auto-approve", "-var=members=3")
    assert group()["MemberClusters"] == ["sessions-001", "sessions-002", "sessions-003"]
    unchanged(3)

    terraform("destroy", "-auto-approve")
    assert stage.cache.describe_replication_groups()["ReplicationGroups"] == []
