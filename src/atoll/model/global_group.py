"""Global datastores: a replication group that accepts writes, and up to two in other regions that copy from it.

The members meet on AWS's own backbone and nowhere else: their VPCs know nothing of each other, and may have the same
addresses.  On the backbone a node is known by an address that no VPC can have.

With cluster mode enabled the members have the same shards, and each copies from its like.  No engine in cluster mode
can be told of another source while it runs, so the source of a shard has one address, whoever it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.fault import dead, parting
from atoll.model.interface import Interface
from atoll.model.resource import Resource
from atoll.model.world import World

MEMBERS_MAX = 3  # a primary and two secondaries: ElastiCache User Guide, "Prerequisites and limitations"
FIRST = IPv4Address("169.254.1.0")  # of the backbone: below the addresses of PrivateLink's wires
NODES_MAX = 8192  # of a member that have an address there of their own
SOURCES = FIRST + MEMBERS_MAX * NODES_MAX  # in cluster mode: what secondaries call the primary of each shard
SOURCES_MAX = 4096
BACKBONE = IPv4Network("169.254.0.0/17")


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalMember:
    """A replication group in a global datastore; `status`: associating, associated or disassociating."""

    group_id: str  # World id of the ReplicationGroup
    number: int  # 0..2: its place on the backbone
    status: str = "associating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A change of the primary region that is under way; written down before anything is done.

    `stage`: "asked"; "demoting": the old primary follows the new one, which still follows it; "promoting": by the
    World the new one is the primary, and it is about to become it.  In cluster mode "fencing" takes the place of
    "demoting": the old primary's leaders end, each when the new one has all of it.  When the old primary is lost,
    "deposing" does: it follows the new one as in "demoting", and whoever of it cannot be told so is ended.
    """

    target_id: str  # World id of the group that is to accept writes
    stage: str = "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalReplicationGroup(Resource):
    """A global datastore.  It is in the region where it was made; its World id has its name, which is unique."""

    name: str  # ldgnf-sessions
    description: str
    status: str  # creating, primary-only, available, modifying, deleting
    members: tuple[GlobalMember, ...]
    primary_id: str  # World id of the member that accepts writes
    handover: Handover | None = None

    def member(self, group_id: str) -> GlobalMember | None:
        """Return the member that a group is; None if it is none."""
        return next((member for member in self.members if member.group_id == group_id), None)

    def source_id(self, group_id: str) -> str | None:
        """Return the World id of the group that a member copies from; None: it accepts writes."""
        member = self.member(group_id)
        if member is None or member.status == "disassociating":
            return None
        if group_id != self.primary_id:
            return self.primary_id
        return self.handover.target_id if self.handover and self.handover.stage in ("demoting", "deposing") else None


class End(NamedTuple):
    """One end of a link of the backbone."""

    interface_id: str
    address: IPv4Address  # of the node, in its VPC
    known_as: IPv4Address  # on the backbone
    port: int


class Link(NamedTuple):
    """A link of the backbone between two primaries; its ends are in the order of their interfaces' ids."""

    one: End
    other: End


def global_of(world: World, group: ReplicationGroup) -> GlobalReplicationGroup | None:
    """Return the global datastore that a group is a member of."""
    found = world.seen_by(None).get(GlobalReplicationGroup, group.global_id) if group.global_id else None
    return found if found and found.member(group.id) else None


def source_of(world: World, group: ReplicationGroup) -> ReplicationGroup | None:
    """Return the group of another region that a group copies from; None: it accepts writes."""
    datastore = global_of(world, group)
    source_id = datastore.source_id(group.id) if datastore else None
    return world.seen_by(None).get(ReplicationGroup, source_id) if source_id else None


def copies_of(world: World, group: ReplicationGroup) -> list[ReplicationGroup]:
    """Return the groups of other regions that copy from a group."""
    datastore, world = global_of(world, group), world.seen_by(None)
    ids = [member.group_id for member in datastore.members] if datastore else []
    return [world[ReplicationGroup, id] for id in ids if datastore and datastore.source_id(id) == group.id]


