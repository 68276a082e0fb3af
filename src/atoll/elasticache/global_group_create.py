"""CreateGlobalReplicationGroup, and the groups of other regions that join one as they are created."""

import re
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.shards import write_slots
from atoll.elasticache import errors
from atoll.elasticache.find import find_group
from atoll.elasticache.global_group import find_global, prefix_of, refuse_member, refuse_without_replicas, render
from atoll.elasticache.global_parameters import own_parameters
from atoll.elasticache.order import Asked
from atoll.elasticache.shard_create import Layout
from atoll.elasticache.shard_order import shard_id
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.classic import network_of
from atoll.model.global_group import MEMBERS_MAX, GlobalMember, GlobalReplicationGroup
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx

# ElastiCache User Guide, "Prerequisites and limitations": not older than M5 and R5, and no burstable ones.
SMALL = re.compile(r"cache\.(t|m[1-4]|r[1-4]|c1)[a-z0-9]*\.")
_SUFFIX = re.compile(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,39}")

BAD_SUFFIX = Err(
    "InvalidParameterValue",
    "The parameter GlobalReplicationGroupIdSuffix must contain only ASCII letters, digits and single hyphens, and "
    "not begin or end with a hyphen.",
)
EXISTS = Err("GlobalReplicationGroupAlreadyExistsFault", "Global Replication Group {name} already exists.")
TOO_SMALL = Err("InvalidParameterValue", "Node type {got} is not supported by global datastores.")
HALFWAY = Err(
    "InvalidParameterValue",
    "Replication group {name} is in cluster mode compatible: make it enabled or disabled first.",
)
SAME_SHARDS = Err(
    "InvalidParameterCombination",
    "The node groups of a secondary replication group must be those of its global datastore: {wanted}.",
)
NOT_CLASSIC = Err("InvalidParameterValue", "Global datastores are supported in a VPC only.")
NOT_AVAILABLE = Err(
    "InvalidGlobalReplicationGroupState", "Global Replication Group {name} is not in available state."
)
FULL = Err("InvalidParameterValue", "Global Replication Group {name} has {limit} members, the most that it can have.")
SAME_REGION = Err("InvalidParameterValue", "Global Replication Group {name} already has a member in region {region}.")
DIFFERENT = Err(
    "InvalidParameterCombination",
    "{name} of a secondary replication group must be that of its global datastore, {wanted}.",
)
EXISTING = Err(
    "InvalidParameterCombination",
    "A cluster or snapshot cannot be used with GlobalReplicationGroupId: the data are those of the primary.",
)


@operation("elasticache", "CreateGlobalReplicationGroup")
def create_global_replication_group(
    tx: Tx,
    *,
    global_replication_group_id_suffix: str,
    primary_replication_group_id: str,
    global_replication_group_description: str = "",
) -> Shape:
    """Make a global datastore of a group, its primary; it is `primary-only` until another region's group joins."""
    if not _SUFFIX.fullmatch(global_replication_group_id_suffix):
        raise BAD_SUFFIX()
    group = find_group(tx.world, primary_replication_group_id)
    if group.status != "available":
        raise errors.GROUP_NOT_AVAILABLE(name=group.name)
    refuse_member(tx.world, group, "it can be in one only.")
    if SMALL.match(group.node_type):
        raise TOO_SMALL(got=group.node_type)
    if group.cluster_mode == "compatible":
        raise HALFWAY(name=group.name)
    refuse_without_replicas(group)
    if network_of(tx.world):
        raise NOT_CLASSIC()
    name = f"{prefix_of(tx.region)}-{global_replication_group_id_suffix.lower()}"
    id = f"{tx.account}/global/{name}"
    if tx.world.seen_by(None).get(GlobalReplicationGroup, id):
        raise EXISTS(name=name)
    datastore = tx.make(
        GlobalReplicationGroup,
        id,
        name=name,
        description=global_replication_group_description,
        status="creating",
        members=(GlobalMember(group_id=group.id, number=0),),
        primary_id=group.id,
    )
    own_parameters(tx, datastore, group)
    tx.put(group.but(global_id=id, status=REPLICATION_GROUP.after(group.status, "modify")))
    return {"GlobalReplicationGroup": render(tx.world, datastore)}


