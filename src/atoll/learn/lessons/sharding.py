"""Sharding: a group in cluster mode, its slots and keys, and one shard more (rows 164 to 167, 182)."""

import re

from atoll.cache.endpoint import address_of
from atoll.learn.commands import inside
from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import Not, View
from atoll.model.cache import CacheCluster, NodeGroup

PORT = 6379
SLOTS = 16384
CREATE = (
    "aws elasticache create-replication-group --replication-group-id catalog --replication-group-description catalog"
    " --engine valkey --cache-node-type cache.t3.micro --cache-subnet-group-name shop --security-group-ids {sg:cache}"
)
SHARDS = (
    "aws elasticache modify-replication-group-shard-configuration --replication-group-id catalog"
    " --node-group-count 3 --apply-immediately"
)
WRITE = "sh -c 'for n in $(seq 60); do redis-cli -c -h {endpoint:catalog} SET customer:$n $n; done'"


async def build(ground: Ground) -> None:
    """Make a VPC with an instance and a group that lets it in."""
    vpc = await ground.vpc("shop")
    private = await ground.subnet("private", vpc, "10.0.1.0/24")
    app, cache = await ground.group("app", vpc), await ground.group("cache", vpc)
    await ground.allow(cache, PORT, app)
    await ground.subnet_group("shop", private)
    await ground.instance("app", private, app)


def create(view: View) -> Facts:
    """Check that the slots are shared by several shards, and that a node says the same."""
    shards = _shards(view, 2)
    view.must_answer("app", _address(view, shards[0]), PORT, "CLUSTER INFO\r\n", "cluster_state:ok", name="catalog")
    return {"shards": ", ".join(f"{one.id}: {_count(one)}" for one in shards)}


def keys(view: View) -> Facts:
    """Check that every shard holds keys."""
    return {"keys": _keys(view, _shards(view, 2))}


def reshard(view: View) -> Facts:
    """Check that there are three shards, and that every one of them holds keys."""
    return {"keys": _keys(view, _shards(view, 3))}


def _shards(view: View, wanted: int) -> tuple[NodeGroup, ...]:
    group = view.replication("catalog")
    if not group.is_sharded:
        raise Not("not-sharded", name="catalog")
    if len(group.node_groups) < wanted or sum(map(_count, group.node_groups)) != SLOTS:
        raise Not("too-few-shards", name="catalog", count=len(group.node_groups), wanted=wanted)
    return group.node_groups


def _keys(view: View, shards: tuple[NodeGroup, ...]) -> str:
    counts = []
    for shard in shards:
        said = view.must_answer("app", _address(view, shard), PORT, "DBSIZE\r\n", ":", name=shard.id)
        found = re.match(r":(\d+)", said)
        if view.is_real and (found is None or found[1] == "0"):
            raise Not("no-keys", shard=shard.id)
        counts.append(f"{shard.id}: {found[1] if found else '-'}")
    if not view.is_real:
        raise Not("needs-real")
    return ", ".join(counts)


def _address(view: View, shard: NodeGroup) -> str:
    return str(address_of(view.world, view.world[CacheCluster, shard.primary_id].nodes[0]))


def _count(shard: NodeGroup) -> int:
    return sum(last - first + 1 for first, last in shard.slots)


LESSON = Lesson(
    name="sharding",
    number=11,
    build=build,
    steps=(
        Step(
            id="create",
            judge=create,
            before="no-replication-group",
            commands=(
                f"{CREATE} --cluster-mode enabled --num-node-groups 2 --replicas-per-node-group 0"
                " --automatic-failover-enabled",
            ),
            wrong=(
                Wrong(
                    code="not-sharded",
                    commands=(f"{CREATE} --num-cache-clusters 1",),
                    undo=("aws elasticache delete-replication-group --replication-group-id catalog",),
                ),
            ),
        ),
        Step(id="keys", judge=keys, before="no-keys", commands=(inside("app", WRITE),)),
        Step(id="reshard", judge=reshard, before="too-few-shards", commands=(SHARDS,)),
    ),
)
