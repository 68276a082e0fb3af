"""Rows 163, 169 and 170: replicas that take over, and replicas that are added later."""

import os
import signal

from tests.daemon.atoll import until
from tests.scenario.shop import info, redis
from tests.scenario.stage import QUICK

WRITER = """
import redis, sys, time
name, until, last, outage, written = sys.argv[1], time.time() + float(sys.argv[2]), None, 0.0, 0
cache = redis.Redis(name, decode_responses=True, socket_timeout=0.5)
print("ready", flush=True)
while time.time() < until:
    try:
        cache.set(f"row163-{written}", written)
    except redis.exceptions.RedisError:
        time.sleep(0.005)
        continue
    now = time.time()
    outage, last, written = max(outage, now - (last or now)), now, written + 1
print(written, sum(cache.get(f"row163-{i}") != str(i) for i in range(written)), outage, flush=True)
"""
WRITES_SECONDS, TARGET_SECONDS = 3.0, 1.0


def described(stage, group):
    (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"]
    return found


def roles(stage, group):
    members = described(stage, group)["NodeGroups"][0]["NodeGroupMembers"]
    return {member["CacheClusterId"]: member["CurrentRole"] for member in members}


def test_row_163_a_replica_is_promoted_when_the_primary_fails(stage, shop):
    group = stage.replication_group("valkey", shop.subnet_group, shop.group, 3, AutomaticFailoverEnabled=True)
    primary, *_ = stage.members(group)
    name = described(stage, group)["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
    before = stage.typed(shop.app, f"getent hosts {name} | cut -d' ' -f1")
    with stage.program(shop.app, WRITER, name, str(WRITES_SECONDS)) as writer:
        os.kill(stage.machine(primary)["pid"], signal.SIGKILL)
        said = writer.stdout.readline().split()
    written, lost, outage = int(said[0]), int(said[1]), float(said[2])
    assert written > 100
    assert lost == 0, "of what was acknowledged"
    assert outage < TARGET_SECONDS
    assert sorted(roles(stage, group).values()) == ["primary", "replica", "replica"]
    assert roles(stage, group)[primary] == "replica"
    after = stage.typed(shop.app, f"getent hosts {name} | cut -d' ' -f1")
    assert after != before, "the name moves"
    stage.cache.get_waiter("replication_group_available").wait(ReplicationGroupId=group, WaiterConfig=QUICK)
    assert info(stage, shop, primary, "role") == "slave", "the lost node is back, as a replica"
    assert stage.node_addresses(primary) == [before], "with its address"
    stage.delete_replication_group(group)


def test_row_169_a_replica_is_added_to_a_group_later(stage, shop):
    group = stage.replication_group("valkey", shop.subnet_group, shop.group, 1)
    (primary,) = stage.members(group)
    redis(stage, shop, primary, "SET", "row", "169")
    late = f"{group}-late"
    stage.cache.create_cache_cluster(CacheClusterId=late, ReplicationGroupId=group)
    stage.cache.get_waiter("cache_cluster_available").wait(CacheClusterId=late, WaiterConfig=QUICK)
    assert stage.members(group) == [primary, late]
    until(lambda: redis(stage, shop, late, "GET", "row") == "169", 10, "the copy")
    assert info(stage, shop, late, "role") == "slave"
    more = stage.cache.increase_replica_count(ReplicationGroupId=group, NewReplicaCount=3, ApplyImmediately=True)
    assert more["ReplicationGroup"]["Status"] == "modifying"
    stage.cache.get_waiter("replication_group_available").wait(ReplicationGroupId=group, WaiterConfig=QUICK)
    replicas = [node for node in stage.members(group) if node != primary]
    assert len(replicas) == 3
    assert [redis(stage, shop, node, "GET", "row") for node in replicas] == ["169"] * 3
    stage.delete_replication_group(group)


def test_row_170_without_automatic_failover_nobody_is_promoted(stage, shop):
    group = stage.replication_group(
        "valkey", shop.subnet_group, shop.group, 2, AutomaticFailoverEnabled=False
    )  # fmt: skip
    (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"]
    assert found["AutomaticFailover"] == "disabled"
    primary, replica = stage.members(group)
    pid = stage.machine(primary)["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: stage.machine(primary)["pid"] not in (None, pid), 20, "the same node again")
    stage.cache.get_waiter("replication_group_available").wait(ReplicationGroupId=group, WaiterConfig=QUICK)
    assert roles(stage, group) == {primary: "primary", replica: "replica"}
    assert info(stage, shop, primary, "role") == "master"
    assert info(stage, shop, replica, "role") == "slave"
    stage.delete_replication_group(group)


def test_row_170_with_automatic_failover_a_replica_is_promoted(stage, shop):
    group = stage.replication_group("valkey", shop.subnet_group, shop.group, 2, AutomaticFailoverEnabled=True)
    assert described(stage, group)["AutomaticFailover"] == "enabled"
    primary, replica = stage.members(group)
    os.kill(stage.machine(primary)["pid"], signal.SIGKILL)
    until(lambda: roles(stage, group)[replica] == "primary", 10, "the promotion")
    stage.cache.get_waiter("replication_group_available").wait(ReplicationGroupId=group, WaiterConfig=QUICK)
    assert info(stage, shop, replica, "role") == "master"
    assert info(stage, shop, primary, "role") == "slave"
    stage.delete_replication_group(group)
