"""Terraform against the real daemon: it applies the scenario, finds nothing to change, uses it, and takes it away.

Needs `terraform` and its AWS provider in a local mirror (ATOLL_TERRAFORM_MIRROR names one).  The provider waits
half a minute for a new cache and as long for one that goes, so this lasts a minute and a half.
"""

import os
import shutil
from pathlib import Path

import pytest

from tests.api.test_terraform import Terraform

CONFIGURATIONS = Path(__file__).parent / "terraform"


@pytest.fixture
def configured(stage, tmp_path):
    """Return a function that returns one that runs Terraform in a configuration: it must succeed, and says what."""

    def configured(name):
        made = Terraform(tmp_path, stage.atoll.url)
        shutil.copy(CONFIGURATIONS / name, tmp_path)
        made("init")
        return made

    return configured


@pytest.mark.timeout(500)
def test_the_scenario_is_applied_used_and_destroyed(stage, configured):
    terraform = configured("scenario.tf")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 would mean that it wants to change something

    nat, primary = (terraform("output", "-raw", name) for name in ("nat", "primary"))
    assert stage.typed(nat, f"redis-cli -h {primary} PING") == "PONG"

    terraform("destroy", "-auto-approve")
    assert stage.cache.describe_cache_clusters()["CacheClusters"] == []
    assert stage.cache.describe_replication_groups()["ReplicationGroups"] == []
    assert [vpc["IsDefault"] for vpc in stage.ec2.describe_vpcs()["Vpcs"]] == [True]
    assert stage.ec2.describe_addresses()["Addresses"] == []


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


@pytest.mark.skipif(os.geteuid() != 0, reason="four runs of Terraform; what they see is the same as an ordinary user")
@pytest.mark.timeout(900)
def test_every_kind_of_cache_is_applied_changed_in_place_and_destroyed(stage, configured):
    terraform = configured("caches.tf")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")
    output = {name: terraform("output", "-raw", name) for name in ("configuration", "serverless", "discovery")}
    assert output["configuration"].startswith("clustercfg.sharded.")
    assert ".serverless." in output["serverless"]
    assert ".cfg." in output["discovery"]
    (group,) = stage.cache.describe_replication_groups(ReplicationGroupId="sharded")["ReplicationGroups"]
    assert len(group["NodeGroups"]) == 2
    assert group["UserGroupIds"] == ["team"]

    changed = ("-var=policy=volatile-lfu", "-var=nodes=3")
    terraform("apply", "-auto-approve", *changed)
    terraform("plan", "-detailed-exitcode", *changed)
    (cluster,) = stage.cache.describe_cache_clusters(CacheClusterId="memcached")["CacheClusters"]
    assert cluster["NumCacheNodes"] == 3

    terraform("destroy", "-auto-approve", *changed)
    assert stage.cache.describe_replication_groups()["ReplicationGroups"] == []
    assert stage.cache.describe_serverless_caches()["ServerlessCaches"] == []
    assert [u["UserId"] for u in stage.cache.describe_users()["Users"]] == ["default"]
