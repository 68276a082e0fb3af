"""Managed prefix lists: named sets of ranges, which routes and rules of groups name in place of a range.

The lists of AWS's own services belong to nobody and never change, so they are no resources of the World but values of
a region, `managed`.
"""

from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network

from atoll.model.group import Rule
from atoll.model.ip import Net
from atoll.model.names import digest
from atoll.model.resource import Resource
from atoll.model.world import World

AWS = "AWS"  # the owner of the lists that AWS manages
CREATED, MODIFIED, RESTORED = "create-complete", "modify-complete", "restore-complete"  # states; so is X-failed

# Ranges of the services that have a gateway endpoint, as they are in us-east-1; here they are the same everywhere.
SERVICES = {
    "dynamodb": ("3.218.182.0/24", "52.94.0.0/22", "52.119.224.0/20"),
    "s3": ("3.5.0.0/19", "18.34.0.0/19", "52.216.0.0/15", "54.231.0.0/16"),
}
WEIGHT = 1  # of each of them against quotas.  Source: VPC User Guide, "AWS-managed prefix list weight"

# Ids that people know by heart; those of other regions are made up.
IDS = {
    ("us-east-1", "s3"): "pl-63a5400a",
    ("us-east-1", "dynamodb"): "pl-02cd2c6b",
    ("us-east-2", "s3"): "pl-7ba54012",
    ("us-east-2", "dynamodb"): "pl-4ca54025",
    ("us-west-2", "s3"): "pl-68a54001",
    ("us-west-2", "dynamodb"): "pl-00a54069",
    ("eu-west-1", "s3"): "pl-6da54004",
    ("eu-west-1", "dynamodb"): "pl-6fa54006",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixListEntry:
    """A range of a list."""

    cidr: Net
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixList(Resource):
    """A list of ranges of one family; what names it means the entries that it has now."""

    name: str
    family: str  # "IPv4" or "IPv6"
    max_entries: int  # it weighs as much as so many routes or rules, however few it has
    entries: tuple[PrefixListEntry, ...] = ()
    version: int = 1
    state: str = CREATED
    message: str | None = None  # why the last change failed

    @property
    def is_aws_managed(self) -> bool:
        """Tell whether it is one of AWS's own, which nobody changes."""
        return self.account == AWS

    @property
    def networks(self) -> tuple[Net, ...]:
        """Its ranges."""
        return tuple(e.cidr for e in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixListVersion(Resource):
    """What a list had in one of its versions; `id` is the list's and the number."""

    prefix_list_id: str  # an index field
    number: int
    entries: tuple[PrefixListEntry, ...]


@cache
def managed(region: str) -> tuple[PrefixList, ...]:
    """Return the lists of AWS's services in a region: the same objects each time."""
    return tuple(
        PrefixList(
            id=IDS.get((region, service), f"pl-{digest(f'{region} {service}', 8)}"),
            account=AWS,
            region=region,
            name=f"com.amazonaws.{region}.{service}",
            family="IPv4",
            max_entries=WEIGHT,
            entries=tuple(PrefixListEntry(cidr=IPv4Network(cidr)) for cidr in ranges),
        )
        for service, ranges in SERVICES.items()
    )


def rule_ranges(world: World, region: str, rule: Rule) -> tuple[Net, ...]:
    """Return the ranges that a rule of a group in a region names, by themselves or by a list."""
    if rule.cidr is not None:
        return (rule.cidr,)
    listed = prefix_list(world, region, rule.prefix_list_id) if rule.prefix_list_id else None
    return listed.networks if listed else ()


def prefix_list(world: World, region: str, id: str) -> PrefixList | None:
    """Return a list by its id, whoever's it is; `None`: there is none in this region."""
    found = world.seen_by(None).get(PrefixList, id)
    if found is not None and found.region == region:
        return found
    return next((one for one in managed(region) if one.id == id), None)
