"""IncreaseReplicaCount and DecreaseReplicaCount.

Source: ElastiCache API Reference, both operations and ConfigureShard; User Guide, "Changing the number of replicas".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.shards import member_name
from atoll.elasticache import errors, nodes
from atoll.elasticache.cluster_change import is_deletable, start_deleting
from atoll.elasticache.cluster_mode import refuse
from atoll.elasticache.find import find_group, owner_key
from atoll.elasticache.global_group import refuse_without_replicas
from atoll.elasticache.replica import MEMBERS_MAX, join_replicas
from atoll.elasticache.replication_group import render
from atoll.model.cache import CacheCluster, NodeGroup, ReplicationGroup
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx, World

REPLICAS_MAX = MEMBERS_MAX - 1

AT_ONCE = Err("InvalidParameterValue", "ApplyImmediately must be true: the number of replicas changes at once.")
ONE_WAY = Err("InvalidParameterCombination", "Exactly one of {names} must be provided.")
TOO_MANY = Err("InvalidParameterValue", "The number of replicas must be from {low} to {high}; {got} were asked for.")
NOT_MORE = Err(
    "InvalidParameterValue", "NewReplicaCount {got} must be more than the present number of replicas, {now}."
)
NOT_FEWER = Err(
    "InvalidParameterValue", "NewReplicaCount {got} must be less than the present number of replicas, {now}."
)
NO_CHANGE = Err("NoOperationFault", "The operation was not performed because no changes were required.")
ONE_SHARD = Err("InvalidParameterValue", "ReplicaConfiguration must name each node group once.")
ZONES = Err(
    "InvalidParameterCombination",
    "PreferredAvailabilityZones must list {count} availability zones: one for the primary and one for each replica.",
)
ZONES_HELD = Err(
    "InvalidParameterValue",
    "PreferredAvailabilityZones must include the availability zones of the cache clusters that stay: {zones}.",
)
KEEP_ONE = Err(
    "InvalidParameterValue", "Must have at least 1 replica when cluster mode is disabled with auto failover enabled."
)
KEEP_ONE_MULTI_AZ = Err("InvalidParameterValue", "Must have at least 1 replica when Multi-AZ is enabled.")
NOT_A_REPLICA = Err("InvalidParameterValue", "Cache cluster {name} is not a replica of replication group {group}.")
PRIMARY = Err("InvalidParameterValue", "Cache cluster {name} is the primary of replication group {group}.")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one shard is to have."""

    shard: NodeGroup
    replicas: int
    zones: tuple[str, ...] = ()  # of all its members; none: as they come


@operation("elasticache", "IncreaseReplicaCount", network=True)
def increase_replica_count(
    tx: Tx,
    *,
    replication_group_id: str,
    apply_immediately: bool,
    new_replica_count: int | None = None,
    replica_configuration: Sequence[Shape] = (),
) -> Shape:
    """Add replicas; the group is `modifying` until they have all data."""
    group = _available(tx.world, replication_group_id, at_once=apply_immediately)
    refuse(group, "IncreaseReplicaCount")
    if (new_replica_count is None) == (not replica_configuration):
        raise ONE_WAY(names="NewReplicaCount and ReplicaConfiguration")
    for wish in _wishes(group, new_replica_count, replica_configuration):
        present = len(wish.shard.member_ids) - 1
        if not 0 <= wish.replicas <= REPLICAS_MAX:
            raise TOO_MANY(low=1, high=REPLICAS_MAX, got=wish.replicas)
        if wish.replicas == present:
            raise NO_CHANGE()
        if wish.replicas < present:
            raise NOT_MORE(got=wish.replicas, now=present)
        more = wish.replicas - present
        nodes.check_quota(tx.world, more)
        names = _free_names(tx.world, group, wish.shard, more)
        group = tx.world[ReplicationGroup, group.id]  # with the replicas of the shards before
        join_replicas(tx, group, wish.shard, names, _new_zones(tx.world, wish), {})
    return {"ReplicationGroup": render(tx.world, tx.world[ReplicationGroup, group.id])}


@operation("elasticache", "DecreaseReplicaCount", network=True)
def decrease_replica_count(
    tx: Tx,
    *,
    replication_group_id: str,
    apply_immediately: bool,
    new_replica_count: int | None = None,
    replica_configuration: Sequence[Shape] = (),
    replicas_to_remove: Sequence[str] = (),
) -> Shape:
    """Remove replicas: those named, those in zones that are not to be used any more, or the last ones."""
    group = _available(tx.world, replication_group_id, at_once=apply_immediately)
    refuse(group, "DecreaseReplicaCount")
    ways = (new_replica_count is not None, bool(replica_configuration), bool(replicas_to_remove))
    if sum(ways) != 1:
        raise ONE_WAY(names="NewReplicaCount, ReplicaConfiguration and ReplicasToRemove")
    if replicas_to_remove:
        leaving = _named(tx.world, group, replicas_to_remove)
    else:
        wishes = _wishes(group, new_replica_count, replica_configuration)
        leaving = [cluster for wish in wishes for cluster in _surplus(tx.world, wish)]
    _check_rest(group, leaving)
    if group.global_id:
        refuse_without_replicas(group, [cluster.id for cluster in leaving])
    for cluster in leaving:
        if not is_deletable(tx, cluster):
            raise errors.CLUSTER_NOT_AVAILABLE(name=cluster.name)
    group = tx.put(group.but(status=REPLICATION_GROUP.after(group.status, "modify")))
    for cluster in leaving:
        start_deleting(tx, cluster)
    return {"ReplicationGroup": render(tx.world, group)}


