"""Global datastores, step by step: what was seen of their members, and a change of the primary region.

    join      associating -> associated
    leave     disassociating -> (not a member)
    failover  asked -> demoting -> promoting -> (nothing)
              asked -> fencing  -> promoting -> (nothing), in cluster mode
              asked, demoting, fencing -> deposing -> promoting -> (nothing), when the primary is lost
    shards    every member has a `resharding` -> nobody has one, and nobody has a shard without slots

Like all observations these take a transaction without a caller and do nothing when things have moved on.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from atoll.cache.history import GROUP, record
from atoll.cache.replicated import Said, follows
from atoll.cache.transitions import settle
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import GlobalReplicationGroup, Handover, has_heir, is_in_step, leader_of
from atoll.model.world import Tx, World


def lead(said: Iterable[Said]) -> bool:
    """Tell whether the leaders of all shards are primaries, and serve: one that loads says that it is one, too."""
    found = {(one.get("role"), one.get("loading", "0")) for one in said}
    return found == {("master", "0")}


def follow(said: Collection[Said]) -> bool:
    """Tell whether the leaders of all shards have copied everything and hear of every change."""
    return bool(said) and all(map(follows, said))


def associated(tx: Tx, id: str, group_id: str) -> None:
    """Tell that a member is in its place: the primary accepts writes, or a secondary copies them."""
    datastore = tx.get(GlobalReplicationGroup, id)
    member = datastore.member(group_id) if datastore else None
    if datastore is None or member is None or member.status != "associating":
        return
    others = tuple(replace(m, status="associated") if m is member else m for m in datastore.members)
    _put(tx, datastore.but(members=others))
    _tell(tx, group_id, f"is associated with global datastore {datastore.name}")


def left(tx: Tx, id: str, group_id: str) -> None:
    """Tell that a member stands alone, and accepts writes of its own."""
    datastore = tx.get(GlobalReplicationGroup, id)
    member = datastore.member(group_id) if datastore else None
    if datastore is None or member is None or member.status != "disassociating":
        return
    _forget(tx, group_id)
    _put(tx, datastore.but(members=tuple(m for m in datastore.members if m is not member)))
    _tell(tx, group_id, f"is disassociated from global datastore {datastore.name}")


def deleted(tx: Tx, id: str) -> None:
    """Tell that a global datastore is gone; its primary stands alone."""
    datastore = tx.get(GlobalReplicationGroup, id)
    if datastore is None or datastore.status != "deleting":
        return
    for member in datastore.members:
        _forget(tx, member.group_id)
    tx.delete(datastore)


def demoting(tx: Tx, id: str) -> None:
    """Tell that the primary takes no writes, the target has all of them, and the primary is to follow it."""
    _move(tx, id, "asked", "demoting")


def fencing(tx: Tx, id: str) -> None:
    """Tell that the primary's leaders, of engines in cluster mode, end: each when the target has all of it."""
    datastore = tx.get(GlobalReplicationGroup, id)
    if datastore and datastore.handover and obstacle(tx.world, datastore) is None:
        _move(tx, id, "asked", "fencing")


def obstacle(world: World, datastore: GlobalReplicationGroup) -> str | None:
    """Say why the primary's leaders must not end, of engines in cluster mode; None: they may.

    A change of primary within its region may be known to clients and not to us.  The target's leaders cannot be
    promoted themselves, and give nobody the data any more when those that they copy from have ended.
    """
    assert datastore.handover, "one is under way"
    both = (datastore.primary_id, datastore.handover.target_id)
    primary, target = (world.get(ReplicationGroup, id) for id in both)
    if primary is None or target is None:
        return "a member is gone"
    if changing := next((s for s in primary.node_groups if s.promotion or s.source_id), None):
        return f"node group {changing.id} of {primary.name} is changing its primary"
    for shard in target.node_groups:
        if not is_in_step(leader_of(world, target.id, shard.id)):
            return f"the leading node of its node group {shard.id} does not have all data"
    return without_heir(world, datastore)


def without_heir(world: World, datastore: GlobalReplicationGroup) -> str | None:
    """Say which node group of a target in cluster mode has nobody who could be promoted; None: all have."""
    assert datastore.handover, "one is under way"
    target = world.get(ReplicationGroup, datastore.handover.target_id)
    if target is None or not target.is_sharded:
        return None
    lacking = next((shard.id for shard in target.node_groups if not has_heir(world, target.id, shard.id)), None)
    return f"no replica of its node group {lacking} has all data" if lacking else None


def without_data(world: World, datastore: GlobalReplicationGroup) -> str | None:
    """Say which node group of a target in cluster mode has nobody with all data; None: all have.

    A replica that has them takes over from their leader; a leader that alone has them begins anew with them.
    """
    assert datastore.handover, "one is under way"
    target = world.get(ReplicationGroup, datastore.handover.target_id)
    for shard in target.node_groups if target and target.is_sharded else ():
        if not any(is_in_step(world.get(CacheCluster, id)) for id in shard.member_ids):
            return f"nobody of its node group {shard.id} has all data"
    return None


