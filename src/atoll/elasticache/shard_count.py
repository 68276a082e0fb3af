"""ModifyReplicationGroupShardConfiguration: more shards, fewer, or the same with their slots in balance.

The call says what is to be; the shards come up, slots move, and shards go in the control loop.  Source: ElastiCache
API Reference, the operation and ReshardingConfiguration; User Guide, "Online resharding".
"""

from collections import Counter
from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.history import GROUP, record
from atoll.cache.slots import left
from atoll.elasticache import errors, failover, nodes
from atoll.elasticache.find import find_group
from atoll.elasticache.global_group import refuse_member
from atoll.elasticache.replica import order_like
from atoll.elasticache.replication_group import render
from atoll.elasticache.shard_create import make_shard
from atoll.elasticache.shard_order import NO_SHARDS, NODES_MAX, SHARDS_MAX, TOO_MANY_SHARDS, ShardOrder, shard_id
from atoll.model.cache import CacheCluster, ReplicationGroup, Resharding
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx, World

AT_ONCE = Err("InvalidParameterValue", "ApplyImmediately must be true: the number of node groups changes at once.")
NOT_SHARDED = Err("InvalidReplicationGroupState", "Replication group {name} does not have cluster mode enabled.")
ONE_WAY = Err(
    "InvalidParameterCombination",
    "Exactly one of {what}ToRemove and {what}ToRetain must be provided for fewer node groups.",
)
ONLY_FEWER = Err(
    "InvalidParameterCombination",
    "NodeGroupsToRemove and NodeGroupsToRetain can only be used to decrease the number of node groups.",
)
ONLY_MORE = Err(
    "InvalidParameterCombination",
    "ReshardingConfiguration can only be used to increase the number of node groups.",
)
COUNT = Err("InvalidParameterValue", "{name} must list {count} node groups, each once.")
CONFIGURATIONS = Err(
    "InvalidParameterValue",
    "ReshardingConfiguration must have one entry for each of the {new} new node groups, or for all {count}.",
)
ZONES = Err(
    "InvalidParameterCombination",
    "PreferredAvailabilityZones of a new node group must list {count} availability zones, one for each of its nodes.",
)
ZONES_HELD = Err(
    "InvalidParameterValue",
    "PreferredAvailabilityZones of node group {id} must be those where it is: {zones}.",
)
ID_TAKEN = Err("InvalidParameterValue", "NodeGroupId {id} is used by more than one node group.")


@operation("elasticache", "ModifyReplicationGroupShardConfiguration", network=True)
def modify_replication_group_shard_configuration(
    tx: Tx,
    *,
    replication_group_id: str,
    node_group_count: int,
    apply_immediately: bool,
    resharding_configuration: Sequence[Shape] = (),
    node_groups_to_remove: Sequence[str] = (),
    node_groups_to_retain: Sequence[str] = (),
) -> Shape:
    """Change a group's shards; it is `modifying` until all slots are where they belong."""
    group = find_group(tx.world, replication_group_id)
    if not apply_immediately:
        raise AT_ONCE()
    if group.cluster_mode != "enabled":
        raise NOT_SHARDED(name=group.name)
    if group.status != "available":
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    refuse_member(tx.world, group, "its node groups are those of all members, and changed with them.")
    before = len(group.node_groups)
    if node_group_count < 1:
        raise NO_SHARDS()
    if node_group_count > SHARDS_MAX:
        raise TOO_MANY_SHARDS(limit=SHARDS_MAX)
    if node_group_count >= before and (node_groups_to_remove or node_groups_to_retain):
        raise ONLY_FEWER()
    if node_group_count <= before and resharding_configuration:
        raise ONLY_MORE()
    leaving = leaving_shards(group, node_group_count, node_groups_to_remove, node_groups_to_retain)
    coming = coming_shards(tx.world, group, node_group_count - before, resharding_configuration)
    group = begin(tx, group, coming, leaving)
    return {"ReplicationGroup": render(tx.world, group)}


