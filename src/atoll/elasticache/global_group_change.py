"""ModifyGlobalReplicationGroup, FailoverGlobalReplicationGroup, and how a global datastore ends."""

from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.global_group import lead_with_data
from atoll.cache.history import GROUP, record
from atoll.elasticache import checks, failover
from atoll.elasticache.global_group import find_global, render
from atoll.elasticache.global_group_create import NOT_AVAILABLE
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import GlobalReplicationGroup, Handover
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx

AT_ONCE = Err("InvalidParameterValue", "ApplyImmediately must be true: a global datastore changes at once.")
NOT_A_MEMBER = Err(
    "InvalidParameterValue", "Replication group {name} of region {region} is not a member of {datastore}."
)
PRIMARY_ALREADY = Err("InvalidParameterValue", "Replication group {name} is the primary of {datastore} already.")
PRIMARY_STAYS = Err(
    "InvalidParameterValue",
    "Replication group {name} is the primary of {datastore}: remove the secondaries, then delete that.",
)
HAS_SECONDARIES = Err(
    "InvalidGlobalReplicationGroupState", "Global Replication Group {name} has secondaries: disassociate them first."
)
RETAIN = Err(
    "InvalidParameterValue",
    "RetainPrimaryReplicationGroup must be true: a primary is never deleted with its global datastore.",
)
KEPT = "the members of a global datastore keep it: it is not changed on both sides at once here."


@operation("elasticache", "ModifyGlobalReplicationGroup")
def modify_global_replication_group(
    tx: Tx,
    *,
    global_replication_group_id: str,
    apply_immediately: bool,
    cache_node_type: str | None = None,
    engine: str | None = None,
    engine_version: str | None = None,
    cache_parameter_group_name: str | None = None,
    global_replication_group_description: str | None = None,
    automatic_failover_enabled: bool | None = None,
) -> Shape:
    """Change the description, or turn automatic failover of all members on or off."""
    datastore = settled(tx, global_replication_group_id)
    if not apply_immediately:
        raise AT_ONCE()
    world = tx.world.seen_by(None)
    primary = world[ReplicationGroup, datastore.primary_id]
    like = world[CacheCluster, primary.shard.primary_id]
    checks.refuse_unless(cache_node_type, primary.node_type, "CacheNodeType", KEPT)
    checks.refuse_unless(engine, primary.engine, "Engine", KEPT)
    if engine_version != like.requested_version:
        checks.refuse_unless(engine_version, like.engine_version, "EngineVersion", KEPT)
    checks.refuse_unless(cache_parameter_group_name, like.parameter_group, "CacheParameterGroupName", KEPT)
    groups = [world[ReplicationGroup, member.group_id] for member in datastore.members]
    settings = [failover.changed_settings(world, group, automatic_failover_enabled, None) for group in groups]
    for group, wanted in zip(groups, settings, strict=True):
        if wanted.automatic_failover != group.automatic_failover:
            changed = group.but(automatic_failover=wanted.automatic_failover, multi_az=wanted.multi_az)
            failover.tell(tx, tx.put(changed))
    if global_replication_group_description is not None:
        datastore = tx.put(datastore.but(description=global_replication_group_description))
    return {"GlobalReplicationGroup": render(tx.world, datastore)}


@operation("elasticache", "FailoverGlobalReplicationGroup")
def failover_global_replication_group(
    tx: Tx, *, global_replication_group_id: str, primary_region: str, primary_replication_group_id: str
) -> Shape:
    """Make a secondary the primary: with everything, while the primary answers; else with what it has."""
    datastore = settled(tx, global_replication_group_id)
    group = member_of(tx, datastore, primary_replication_group_id, primary_region)
    if group.id == datastore.primary_id:
        raise PRIMARY_ALREADY(name=group.name, datastore=datastore.name)
    datastore = tx.put(datastore.but(status="modifying", handover=Handover(target_id=group.id)))
    for id in (group.id, datastore.primary_id):
        one = _busy(tx, tx.world.seen_by(None)[ReplicationGroup, id])
        record(tx, one, GROUP, one.name, f"Failover Global API called for global datastore {datastore.name}")
    return {"GlobalReplicationGroup": render(tx.world, datastore)}


@operation("elasticache", "DisassociateGlobalReplicationGroup")
def disassociate_global_replication_group(
    tx: Tx, *, global_replication_group_id: str, replication_group_id: str, replication_group_region: str
) -> Shape:
    """Let a secondary go: it keeps its data, and accepts writes of its own."""
    datastore = settled(tx, global_replication_group_id)
    group = member_of(tx, datastore, replication_group_id, replication_group_region)
    if group.id == datastore.primary_id:
        raise PRIMARY_STAYS(name=group.name, datastore=datastore.name)
    members = tuple(replace(m, status="disassociating") if m.group_id == group.id else m for m in datastore.members)
    datastore = tx.put(datastore.but(status="modifying", members=members))
    _busy(tx, group)
    lead_with_data(tx, group.id)
    return {"GlobalReplicationGroup": render(tx.world, datastore)}


@operation("elasticache", "DeleteGlobalReplicationGroup")
def delete_global_replication_group(
    tx: Tx, *, global_replication_group_id: str, retain_primary_replication_group: bool
) -> Shape:
    """Delete a global datastore without secondaries; its primary goes on as a group of its own."""
    datastore = find_global(tx.world, global_replication_group_id)
    if len(datastore.members) > 1:
        raise HAS_SECONDARIES(name=datastore.name)
    if datastore.status != "primary-only":
        raise NOT_AVAILABLE(name=datastore.name)
    if not retain_primary_replication_group:
        raise RETAIN()
    datastore = tx.put(datastore.but(status="deleting"))
    return {"GlobalReplicationGroup": render(tx.world, datastore)}


def settled(tx: Tx, name: str) -> GlobalReplicationGroup:
    """Return a datastore that nothing is changing.  Raises NOT_AVAILABLE."""
    datastore = find_global(tx.world, name)
    if datastore.status not in ("available", "primary-only"):
        raise NOT_AVAILABLE(name=datastore.name)
    return datastore


def member_of(tx: Tx, datastore: GlobalReplicationGroup, name: str, region: str) -> ReplicationGroup:
    """Return the group of a member.  Raises NOT_A_MEMBER."""
    world = tx.world.seen_by(None)
    groups = (world[ReplicationGroup, member.group_id] for member in datastore.members)
    found = next((group for group in groups if (group.name, group.region) == (name.lower(), region)), None)
    if found is None:
        raise NOT_A_MEMBER(name=name, region=region, datastore=datastore.name)
    return found


def _busy(tx: Tx, group: ReplicationGroup) -> ReplicationGroup:
    if REPLICATION_GROUP.allows(group.status, "modify"):
        return tx.put(group.but(status=REPLICATION_GROUP.after(group.status, "modify")))
    return group
