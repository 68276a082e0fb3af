"""Hash slots: who owns how many, and which moves bring a group to what it is to be.

A shard's slots are ranges, first and last of each, as `NodeGroup.slots` has them.  A plan is made anew from whoever
owns what just now, so that one which was interrupted is simply made again: what was moved by then is not in it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from atoll.cache.shards import Slots, join


@dataclass(frozen=True, slots=True)
class Move:
    """Slots that go from one shard to another."""

    source: str
    target: str
    slots: Slots

    @property
    def count(self) -> int:
        """How many slots these are."""
        return count(self.slots)


def count(ranges: Slots) -> int:
    """Return how many slots ranges have."""
    return sum(last - first + 1 for first, last in ranges)


def slots_of(ranges: Slots) -> list[int]:
    """Return the slots of ranges, in their order."""
    return [slot for first, last in ranges for slot in range(first, last + 1)]


def without(ranges: Slots, gone: Slots) -> Slots:
    """Return ranges without some of their slots."""
    less = set(slots_of(gone))
    return join(slot for slot in slots_of(ranges) if slot not in less)


def union(*several: Slots) -> Slots:
    """Return all slots of several ranges."""
    return join({slot for ranges in several for slot in slots_of(ranges)})


def targets(owned: Mapping[str, Slots], keep: Collection[str]) -> dict[str, int]:
    """Return how many slots each shard is to own: as many as every other that stays, or one more; none that leaves.

    The extra ones go to those that own most already, so that as few slots as possible move.
    """
    assert keep, "somebody must own the slots"
    each, over = divmod(sum(count(ranges) for ranges in owned.values()), len(keep))
    staying = sorted(keep, key=lambda id: (-count(owned.get(id, ())), id))
    return dict.fromkeys(owned, 0) | {id: each + (place < over) for place, id in enumerate(staying)}


def moves(owned: Mapping[str, Slots], keep: Collection[str]) -> tuple[Move, ...]:
    """Return the fewest moves of slots after which the shards of `keep` own equally many, and all others none.

    A shard that gives some of its slots gives the last; how the others lie, perhaps as a caller wanted it, stays.
    """
    aim = targets(owned, keep)
    spare = {id: slots_of(ranges)[aim[id] :] for id, ranges in sorted(owned.items()) if count(ranges) > aim[id]}
    found: list[Move] = []
    for id in sorted(aim):
        room = aim[id] - count(owned.get(id, ()))
        for source, slots in spare.items():
            if room <= 0:
                break
            part, spare[source] = slots[:room], slots[room:]
            if part:
                found.append(Move(source, id, join(part)))
                room -= len(part)
    return tuple(found)


def left(owned: Mapping[str, Slots], keep: Collection[str]) -> int:
    """Return how many slots have to move still."""
    aim = targets(owned, keep)
    return sum(max(count(ranges) - aim[id], 0) for id, ranges in owned.items())


def batches(wanted: Sequence[Move], size: int) -> tuple[Move, ...]:
    """Return the first part of each move that can begin at once, of at most `size` slots.

    A shard gives to one other at a time; it may take from several.
    """
    giving: set[str] = set()
    found = []
    for move in wanted:
        if move.source not in giving:
            giving.add(move.source)
            found.append(Move(move.source, move.target, join(slots_of(move.slots)[:size])))
    return tuple(found)


def percent(whole: int, rest: int) -> float:
    """Return how much of `whole` is done, from 0 to 100, when `rest` is left."""
    return 100.0 if whole <= 0 else round(100.0 * max(whole - rest, 0) / whole, 2)
