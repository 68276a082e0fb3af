"""Regions and their Availability Zones.

Zone names are mapped to zone ids one to one, in order; on AWS the mapping differs from account to account.
"""

from dataclasses import dataclass
from string import ascii_lowercase

from atoll.model.names import region_code

# Region -> number of Availability Zones.  Source: the public list of regions, 2026.
REGIONS = {
    "ap-northeast-1": 3, "ap-northeast-2": 4, "ap-northeast-3": 3, "ap-south-1": 3, "ap-southeast-1": 3,
    "ap-southeast-2": 3, "ca-central-1": 3, "eu-central-1": 3, "eu-north-1": 3, "eu-west-1": 3, "eu-west-2": 3,
    "eu-west-3": 3, "sa-east-1": 3, "us-east-1": 6, "us-east-2": 3, "us-west-1": 2, "us-west-2": 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Zone:
    """An Availability Zone."""

    name: str  # us-east-1a
    id: str  # use1-az1
    region: str


def zones(region: str) -> tuple[Zone, ...]:
    """Return the Availability Zones of a region; a region we do not list has three."""
    code = region_code(region)
    return tuple(
        Zone(f"{region}{ascii_lowercase[n]}", f"{code}-az{n + 1}", region) for n in range(REGIONS.get(region, 3))
    )


def zone(region: str, name_or_id: str) -> Zone | None:
    """Return the zone of a region by its name or its id, or None."""
    return next((z for z in zones(region) if name_or_id in (z.name, z.id)), None)
