"""The source of a migration that is a cluster: who leads which slots in it, and which shard copies from whom.  Pure.

Source: ElastiCache User Guide, "Online migration": as many shards as the target has, each of which copies from the
one that owns the same slots.  Where the source divides the slots otherwise, the target takes over its division ("a
resharding will be performed before live migration"); the target's own data give way, so that nothing has to move.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from atoll.cache.shards import SLOTS, Slots, write_slots
from atoll.cache.slots import count, slots_of, union, without
from atoll.cache.topology import Peer, Topology, parse
from atoll.model.cache import NodeGroup

EVERY: Slots = ((0, SLOTS - 1),)


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """A primary of the source, and the slots that it owns."""

    slots: Slots
    address: IPv4Address
    port: int

    def __str__(self) -> str:
        """Return where it is."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class View:
    """What one node of the source says of all of them."""

    topology: Topology
    address: IPv4Address  # where that one was asked: it may not know its own address

    def place(self, peer: Peer) -> tuple[IPv4Address, int] | None:
        """Return where a node is; None: nobody knows, or by a name only."""
        if peer is self.topology.myself:
            return self.address, peer.port
        try:
            return IPv4Address(peer.address), peer.port
        except AddressValueError:
            return None

    def places(self) -> set[tuple[IPv4Address, int]]:
        """Return where all nodes are, as far as that is known."""
        return {place for peer in self.topology.peers if (place := self.place(peer))}


def view(text: str, asked: IPv4Address) -> View:
    """Read an answer to CLUSTER NODES.  Raises ValueError."""
    return View(parse(text), asked)


def owners(views: Iterable[View]) -> tuple[Owner, ...]:
    """Return who owns the slots of a source, in their order, by what several of its nodes say.

    One that was cut off, or has just been replaced, holds itself for an owner still: the greater epoch is right.
    """
    newest: dict[str, tuple[int, Peer, View]] = {}
    for seen in views:
        for peer in seen.topology.peers:
            known = newest.get(peer.id)
            claims = peer.is_primary and peer.slots and "fail" not in peer.flags
            if claims and (known is None or peer.epoch > known[0]):
                newest[peer.id] = peer.epoch, peer, seen
    found: list[Owner] = []
    taken: Slots = ()
    for _, peer, seen in sorted(newest.values(), key=lambda one: -one[0]):
        slots, place = without(peer.slots, taken), seen.place(peer)
        taken = union(taken, slots)
        if slots and place:
            found.append(Owner(slots, *place))
    return tuple(sorted(found))


def trouble_with(seen: View, shards: Sequence[NodeGroup]) -> str | None:
    """Say why a cluster cannot be copied to a group of these shards, by what one node says; None: it can."""
    found = owners([seen])
    if lacking := without(EVERY, union(*(owner.slots for owner in found))):
        return f"its cluster serves {SLOTS - count(lacking)} of {SLOTS} slots; {write_slots(lacking)} are missing"
    if len(found) != len(shards):
        return f"its cluster has {len(found)} shards, and the replication group has {len(shards)}"
    return trouble_of_owner(seen)


def trouble_of_owner(seen: View) -> str | None:
    """Say what is wrong with a primary of a source, by its own word: slots come and go; None: nothing."""
    if seen.topology.myself.migrating or seen.topology.myself.importing:
        return "its cluster is being resharded"
    return None


def pair(shards: Sequence[NodeGroup], found: Sequence[Owner]) -> Mapping[str, Owner]:
    """Return from whom each shard copies: who has the same slots, and the others in the order of their slots."""
    owner_of = {owner.slots: owner for owner in found}
    pairs = {shard.id: owner_of[shard.slots] for shard in shards if shard.slots in owner_of}
    rest = sorted(owner for owner in found if owner not in pairs.values())
    lacking = sorted((shard for shard in shards if shard.id not in pairs), key=lambda shard: shard.slots)
    return pairs | {shard.id: owner for shard, owner in zip(lacking, rest, strict=True)}


def moved(shards: Sequence[NodeGroup], found: Sequence[Owner]) -> str | None:
    """Say how the slots of a source have moved since a group began to copy it; None: they have not."""
    for shard in shards:
        if not any(owner.slots == shard.slots for owner in found):
            now = [str(o) for o in found if set(slots_of(o.slots)) & set(slots_of(shard.slots))]
            return f"the slots of shard {shard.id} are now at {', '.join(now) or 'nobody'}"
    return None
