"""Regions and Availability Zones."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2.filters import Table, absent, select
from atoll.model.world import World
from atoll.model.zones import REGIONS, Zone, zones

BAD_ZONE = Err("InvalidParameterValue", "Invalid availability zone: [{zone}]")
BAD_ZONE_ID = Err("InvalidParameterValue", "Invalid availability zone-id: [{zone}]")
BAD_REGION = Err("InvalidParameterValue", "Invalid region name: [{region}]")

NO_OPT_IN = "opt-in-not-required"

ZONE_FILTERS: Table = {
    "group-long-name": absent,
    "group-name": lambda _w, z: _group(z),
    "message": absent,
    "opt-in-status": lambda _w, _z: NO_OPT_IN,
    "parent-zone-id": absent,
    "parent-zone-name": absent,
    "parentZoneId": absent,
    "parentZoneName": absent,
    "region-name": "region",
    "state": lambda _w, _z: "available",
    "zone-id": "id",
    "zone-name": "name",
    "zone-type": lambda _w, _z: "availability-zone",
}
REGION_FILTERS: Table = {
    "endpoint": lambda _w, r: _endpoint(r),
    "opt-in-status": lambda _w, _r: NO_OPT_IN,
    "region-name": lambda _w, r: r,
}


@operation("ec2", "DescribeAvailabilityZones")
def describe_availability_zones(
    world: World,
    *,
    zone_names: Sequence[str] = (),
    zone_ids: Sequence[str] = (),
    all_availability_zones: bool = False,
    filters: Sequence[Shape] = (),
) -> Shape:
    """List the zones of the region.  All are in use from the start, so asking for all of them adds none."""
    del all_availability_zones
    assert world.caller, "the wire knows the caller"
    known = zones(world.caller.region)
    for name in zone_names:
        if name not in {z.name for z in known}:
            raise BAD_ZONE(zone=name)
    for id in zone_ids:
        if id not in {z.id for z in known}:
            raise BAD_ZONE_ID(zone=id)
    chosen = [z for z in known if not zone_names or z.name in zone_names]
    chosen = [z for z in chosen if not zone_ids or z.id in zone_ids]
    found = select(world, chosen, filters, ZONE_FILTERS, tags=lambda _: {})
    return {"AvailabilityZones": [_render(z) for z in found]}


@operation("ec2", "DescribeRegions")
def describe_regions(
    world: World, *, region_names: Sequence[str] = (), all_regions: bool = False, filters: Sequence[Shape] = ()
) -> Shape:
    """List the regions.  None needs to be opted in to, so asking for all of them adds none."""
    del all_regions
    assert world.caller, "the wire knows the caller"
    known = sorted({*REGIONS, world.caller.region})
    for name in region_names:
        if name not in known:
            raise BAD_REGION(region=name)
    chosen = [r for r in known if not region_names or r in region_names]
    found = select(world, chosen, filters, REGION_FILTERS, tags=lambda _: {})
    return {"Regions": [{"RegionName": r, "Endpoint": _endpoint(r), "OptInStatus": NO_OPT_IN} for r in found]}


def _endpoint(region: str) -> str:
    return f"ec2.{region}.amazonaws.com"


def _group(z: Zone) -> str:
    return f"{z.region}-zg-1"


def _render(z: Zone) -> Shape:
    return {
        "ZoneName": z.name,
        "ZoneId": z.id,
        "ZoneType": "availability-zone",
        "RegionName": z.region,
        "GroupName": _group(z),
        "NetworkBorderGroup": z.region,
        "OptInStatus": NO_OPT_IN,
        "State": "available",
        "Messages": [],
    }