def deposing(tx: Tx, id: str) -> None:
    """Tell that the primary is lost: it is to take no writes any more, whether it answers or not."""
    for stage in ("asked", "demoting", "fencing"):
        _move(tx, id, stage, "deposing")


def back(tx: Tx, id: str) -> None:
    """Tell that the primary had taken more: it leads on, and the change begins anew."""
    _move(tx, id, "demoting", "asked")


def taken_over(tx: Tx, id: str) -> None:
    """Tell that the target is to be the primary, with all that it has."""
    datastore = tx.get(GlobalReplicationGroup, id)
    if datastore is None or datastore.handover is None or datastore.handover.stage == "promoting":
        return
    target, old = datastore.handover.target_id, datastore.primary_id
    lead_with_data(tx, target)
    handover = Handover(target_id=old, stage="promoting")  # of both, until the target is a primary indeed
    tx.put(datastore.but(primary_id=target, handover=handover))


def lead_with_data(tx: Tx, group_id: str) -> None:
    """Have members lead that have the data, where a leader in cluster mode starts anew and has none."""
    group = tx.get(ReplicationGroup, group_id)
    for shard in group.node_groups if group and group.is_sharded else ():
        ready = [id for id in shard.member_ids if is_in_step(tx.get(CacheCluster, id))]
        if ready and shard.leader_id not in ready and (now := tx.get(ReplicationGroup, group_id)):
            tx.put(now.with_shard(replace(shard, primary_id=ready[0], source_id=None, promotion=None)))


def given_up(tx: Tx, id: str, because: str) -> None:
    """Tell that a change of the primary region was given up, before the target could be promoted."""
    datastore = tx.get(GlobalReplicationGroup, id)
    stage = datastore.handover.stage if datastore and datastore.handover else None
    if datastore is None or datastore.handover is None or stage not in ("asked", "fencing", "deposing"):
        return
    target = datastore.handover.target_id
    _put(tx, datastore.but(handover=None))
    _tell(tx, target, f"was not promoted in global datastore {datastore.name}: {because}")


def not_yet_promoted(tx: Tx, id: str, left: str) -> None:
    """Tell which node groups of the new primary have nobody yet who takes writes."""
    datastore = tx.get(GlobalReplicationGroup, id)
    group = tx.get(ReplicationGroup, datastore.primary_id) if datastore else None
    if datastore is None or group is None or datastore.handover is None or datastore.handover.stage != "promoting":
        return
    because = f"nobody leads its node groups {left} yet, and nobody else takes their writes"
    _tell(tx, group.id, f"is to be the primary of global datastore {datastore.name}: {because}")


def promoted(tx: Tx, id: str) -> None:
    """Tell that the new primary is one."""
    datastore = tx.get(GlobalReplicationGroup, id)
    if datastore is None or datastore.handover is None or datastore.handover.stage != "promoting":
        return
    _put(tx, datastore.but(handover=None))
    _tell(tx, datastore.primary_id, f"is now the primary of global datastore {datastore.name}")


def is_reshaped(world: World, datastore: GlobalReplicationGroup) -> bool:
    """Tell whether a change of the shards is over that a datastore has been in until now."""
    if datastore.status != "modifying" or datastore.handover:
        return False
    return all(m.status == "associated" for m in datastore.members) and not _reshapes(world, datastore)


def reshaped(tx: Tx, id: str) -> None:
    """Tell that all members have the shards that they are to have."""
    datastore = tx.get(GlobalReplicationGroup, id)
    if datastore and is_reshaped(tx.world, datastore):
        _put(tx, datastore)


def _reshapes(world: World, datastore: GlobalReplicationGroup) -> bool:
    groups = [world.seen_by(None)[ReplicationGroup, member.group_id] for member in datastore.members]
    return any(g.resharding or (g.is_sharded and not all(s.slots for s in g.node_groups)) for g in groups)


def _move(tx: Tx, id: str, stage: str, to: str) -> None:
    datastore = tx.get(GlobalReplicationGroup, id)
    if datastore and datastore.handover and datastore.handover.stage == stage:
        tx.put(datastore.but(handover=replace(datastore.handover, stage=to)))


def _put(tx: Tx, datastore: GlobalReplicationGroup) -> None:
    """Put a datastore with the status that its members make, and let their groups become available."""
    statuses = {member.status for member in datastore.members}
    changes = datastore.handover is not None or _reshapes(tx.world, datastore)
    if datastore.status != "deleting" and not changes and statuses == {"associated"}:
        datastore = datastore.but(status="primary-only" if len(datastore.members) == 1 else "available")
    tx.put(datastore)
    for member in datastore.members:
        if group := tx.get(ReplicationGroup, member.group_id):
            settle(tx, group.shard.primary_id)


def _forget(tx: Tx, group_id: str) -> None:
    if group := tx.get(ReplicationGroup, group_id):
        tx.put(group.but(global_id=None))
        settle(tx, group.shard.primary_id)


def _tell(tx: Tx, group_id: str, said: str) -> None:
    if group := tx.get(ReplicationGroup, group_id):
        record(tx, group, GROUP, group.name, f"Replication group {group.name} {said}")
