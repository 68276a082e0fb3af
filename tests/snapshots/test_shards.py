"""Snapshots of groups with cluster mode: a file for each shard, restored into as many shards, more, or fewer."""

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

KEYS = 60


@pytest.fixture(scope="module")
def taken(vault):
    """A snapshot of two shards with KEYS keys that have a time to live, and one whose name is no text."""
    vault.group("two", None, NumNodeGroups=2, ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True)
    say(vault, "two", f"for n in $(seq {KEYS}); do echo SET key:$n $n EX $((1000 + n)); done; {odd('SET', ' odd')}")
    found = vault.snapshot("two-1", "two")
    vault.becomes("two")
    return found


def odd(command, more=""):
    """Return a script that prints a command about a key whose name is no text, as redis-cli reads it."""
    return f"""printf '%s\\n' '{command} "a\\xff key"{more}'"""


def say(vault, group, script):
    """Give what a script prints to a cluster; returns the answers."""
    said = vault.shell(f"({script}) | redis-cli -c -h {vault.configuration(group)}")
    return [line for line in said.splitlines() if not line.startswith("->")]


def test_each_shard_has_its_file(vault, taken):
    assert (taken["NumNodeGroups"], taken["ReplicationGroupId"]) == (2, "two")
    assert [part["NodeGroupId"] for part in taken["NodeSnapshots"]] == ["0001", "0002"]
    assert len(vault.files) == 2


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize("shards", [None, 3, 1])
def test_all_keys_come_back_in_as_many_shards_or_others(vault, shards):
    name = f"to-{shards}"
    more = {"NumNodeGroups": shards, "ReplicasPerNodeGroup": 0, "ClusterMode": "enabled"} if shards else {}

    vault.group(name, None, SnapshotName="two-1", Engine=None, CacheNodeType=None, **more)

    asked = f"for n in $(seq {KEYS}); do echo GET key:$n; done; for n in $(seq {KEYS}); do echo TTL key:$n; done; "
    *numbers, strange = say(vault, name, asked + odd("GET"))
    assert numbers[:KEYS] == [str(n) for n in range(1, KEYS + 1)]
    assert all(900 < int(seconds) <= 1000 + KEYS for seconds in numbers[KEYS:])
    assert strange == "odd"
    group = vault.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
    assert len(group["NodeGroups"]) == (shards or 2)
    sizes = [
        int(vault.shell(f"redis-cli -h {vault.node(m['CacheClusterId'])} DBSIZE"))
        for s in group["NodeGroups"]
        for m in s["NodeGroupMembers"]
    ]
    copies = 1 if shards else 2
    assert sum(sizes) == (KEYS + 1) * copies, "no key is anywhere else"


def test_a_group_without_cluster_mode_becomes_one_with_it(vault):
    vault.group("plain")
    vault.redis("plain", "MSET", *(word for n in range(40) for word in (f"k:{n}", str(n))))
    vault.snapshot("plain-1", "plain")

    vault.group(
        "sharded", None, SnapshotName="plain-1", ClusterMode="enabled", NumNodeGroups=2, AutomaticFailoverEnabled=True
    )

    assert say(vault, "sharded", "for n in $(seq 0 39); do echo GET k:$n; done") == [str(n) for n in range(40)]


def test_keys_of_other_databases_are_not_thrown_away_unsaid(vault):
    vault.group("many")
    vault.redis("many", "-n", "5", "SET", "elsewhere", "5")
    vault.snapshot("many-1", "many")

    vault.group(
        "one-db", None, SnapshotName="many-1", ClusterMode="enabled", AutomaticFailoverEnabled=True, wait=False
    )
    vault.becomes("one-db", "create-failed")

    told = [m for m in vault.messages("one-db-0001-001", "cache-cluster") if "estore" in m]
    assert told[-1].startswith("Restore from snapshot failed for node 0001: ")
