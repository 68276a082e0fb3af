"""Placement: on which host an instance stands, as its placement group asks; without one, where it is emptiest.

    cluster     all on one rack, so in one zone
    partition   partitions share no rack; without a number an instance joins the smallest partition
    spread      no two on one rack (or, at that level, on one host); at most seven running in a zone

Source: EC2 User Guide, "Placement strategies for your placement groups".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.ec2.errors import BAD_COMBINATION, BAD_VALUE, UNSUPPORTED
from atoll.ec2.kinds import find
from atoll.ec2.placement_group import find_named, members
from atoll.model.fault import standing_hosts
from atoll.model.hardware import emptiest, rack_of
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.placement_group import PlacementGroup
from atoll.model.world import World

SPREAD_MAX = 7  # running instances of a group in a zone

OTHER_ZONE = Err(
    "InvalidPlacementGroup.InUse", "The placement group '{name}' is in use in another availability zone: {zone}"
)
NOT_FOR_TYPE = Err(
    "InvalidParameterCombination",
    "Cluster placement groups are not supported by the '{type}' instance type. Specify a supported instance type or "
    "change the placement group strategy, and try again.",
)
NO_CAPACITY = Err(
    "InsufficientInstanceCapacity",
    "We currently do not have sufficient capacity in the Availability Zone you requested ({zone}){why}.",
    500,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks of the place of his instances."""

    group: PlacementGroup | None = None
    partition: int | None = None  # None: whichever is smallest


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance stands."""

    host: str
    partition: int | None = None


def wish(world: World, asked: Shape, type: str) -> Wish:
    """Read GroupName, GroupId, PartitionNumber and Tenancy; raises the errors of names, types and numbers."""
    if asked.get("Tenancy", "default") != "default":
        raise UNSUPPORTED(what="A tenancy other than default")
    name, id, number = asked.get("GroupName"), asked.get("GroupId"), asked.get("PartitionNumber")
    if name and id:
        raise BAD_COMBINATION(why="groupName and groupId must not be used together.")
    group = find_named(world, name) if name else find(world, PlacementGroup, id) if id else None
    if group and group.strategy == "cluster" and INSTANCE_TYPES[type].burstable:
        raise NOT_FOR_TYPE(type=type)
    if number is None:
        return Wish(group)
    if group is None or group.partition_count is None:
        raise BAD_COMBINATION(why="A partition number may only be specified for a partition placement group.")
    if not 1 <= number <= group.partition_count:
        why = f"The placement group '{group.name}' has the partitions 1 to {group.partition_count}."
        raise BAD_VALUE(value=number, name="partitionNumber", why=why)
    return Wish(group, number)


def place(world: World, zone: str, wanted: Wish) -> Place:
    """Return the place of one more instance in a zone.  Raises NO_CAPACITY, OTHER_ZONE."""
    group, partition = wanted.group, wanted.partition
    hosts = standing_hosts(world, zone)
    others = members(world, group) if group else []
    if group and group.strategy == "cluster":
        check_zone(group, others, zone)
        hosts = _together(hosts, others)
    elif group and group.strategy == "spread":
        hosts = _apart(hosts, [o for o in others if o.zone == zone], group.spread_level)
    elif group:
        partition = partition or _smallest(group, others)
        hosts = _in_partition(hosts, [o for o in others if o.zone == zone], partition)
    host = emptiest(world, hosts)
    if host is None:
        why = f" for one more instance of the placement group '{group.name}'" if group else ""
        raise NO_CAPACITY(zone=zone, why=why)
    return Place(host, partition)


def wish_of(world: World, i: Instance) -> Wish:
    """Return what an instance was launched with, for when it starts again."""
    group = world.get(PlacementGroup, i.placement_group_id) if i.placement_group_id else None
    return Wish(group, i.partition)


def check_zone(group: PlacementGroup, others: Iterable[Instance], zone: str) -> None:
    """Raise OTHER_ZONE if a cluster group has an instance in another zone."""
    for other in others if group.strategy == "cluster" else ():
        if other.zone != zone:
            raise OTHER_ZONE(name=group.name, zone=other.zone)


def _together(hosts: Sequence[str], others: list[Instance]) -> list[str]:
    racks = {rack_of(other.host) for other in others if other.host}
    return [host for host in hosts if not racks or rack_of(host) in racks]


def _apart(hosts: Sequence[str], others: list[Instance], level: str | None) -> list[str]:
    used = [other.host for other in others if other.host]
    if level == "host":
        return [host for host in hosts if host not in used]
    racks = set(map(rack_of, used))
    return [host for host in hosts if rack_of(host) not in racks] if len(used) < SPREAD_MAX else []


def _smallest(group: PlacementGroup, others: list[Instance]) -> int:
    assert group.partition_count, "a partition group has partitions"
    sizes = {n + 1: 0 for n in range(group.partition_count)}
    for other in others:
        if other.partition:
            sizes[other.partition] += 1
    return min(sizes, key=lambda n: sizes[n])


def _in_partition(hosts: Sequence[str], others: list[Instance], partition: int) -> list[str]:
    """Return the hosts of the partition's racks, or, if none of them stands, of racks that no partition has."""
    of = {rack_of(other.host): other.partition for other in others if other.host}
    mine = [host for host in hosts if of.get(rack_of(host)) == partition]
    return mine or [host for host in hosts if rack_of(host) not in of]
