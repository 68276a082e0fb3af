"""`atoll apply`: makes what a file says, changes what differs, and then finds nothing to do."""

import json
from pathlib import Path

import pytest

from tests.daemon.atoll import running

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def daemon():
    with running("paper") as atoll:
        yield atoll


@pytest.fixture
def atoll(daemon):
    daemon.reset()
    return daemon


def applied(atoll, file, *more):
    """Apply a file; returns the actions."""
    return json.loads(atoll.cli("apply", str(file), "--json", *more, timeout=200))["actions"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_applied_once_and_pruned_whole(atoll, example, tmp_path):
    before = {vpc["VpcId"] for vpc in atoll.client("ec2").describe_vpcs()["Vpcs"]}

    made = applied(atoll, example)
    again = applied(atoll, example)
    nothing = tmp_path / example.name
    nothing.write_text(f"name: {example.stem}\n")
    gone = applied(atoll, nothing, "--prune", "--yes")

    assert {action["verb"] for action in made} == {"create"}
    assert again == []
    assert gone
    ec2, cache = atoll.client("ec2"), atoll.client("elasticache")
    assert {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]} == before
    assert cache.describe_replication_groups()["ReplicationGroups"] == []
    assert ec2.describe_addresses()["Addresses"] == []
    assert applied(atoll, nothing, "--prune") == []
