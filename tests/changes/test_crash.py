"""The daemon is killed at each step of a change; the next one finishes, and nothing that was acknowledged is gone."""

import time

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


def killed_when(yard, words, change):
    """Ask for a change, kill the daemon as soon as its log has the words, and start another."""
    begun = yard.atoll.log.stat().st_size
    change()
    end = time.monotonic() + 30.0
    while words not in yard.atoll.said(begun):
        assert time.monotonic() < end, yard.atoll.said(begun)
    yard.atoll.kill()
    yard.atoll.up()


@pytest.mark.parametrize("step", ["restart", "demote"])
def test_a_group_is_upgraded_whatever_step_a_crash_interrupts(yard, step):
    yard.needs("redis", "7.0")
    yard.needs("valkey", "9.1")
    name = f"crash-{step}"
    yard.group(name, "redis", "7.0", 2)
    yard.redis(yard.endpoint(name), "SET", "kept", step)
    yard.redis(yard.endpoint(name), "WAIT", "1", "3000")

    killed_when(
        yard,
        f'"act": "{step}"' if step == "demote" else f'"step": "{step}"',
        lambda: yard.change(name, Engine="valkey", EngineVersion="9.1"),
    )
    yard.available(name)

    assert yard.redis(yard.endpoint(name), "GET", "kept") == step
    assert {yard.cluster(c)["Engine"] for c in yard.described(name)["MemberClusters"]} == {"valkey"}
    assert yard.redis(yard.endpoint(name), "SET", "after", step) == "OK"


def test_a_lone_node_keeps_its_data_when_a_crash_comes_as_they_are_written(yard):
    yard.needs("redis", "7.0")
    yard.needs("valkey", "9.1")
    yard.group("lone", "redis", "7.0", 1)
    yard.redis(yard.endpoint("lone"), "SET", "kept", "yes")

    killed_when(yard, '"step": "carry"', lambda: yard.change("lone", Engine="valkey", EngineVersion="9.1"))
    yard.available("lone")

    assert yard.redis(yard.endpoint("lone"), "GET", "kept") == "yes"
    assert yard.cluster("lone-001")["Engine"] == "valkey"
    assert yard.redis(yard.endpoint("lone"), "SET", "after", "yes") == "OK"
