"""What the leader of a shard copies from instead of being a primary: a source outside, or another region's primary.

To its own shard it is the leader as ever: the others follow it, and one of them takes its place when it is lost.
"""

from atoll.cache.node import Primary
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.fault import Fault
from atoll.model.global_group import end_of, global_of, is_in_step, leader_of, link_of
from atoll.model.interface import Interface
from atoll.model.resource import Resource
from atoll.model.world import World


def upstream(world: World, group: ReplicationGroup, shard: NodeGroup) -> Primary | None:
    """Return what a shard's leader copies from; None: it is a primary."""
    if migration := shard.migration:
        leader = world.get(CacheCluster, shard.leader_id)
        if not migration.follows or leader is None or leader.sharded:  # it is back from its migration
            return None
        return Primary(migration.address, migration.port, is_foreign=True)
    datastore = global_of(world, group)
    source_id = datastore.source_id(group.id) if datastore else None
    if datastore and _copies_on(world, group, shard):
        source_id = datastore.primary_id
    if datastore is None or source_id is None:
        return None
    end = end_of(world, datastore.but(primary_id=source_id), source_id, shard.id)  # to its copies it is the primary
    return Primary(end.known_as, end.port) if end else None


def _copies_on(world: World, group: ReplicationGroup, shard: NodeGroup) -> bool:
    """Tell whether a shard that leaves a global datastore has the data nowhere yet, and still gets them."""
    datastore = global_of(world, group)
    member = datastore.member(group.id) if datastore else None
    if datastore is None or member is None or member.status != "disassociating" or not group.is_sharded:
        return False
    lacks = not is_in_step(leader_of(world, group.id, shard.id))
    return lacks and link_of(world, datastore, member, shard.id) is not None


def may_change_role(group: ReplicationGroup, shard: NodeGroup) -> bool:
    """Tell whether a shard's leader needs a guard even if it is alone: it is told whom to copy from."""
    return shard.migration is not None or group.global_id is not None


def is_handed_over(world: World, group: ReplicationGroup) -> bool:
    """Tell whether the leaders of a group in cluster mode end, so that another region's may be promoted."""
    datastore = global_of(world, group)
    handover = datastore.handover if datastore and datastore.primary_id == group.id else None
    return handover is not None and handover.stage == "fencing"


def may_elect(world: World, group: ReplicationGroup, shard: NodeGroup) -> bool:
    """Tell whether a shard's engines in cluster mode may make a replica a primary, while no daemon runs.

    Not while a leader may begin anew with its data, or does: one that loads says nothing to the others, and what a
    replica lacks would be lost.
    """
    leader, datastore = world.get(CacheCluster, shard.leader_id), global_of(world, group)
    if leader and any(node.loads for node in leader.nodes):
        return False
    if datastore is None:
        return True
    is_settled = datastore.handover is None or datastore.handover.stage == "asked"
    return is_settled and datastore.primary_id == group.id


def upstream_sources(world: World, group: ReplicationGroup, shard: NodeGroup | None) -> tuple[Resource, ...]:
    """Return the resources outside a group that `upstream` depends on, for comparing by identity."""
    datastore = global_of(world, group)
    if datastore is None or shard is None:
        return () if datastore is None else (datastore,)
    world, source_id = world.seen_by(None), datastore.source_id(group.id)
    more: tuple[Resource | None, ...] = ()
    member = datastore.member(group.id)
    if member and member.status == "disassociating" and group.is_sharded:  # see `_copies_on`
        source_id = datastore.primary_id
        more = (*(world.get(CacheCluster, id) for id in shard.member_ids), *world.all(Fault))
    source = world.get(ReplicationGroup, source_id) if source_id else None
    leader = leader_of(world, source_id, shard.id) if source_id else None
    interface = world.get(Interface, leader.nodes[0].interface_id) if leader and leader.nodes else None
    return tuple(one for one in (datastore, source, leader, interface, *more) if one)
