"""More node groups of a global datastore, fewer, or the same with their slots in balance: in all members alike.

Only in cluster mode.  The call checks all members and says what is to be in each; the control loop does it.
Source: ElastiCache API Reference, the three operations and RegionalConfiguration.
"""

from collections.abc import Mapping, Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.elasticache import errors
from atoll.elasticache.global_group import find_global, render
from atoll.elasticache.global_group_change import AT_ONCE, member_of, settled
from atoll.elasticache.shard_count import CONFIGURATIONS, begin, coming_shards, leaving_shards
from atoll.elasticache.shard_order import NO_SHARDS, SHARDS_MAX, TOO_MANY_SHARDS, shard_id
from atoll.model.cache import ReplicationGroup
from atoll.model.global_group import GlobalReplicationGroup
from atoll.model.world import Tx

NOT_SHARDED = Err(
    "InvalidParameterValue", "Global Replication Group {name} has cluster mode disabled: it has one node group."
)
NOT_MORE = Err("InvalidParameterValue", "NodeGroupCount must be greater than {before}, the number of node groups.")
NOT_FEWER = Err("InvalidParameterValue", "NodeGroupCount must be less than {before}, the number of node groups.")
UNKNOWN = Err("InvalidParameterValue", "Global Replication Group {name} has no node group {id}.")
TWICE = Err("InvalidParameterValue", "RegionalConfigurations must have one entry for replication group {name}.")
OTHER_IDS = Err(
    "InvalidParameterValue",
    "NodeGroupId of a new node group must be the same in all regions: it is one of {ids}.",
)


@operation("elasticache", "IncreaseNodeGroupsInGlobalReplicationGroup", network=True)
def increase_node_groups_in_global_replication_group(
    tx: Tx,
    *,
    global_replication_group_id: str,
    node_group_count: int,
    apply_immediately: bool,
    regional_configurations: Sequence[Shape] = (),
) -> Shape:
    """Add node groups to all members; slots go to them while clients read and write."""
    datastore, groups = _members(tx, global_replication_group_id, apply_immediately)
    known = [shard.id for shard in groups[0].node_groups]
    more = node_group_count - len(known)
    if more <= 0:
        raise NOT_MORE(before=len(known))
    if node_group_count > SHARDS_MAX:
        raise TOO_MANY_SHARDS(limit=SHARDS_MAX)
    given = _given(tx, datastore, regional_configurations)
    ids = _new_ids(known, more, given)
    for group in groups:
        asked = given.get(group.id) or [{}] * more
        new = [{**one, "NodeGroupId": id} for one, id in zip(asked[-more:], ids, strict=True)]
        with tx.acting_in(group.region):
            begin(tx, group, coming_shards(tx.world, group, more, [*asked[:-more], *new]), ())
    return _modifying(tx, datastore)


@operation("elasticache", "DecreaseNodeGroupsInGlobalReplicationGroup")
def decrease_node_groups_in_global_replication_group(
    tx: Tx,
    *,
    global_replication_group_id: str,
    node_group_count: int,
    apply_immediately: bool,
    global_node_groups_to_remove: Sequence[str] = (),
    global_node_groups_to_retain: Sequence[str] = (),
) -> Shape:
    """Have node groups give their slots to the others, and then remove them from all members."""
    datastore, groups = _members(tx, global_replication_group_id, apply_immediately)
    known = [shard.id for shard in groups[0].node_groups]
    if node_group_count < 1:
        raise NO_SHARDS()
    if node_group_count >= len(known):
        raise NOT_FEWER(before=len(known))
    removed = _named(datastore, known, global_node_groups_to_remove)
    retained = _named(datastore, known, global_node_groups_to_retain)
    leaving = leaving_shards(groups[0], node_group_count, removed, retained, what="GlobalNodeGroups")
    for group in groups:
        begin(tx, group, (), leaving)
    return _modifying(tx, datastore)


@operation("elasticache", "RebalanceSlotsInGlobalReplicationGroup")
def rebalance_slots_in_global_replication_group(
    tx: Tx, *, global_replication_group_id: str, apply_immediately: bool
) -> Shape:
    """Have all node groups own equally many slots."""
    datastore, groups = _members(tx, global_replication_group_id, apply_immediately)
    for group in groups:
        begin(tx, group, (), ())
    return _modifying(tx, datastore)


def _members(tx: Tx, name: str, apply_immediately: bool) -> tuple[GlobalReplicationGroup, list[ReplicationGroup]]:
    """Return a datastore whose node groups may change, and its members' groups, the primary first."""
    datastore, world = find_global(tx.world, name), tx.world.seen_by(None)
    if not world[ReplicationGroup, datastore.primary_id].is_sharded:
        raise NOT_SHARDED(name=datastore.name)
    if not apply_immediately:
        raise AT_ONCE()
    settled(tx, name)
    ids = sorted((m.group_id for m in datastore.members), key=lambda id: id != datastore.primary_id)
    groups = [world[ReplicationGroup, id] for id in ids]
    for group in groups:
        if group.status != "available":
            raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    return datastore, groups


def _modifying(tx: Tx, datastore: GlobalReplicationGroup) -> Shape:
    return {"GlobalReplicationGroup": render(tx.world, tx.put(datastore.but(status="modifying")))}


def _given(
    tx: Tx, datastore: GlobalReplicationGroup, configurations: Sequence[Shape]
) -> Mapping[str, Sequence[Shape]]:
    """Return what is said of the shards of each member, by the World id of its group."""
    found: dict[str, Sequence[Shape]] = {}
    for one in configurations:
        for required in ("ReplicationGroupId", "ReplicationGroupRegion", "ReshardingConfiguration"):
            if not one.get(required):
                raise errors.MISSING(name=required)
        group = member_of(tx, datastore, one["ReplicationGroupId"], one["ReplicationGroupRegion"])
        if group.id in found:
            raise TWICE(name=group.name)
        found[group.id] = one["ReshardingConfiguration"]
    return found


def _new_ids(known: Sequence[str], more: int, given: Mapping[str, Sequence[Shape]]) -> list[str]:
    """Return the ids of the new shards, the same in all members: those that somebody names, or the first free."""
    named: list[set[str]] = [set() for _ in range(more)]
    for asked in given.values():
        if len(asked) not in (more, more + len(known)):
            raise CONFIGURATIONS(new=more, count=more + len(known))
        for place, one in enumerate(asked[-more:]):
            if one.get("NodeGroupId"):
                named[place].add(shard_id(str(one["NodeGroupId"])))
    if several := next((ids for ids in named if len(ids) > 1), None):
        raise OTHER_IDS(ids=", ".join(sorted(several)))
    taken = {*known, *(id for ids in named for id in ids)}
    free = (id for n in range(1, 10_000) if (id := f"{n:04d}") not in taken)
    return [next(iter(ids), None) or next(free) for ids in named]


def _named(datastore: GlobalReplicationGroup, known: Sequence[str], given: Sequence[str]) -> list[str]:
    """Return the ids of shards that a caller names as the datastore does, or as its members do."""
    found = []
    for text in given:
        id = text.lower().removeprefix(f"{datastore.name}-").zfill(4)
        if id not in known:
            raise UNKNOWN(name=datastore.name, id=text)
        found.append(id)
    return found