def joining(
    tx: Tx, name: str | None, asked: Asked, engine: str | None, existing: object
) -> tuple[Asked, GlobalReplicationGroup | None]:
    """Return what is asked for a group that is to join a global datastore: it is like the primary.

    `engine` is what the caller gave; `existing`: data that were to be the new group's own.  None: it joins none.
    """
    if not name:
        return asked, None
    datastore, world = _joinable(tx, name, existing), tx.world.seen_by(None)
    like = world[CacheCluster, world[ReplicationGroup, datastore.primary_id].shard.primary_id]
    wanted = (
        ("Engine", engine and engine.lower(), (like.engine,)),
        ("CacheNodeType", asked.node_type, (like.node_type,)),
        ("EngineVersion", asked.engine_version, (like.engine_version, like.requested_version)),
        ("TransitEncryptionMode", asked.tls, (like.encryption or "none",)),
    )
    for parameter, given, own in wanted:
        if given and given not in own:
            raise DIFFERENT(name=parameter, wanted=own[0])
    alike = replace(
        asked,
        engine=like.engine,
        engine_version=like.requested_version,
        node_type=like.node_type,
        at_rest=like.at_rest,
        tls=like.encryption,
    )
    return alike, datastore


def arranged(tx: Tx, datastore: GlobalReplicationGroup | None, layout: Layout) -> Layout:
    """Return the layout of a group that is to join: in cluster mode it has the node groups of the primary."""
    primary = tx.world.seen_by(None)[ReplicationGroup, datastore.primary_id] if datastore else None
    if primary is None or not primary.is_sharded:
        return layout
    if layout.mode not in (None, "enabled"):
        raise DIFFERENT(name="ClusterMode", wanted="enabled")
    if layout.shards not in (None, len(primary.node_groups)):
        raise DIFFERENT(name="NumNodeGroups", wanted=len(primary.node_groups))
    own = {shard.id: write_slots(shard.slots) for shard in primary.node_groups}
    given = {shard_id(str(one.get("NodeGroupId") or n)): one for n, one in enumerate(layout.configuration, 1)}
    others = any(one.get("Slots") not in (None, "", own.get(id)) for id, one in given.items())
    if given and (given.keys() != own.keys() or others):
        raise SAME_SHARDS(wanted=", ".join(f"{id} with slots {slots}" for id, slots in own.items()))
    replicas = layout.replicas
    if replicas is None and not given:
        replicas = min(len(shard.member_ids) for shard in primary.node_groups) - 1
    configuration = [{**given.get(id, {}), "NodeGroupId": id, "Slots": slots} for id, slots in own.items()]
    automatic = layout.automatic_failover is not False
    return replace(
        layout, mode="enabled", automatic_failover=automatic, replicas=replicas, configuration=configuration
    )


def _joinable(tx: Tx, name: str, existing: object) -> GlobalReplicationGroup:
    """Return a datastore that a new group of this region may join."""
    datastore, world = find_global(tx.world, name), tx.world.seen_by(None)
    if existing:
        raise EXISTING()
    if datastore.status not in ("primary-only", "available"):
        raise NOT_AVAILABLE(name=datastore.name)
    if len(datastore.members) >= MEMBERS_MAX:
        raise FULL(name=datastore.name, limit=MEMBERS_MAX)
    if any(world[ReplicationGroup, m.group_id].region == tx.region for m in datastore.members):
        raise SAME_REGION(name=datastore.name, region=tx.region)
    if network_of(tx.world):
        raise NOT_CLASSIC()
    return datastore


def join(tx: Tx, datastore: GlobalReplicationGroup, group: ReplicationGroup) -> ReplicationGroup:
    """Make a new group a secondary: it becomes available when it has copied everything."""
    if group.cluster_mode != (mode := tx.world.seen_by(None)[ReplicationGroup, datastore.primary_id].cluster_mode):
        raise DIFFERENT(name="ClusterMode", wanted=mode)
    refuse_without_replicas(group)
    taken = {member.number for member in datastore.members}
    number = next(n for n in range(MEMBERS_MAX) if n not in taken)
    member = GlobalMember(group_id=group.id, number=number)
    tx.put(replace(datastore, status="modifying", members=(*datastore.members, member)))
    own_parameters(tx, datastore, group)
    return tx.put(group.but(global_id=datastore.id))
