"""Placement groups: made, described, deleted.  What they mean for a launch is in `placement.py`."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import quotas
from atoll.ec2.errors import BAD_COMBINATION, BAD_VALUE, MISSING, UNSUPPORTED
from atoll.ec2.filters import Table, select
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model.instance import Instance
from atoll.model.names import arn
from atoll.model.placement_group import PlacementGroup
from atoll.model.world import Tx, World

NAME_CHARS_MAX = 255  # EC2 API Reference, CreatePlacementGroup
PARTITIONS_MAX, PARTITIONS = 7, 2  # EC2 User Guide, "Placement strategies"; without a number there are two

DUPLICATE = Err("InvalidPlacementGroup.Duplicate", "The Placement Group '{name}' already exists.")
UNKNOWN = Err("InvalidPlacementGroup.Unknown", "The Placement Group '{name}' is unknown.")
IN_USE = Err("InvalidPlacementGroup.InUse", "The placement group '{name}' is in use and may not be deleted.")


@operation("ec2", "CreatePlacementGroup")
def create_placement_group(
    tx: Tx,
    *,
    group_name: str | None = None,
    strategy: str = "cluster",
    partition_count: int | None = None,
    spread_level: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Make a placement group."""
    if not group_name:
        raise MISSING(name="groupName")
    tags = tags_for("placement-group", tag_specifications)
    if len(group_name) > NAME_CHARS_MAX or not group_name.isascii() or not group_name.isprintable():
        raise BAD_VALUE(value=group_name[:NAME_CHARS_MAX], name="groupName", why="Up to 255 ASCII characters.")
    if strategy not in ("cluster", "spread", "partition"):
        raise UNSUPPORTED(what=f"The placement strategy {strategy}")
    if partition_count is not None and strategy != "partition":
        raise BAD_COMBINATION(why="A partition count may only be specified for the partition strategy.")
    if spread_level is not None and strategy != "spread":
        raise BAD_COMBINATION(why="A spread level may only be specified for the spread strategy.")
    if partition_count is not None and not 1 <= partition_count <= PARTITIONS_MAX:
        raise BAD_VALUE(value=partition_count, name="partitionCount", why="Specify a number from 1 to 7.")
    if _named(tx.world, group_name):
        raise DUPLICATE(name=group_name)
    quotas.check(tx.world.count(PlacementGroup), quotas.PLACEMENT_GROUPS_MAX, quotas.PLACEMENT_GROUP_LIMIT)
    group = tx.make(
        PlacementGroup,
        tx.new_id("pg"),
        name=group_name,
        strategy=strategy,
        partition_count=partition_count or PARTITIONS if strategy == "partition" else None,
        spread_level=spread_level or "rack" if strategy == "spread" else None,
        tags=tags,
    )
    return {"PlacementGroup": render(group)}


@operation("ec2", "DescribePlacementGroups")
def describe_placement_groups(
    world: World,
    *,
    group_names: Sequence[str] = (),
    group_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
) -> Shape:
    """List placement groups; AWS cuts no pages here."""
    given = [find_named(world, name) for name in group_names] + [find(world, PlacementGroup, id) for id in group_ids]
    found = {g.id: g for g in given} if group_names or group_ids else {g.id: g for g in world.all(PlacementGroup)}
    return {"PlacementGroups": [render(g) for g in select(world, found.values(), filters, FILTERS)]}


@operation("ec2", "DeletePlacementGroup")
def delete_placement_group(tx: Tx, *, group_name: str) -> None:
    """Delete a placement group, by its name or its id; all its instances must be terminated."""
    by_id = tx.get(PlacementGroup, group_name)
    group = by_id or find_named(tx.world, group_name)
    if members(tx.world, group):
        raise IN_USE(name=group.name)
    tx.delete(group)


def find_named(world: World, name: str) -> PlacementGroup:
    """Return the caller's placement group; raises UNKNOWN."""
    if group := _named(world, name):
        return group
    raise UNKNOWN(name=name)


def members(world: World, group: PlacementGroup) -> list[Instance]:
    """Return the instances of a group that are not terminated."""
    return [i for i in world.all(Instance, placement_group_id=group.id) if i.ended_at is None]


def _named(world: World, name: str) -> PlacementGroup | None:
    return next((g for g in world.all(PlacementGroup) if g.name == name), None)


def render(group: PlacementGroup) -> Shape:
    """Return AWS's PlacementGroup."""
    shape: Shape = {
        "GroupName": group.name,
        "GroupId": group.id,
        "GroupArn": _arn(group),
        "State": "available",
        "Strategy": group.strategy,
        "Tags": render_tags(group),
    }
    if group.partition_count is not None:
        shape["PartitionCount"] = group.partition_count
    if group.spread_level is not None:
        shape["SpreadLevel"] = group.spread_level
    return shape


def _arn(group: PlacementGroup) -> str:
    return arn("ec2", group.region, group.account, f"placement-group/{group.name}")


FILTERS: Table = {
    "group-arn": lambda _, g: _arn(g),
    "group-id": "id",
    "group-name": "name",
    "spread-level": "spread_level",
    "state": lambda _w, _g: "available",
    "strategy": "strategy",
}
