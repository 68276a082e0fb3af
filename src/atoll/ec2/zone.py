"""Regions, Availability Zones, and Local Zones, which an account opts in to."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2.filters import Table, select
from atoll.model.account import Territory
from atoll.model.fault import broken
from atoll.model.names import key
from atoll.model.world import Tx, World
from atoll.model.zones import REGIONS, Zone, local_zones, zones

BAD_ZONE = Err("InvalidParameterValue", "Invalid availability zone: [{zone}]")
BAD_ZONE_ID = Err("InvalidParameterValue", "Invalid availability zone-id: [{zone}]")
BAD_REGION = Err("InvalidParameterValue", "Invalid region name: [{region}]")

BAD_GROUP = Err("InvalidParameterValue", "Invalid availability zone group: [{group}]")
NOTHING_TO_OPT = Err("InvalidParameterValue", "The zone group [{group}] does not need to be opted in to.")
NO_WAY_OUT = Err(
    "UnsupportedOperation", "To opt out of the zone group [{group}] of Local Zones, you would contact AWS Support."
)

NO_OPT_IN, OPTED_IN, NOT_OPTED_IN = "opt-in-not-required", "opted-in", "not-opted-in"

ZONE_FILTERS: Table = {
    "group-long-name": "long_name",
    "group-name": "group",
    "message": lambda w, z: (fault := broken(w, z.name)) and fault.says,
    "opt-in-status": lambda w, z: _opt_in(w, z),
    "parent-zone-id": lambda _w, z: z.parent and z.parent[1],
    "parent-zone-name": lambda _w, z: z.parent and z.parent[0],
    "parentZoneId": lambda _w, z: z.parent and z.parent[1],
    "parentZoneName": lambda _w, z: z.parent and z.parent[0],
    "region-name": "region",
    "state": lambda w, z: "impaired" if broken(w, z.name) else "available",
    "zone-id": "id",
    "zone-name": "name",
    "zone-type": lambda _w, z: _type(z),
}
REGION_FILTERS: Table = {
    "endpoint": lambda _w, r: _endpoint(r),
    "opt-in-status": lambda _w, _r: NO_OPT_IN,
    "region-name": lambda _w, r: r,
}


@operation("ec2", "DescribeAvailabilityZones", pure=True)
def describe_availability_zones(
    world: World,
    *,
    zone_names: Sequence[str] = (),
    zone_ids: Sequence[str] = (),
    all_availability_zones: bool = False,
    filters: Sequence[Shape] = (),
) -> Shape:
    """List the zones of the region: of its Local Zones those that are opted in to, unless all are asked for."""
    assert world.caller, "the wire knows the caller"
    known = usable(world)
    if all_availability_zones:
        known = (*zones(world.caller.region), *local_zones(world.caller.region))
    for name in zone_names:
        if name not in {z.name for z in known}:
            raise BAD_ZONE(zone=name)
    for id in zone_ids:
        if id not in {z.id for z in known}:
            raise BAD_ZONE_ID(zone=id)
    chosen = [z for z in known if not zone_names or z.name in zone_names]
    chosen = [z for z in chosen if not zone_ids or z.id in zone_ids]
    found = select(world, chosen, filters, ZONE_FILTERS, tags=lambda _: {})
    return {"AvailabilityZones": [_render(world, z) for z in found]}


@operation("ec2", "ModifyAvailabilityZoneGroup")
def modify_availability_zone_group(tx: Tx, *, group_name: str, opt_in_status: str) -> Shape:
    """Opt in to a group of Local Zones.  There is no way out but through AWS's support, and so none here."""
    if group_name in {z.group for z in zones(tx.region)}:
        raise NOTHING_TO_OPT(group=group_name)
    if group_name not in {z.group for z in local_zones(tx.region)}:
        raise BAD_GROUP(group=group_name)
    here = territory(tx.world)
    if opt_in_status == OPTED_IN and group_name not in here.opted_in:
        tx.put(here.but(opted_in=(*here.opted_in, group_name)))
    elif opt_in_status != OPTED_IN and group_name in here.opted_in:
        raise NO_WAY_OUT(group=group_name)
    return {"Return": True}


def usable(world: World) -> tuple[Zone, ...]:
    """Return the zones that the caller may use: the region's, and the Local Zones that he opted in to."""
    assert world.caller, "the wire knows the caller"
    region, groups = world.caller.region, territory(world).opted_in
    return (*zones(region), *(z for z in local_zones(region) if z.group in groups))


def territory(world: World) -> Territory:
    """Return what the caller opened in the region."""
    assert world.caller, "the wire knows the caller"
    found = world.get(Territory, key(world.caller.account, world.caller.region, ""))
    assert found, "the first call opens it"
    return found


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


def _opt_in(world: World, z: Zone) -> str:
    if not z.is_local:
        return NO_OPT_IN
    return OPTED_IN if z.group in territory(world).opted_in else NOT_OPTED_IN


def _type(z: Zone) -> str:
    return "local-zone" if z.is_local else "availability-zone"


def _render(world: World, z: Zone) -> Shape:
    fault = broken(world, z.name)
    shape: Shape = {
        "ZoneName": z.name,
        "ZoneId": z.id,
        "ZoneType": _type(z),
        "RegionName": z.region,
        "GroupName": z.group,
        "NetworkBorderGroup": z.border_group,
        "OptInStatus": _opt_in(world, z),
        "State": "impaired" if fault else "available",
        "Messages": [{"Message": fault.says}] if fault else [],
    }
    if z.parent:
        shape |= {"ParentZoneName": z.parent[0], "ParentZoneId": z.parent[1], "GroupLongName": z.long_name}
    return shape
