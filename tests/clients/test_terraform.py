"""Terraform against the real daemon: it applies the scenario, finds nothing to change, uses it, and takes it away.

Needs `terraform` and its AWS provider in a local mirror (ATOLL_TERRAFORM_MIRROR names one).  The provider waits
half a minute for a new cache and as long for one that goes, so this lasts a minute and a half.
"""

import shutil
from pathlib import Path

import pytest

from tests.api.test_terraform import Terraform

CONFIGURATION = Path(__file__).parent / "terraform" / "scenario.tf"


@pytest.fixture
def terraform(stage, tmp_path):
    """Return a function that runs Terraform, which must succeed, and returns its output."""
    made = Terraform(tmp_path, stage.atoll.url)
    shutil.copy(CONFIGURATION, tmp_path)
    made("init")
    return made


@pytest.mark.timeout(500)
def test_the_scenario_is_applied_used_and_destroyed(stage, terraform):
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 would mean that it wants to change something

    nat, primary = (terraform("output", "-raw", name) for name in ("nat", "primary"))
    assert stage.typed(nat, f"redis-cli -h {primary} PING") == "PONG"

    terraform("destroy", "-auto-approve")
    assert stage.cache.describe_cache_clusters()["CacheClusters"] == []
    assert stage.cache.describe_replication_groups()["ReplicationGroups"] == []
    assert [vpc["IsDefault"] for vpc in stage.ec2.describe_vpcs()["Vpcs"]] == [True]
    assert stage.ec2.describe_addresses()["Addresses"] == []
