"""A global datastore over two regions whose VPCs have the same addresses: real engines, a real backbone."""

import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.atoll import Atoll, own_mode, running, until
from tests.worldwide.conftest import inside
from tests.worldwide.local_writer import LocalWriter

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

NEAR, FAR = "us-east-1", "eu-west-1"
GROUPS = {NEAR: "one", FAR: "two"}
WRITER = (
    "echo $$ >/tmp/writer; i=0; "
    "while :; do i=$((i+1)); redis-cli -h {} set w$i $i | grep -q OK && echo $i >>/tmp/acked; done"
)


class Globe:
    """Two groups, one in each region, and an instance beside each."""

    engine = "valkey"
    more: Mapping[str, Any] = {}  # of the first group
    size: Mapping[str, Any] = {"NumCacheClusters": 2}  # of both

    def __init__(self, atoll: Atoll):
        self.atoll = atoll
        self.cache = {region: atoll.client("elasticache", region=region) for region in GROUPS}
        self.instance = {region: self.launch(region) for region in GROUPS}
        made: dict[str, Any] = {"ReplicationGroupDescription": "x", **self.size}
        self.cache[NEAR].create_replication_group(
            ReplicationGroupId="one", Engine=self.engine, CacheNodeType="cache.m5.large",
            AutomaticFailoverEnabled=True, **made, **self.more,
        )  # fmt: skip
        self.available(NEAR)
        self.name: str = self.cache[NEAR].create_global_replication_group(
            GlobalReplicationGroupIdSuffix="sessions", PrimaryReplicationGroupId="one"
        )["GlobalReplicationGroup"]["GlobalReplicationGroupId"]
        until(lambda: self.status() == "primary-only", 20.0, "a global datastore")
        self.redis(NEAR, "SET", "first", "1")
        self.cache[FAR].create_replication_group(
            ReplicationGroupId="two", GlobalReplicationGroupId=self.name, AutomaticFailoverEnabled=True, **made
        )
        self.whole()

    def launch(self, region: str) -> str:
        ec2 = self.atoll.client("ec2", region=region)
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        launched = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        id: str = launched["Instances"][0]["InstanceId"]

        def state() -> str:
            found = ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]
            return str(found["State"]["Name"])

        until(lambda: state() == "running", 20.0, "an instance")
        return id

    def group(self, region: str) -> dict[str, Any]:
        found = self.cache[region].describe_replication_groups(ReplicationGroupId=GROUPS[region])
        shape: dict[str, Any] = found["ReplicationGroups"][0]
        return shape

    def available(self, region: str) -> None:
        until(lambda: self.group(region)["Status"] == "available", 30.0, f"an available group ({self.atoll.log})")

    def datastore(self) -> dict[str, Any]:
        shown = self.cache[FAR].describe_global_replication_groups(
            GlobalReplicationGroupId=self.name, ShowMemberInfo=True
        )
        shape: dict[str, Any] = shown["GlobalReplicationGroups"][0]
        return shape

    def status(self) -> str:
        return str(self.datastore()["Status"])

    def whole(self) -> None:
        """Wait until everything is available."""
        until(lambda: self.status() == "available", 40.0, f"an available global datastore ({self.atoll.log})")
        for region in GROUPS:
            self.available(region)

    def roles(self) -> dict[str, str]:
        return {m["ReplicationGroupRegion"]: m["Role"] for m in self.datastore()["Members"]}

    def inside(self, region: str, script: str, *, ok: bool = True) -> str:
        return inside(self.atoll, region, self.instance[region], script, ok=ok)

    def endpoint(self, region: str) -> str:
        address: str = self.group(region)["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
        return address

    def redis(self, region: str, *words: str) -> str:
        return self.inside(region, f"redis-cli -h {self.endpoint(region)} {' '.join(words)}")

    def copied(self, key: str, value: str, *regions: str) -> None:
        for region in regions or GROUPS:
            until(lambda r=region: self.redis(r, "GET", key) == value, 30.0, f"{key} in {region}")

    def members(self, region: str) -> list[str]:
        return [m["CacheClusterId"] for one in self.group(region)["NodeGroups"] for m in one["NodeGroupMembers"]]

    def zones(self, region: str) -> set[str]:
        """Return the zones that a region's nodes are in."""
        nodes = [m for one in self.group(region)["NodeGroups"] for m in one["NodeGroupMembers"]]
        return {m["PreferredAvailabilityZone"] for m in nodes}

    def writer(self, region: str, member: str, place: Path, *keys: str) -> LocalWriter:
        """Have a client write to a node, from where the node is."""
        found = self.cache[region].describe_cache_clusters(CacheClusterId=member, ShowCacheNodeInfo=True)
        name = found["CacheClusters"][0]["CacheNodes"][0]["Endpoint"]["Address"]
        address = self.inside(region, f"getent hosts {name}").split()[0]
        pid = self.atoll.get(f"/_atoll/machines/{member}?region={region}")["pid"]
        return LocalWriter(pid, address, list(keys), place / member)

    @contextmanager
    def writing(self, place: Path, *keys: str) -> Iterator[dict[str, list[LocalWriter]]]:
        """Have a client write to each node of both regions."""
        writers: dict[str, list[LocalWriter]] = {}
        try:
            for region in GROUPS:
                writers[region] = [self.writer(region, member, place, *keys) for member in self.members(region)]
            yield writers
        finally:
            for writer in itertools.chain(*writers.values()):
                writer.stop()

    def fail_over(self, region: str) -> None:
        self.cache[FAR].failover_global_replication_group(
            GlobalReplicationGroupId=self.name, PrimaryRegion=region, PrimaryReplicationGroupId=GROUPS[region]
        )


@pytest.fixture(scope="module")
def globe() -> Iterator[Globe]:
    with running(own_mode()) as atoll:
        builds = atoll.client("elasticache").describe_cache_engine_versions()["CacheEngineVersions"]
        if "valkey" not in {build["Engine"] for build in builds}:
            pytest.skip("NOT TESTED: no valkey on this machine")
        yield Globe(atoll)


def test_a_secondary_copies_over_the_backbone_and_is_read_only(globe):
    globe.redis(NEAR, "SET", "second", "2")

    globe.copied("second", "2", FAR)
    assert globe.redis(FAR, "GET", "first") == "1"
    assert "READONLY" in globe.redis(FAR, "SET", "own", "1")
    assert globe.roles() == {NEAR: "PRIMARY", FAR: "SECONDARY"}
    said = globe.redis(FAR, "INFO", "replication")
    assert "master_host:169.254.1." in said
    known_as = said.partition("master_host:")[2].split()[0]
    assert globe.group(FAR)["GlobalReplicationGroupInfo"] == {
        "GlobalReplicationGroupId": globe.name,
        "GlobalReplicationGroupMemberRole": "SECONDARY",
    }
    for region in GROUPS:
        assert "PONG" not in globe.inside(region, f"timeout 1 redis-cli -h {known_as} PING", ok=False)


@pytest.mark.skipif(own_mode() != "root", reason="only root enters a node's network")
def test_the_backbone_carries_nothing_but_replication(globe):
    leader = next(
        m["CacheClusterId"]
        for m in globe.group(NEAR)["NodeGroups"][0]["NodeGroupMembers"]
        if m["CurrentRole"] == "primary"
    )
    others = [line for line in globe.redis(NEAR, "INFO", "replication").splitlines() if "ip=169.254." in line]
    far = others[0].partition("ip=")[2].partition(",")[0]
    there = ("nsenter", "-t", str(globe.atoll.machine(leader)["pid"]), "-n", "timeout", "1", "redis-cli", "-h", far)

    assert subprocess.run([*there, "PING"], capture_output=True, check=False).stdout == b"PONG\n"
    assert subprocess.run([*there, "-p", "22", "PING"], capture_output=True, check=False).stdout == b""
    ping = ("ping", "-c", "1", "-W", "1", far)
    assert subprocess.run([*there[:4], *ping], capture_output=True, check=False).returncode != 0


def test_a_planned_failover_loses_nothing_that_was_acknowledged(globe):
    globe.inside(NEAR, f"(setsid sh -c '{WRITER.format(globe.endpoint(NEAR))}' >/dev/null 2>&1 </dev/null &)")
    until(
        lambda: globe.inside(NEAR, "test -e /tmp/acked && wc -l </tmp/acked", ok=False).strip() > "1", what="writes"
    )

    globe.fail_over(FAR)
    globe.whole()

    acked = globe.inside(NEAR, "kill $(cat /tmp/writer); cat /tmp/acked").split()
    assert len(acked) > 1
    assert globe.roles() == {NEAR: "SECONDARY", FAR: "PRIMARY"}
    kept = globe.redis(FAR, "MGET", *(f"w{n}" for n in acked)).split()
    assert kept == acked
    assert globe.redis(FAR, "SET", "third", "3") == "OK"
    globe.copied("third", "3", NEAR)
    assert "READONLY" in globe.redis(NEAR, "SET", "own", "1")
    globe.fail_over(NEAR)
    globe.whole()
    assert globe.redis(NEAR, "SET", "back", "1") == "OK"
    globe.copied("back", "1", FAR)


def test_a_new_primary_within_a_region_is_followed_from_the_other(globe):
    members = globe.group(NEAR)["NodeGroups"][0]["NodeGroupMembers"]
    old = next(m["CacheClusterId"] for m in members if m["CurrentRole"] == "primary")

    os.kill(globe.atoll.get(f"/_atoll/machines/{old}")["pid"], signal.SIGKILL)
    until(
        lambda: any(
            m["CurrentRole"] == "primary" and m["CacheClusterId"] != old
            for m in globe.group(NEAR)["NodeGroups"][0]["NodeGroupMembers"]
        ),
        20.0,
        "another primary",
    )
    globe.whole()

    assert globe.redis(NEAR, "SET", "fourth", "4") == "OK"
    globe.copied("fourth", "4", FAR)


def test_a_secondary_fails_over_within_its_region_and_copies_on(globe):
    def roles():
        members = globe.group(FAR)["NodeGroups"][0]["NodeGroupMembers"]
        return {m["CacheClusterId"]: m["CurrentRole"] for m in members}

    old = roles()

    globe.cache[FAR].test_failover(ReplicationGroupId="two", NodeGroupId="0001")
    until(lambda: roles() != old, 20.0, "another leader")
    globe.whole()

    assert globe.redis(NEAR, "SET", "fifth", "5") == "OK"
    globe.copied("fifth", "5", FAR)
    assert "READONLY" in globe.redis(FAR, "SET", "own", "1")


@pytest.mark.parametrize("step", ["demoting"])
def test_the_next_daemon_finishes_a_failover_that_a_killed_one_began(globe, step):
    target = FAR if globe.roles()[FAR] == "SECONDARY" else NEAR
    begun = globe.atoll.log.stat().st_size
    globe.fail_over(target)
    end = time.monotonic() + 20.0
    while f'"step": "{step}"' not in globe.atoll.said(begun):
        assert time.monotonic() < end, globe.atoll.said(begun)
    globe.atoll.kill()

    globe.atoll.up()

    globe.whole()
    assert globe.roles()[target] == "PRIMARY"
    assert globe.redis(target, "SET", "step", step) == "OK"
    globe.copied("step", step)


def test_a_secondary_takes_over_from_a_primary_that_is_cut_off_which_takes_no_writes_any_more(globe):
    near, far = (NEAR, FAR) if globe.roles()[NEAR] == "PRIMARY" else (FAR, NEAR)
    members = globe.group(near)["NodeGroups"][0]["NodeGroupMembers"]
    zone = next(m["PreferredAvailabilityZone"] for m in members if m["CurrentRole"] == "primary")
    globe.atoll.cli("chaos", "partition-zone", zone)

    globe.fail_over(far)

    until(lambda: globe.roles()[far] == "PRIMARY", 20.0, "a new primary")
    until(lambda: globe.redis(far, "SET", "cut", far) == "OK", 20.0, "its first write")
    globe.atoll.cli("chaos", "revert", "--all")
    globe.whole()
    globe.copied("cut", far)
    assert "READONLY" in globe.redis(near, "SET", "own", "1")


@pytest.mark.skipif(own_mode() != "root", reason="only root enters a node's network")
def test_a_primary_that_is_cut_off_accepts_its_last_write_before_the_new_one_its_first(globe, tmp_path):
    cut_off(globe, tmp_path, "cut")

    globe.whole()
    globe.copied("cut", "local")


def cut_off(globe: Globe, place: Path, *keys: str) -> None:
    """Cut the primary's region off and have the other one take over; look when either accepted writes."""
    near, far = (NEAR, FAR) if globe.roles()[NEAR] == "PRIMARY" else (FAR, NEAR)
    with globe.writing(place, *keys) as writers:

        def accepted(region: str) -> list[tuple[float, float]]:
            return [write for writer in writers[region] for write in writer.accepted()]

        for zone in globe.zones(near):
            globe.atoll.cli("chaos", "partition-zone", zone)
        asked = time.time()
        globe.fail_over(far)
        until(lambda: globe.roles()[far] == "PRIMARY", 30.0, f"a new primary ({globe.atoll.log})")
        until(lambda: accepted(far), 30.0, "its first write")
    assert max(begun for begun, _ in accepted(near)) > asked, "who is cut off goes on"
    assert max(begun for begun, _ in accepted(near)) < min(ended for _, ended in accepted(far))
    globe.atoll.cli("chaos", "revert", "--all")


@pytest.mark.parametrize("step", ["deposing", "taken_over"])
def test_the_next_daemon_deposes_a_primary_that_is_cut_off(globe, step):
    near, far = (NEAR, FAR) if globe.roles()[NEAR] == "PRIMARY" else (FAR, NEAR)
    for zone in globe.zones(near):
        globe.atoll.cli("chaos", "partition-zone", zone)
    begun = globe.atoll.log.stat().st_size
    globe.fail_over(far)
    until(lambda: f'"step": "{step}"' in globe.atoll.said(begun), 20.0, step)
    globe.atoll.kill()

    globe.atoll.up()

    until(lambda: globe.redis(far, "SET", "deposed", step) == "OK", 30.0, "its first write")
    globe.atoll.cli("chaos", "revert", "--all")
    globe.whole()
    globe.copied("deposed", step)
    assert "READONLY" in globe.redis(near, "SET", "own", "1")


def test_a_secondary_takes_over_from_a_region_that_is_down_which_then_copies_from_it(globe):
    if globe.roles()[NEAR] != "PRIMARY":
        globe.fail_over(NEAR)
        globe.whole()
    globe.redis(NEAR, "SET", "before", "5")
    globe.copied("before", "5", FAR)
    for zone in globe.zones(NEAR):
        globe.atoll.cli("chaos", "kill-zone", zone)

    globe.fail_over(FAR)

    until(lambda: globe.redis(FAR, "SET", "alone", "6") == "OK", 30.0, "a new primary")
    until(lambda: globe.status() == "available", 20.0, "a global datastore that goes on")
    assert globe.redis(FAR, "GET", "before") == "5"
    globe.atoll.cli("chaos", "revert", "--all")
    globe.whole()
    globe.copied("alone", "6", NEAR)
    assert "READONLY" in globe.redis(NEAR, "SET", "own", "1")


def test_a_secondary_that_leaves_accepts_writes_and_the_datastore_ends(globe):
    assert globe.roles()[FAR] == "PRIMARY"
    with pytest.raises(globe.cache[FAR].exceptions.InvalidGlobalReplicationGroupStateFault):
        globe.cache[FAR].delete_global_replication_group(
            GlobalReplicationGroupId=globe.name, RetainPrimaryReplicationGroup=True
        )

    globe.cache[FAR].disassociate_global_replication_group(
        GlobalReplicationGroupId=globe.name, ReplicationGroupId="one", ReplicationGroupRegion=NEAR
    )
    until(lambda: globe.status() == "primary-only", 20.0, "a datastore with one member")
    globe.available(NEAR)
    assert globe.redis(NEAR, "SET", "own", "7") == "OK"
    assert globe.redis(NEAR, "GET", "alone") == "6"
    globe.cache[FAR].delete_global_replication_group(
        GlobalReplicationGroupId=globe.name, RetainPrimaryReplicationGroup=True
    )

    until(
        lambda: not globe.cache[FAR].describe_global_replication_groups()["GlobalReplicationGroups"],
        20.0,
        "that it is gone",
    )
    globe.available(FAR)
    assert globe.redis(FAR, "SET", "alone", "8") == "OK"
    assert globe.redis(NEAR, "GET", "alone") == "6"
    assert json.dumps(globe.group(FAR)["GlobalReplicationGroupInfo"]) == "{}"
