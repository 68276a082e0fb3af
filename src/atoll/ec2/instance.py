"""Instances: finding and describing them.  Launching, states and attributes have files of their own."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2.errors import BOTH, UNSUPPORTED
from atoll.ec2.filters import Table, absent, select
from atoll.ec2.instance_filters import FILTERS
from atoll.ec2.instance_render import STATE_CODES, reservations, state
from atoll.ec2.kinds import NOUNS, check_id
from atoll.ec2.kinds import find as find_kind
from atoll.ec2.path import shown
from atoll.model.fault import down, faults
from atoll.model.instance import Instance
from atoll.model.world import World
from atoll.model.zones import zone

INSTANCES_NOT_FOUND = Err("InvalidInstanceID.NotFound", "The instance IDs '{ids}' do not exist")


@operation("ec2", "DescribeInstances", pure=True)
def describe_instances(
    world: World,
    *,
    instance_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    include_managed_resources: bool = False,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List instances, by the launch that made them.  None is managed by a service."""
    del include_managed_resources
    if instance_ids and max_results is not None:
        raise BOTH(one="instancesSet", other="maxResults")
    found = find_all(world, instance_ids) if instance_ids else list(world.all(Instance))
    page, token = page_ec2(select(world, found, filters, FILTERS), lambda i: i.id, max_results, next_token)
    return {"Reservations": reservations(world, page), "NextToken": token}


@operation("ec2", "DescribeInstanceStatus", pure=True)
def describe_instance_status(
    world: World,
    *,
    instance_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    include_all_instances: bool = False,
    include_managed_resources: bool = False,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """Tell how instances are; only running ones, unless all are asked for."""
    del include_managed_resources
    if instance_ids and max_results is not None:
        raise BOTH(one="instanceIds", other="maxResults")
    found = find_all(world, instance_ids) if instance_ids else list(world.all(Instance))
    if not include_all_instances:
        found = [i for i in found if i.state == "running"]
    chosen = select(world, found, filters, STATUS_FILTERS)
    page, token = page_ec2(chosen, lambda i: i.id, max_results, next_token)
    return {"InstanceStatuses": [told(world, render_status, i) for i in page], "NextToken": token}


def find(world: World, id: str) -> Instance:
    """Return one of the caller's instances; raises its Malformed and NotFound errors."""
    return find_kind(world, Instance, id)


def find_all(world: World, ids: Sequence[str]) -> list[Instance]:
    """Return instances by id, each once; raises Malformed, NotFound, and INSTANCES_NOT_FOUND for several."""
    missing = [id for id in dict.fromkeys(ids) if world.get(Instance, id) is None]
    for id in missing:
        check_id(id, "i", NOUNS[Instance].malformed)
    if len(missing) > 1:
        raise INSTANCES_NOT_FOUND(ids=", ".join(missing))
    return [find(world, id) for id in dict.fromkeys(ids)]


def refuse_members(given: Mapping[str, object], parameter: str, supported: Sequence[str]) -> None:
    """Refuse, by name, each member of a structure that is given and not supported."""
    for member in given:
        if member not in supported:
            raise UNSUPPORTED(what=f"The parameter {parameter}.{member}")


def render_status(world: World, i: Instance) -> Shape:
    """Return AWS's InstanceStatus.

    A running instance was seen to run.  What the host could not do impairs it; hardware that is down, or cut off,
    impairs the system under it, too.
    """
    fault = down(world, i.host) or next((f for f in faults(world, "partition-instance") if f.target == i.id), None)
    since = fault.since if fault else None
    place = zone(i.region, i.zone)
    assert place, "an instance is in a zone of its region"
    return {
        "InstanceId": i.id,
        "AvailabilityZone": place.name,
        "AvailabilityZoneId": place.id,
        "Events": [],
        "InstanceState": state(i.state),
        "InstanceStatus": _summary(i, is_well=i.host_error is None and fault is None, since=since),
        "SystemStatus": _summary(i, is_well=fault is None, since=since),
        "AttachedEbsStatus": _summary(i, is_well=True),
    }


def _summary(i: Instance, *, is_well: bool, since: datetime | None = None) -> Shape:
    if i.state != "running":
        return {"Status": "not-applicable", "Details": []}
    passed, status = ("passed", "ok") if is_well else ("failed", "impaired")
    detail: Shape = {"Name": "reachability", "Status": passed}
    return {"Status": status, "Details": [detail | {"ImpairedSince": since} if since else detail]}


STATUS_FILTERS: Table = {
    "availability-zone": "zone",
    "availability-zone-id": shown(render_status, "AvailabilityZoneId"),
    "event.code": absent,
    "event.description": absent,
    "event.instance-event-id": absent,
    "event.not-after": absent,
    "event.not-before": absent,
    "event.not-before-deadline": absent,
    "instance-state-code": lambda _, i: STATE_CODES[i.state],
    "instance-state-name": "state",
    "instance-status.reachability": shown(render_status, "InstanceStatus.Details.Status"),
    "instance-status.status": shown(render_status, "InstanceStatus.Status"),
    "system-status.reachability": shown(render_status, "SystemStatus.Details.Status"),
    "system-status.status": shown(render_status, "SystemStatus.Status"),
    "attached-ebs-status.status": shown(render_status, "AttachedEbsStatus.Status"),
}