def begin(
    tx: Tx, group: ReplicationGroup, coming: Sequence[ShardOrder], leaving: tuple[str, ...]
) -> ReplicationGroup:
    """Add the shards that come, and write down that slots are to move."""
    before = len(group.node_groups)
    group = tx.put(group.but(status=REPLICATION_GROUP.after(group.status, "modify")))
    for one in coming:
        group = _add(tx, group, one)
    owned = {shard.id: shard.slots for shard in group.node_groups}
    whole = left(owned, owned.keys() - set(leaving))
    group = tx.put(group.but(resharding=Resharding(before=before, whole=whole, leaving=leaving)))
    after = len(group.node_groups) - len(leaving)
    told = f"Started resharding of replication group {group.name} from {before} to {after} node groups"
    record(tx, group, GROUP, group.name, told)
    return group


def leaving_shards(
    group: ReplicationGroup, count: int, remove: Sequence[str], retain: Sequence[str], *, what: str = "NodeGroups"
) -> tuple[str, ...]:
    """Return the ids of the shards that go; `what` the operation's parameters call them."""
    before = len(group.node_groups)
    if count >= before:
        return ()
    if bool(remove) == bool(retain):
        raise ONE_WAY(what=what)
    known = [shard.id for shard in group.node_groups]
    named = [shard_id(id) for id in remove or retain]
    for id in named:
        if id not in known:
            raise errors.SHARD_NOT_FOUND(id=id)
    wanted = before - count if remove else count
    if len(set(named)) != len(named) or len(named) != wanted:
        raise COUNT(name=f"{what}ToRemove" if remove else f"{what}ToRetain", count=wanted)
    return tuple(id for id in known if (id in named) == bool(remove))


def coming_shards(
    world: World, group: ReplicationGroup, more: int, configuration: Sequence[Shape]
) -> list[ShardOrder]:
    """Return the shards that come: each with as many nodes as the smallest that is there."""
    if more <= 0:
        return []
    known = [shard.id for shard in group.node_groups]
    size = min(len(shard.member_ids) for shard in group.node_groups)
    if configuration and len(configuration) not in (more, more + len(known)):
        raise CONFIGURATIONS(new=more, count=more + len(known))
    if len(configuration) > more:
        _check_present(world, group, configuration[: len(known)])
        configuration = configuration[len(known) :]
    free = (id for n in range(1, 10_000) if (id := f"{n:04d}") not in (*known, *_named(configuration)))
    orders = []
    for one in configuration or [{}] * more:
        named, zones = one.get("NodeGroupId"), tuple(one.get("PreferredAvailabilityZones") or ())
        if zones and len(zones) != size:
            raise ZONES(count=size)
        id = shard_id(str(named)) if named else next(free)
        orders.append(ShardOrder(id=id, slots=(), replicas=size - 1, zones=zones))
    for id, times in Counter([*known, *(order.id for order in orders)]).items():
        if times > 1:
            raise ID_TAKEN(id=id)
    nodes.check_quota(world, size * more)
    if len(group.member_ids) + size * more > NODES_MAX:
        raise errors.CLUSTER_NODES(limit=NODES_MAX)
    return orders


def _named(configuration: Sequence[Shape]) -> list[str]:
    return [shard_id(str(one["NodeGroupId"])) for one in configuration if one.get("NodeGroupId")]


def _check_present(world: World, group: ReplicationGroup, configuration: Sequence[Shape]) -> None:
    """Check what is said of shards that are there: they stay in their zones."""
    for shard, one in zip(group.node_groups, configuration, strict=True):
        held = sorted(world[CacheCluster, id].nodes[0].zone for id in shard.member_ids)
        if one.get("NodeGroupId") and shard_id(str(one["NodeGroupId"])) != shard.id:
            raise errors.SHARD_NOT_FOUND(id=one["NodeGroupId"])
        if sorted(one.get("PreferredAvailabilityZones") or held) != held:
            raise ZONES_HELD(id=shard.id, zones=", ".join(held))


def _add(tx: Tx, group: ReplicationGroup, one: ShardOrder) -> ReplicationGroup:
    """Add an empty shard."""
    primary = tx.world[CacheCluster, group.node_groups[0].primary_id]
    like = order_like(tx, group, primary, {})
    shard = make_shard(tx, group, like, one, len(group.node_groups))
    shards = sorted((*group.node_groups, shard), key=lambda s: s.id)
    group = tx.put(group.but(node_groups=tuple(shards)))
    if group.multi_az == "enabled":
        failover.check_spread(tx.world, group)
    return group
