"""A global datastore whose members are in cluster mode: real engines, each shard with a link of its own."""

import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.daemon.atoll import own_mode, running, until
from tests.worldwide.test_global import FAR, GROUPS, NEAR, Globe, cut_off

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

KEYS = [f"k{n}" for n in range(12)]  # in slots of both shards
SHARDS = {"0001": "0-8191", "0002": "8192-16383"}


class Sharded(Globe):
    """The same with two shards of two nodes in each region."""

    size: Mapping[str, Any] = {"NumNodeGroups": 2, "ReplicasPerNodeGroup": 1, "ClusterMode": "enabled"}

    def endpoint(self, region: str) -> str:
        address: str = self.group(region)["ConfigurationEndpoint"]["Address"]
        return address

    def redis(self, region: str, *words: str) -> str:
        """Use a cluster client in a region's instance."""
        return self.inside(region, f"redis-cli -c -h {self.endpoint(region)} {' '.join(words)}", ok=False)

    def write(self, region: str, value: str) -> None:
        at = self.endpoint(region)
        said = self.inside(region, "; ".join(f"redis-cli -c -h {at} set {k} {value}" for k in KEYS))
        assert said.split() == ["OK"] * len(KEYS)

    def read(self, region: str) -> set[str]:
        at = self.endpoint(region)
        return set(self.inside(region, "; ".join(f"redis-cli -c -h {at} get {k}" for k in KEYS), ok=False).split())

    def all_copied(self, value: str, *regions: str) -> None:
        for region in regions or GROUPS:
            until(lambda r=region: self.read(r) == {value}, 40.0, f"{value} in {region} ({self.atoll.log})")

    def takes(self, region: str, value: str) -> None:
        """Wait until a region accepts a write to each key."""
        until(lambda: all(self.redis(region, "SET", k, value) == "OK" for k in KEYS), 30.0, f"writes in {region}")

    def refuses(self, region: str) -> None:
        for key in KEYS[:4]:
            assert "READONLY" in self.redis(region, "SET", key, "own")

    def steady(self, region: str) -> None:
        """Wait until no node calls its cluster down: after they were cut off, they do so for half a minute."""
        told = self.redis(region, "CLUSTER", "NODES").splitlines()
        script = "; ".join(f"redis-cli -h {line.split()[1].partition(':')[0]} CLUSTER INFO" for line in told)
        until(lambda: self.inside(region, script).count("cluster_state:ok") == len(told), 90.0, f"{region} is well")


@pytest.fixture(scope="module")
def globe() -> Iterator[Sharded]:
    with running(own_mode()) as atoll:
        builds = atoll.client("elasticache").describe_cache_engine_versions()["CacheEngineVersions"]
        if "valkey" not in {build["Engine"] for build in builds}:
            pytest.skip("NOT TESTED: no valkey on this machine")
        yield Sharded(atoll)


def test_each_shard_is_copied_and_a_secondary_is_read_only(globe):
    globe.write(NEAR, "second")

    globe.all_copied("second", FAR)
    assert globe.redis(FAR, "GET", "first") == "1"
    globe.refuses(FAR)
    assert globe.roles() == {NEAR: "PRIMARY", FAR: "SECONDARY"}
    shown = globe.datastore()
    assert shown["ClusterEnabled"] is True
    slots = [(one["GlobalNodeGroupId"], one["Slots"]) for one in shown["GlobalNodeGroups"]]
    assert slots == [(f"{globe.name}-0001", "0-8191"), (f"{globe.name}-0002", "8192-16383")]
    own = [(shard["NodeGroupId"], shard["Slots"]) for shard in globe.group(FAR)["NodeGroups"]]
    assert own == [("0001", "0-8191"), ("0002", "8192-16383")]


def test_a_planned_failover_loses_nothing_that_was_acknowledged_in_any_shard(globe):
    script = (
        "echo $$ >/tmp/writer; i=0; while :; do i=$((i+1)); "
        f"redis-cli -c -h {globe.endpoint(NEAR)} set w$i $i | grep -q OK && echo $i >>/tmp/acked; done"
    )
    globe.inside(NEAR, f"(setsid sh -c '{script}' >/dev/null 2>&1 </dev/null &)")
    count = "test -e /tmp/acked && wc -l </tmp/acked"
    until(lambda: int(globe.inside(NEAR, count, ok=False).strip() or 0) > 20, 20.0, "writes")

    globe.fail_over(FAR)
    globe.whole()

    acked = globe.inside(NEAR, "kill $(cat /tmp/writer); cat /tmp/acked").split()
    assert globe.roles() == {NEAR: "SECONDARY", FAR: "PRIMARY"}
    at = globe.endpoint(FAR)
    kept = globe.inside(FAR, f"for i in {' '.join(acked)}; do redis-cli -c -h {at} get w$i; done").split()
    assert kept == acked
    globe.write(FAR, "third")
    globe.all_copied("third", NEAR)
    globe.refuses(NEAR)
    globe.fail_over(NEAR)
    globe.whole()
    globe.write(NEAR, "back")
    globe.all_copied("back", FAR)
    globe.refuses(FAR)


