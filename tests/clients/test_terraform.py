"""Terraform against the real daemon: it applies the scenario, finds nothing to change, uses it, and takes it away.

Needs `terraform` and its AWS provider in a local mirror (ATOLL_TERRAFORM_MIRROR names one).  The provider waits
half a minute for a new cache and as long for one that goes, so this lasts a minute and a half.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api.test_terraform import CONFIG, mirror

CONFIGURATION = Path(__file__).parent / "terraform" / "scenario.tf"
RUN_SECONDS = 180


@pytest.fixture
def terraform(stage, tmp_path):
    """Return a function that runs Terraform, which must succeed, and returns its output."""
    program, plugins = shutil.which("terraform"), mirror()
    if program is None or plugins is None:
        pytest.skip("NO TERRAFORM TEST: no terraform in PATH, or no mirror of its provider (ATOLL_TERRAFORM_MIRROR)")
    shutil.copy(CONFIGURATION, tmp_path)
    config = tmp_path / "terraform.rc"
    config.write_text(CONFIG.format(mirror=plugins))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TF_CLI_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL": stage.atoll.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def run(*words):
        command = [program, *words, "-no-color"]
        options = {"cwd": tmp_path, "env": environment, "timeout": RUN_SECONDS, "text": True, "check": False}
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    run("init")
    return run


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
