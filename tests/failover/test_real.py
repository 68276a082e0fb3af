"""Failover with real engines, real packets and clients that write: bounded runs, and nothing acknowledged is lost.

How long it takes is measured (bench/), not asserted beyond what no machine should need: times on a shared machine
say little.
"""

import os
import signal
import time

import pytest

from tests.daemon.atoll import until

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

RUNS = int(os.environ.get("ATOLL_RUNS", "1"))
OUTAGE_MS_MAX = {"kill": 1500.0, "hang": 2000.0, "partition": 4000.0, "planned": 1500.0}


# What is promised without WAIT is said of one client: docs/failover.md, "Which writes survive".
ONE, WAITING, MANY = ("--clients", "1"), ("--clients", "4", "--wait", "1"), ("--clients", "4")
DRILLS = [(fault, how) for fault in ("kill", "hang", "partition") for how in (ONE, WAITING)] + [("planned", MANY)]


@pytest.mark.parametrize(("fault", "how"), DRILLS)
def test_writes_go_on_and_none_that_was_acknowledged_is_lost(ward, fault, how):
    for _ in range(RUNS):
        old = ward.primary()

        found = ward.drill(fault, *how, "--seconds", "2.5")

        assert found["lost"] == []
        assert found["outage_ms"] < OUTAGE_MS_MAX[fault], found["steps"]
        assert found["slowest_client_ms"] is not None, "every client goes on"
        assert ward.roles()[old] == "replica", "the old primary is back"
        acts = [step["act"] for step in found["steps"]]
        assert "promote" in acts
        assert ("fence" in acts) == (fault in ("hang", "partition"))
        print(f"{ward.engine} {fault}: {found['outage_ms']} ms, {found['writes_per_second']['before']:.0f} writes/s")


def test_the_names_follow_the_roles_and_replicas_are_read_only(ward):
    old = ward.primary()
    ward.redis(ward.endpoint(), "SET", "kept", "yes")

    os.kill(ward.pid(old), signal.SIGKILL)
    until(lambda: ward.roles()[old] == "replica", what="a new primary")

    assert ward.redis(ward.endpoint(), "GET", "kept") == "yes"
    assert "role:master" in ward.redis(ward.endpoint(), "INFO", "replication")
    assert "READONLY" in ward.redis(ward.endpoint(kind="ReaderEndpoint"), "SET", "kept", "no")
    ward.available()
    said = f"Failover from primary node {old} to replica node {ward.primary()} completed"
    assert ward.messages("auto")[-1] == said
    assert ward.messages(old, "cache-cluster")[-2:] == [
        "Recovering cache nodes 0001",
        "Finished recovery for cache nodes 0001",
    ]
    assert ward.redis(ward.endpoint(), "WAIT", "2", "2000") == "2", "the old primary follows"


def test_test_failover_promotes_a_replica_and_replaces_the_primary(ward):
    old, pid = ward.primary(), ward.pid(ward.primary())

    ward.cache.test_failover(ReplicationGroupId="auto", NodeGroupId="0001")
    ward.available()

    new = ward.primary()
    assert new != old
    assert ward.pid(old) != pid
    assert [m for m in ward.messages("auto") if m.startswith("Test Failover")] == [
        "Test Failover API called for node group 0001"
    ]
    assert (
        ward.messages(new, "cache-cluster")[-1] == f"Failover from primary node {old} to replica node {new} completed"
    )


def test_a_replica_that_dies_or_hangs_is_replaced_and_the_primary_stays(ward):
    primary = ward.primary()
    for number in (signal.SIGKILL, signal.SIGSTOP):
        replica = next(name for name, role in ward.roles().items() if role == "replica")
        pid = ward.pid(replica)
        os.kill(pid, number)
        until(lambda r=replica, p=pid: ward.pid(r) not in (p, None), 20.0, "another process")
        ward.available()
        until(lambda: ward.redis(ward.endpoint(), "WAIT", "2", "1000") == "2", what="both replicas in step")
    assert ward.primary() == primary


