"""VPC peering connections: one resource for both sides, which may be in two accounts and two regions.

A connection belongs to nobody alone, so its account and region are empty: what is scoped to a caller (`World.get`,
`World.all`) never shows one.  Who may see it asks `visible` and `seen`, which check.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from atoll.model.resource import Resource
from atoll.model.world import World

# Statuses in which the kernel carries packets.  The other side of a `provisioning` one has agreed; it becomes
# `active` when the kernel was seen to obey.
OPEN = ("provisioning", "active")
ENDED = ("failed", "expired", "rejected", "deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeeringEnd:
    """One side of a connection, and what its owner says of it."""

    account: str
    region: str
    vpc_id: str
    allow_dns: bool = False  # AllowDnsResolutionFromRemoteVpc: the other side sees our private addresses
    tags: Mapping[str, str] = field(default_factory=dict)  # each side has its own

    @property
    def owner(self) -> tuple[str, str]:
        """The account and region of the side."""
        return self.account, self.region


@dataclass(frozen=True, slots=True, kw_only=True)
class Peering(Resource):
    """A peering connection, from the request on; also when a VPC of it has gone."""

    requester: PeeringEnd
    accepter: PeeringEnd
    status: str
    message: str
    expires: datetime  # of a request that nobody accepts
    ended: datetime | None = None
    ended_by: tuple[str, ...] = ()  # account and region of who rejected or deleted it
    hidden_from_actor: bool = False  # two hours after that; the other side sees it longer

    @property
    def requester_vpc_id(self) -> str:
        """The VPC that asked: a field to look up by."""
        return self.requester.vpc_id

    @property
    def accepter_vpc_id(self) -> str:
        """The VPC that was asked: a field to look up by."""
        return self.accepter.vpc_id

    @property
    def is_open(self) -> bool:
        """Tell whether packets may pass."""
        return self.status in OPEN

    def has(self, vpc_id: str) -> bool:
        """Tell whether a VPC is a side of it."""
        return vpc_id in (self.requester.vpc_id, self.accepter.vpc_id)

    def end_of(self, vpc_id: str) -> PeeringEnd:
        """Return the side of a VPC."""
        return self.requester if vpc_id == self.requester.vpc_id else self.accepter

    def beyond(self, vpc_id: str) -> PeeringEnd:
        """Return the other side than that of a VPC."""
        return self.accepter if vpc_id == self.requester.vpc_id else self.requester

    def tags_of(self, owner: tuple[str, str]) -> Mapping[str, str]:
        """Return the tags that an account and region gave it."""
        return self.requester.tags if owner == self.requester.owner else self.accepter.tags

    def is_seen_by(self, owner: tuple[str, str]) -> bool:
        """Tell whether an account and region may know of it.

        A request that failed never reached the other side; who ended one sees it for less time than the other.
        """
        if self.hidden_from_actor and owner == self.ended_by:
            return False
        return owner == self.requester.owner or (owner == self.accepter.owner and self.status != "failed")


def visible(world: World) -> Iterator[Peering]:
    """Yield the connections that the World's caller may know of, oldest first; all of them without a caller."""
    caller = world.caller
    for peering in world.seen_by(None).all(Peering):
        if caller is None or peering.is_seen_by((caller.account, caller.region)):
            yield peering


def seen(world: World, id: str) -> Peering | None:
    """Return a connection that the World's caller may know of."""
    peering, caller = world.seen_by(None).get(Peering, id), world.caller
    if peering is None or caller is None or peering.is_seen_by((caller.account, caller.region)):
        return peering
    return None


def peerings_of(world: World, vpc_id: str) -> Iterator[Peering]:
    """Yield the connections of a VPC, whatever their status and whoever asks.  Two look-ups."""
    for side in ("requester_vpc_id", "accepter_vpc_id"):
        yield from cast("Iterator[Peering]", iter(world.bucket(Peering, side, vpc_id).values()))


def peering_between(world: World, vpc_id: str, other_id: str) -> Peering | None:
    """Return the open connection between two VPCs: there is at most one."""
    return next((p for p in peerings_of(world, vpc_id) if p.is_open and p.has(other_id) and vpc_id != other_id), None)
