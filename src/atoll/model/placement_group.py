"""Placement groups: how an account wants its instances to stand on the hardware."""

from dataclasses import dataclass

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementGroup(Resource):
    """A placement group; the instances in it name it in `Instance.placement_group_id`."""

    name: str  # unique in the account's region
    strategy: str  # "cluster", "spread" or "partition"
    partition_count: int | None = None  # of the strategy "partition"
    spread_level: str | None = None  # of the strategy "spread": "rack" or "host"