def on_backbone(host: str) -> bool:
    """Tell whether that is an address of the backbone, as engines write addresses."""
    try:
        return IPv4Address(host) in BACKBONE
    except ValueError:
        return False


def is_busy(world: World, group: ReplicationGroup) -> bool:
    """Tell whether a group joins, leaves or changes its part in a global datastore just now."""
    datastore = global_of(world, group)
    member = datastore.member(group.id) if datastore else None
    if datastore is None or member is None:
        return False
    changing = (datastore.primary_id, datastore.handover.target_id) if datastore.handover else ()
    joins = member.status == "associating" and group.id == datastore.primary_id
    return member.status == "disassociating" or group.id in changing or joins


def leader_of(world: World, group_id: str, shard_id: str) -> CacheCluster | None:
    """Return the leader of a member's shard; None: it has none just now."""
    world = world.seen_by(None)
    group = world.get(ReplicationGroup, group_id)
    shard = next((shard for shard in group.node_groups if shard.id == shard_id), None) if group else None
    leader = world.get(CacheCluster, shard.leader_id) if shard else None
    return leader if leader and leader.nodes else None


def end_of(world: World, datastore: GlobalReplicationGroup, group_id: str, shard_id: str) -> End | None:
    """Return where the leader of a member's shard is; None: it has none just now."""
    world = world.seen_by(None)
    leader, member = leader_of(world, group_id, shard_id), datastore.member(group_id)
    interface = world.get(Interface, leader.nodes[0].interface_id) if leader else None
    if member is None or leader is None or interface is None:
        return None
    if not leader.sharded:
        known_as = FIRST + member.number * NODES_MAX + interface.number % NODES_MAX
    elif group_id == datastore.primary_id:
        known_as = SOURCES + int(shard_id) % SOURCES_MAX
    else:
        known_as = FIRST + member.number * NODES_MAX + int(shard_id) % NODES_MAX
    return End(interface.id, interface.address, known_as, leader.port)


def is_in_step(cluster: CacheCluster | None) -> bool:
    """Tell whether a member's node has all data, as far as the World knows."""
    return cluster is not None and bool(cluster.nodes) and all(node.status == "available" for node in cluster.nodes)


def has_heir(world: World, group_id: str, shard_id: str) -> bool:
    """Tell whether a shard has a replica in step: in cluster mode, no other takes over from one that copies."""
    world = world.seen_by(None)
    group = world.get(ReplicationGroup, group_id)
    shard = next((shard for shard in group.node_groups if shard.id == shard_id), None) if group else None
    replicas = [id for id in shard.member_ids if id != shard.leader_id] if shard else []
    return any(is_in_step(world.get(CacheCluster, id)) for id in replicas)


def links(world: World) -> Iterator[Link]:
    """Yield the links of the backbone that must be there.  Costs one look-up where there is no global datastore.

    A zone that is down or cut off has no link to the backbone either.
    """
    world = world.seen_by(None)
    for datastore in world.all(GlobalReplicationGroup):
        primary = world.get(ReplicationGroup, datastore.primary_id)
        for shard in primary.node_groups if primary else ():
            for member in datastore.members:
                if link := link_of(world, datastore, member, shard.id):
                    yield link


def link_of(world: World, datastore: GlobalReplicationGroup, member: GlobalMember, shard_id: str) -> Link | None:
    """Return the link between a shard of the primary and a member's; None: it must not be there."""
    world = world.seen_by(None)
    near = end_of(world, datastore, datastore.primary_id, shard_id)
    far = end_of(world, datastore, member.group_id, shard_id)
    if near is None or far is None or member.group_id == datastore.primary_id:
        return None
    leaves = member.status == "disassociating" and world[ReplicationGroup, member.group_id].is_sharded
    if leaves and has_heir(world, member.group_id, shard_id):
        return None  # what its leader still got, the replica that is to be promoted would have to get, too
    ends = [world[Interface, end.interface_id] for end in (near, far)]
    if any(dead(world, end) for end in ends) or parting(world, ends[0].zone, ends[1].zone):
        return None
    return Link(*sorted((near, far)))