def _available(world: World, name: str, *, at_once: bool) -> ReplicationGroup:
    group = find_group(world, name)
    if not at_once:
        raise AT_ONCE()
    if group.status != "available":
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    return group


def _wishes(group: ReplicationGroup, count: int | None, configuration: Sequence[Shape]) -> list[Wish]:
    """Return what the shards are to have: the same for all, or as configured for some."""
    if count is not None:
        return [Wish(shard, count) for shard in group.node_groups]
    known = {shard.id: shard for shard in group.node_groups}
    asked = [str(one["NodeGroupId"]) for one in configuration]
    for id in asked:
        if id not in known:
            raise errors.SHARD_NOT_FOUND(id=id)
    if len(set(asked)) != len(asked):
        raise ONE_SHARD()
    wishes = []
    for one in configuration:
        if one.get("PreferredOutpostArns"):
            raise errors.UNSUPPORTED(what="PreferredOutpostArns", because="there are no outposts.")
        replicas, zones = int(one["NewReplicaCount"]), tuple(one.get("PreferredAvailabilityZones") or ())
        if zones and len(zones) != replicas + 1:
            raise ZONES(count=replicas + 1)
        wishes.append(Wish(known[one["NodeGroupId"]], replicas, zones))
    return wishes


def _zones(world: World, shard: NodeGroup) -> list[str]:
    return [world[CacheCluster, id].nodes[0].zone for id in shard.member_ids]


def _new_zones(world: World, wish: Wish) -> list[str]:
    """Return the zones of the new replicas: those listed, less those of the members that are there."""
    if not wish.zones:
        return []
    held = Counter(_zones(world, wish.shard))
    if held - Counter(wish.zones):
        raise ZONES_HELD(zones=", ".join(sorted(held.elements())))
    return list((Counter(wish.zones) - held).elements())


def _free_names(world: World, group: ReplicationGroup, shard: NodeGroup, count: int) -> list[str]:
    """Return names for new members: the lowest numbers that nothing has."""
    in_shard = group.cluster_mode == "enabled"
    numbers = (member_name(group.name, shard.id, n) if in_shard else f"{group.name}-{n:03d}" for n in range(1, 1000))
    free = (name for name in numbers if world.get(CacheCluster, owner_key(world, name)) is None)
    return [next(free) for _ in range(count)]


def _named(world: World, group: ReplicationGroup, names: Sequence[str]) -> list[CacheCluster]:
    """Return the replicas that a caller wants to be rid of."""
    found = []
    for name in dict.fromkeys(name.lower() for name in names):
        cluster = world.get(CacheCluster, owner_key(world, name))
        if cluster is None or group.shard_of(cluster.id) is None:
            raise NOT_A_REPLICA(name=name, group=group.name)
        if cluster.id in group.primary_ids:
            raise PRIMARY(name=name, group=group.name)
        found.append(cluster)
    return found


def _surplus(world: World, wish: Wish) -> list[CacheCluster]:
    """Return the replicas that a shard has too much: first those of zones that are not listed, else the last."""
    replicas = [world[CacheCluster, id] for id in wish.shard.member_ids if id != wish.shard.primary_id]
    if wish.replicas < 0:
        raise TOO_MANY(low=0, high=REPLICAS_MAX, got=wish.replicas)
    if wish.replicas == len(replicas):
        raise NO_CHANGE()
    if wish.replicas > len(replicas):
        raise NOT_FEWER(got=wish.replicas, now=len(replicas))
    primary = world[CacheCluster, wish.shard.primary_id]
    room = Counter(wish.zones) - Counter([primary.nodes[0].zone])
    if wish.zones and (room.total() != wish.replicas or room - Counter(r.nodes[0].zone for r in replicas)):
        raise ZONES_HELD(zones=", ".join(sorted(_zones(world, wish.shard))))
    staying: list[CacheCluster] = []
    for replica in replicas:
        zone = replica.nodes[0].zone
        fits = room[zone] > 0 if wish.zones else len(staying) < wish.replicas
        if fits:
            room[zone] -= 1
            staying.append(replica)
    return [replica for replica in replicas if replica not in staying]


def _check_rest(group: ReplicationGroup, leaving: Sequence[CacheCluster]) -> None:
    """Check that automatic failover keeps a replica in each shard."""
    gone = {cluster.id for cluster in leaving}
    for shard in group.node_groups:
        left = [id for id in shard.member_ids if id not in gone]
        if len(left) < 2 and group.multi_az == "enabled":
            raise KEEP_ONE_MULTI_AZ()
        if len(left) < 2 and group.automatic_failover == "enabled" and group.cluster_mode != "enabled":
            raise KEEP_ONE()