def _leader(globe: Sharded, region: str, shard: str) -> str:
    """Return the member that has a shard's slots, as cluster clients are told."""
    lines = [line.split() for line in globe.redis(region, "CLUSTER", "NODES").splitlines()]
    at = next(line[1].partition(":")[0] for line in lines if line[8:] == [SHARDS[shard]])
    members = globe.cache[region].describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
    for cluster in members:
        name = cluster["CacheNodes"][0]["Endpoint"]["Address"]
        if at in globe.inside(region, f"getent hosts {name}", ok=False).split():
            return str(cluster["CacheClusterId"])
    raise AssertionError(at)


def _is_deaf(globe: Sharded, region: str, member: str) -> bool:
    """Tell whether a node hears nothing of whom it copies from."""
    clusters = globe.cache[region].describe_cache_clusters(CacheClusterId=member, ShowCacheNodeInfo=True)
    name = clusters["CacheClusters"][0]["CacheNodes"][0]["Endpoint"]["Address"]
    return "master_link_status:down" in globe.inside(region, f"redis-cli -h {name} INFO replication", ok=False)


def _kill(globe: Sharded, region: str, member: str) -> None:
    os.kill(globe.atoll.get(f"/_atoll/machines/{member}?region={region}")["pid"], signal.SIGKILL)


def _replica(globe: Sharded, region: str, shard: str) -> str:
    """Return the other member of a shard of two."""
    leader = _leader(globe, region, shard)
    members = next(s["NodeGroupMembers"] for s in globe.group(region)["NodeGroups"] if s["NodeGroupId"] == shard)
    return next(str(m["CacheClusterId"]) for m in members if m["CacheClusterId"] != leader)


def test_a_new_primary_of_a_shard_within_a_region_is_followed_from_the_other(globe):
    old = _leader(globe, NEAR, "0001")

    _kill(globe, NEAR, old)
    globe.takes(NEAR, "fourth")
    globe.whole()

    assert _leader(globe, NEAR, "0001") != old
    globe.all_copied("fourth", FAR)
    globe.refuses(FAR)


def test_a_secondary_that_loses_the_leader_of_a_shard_copies_again(globe):
    old = _leader(globe, FAR, "0002")

    _kill(globe, FAR, old)
    until(lambda: globe.group(FAR)["Status"] == "modifying", 20.0, "that it is noticed")
    globe.whole()

    globe.write(NEAR, "fifth")
    globe.all_copied("fifth", FAR)
    globe.refuses(FAR)
    with pytest.raises(globe.cache[FAR].exceptions.InvalidReplicationGroupStateFault):
        globe.cache[FAR].test_failover(ReplicationGroupId="two", NodeGroupId="0002")


@pytest.mark.parametrize("step", ["fencing", "taken_over"])
def test_the_next_daemon_finishes_a_failover_that_a_killed_one_began(globe, step):
    target = FAR if globe.roles()[FAR] == "SECONDARY" else NEAR
    globe.write(NEAR if target == FAR else FAR, f"before-{step}")
    begun = globe.atoll.log.stat().st_size
    globe.fail_over(target)
    until(lambda: f'"step": "{step}"' in globe.atoll.said(begun), 20.0, step)
    globe.atoll.kill()

    globe.atoll.up()

    globe.whole()
    assert globe.roles()[target] == "PRIMARY"
    globe.all_copied(f"before-{step}")
    globe.write(target, step)
    globe.all_copied(step)


def test_a_planned_failover_waits_for_a_replica_that_starts_anew(globe):
    near, far = (NEAR, FAR) if globe.roles()[NEAR] == "PRIMARY" else (FAR, NEAR)
    globe.write(near, "waits")
    globe.all_copied("waits", far)
    _kill(globe, far, _replica(globe, far, "0001"))

    globe.fail_over(far)

    globe.whole()
    assert globe.roles() == {near: "SECONDARY", far: "PRIMARY"}
    assert globe.read(far) == {"waits"}
    globe.takes(far, "waited")
    globe.all_copied("waited")


def test_the_only_replica_that_could_be_promoted_dies_in_a_planned_failover(globe):
    near, far = (NEAR, FAR) if globe.roles()[NEAR] == "PRIMARY" else (FAR, NEAR)
    globe.write(near, "bereft")
    globe.all_copied("bereft", far)
    replicas = [_replica(globe, far, shard) for shard in SHARDS]
    pids = [globe.atoll.get(f"/_atoll/machines/{one}?region={far}")["pid"] for one in replicas]
    begun = globe.atoll.log.stat().st_size
    globe.fail_over(far)
    until(lambda: '"step": "fencing"' in globe.atoll.said(begun), 20.0, "fencing")

    for pid in pids:
        os.kill(pid, signal.SIGKILL)

    globe.whole()
    assert globe.roles() == {near: "SECONDARY", far: "PRIMARY"}
    assert globe.read(far) == {"bereft"}
    globe.takes(far, "heired")
    globe.all_copied("heired")
    globe.refuses(near)