def test_a_replica_that_is_stopped_before_it_has_come_up_is_replaced(ward):
    replica = next(name for name, role in ward.roles().items() if role == "replica")
    for number in (signal.SIGKILL, signal.SIGSTOP):
        pid = ward.pid(replica)
        os.kill(pid, number)
        until(lambda p=pid: ward.pid(replica) not in (p, None), 20.0, "another process")

    ward.available()



@pytest.mark.parametrize("act", ["fence", "choose", "promote", "publish", "follow", "pause", "demote"])
def test_the_next_daemon_finishes_what_a_killed_one_began(ward, act):
    """The daemon is killed as soon as its log tells of an act: before, in or just after it."""
    old, planned = ward.primary(), act in ("pause", "demote")
    ward.redis(ward.endpoint(), "SET", "kept", act)
    begun = ward.atoll.log.stat().st_size
    if planned:
        ward.cache.test_failover(ReplicationGroupId="auto", NodeGroupId="0001")
    else:
        os.kill(ward.pid(old), signal.SIGSTOP)
    end = time.monotonic() + 10.0
    while f'"act": "{act}"' not in ward.atoll.said(begun):
        assert time.monotonic() < end, ward.atoll.said(begun)
    ward.atoll.kill()

    ward.atoll.up()

    until(lambda: ward.roles()[old] == "replica", 20.0, f"a new primary ({ward.atoll.log})")
    ward.available()
    assert ward.redis(ward.endpoint(), "GET", "kept") == act
    assert ward.redis(ward.endpoint(), "SET", "after", act) == "OK"
    assert ward.redis(ward.endpoint(), "WAIT", "2", "3000") == "2"


def test_a_primary_that_dies_while_no_daemon_is_there_is_replaced_by_the_next(ward):
    old = ward.primary()
    ward.redis(ward.endpoint(), "SET", "kept", "alone")
    pid = ward.pid(old)
    ward.atoll.kill()
    os.kill(pid, signal.SIGKILL)

    ward.atoll.up()

    until(lambda: ward.roles()[old] == "replica", 20.0, "a new primary")
    ward.available()
    assert ward.redis(ward.endpoint(), "GET", "kept") == "alone"


def test_without_failover_the_lost_primary_copies_its_data_back_and_leads_again(ward):
    ward.group("man", failover=False, members=2)
    both = f"printf 'SET kept yes\\nWAIT 1 5000\\n' | redis-cli -h {ward.endpoint('man')}"  # WAIT is of a connection
    assert ward.atoll.inside(ward.instance, both).split() == ["OK", "1"]

    os.kill(ward.pid("man-001"), signal.SIGKILL)
    until(lambda: ward.described("man")["Status"] == "modifying", what="that it is noticed")
    ward.available("man")

    assert ward.roles("man") == {"man-001": "primary", "man-002": "replica"}, "no promotion"
    assert ward.redis(ward.endpoint("man"), "GET", "kept") == "yes"
    assert ward.redis(ward.endpoint("man"), "SET", "kept", "again") == "OK"
    assert not [m for m in ward.messages("man") if "Failover" in m]

    ward.cache.modify_replication_group(ReplicationGroupId="man", PrimaryClusterId="man-002", ApplyImmediately=True)
    ward.available("man")

    assert ward.roles("man") == {"man-001": "replica", "man-002": "primary"}, "by hand"
    assert ward.redis(ward.endpoint("man"), "GET", "kept") == "again"


def test_a_group_that_is_lost_as_a_whole_comes_back_empty(ward):
    for name in ward.roles():
        os.kill(ward.pid(name), signal.SIGKILL)

    until(lambda: ward.described()["Status"] == "modifying", what="that it is noticed")
    ward.available()

    assert list(ward.roles().values()).count("primary") == 1
    assert ward.redis(ward.endpoint(), "SET", "new", "life") == "OK"


