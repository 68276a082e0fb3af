"""Terraform against the real daemon: it applies the scenario, uses it, and takes it away.  See `conftest.py`."""

import pytest


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
