"""The place of an instance: changed while it is stopped, and shown as far as AWS shows it."""

from collections.abc import Sequence

from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2.errors import BOTH, MISSING, UNSUPPORTED
from atoll.ec2.filters import Table, select
from atoll.ec2.instance import find, find_all
from atoll.ec2.instance_attribute import NOT_STOPPED
from atoll.ec2.instance_render import placement_group
from atoll.ec2.path import shown
from atoll.ec2.placement import check_zone, wish
from atoll.ec2.placement_group import find_named, members
from atoll.model.hardware import rack_of
from atoll.model.instance import Instance
from atoll.model.names import digest
from atoll.model.world import Tx, World
from atoll.model.zones import zone


@operation("ec2", "ModifyInstancePlacement")
def modify_instance_placement(
    tx: Tx,
    *,
    instance_id: str,
    group_name: str | None = None,
    group_id: str | None = None,
    partition_number: int | None = None,
    tenancy: str | None = None,
    affinity: str | None = None,
) -> Shape:
    """Move a stopped instance into a placement group, or, with an empty name, out of its own.

    It stands there from its next start on.
    """
    i = find(tx.world, instance_id)
    if affinity not in (None, "default"):
        raise UNSUPPORTED(what="An affinity to a dedicated host")
    if group_name is None and group_id is None and partition_number is not None:
        group = placement_group(tx.world, i)
        group_id = group.id if group else None
    elif group_name is None and group_id is None and tenancy is None and affinity is None:
        raise MISSING(name="groupName")
    asked = {"GroupName": group_name, "GroupId": group_id, "PartitionNumber": partition_number}
    wanted = wish(tx.world, {**asked, "Tenancy": tenancy or "default"}, i.type)
    if i.state != "stopped":
        raise NOT_STOPPED(id=i.id)
    if wanted.group is None and group_name is None:
        return {"Return": True}  # the tenancy that it has
    if wanted.group is not None:
        check_zone(wanted.group, (other for other in members(tx.world, wanted.group) if other.id != i.id), i.zone)
    tx.put(i.but(placement_group_id=wanted.group.id if wanted.group else None, partition=wanted.partition))
    return {"Return": True}


@operation("ec2", "DescribeInstanceTopology")
def describe_instance_topology(
    world: World,
    *,
    instance_ids: Sequence[str] = (),
    group_names: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """Tell under which nodes of the network running instances stand: zone, half of the zone, rack.

    AWS answers for the large types of some families only; here every type has a place.
    """
    if instance_ids and max_results is not None:
        raise BOTH(one="instanceIds", other="maxResults")
    found = find_all(world, instance_ids) if instance_ids else list(world.all(Instance))
    found = [i for i in found if i.host]
    if group_names:
        groups = {find_named(world, name).id for name in group_names}
        found = [i for i in found if i.placement_group_id in groups]
    chosen = select(world, found, filters, TOPOLOGY_FILTERS)
    page, token = page_ec2(chosen, lambda i: i.id, max_results, next_token)
    return {"Instances": [_topology(world, i) for i in page], "NextToken": token}


def _topology(world: World, i: Instance) -> Shape:
    """Return AWS's InstanceTopology; the last of the network nodes is the nearest."""
    assert i.host, "the caller has looked"
    rack, place = rack_of(i.host), zone(i.region, i.zone)
    assert place, "an instance is in a zone of its region"
    half = int(rack.rpartition("-r")[2]) % 2
    shape: Shape = {
        "InstanceId": i.id,
        "InstanceType": i.type,
        "NetworkNodes": [f"nn-{digest(name, 17)}" for name in (i.zone, f"{i.zone}/{half}", rack)],
        "AvailabilityZone": place.name,
        "ZoneId": place.id,
    }
    if group := placement_group(world, i):
        shape["GroupName"] = group.name
    return shape


TOPOLOGY_FILTERS: Table = {
    "availability-zone": "zone",
    "instance-type": "type",
    "zone-id": shown(_topology, "ZoneId"),
}
