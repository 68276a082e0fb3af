"""Global datastores as DescribeGlobalReplicationGroups shows them, found by the names that callers give.

A global datastore is seen from the regions of its members, and from no other.
"""

from collections.abc import Collection

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache.shards import write_slots
from atoll.elasticache import errors
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import GlobalReplicationGroup, global_of
from atoll.model.names import arn, digest
from atoll.model.world import World

# ElastiCache User Guide, "Using the AWS CLI with global datastores", as far as they were seen; others are made up.
PREFIXES = {"us-east-1": "ldgnf", "us-east-2": "fpkhr", "us-west-1": "virxk", "us-west-2": "sgaui"}

IN_GLOBAL = Err(
    "InvalidReplicationGroupState", "Replication group {name} is part of global datastore {datastore}: {instead}"
)
REPLICA_EACH = Err(
    "InvalidParameterValue",
    "In a global datastore with cluster mode enabled each node group must have at least one replica.",
)


@operation("elasticache", "DescribeGlobalReplicationGroups")
def describe_global_replication_groups(
    world: World,
    *,
    global_replication_group_id: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
    show_member_info: bool = False,
) -> Shape:
    """List global datastores that have a member in this region, or show one."""
    name = global_replication_group_id
    found = [find_global(world, name)] if name else list(_seen(world))
    page, marker = page_query(found, lambda datastore: datastore.name, max_records, marker)
    shapes = [render(world, datastore, members=show_member_info) for datastore in page]
    return {"GlobalReplicationGroups": shapes, "Marker": marker}


def prefix_of(region: str) -> str:
    """Return what a region's global datastores are called first: five letters."""
    return PREFIXES.get(region) or "".join(chr(ord("a") + int(d, 16)) for d in digest(f"global {region}", 5))


def find_global(world: World, name: str) -> GlobalReplicationGroup:
    """Return a global datastore of the caller's account.  Raises GLOBAL_GROUP_NOT_FOUND."""
    found = next((one for one in _seen(world, everywhere=True) if one.name == name.lower()), None)
    if found is None:
        raise errors.GLOBAL_GROUP_NOT_FOUND(name=name)
    return found


def refuse_member(world: World, group: ReplicationGroup, instead: str) -> None:
    """Refuse what cannot be done to a member of a global datastore, and say what can."""
    if datastore := global_of(world, group):
        raise IN_GLOBAL(name=group.name, datastore=datastore.name, instead=instead)


def refuse_copy(world: World, group: ReplicationGroup, instead: str) -> None:
    """Refuse what cannot be done to a secondary in cluster mode, and say what can."""
    datastore = global_of(world, group)
    if datastore and group.is_sharded and group.id != datastore.primary_id:
        raise IN_GLOBAL(name=group.name, datastore=datastore.name, instead=instead)


def refuse_without_replicas(group: ReplicationGroup, gone: Collection[str] = ()) -> None:
    """Refuse shards in cluster mode that have no replica, or have none when some members are gone.

    Only a replica of what has copied from another region can be promoted: docs/global-datastores.md.
    """
    if group.is_sharded and any(len(set(shard.member_ids) - set(gone)) < 2 for shard in group.node_groups):
        raise REPLICA_EACH()


def render(world: World, datastore: GlobalReplicationGroup, *, members: bool = True) -> Shape:
    """Return a global datastore as AWS's GlobalReplicationGroup."""
    everywhere = world.seen_by(None)
    primary = everywhere[ReplicationGroup, datastore.primary_id]
    version = everywhere[CacheCluster, primary.member_ids[0]].engine_version  # a shard that goes may have no primary
    shape: Shape = {
        "GlobalReplicationGroupId": datastore.name,
        "GlobalReplicationGroupDescription": datastore.description,
        "Status": datastore.status,
        "CacheNodeType": primary.node_type,
        "Engine": primary.engine,
        "EngineVersion": version,
        "ClusterEnabled": primary.is_sharded,
        "AuthTokenEnabled": bool(primary.access.tokens),
        "TransitEncryptionEnabled": primary.tls,
        "AtRestEncryptionEnabled": primary.at_rest,
        "ARN": arn("elasticache", "", datastore.account, f"globalreplicationgroup:{datastore.name}"),
    }
    if primary.is_sharded:
        shape["GlobalNodeGroups"] = [
            {"GlobalNodeGroupId": f"{datastore.name}-{shard.id}", "Slots": write_slots(shard.slots)}
            for shard in primary.node_groups
        ]
    if members:
        groups = ((everywhere[ReplicationGroup, m.group_id], m.status) for m in datastore.members)
        shape["Members"] = [
            {
                "ReplicationGroupId": group.name,
                "ReplicationGroupRegion": group.region,
                "Role": role(datastore, group),
                "AutomaticFailover": group.automatic_failover,
                "Status": status,
            }
            for group, status in groups
        ]
    return shape


def render_info(world: World, group: ReplicationGroup) -> Shape:
    """Return a group's part in a global datastore, as AWS's GlobalReplicationGroupInfo; empty: it has none."""
    datastore = global_of(world, group)
    if datastore is None:
        return {}
    return {
        "GlobalReplicationGroupId": datastore.name,
        "GlobalReplicationGroupMemberRole": role(datastore, group),
    }


def role(datastore: GlobalReplicationGroup, group: ReplicationGroup) -> str:
    """Return AWS's word for a member's part."""
    return "PRIMARY" if group.id == datastore.primary_id else "SECONDARY"


def _seen(world: World, *, everywhere: bool = False) -> list[GlobalReplicationGroup]:
    caller, all_of_it = world.caller, world.seen_by(None)
    assert caller, "an operation has a caller"
    mine = [one for one in all_of_it.all(GlobalReplicationGroup) if one.account == caller.account]
    if everywhere:
        return mine
    return [
        one
        for one in mine
        if any(all_of_it[ReplicationGroup, m.group_id].region == caller.region for m in one.members)
    ]