def test_a_zone_that_is_lost_takes_the_primary_with_it_and_gives_a_replica_back(ward):
    old = ward.primary()
    zones = {m["CacheClusterId"]: m["PreferredAvailabilityZone"] for m in
             ward.described()["NodeGroups"][0]["NodeGroupMembers"]}  # fmt: skip

    ward.atoll.cli("chaos", "kill-zone", zones[old])
    until(lambda: ward.roles()[old] == "replica", 10.0, "a new primary")
    assert ward.described()["Status"] == "modifying", "one node is missing"
    ward.atoll.cli("chaos", "revert", "--all")
    ward.available()

    assert zones[ward.primary()] != zones[old]


def test_a_drill_that_cannot_be_says_why(ward):
    ward.group("one", failover=False, members=1)

    for words, because in (
        (("nobody",), "there is no replication group nobody"),
        (("auto", "--fault", "rain"), "'rain' is not a fault: kill, hang, partition, planned"),
        (("one",), "one has no replica that could take over"),
        (("auto", "--from", "nobody"), "nobody"),
    ):
        assert because in ward.atoll.cli("drill", "failover", *words, ok=False)
    assert ward.described()["Status"] == "available"


def test_a_primary_without_its_replicas_can_be_made_to_refuse_writes(ward):
    """What docs/failover.md says of WAIT and min-replicas-to-write, in a zone that is cut off."""
    ec2, family = ward.atoll.client("ec2"), ward.cache.describe_cache_engine_versions(Engine=ward.engine)
    ward.cache.create_cache_parameter_group(
        CacheParameterGroupName="safe",
        CacheParameterGroupFamily=family["CacheEngineVersions"][0]["CacheParameterGroupFamily"],
        Description="x",
    )
    values = {"min-replicas-to-write": "1", "min-replicas-max-lag": "1"}
    ward.cache.modify_cache_parameter_group(
        CacheParameterGroupName="safe",
        ParameterNameValues=[{"ParameterName": name, "ParameterValue": value} for name, value in values.items()],
    )
    zones = ["us-east-1a", "us-east-1b"]
    for name, more in (("safe", {"CacheParameterGroupName": "safe"}), ("quick", {})):
        ward.group(name, failover=True, members=2, PreferredCacheClusterAZs=zones, **more)
    (subnet,) = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": zones[:1]}])["Subnets"]
    client = ward.launch(SubnetId=subnet["SubnetId"])
    safe, quick = ward.endpoint("safe"), ward.endpoint("quick")
    assert ward.redis(safe, "SET", "k", "v", at=client) == "OK"

    ward.atoll.cli("chaos", "partition-zone", zones[0])

    until(lambda: "NOREPLICAS" in ward.redis(safe, "SET", "k", "w", at=client), 20.0, "the refusal")
    said = ward.atoll.inside(client, f"printf 'SET k w\\nWAIT 1 200\\n' | redis-cli -h {quick}").split()
    assert said == ["OK", "0"], "acknowledged, and nobody else has it, which WAIT tells"
    ward.atoll.cli("chaos", "revert", "--all")
    until(lambda: ward.redis(safe, "SET", "k", "x", at=client) == "OK", 30.0, "writes again")
    assert ward.roles("safe") == {"safe-001": "primary", "safe-002": "replica"}, "a cut between zones is no failover"


def test_a_group_loses_nothing_from_the_moment_it_is_available(ward):
    """The primary feeds a new replica from its first acknowledgement on, which may come a second late."""
    ward.group("fresh", failover=True, members=2)
    ward.redis(ward.endpoint("fresh"), "SET", "first", "yes")

    old = ward.primary("fresh")
    os.kill(ward.pid(old), signal.SIGKILL)
    until(lambda: ward.roles("fresh")[old] == "replica", what="a new primary")

    assert ward.redis(ward.endpoint("fresh"), "GET", "first") == "yes"
    ward.available("fresh")
