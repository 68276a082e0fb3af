"""`atoll drill change`: clients that write while node types, versions, engines and cluster modes change."""

import json

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


def drill(yard, name, *asked):
    out = yard.atoll.cli("drill", "change", name, "--json", *asked)
    found = json.loads(out[out.index("{") :])
    print(f"{asked}: {found['seconds']} s, {found['outage_ms']} ms without a write, {found['errors']}")
    assert found["lost"] == []
    assert not found["silent"]
    assert found["acknowledged"] > 100
    yard.available(name)
    return found


def test_a_group_changes_all_that_it_runs_on_while_clients_of_both_libraries_write(yard):
    yard.needs("redis", "7.0")
    yard.needs("valkey", "9.1")
    yard.group("drilled", "redis", "7.0", 2)

    found = drill(yard, "drilled", "--node-type", "cache.t3.small")
    assert found["errors"] == {}
    found = drill(yard, "drilled", "--engine", "valkey", "--engine-version", "9.1", "--library", "redis")
    assert any(step["act"] == "promote" for step in found["steps"])
    drill(yard, "drilled", "--cluster-mode", "compatible", "--library", "valkey")
    drill(yard, "drilled", "--cluster-mode", "enabled")

    assert yard.described("drilled")["ClusterMode"] == "enabled"
    runs = found["seen"][-1]["runs"]
    assert all(one.startswith("valkey 9.1") and "cache.t3.small" in one for one in runs.values()), runs


def test_what_a_group_cannot_become_is_said_by_the_drill(yard):
    yard.needs("valkey", "9.1")
    yard.group("same", "valkey", "9.1", 1)

    for asked, said in (
        ((), "nothing is to change"),
        (("--node-type", "cache.t3.micro"), "is what it is to become"),
        (("--cluster-mode", "compatible"), "at least one replica"),
    ):
        assert said in yard.atoll.cli("drill", "change", "same", *asked, ok=False)
