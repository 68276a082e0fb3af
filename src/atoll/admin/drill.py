"""`atoll drill failover`: harm a replication group's primary on purpose, and say what the failover did.

Of a group in cluster mode it is the primary of the first shard, and the clients write into that one.
"""

from dataclasses import replace
from typing import Any, TypeAlias

from atoll.aws.errors import AwsError
from atoll.cache.endpoint import clustercfg_name, node_name, primary_name
from atoll.cache.resharding import progress
from atoll.cache.shards import key_in, write_slots
from atoll.cache.takeover import MANUAL
from atoll.elasticache.replication_group_change import modify_replication_group
from atoll.elasticache.shard_count import modify_replication_group_shard_configuration
from atoll.model.cache import CacheCluster, Promotion, ReplicationGroup
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.names import key
from atoll.model.world import Tx, World

FAULTS = ("kill", "hang", "partition", "planned")
Json: TypeAlias = dict[str, Any]


class NoDrill(Exception):
    """There is nothing to rehearse with, or not now."""


def group_of(world: World, name: str) -> ReplicationGroup:
    """Return the caller's group of that name.  Raises NoDrill."""
    assert world.caller, "a route has a caller"
    group = world.get(ReplicationGroup, key(world.caller.account, world.caller.region, name.lower()))
    if group is None:
        raise NoDrill(f"there is no replication group {name}")
    return group


def described(world: World, group: ReplicationGroup) -> Json:
    """Return what a drill must know of a group."""
    members = [world[CacheCluster, id] for id in group.shard.member_ids]
    primary = world[CacheCluster, group.shard.primary_id]
    return {
        "group": group.name,
        "status": group.status,
        "automatic_failover": group.automatic_failover,
        "engine": f"{primary.engine} {primary.engine_version}",
        "vpc": primary.vpc_id,
        "endpoint": clustercfg_name(group) if group.cluster_mode == "enabled" else primary_name(group),
        "tag": f"{{{key_in(group.shard.slots)}}}" if group.shard.slots else "",  # of keys that live in the shard
        "port": group.port,
        "tls": group.tls,
        "primary": primary.name,
        "members": {member.name: node_name(member, member.nodes[0].id) for member in members},
        "configuration": clustercfg_name(group) if group.is_sharded else None,
        "progress": progress(group),
        "runs": {member.name: _runs(member) for member in members},
        "slots": {shard.id: write_slots(shard.slots) for shard in group.node_groups},
    }


def _runs(member: CacheCluster) -> str:
    """Return what a member runs on, in words."""
    mode = ", in cluster mode" if member.sharded else ""
    return f"{member.engine} {member.engine_version}, {member.node_type}{mode}, {member.nodes[0].status}"


def reshard(tx: Tx, group: ReplicationGroup, count: int) -> None:
    """Ask for another number of shards; of fewer, the last ones go.  Raises NoDrill."""
    leaving = [shard.id for shard in group.node_groups[count:]]
    try:
        modify_replication_group_shard_configuration(
            tx,
            replication_group_id=group.name,
            node_group_count=count,
            apply_immediately=True,
            node_groups_to_remove=leaving,
        )
    except AwsError as error:
        raise NoDrill(error.message) from None


WISHES = ("cache_node_type", "engine", "engine_version", "cache_parameter_group_name", "cluster_mode")


def change(tx: Tx, group: ReplicationGroup, wish: Json) -> None:
    """Ask for another node type, version, engine or cluster mode, at once.  Raises NoDrill."""
    asked = {name: str(value) for name, value in wish.items() if name in WISHES and value}
    if not asked:
        raise NoDrill("nothing is to change")
    try:
        modify_replication_group(tx, replication_group_id=group.name, apply_immediately=True, **asked)  # type: ignore[arg-type]
    except AwsError as error:
        raise NoDrill(error.message) from None
    if tx.world[ReplicationGroup, group.id] == group:
        raise NoDrill(f"{group.name} is what it is to become")


def check(group: ReplicationGroup, fault: str) -> None:
    """Check that a group can stand a fault now.  Raises NoDrill."""
    if fault not in FAULTS:
        raise NoDrill(f"{fault!r} is not a fault: {', '.join(FAULTS)}")
    if group.status != "available":
        raise NoDrill(f"{group.name} is {group.status}: wait until it is available")
    if len(group.shard.member_ids) < 2:
        raise NoDrill(f"{group.name} has no replica that could take over")


def ask_planned(tx: Tx, group: ReplicationGroup) -> None:
    """Ask for a planned change of primary, to the replica that has the most."""
    group = tx.world[ReplicationGroup, group.id]
    busy = group.but(status=REPLICATION_GROUP.after(group.status, "modify"))
    tx.put(busy.with_shard(replace(group.shard, promotion=Promotion(because=MANUAL))))
