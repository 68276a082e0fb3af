"""The daemon is killed at each step of a change; the next one finishes, and nothing that was acknowledged is gone."""

import time

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


def killed_when(yard, words, begun):
    """Kill the daemon as soon as its log has the words, and start another; returns where its log begins."""
    end = time.monotonic() + 30.0
    while words not in yard.atoll.said(begun):
        assert time.monotonic() < end, yard.atoll.said(begun)
    yard.atoll.kill()
    at = yard.atoll.log.stat().st_size
    yard.up()
    return at


def test_a_group_is_upgraded_though_crashes_interrupt_it(yard):
    yard.needs("redis", "7.0")
    yard.needs("valkey", "9.1")
    yard.group("crash", "redis", "7.0", 2)
    yard.redis(yard.endpoint("crash"), "SET", "kept", "yes")
    begun = yard.atoll.log.stat().st_size

    yard.change("crash", Engine="valkey", EngineVersion="9.1")
    again = killed_when(yard, '"step": "restart"', begun)
    killed_when(yard, '"act": "demote"', again)
    yard.available("crash")

    assert yard.redis(yard.endpoint("crash"), "GET", "kept") == "yes"
    assert {yard.cluster(c)["Engine"] for c in yard.described("crash")["MemberClusters"]} == {"valkey"}
    assert yard.redis(yard.endpoint("crash"), "SET", "after", "yes") == "OK"


def test_a_lone_node_keeps_its_data_when_a_crash_comes_as_they_are_written(yard):
    yard.needs("redis", "7.0")
    yard.needs("valkey", "9.1")
    yard.group("lone", "redis", "7.0", 1)
    yard.redis(yard.endpoint("lone"), "SET", "kept", "yes")

    begun = yard.atoll.log.stat().st_size
    yard.change("lone", Engine="valkey", EngineVersion="9.1")
    killed_when(yard, '"step": "carry"', begun)
    yard.available("lone")

    assert yard.redis(yard.endpoint("lone"), "GET", "kept") == "yes"
    assert yard.cluster("lone-001")["Engine"] == "valkey"
    assert yard.redis(yard.endpoint("lone"), "SET", "after", "yes") == "OK"
