"""Regions, their Availability Zones, and their Local Zones.

Zone names are mapped to zone ids one to one, in order; on AWS the mapping differs from account to account.  A Local
Zone's parent is its region's first zone; on AWS it is one of them.
"""

from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase

from atoll.model.names import region_code

# Region -> number of Availability Zones.  Source: the public list of regions, 2026.
REGIONS = {
    "ap-northeast-1": 3, "ap-northeast-2": 4, "ap-northeast-3": 3, "ap-south-1": 3, "ap-southeast-1": 3,
    "ap-southeast-2": 3, "ca-central-1": 3, "eu-central-1": 3, "eu-north-1": 3, "eu-west-1": 3, "eu-west-2": 3,
    "eu-west-3": 3, "sa-east-1": 3, "us-east-1": 6, "us-east-2": 3, "us-west-1": 2, "us-west-2": 4,
}  # fmt: skip


# Region -> groups of Local Zones: name, number of zones, where.  Source: AWS Local Zones User Guide, "Available Local
# Zones"; some of each region that has them.
LOCAL = {
    "ap-northeast-1": (("tpe-1", 1, "Taiwan (Taipei)"),),
    "ap-south-1": (("ccu-1", 1, "India (Kolkata)"), ("del-1", 1, "India (Delhi)")),
    "ap-southeast-1": (("bkk-1", 1, "Thailand (Bangkok)"), ("mnl-1", 1, "Philippines (Manila)")),
    "ap-southeast-2": (("akl-1", 1, "New Zealand (Auckland)"), ("per-1", 1, "Australia (Perth)")),
    "eu-central-1": (("ham-1", 1, "Germany (Hamburg)"), ("waw-1", 1, "Poland (Warsaw)")),
    "eu-north-1": (("cph-1", 1, "Denmark (Copenhagen)"), ("hel-1", 1, "Finland (Helsinki)")),
    "us-east-1": (
        ("bos-1", 1, "US East (Boston)"), ("mci-1", 1, "US East (Kansas City)"),
        ("msp-1", 1, "US East (Minneapolis)"), ("phl-1", 1, "US East (Philadelphia)"),
    ),
    "us-west-2": (
        ("den-1", 1, "US West (Denver)"), ("las-1", 1, "US West (Las Vegas)"), ("lax-1", 2, "US West (Los Angeles)"),
        ("pdx-1", 1, "US West (Portland)"), ("sea-1", 1, "US West (Seattle)"),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Zone:
    """An Availability Zone, or a Local Zone."""

    name: str  # us-east-1a, us-west-2-lax-1a
    id: str  # use1-az1, usw2-lax1-az1
    region: str
    group: str  # us-east-1-zg-1, us-west-2-lax-1: opted in to as a whole
    border_group: str  # within which a public address can be used: the region, or the group of a Local Zone
    parent: tuple[str, str] | None = None  # name and id of a Local Zone's parent
    long_name: str | None = None  # of a Local Zone's group

    @property
    def is_local(self) -> bool:
        """Tell whether it is a Local Zone."""
        return self.parent is not None


@lru_cache(maxsize=64)
def zones(region: str) -> tuple[Zone, ...]:
    """Return the Availability Zones of a region; a region we do not list has three."""
    code = region_code(region)
    return tuple(
        Zone(f"{region}{ascii_lowercase[n]}", f"{code}-az{n + 1}", region, f"{region}-zg-1", region)
        for n in range(REGIONS.get(region, 3))
    )


@lru_cache(maxsize=64)
def local_zones(region: str) -> tuple[Zone, ...]:
    """Return the Local Zones of a region."""
    code, parent = region_code(region), zones(region)[0]
    return tuple(
        Zone(
            name=f"{group}{ascii_lowercase[n]}",
            id=f"{code}-{short.replace('-', '')}-az{n + 1}",
            region=region,
            group=group,
            border_group=group,
            parent=(parent.name, parent.id),
            long_name=where,
        )
        for short, count, where in LOCAL.get(region, ())
        for group in (f"{region}-{short}",)
        for n in range(count)
    )


def zone(region: str, name_or_id: str) -> Zone | None:
    """Return the zone of a region by its name or its id, or None."""
    return next((z for z in (*zones(region), *local_zones(region)) if name_or_id in (z.name, z.id)), None)