def test_a_leader_that_alone_has_the_data_begins_anew_with_them_when_the_other_region_is_down(globe):
    near, far = (NEAR, FAR) if globe.roles()[NEAR] == "PRIMARY" else (FAR, NEAR)
    globe.write(near, "alone")
    globe.all_copied("alone", far)
    old, begun = {shard: _leader(globe, far, shard) for shard in SHARDS}, globe.atoll.log.stat().st_size
    for zone in globe.zones(near):
        globe.atoll.cli("chaos", "kill-zone", zone)
    until(lambda: _is_deaf(globe, far, old["0001"]), 90.0, "a leader that has noticed it")  # engines' own patience
    _kill(globe, far, _replica(globe, far, "0001"))

    globe.fail_over(far)

    until(lambda: globe.roles()[far] == "PRIMARY", 30.0, "a new primary")
    globe.takes(far, "anew")
    assert '"act": "reload"' in globe.atoll.said(begun)
    assert _leader(globe, far, "0001") == old["0001"]
    globe.atoll.cli("chaos", "revert", "--all")
    globe.whole()
    globe.all_copied("anew")
    globe.refuses(near)


def test_a_secondary_takes_over_from_a_region_that_is_down_which_then_copies_from_it(globe):
    if globe.roles()[NEAR] != "PRIMARY":
        globe.fail_over(NEAR)
        globe.whole()
    globe.write(NEAR, "sixth")
    globe.all_copied("sixth", FAR)
    for zone in globe.zones(NEAR):
        globe.atoll.cli("chaos", "kill-zone", zone)

    globe.fail_over(FAR)

    until(lambda: globe.redis(FAR, "SET", "alone", "6") == "OK", 30.0, "a new primary")
    until(lambda: globe.status() == "available", 20.0, "a global datastore that goes on")
    assert globe.read(FAR) == {"sixth"}
    globe.takes(FAR, "alone")
    globe.atoll.cli("chaos", "revert", "--all")
    globe.whole()
    globe.all_copied("alone", NEAR)
    globe.refuses(NEAR)


def test_a_primary_that_was_cut_off_takes_no_writes_when_another_one_has_taken_over(globe):
    near, far = (NEAR, FAR) if globe.roles()[NEAR] == "PRIMARY" else (FAR, NEAR)
    for zone in globe.zones(near):
        globe.atoll.cli("chaos", "partition-zone", zone)

    globe.fail_over(far)

    until(lambda: globe.roles()[far] == "PRIMARY", 20.0, "a new primary")
    globe.takes(far, "cut")
    globe.atoll.cli("chaos", "revert", "--all")
    until(lambda: globe.group(near)["Status"] == "available", 90.0, f"that {near} is well ({globe.atoll.log})")
    globe.whole()
    globe.steady(near)
    globe.all_copied("cut")
    globe.refuses(near)


@pytest.mark.skipif(own_mode() != "root", reason="only root enters a node's network")
def test_leaders_that_are_cut_off_accept_their_last_writes_before_the_new_ones_their_first(globe, tmp_path):
    near = NEAR if globe.roles()[NEAR] == "PRIMARY" else FAR

    cut_off(globe, tmp_path, *KEYS)

    until(lambda: globe.group(near)["Status"] == "available", 90.0, f"that {near} is well ({globe.atoll.log})")
    globe.whole()
    globe.steady(near)


def test_a_secondary_that_leaves_keeps_its_data_and_accepts_writes(globe):
    near, far = (NEAR, FAR) if globe.roles()[NEAR] == "PRIMARY" else (FAR, NEAR)
    globe.write(near, "seventh")
    globe.all_copied("seventh")
    _kill(globe, far, _replica(globe, far, "0002"))  # who alone could be promoted

    globe.cache[FAR].disassociate_global_replication_group(
        GlobalReplicationGroupId=globe.name, ReplicationGroupId=GROUPS[far], ReplicationGroupRegion=far
    )

    until(lambda: len(globe.roles()) == 1, 150.0, f"a datastore with one member ({globe.atoll.log})")
    globe.available(far)
    globe.all_copied("seventh", far)  # a leading node that began anew says CLUSTERDOWN for two seconds
    globe.takes(far, "own")
    assert globe.read(near) == {"seventh"}
    globe.cache[near].delete_global_replication_group(
        GlobalReplicationGroupId=globe.name, RetainPrimaryReplicationGroup=True
    )
    until(
        lambda: not globe.cache[near].describe_global_replication_groups()["GlobalReplicationGroups"],
        20.0,
        "that it is gone",
    )
    globe.available(near)
    globe.write(near, "eighth")
    assert globe.read(far) == {"own"}
