"""Rows 166, 167 and 182: sharding, which cluster mode gives."""

from collections.abc import Iterator

import pytest

from atoll.cache.shards import slot_of
from tests.scenario.stage import NODE_TYPE, QUICK, refused_with


@pytest.fixture(scope="module")
def sharded(stage, shop) -> Iterator[str]:
    """Two shards without replicas."""
    name = stage.name("shards")
    stage.cache.create_replication_group(**asked(shop, name, ClusterMode="enabled", NumNodeGroups=2))
    stage.cache.get_waiter("replication_group_available").wait(ReplicationGroupId=name, WaiterConfig=QUICK)
    yield name
    stage.delete_replication_group(name)


def asked(shop, name, **more):
    return {
        "ReplicationGroupId": name, "ReplicationGroupDescription": "x", "Engine": "redis",
        "AutomaticFailoverEnabled": True, "CacheNodeType": NODE_TYPE, "CacheSubnetGroupName": shop.subnet_group,
        "SecurityGroupIds": [shop.group],
    } | more  # fmt: skip


def shards(stage, name):
    (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    return found


def test_row_166_cluster_mode_gives_sharding(stage, shop, sharded):
    one, other = stage.node_addresses(*stage.members(sharded))
    slot = slot_of(b"key")
    owner, stranger = (one, other) if slot < 8192 else (other, one)

    assert stage.redis(shop.app, owner, 6379, "SET", "key", "value") == "OK"
    assert stage.redis(shop.app, stranger, 6379, "GET", "key") == f"MOVED {slot} {owner}:6379"


def test_row_167_shards_are_for_cluster_mode_only(stage, shop, sharded):
    several = asked(shop, stage.name("shards"), ClusterMode="disabled", NumNodeGroups=2)

    refused_with("InvalidParameterCombination", stage.cache.create_replication_group, **several)
    group = shards(stage, sharded)
    assert (group["ClusterEnabled"], group["ClusterMode"]) == (True, "enabled")
    assert [shard["Slots"] for shard in group["NodeGroups"]] == ["0-8191", "8192-16383"]


def test_row_182_a_cache_is_spread_over_shards_that_hold_a_part_each(stage, shop, sharded):
    nodes = stage.node_addresses(*stage.members(sharded))
    keys = {f"key{n}": nodes[0] if slot_of(f"key{n}".encode()) < 8192 else nodes[1] for n in range(20)}

    for key, node in keys.items():
        assert stage.redis(shop.app, node, 6379, "SET", key, "x") == "OK"

    sizes = [int(stage.redis(shop.app, node, 6379, "DBSIZE").split()[-1]) for node in nodes]
    assert min(sizes) > 0
    assert sum(sizes) >= 20
