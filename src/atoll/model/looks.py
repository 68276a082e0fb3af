"""What a reader of a World saw, resource by resource: so that what was made of it is known to be the same later.

`Noted` (`world.py`) keeps the stamp of each kind that was looked at, and a stamp goes with the first change of any
resource of its kind.  A `Witness` also keeps what each look found, and `stand` tells whether every look would find
the very same objects in another World.  Resources are immutable and an untouched bucket of an index stays the same
object, so this compares a few identities; nobody says what depends on what, and nobody can forget to.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from atoll.model.resource import Resource
from atoll.model.world import Caller, Kind, Noted, Table, World

R = TypeVar("R", bound=Resource)

BUCKET_MAX = 64  # of a larger bucket only the stamp is kept: what is kept must not hold old tables of a large world


@dataclass(slots=True)
class Look:
    """What was seen of one kind: while its stamp stands, all of it is as it was."""

    stamp: object | None
    resources: dict[str, Resource | None] = field(default_factory=dict)  # by id; None: there was none
    buckets: dict[tuple[str, object], Table] = field(default_factory=dict)  # by field and value
    is_whole: bool = False  # the whole kind was looked at, so only the stamp can vouch for it


Looks = Mapping[Kind, Look]


class Witness(Noted):
    """A World that notes what each look found, by itself and by every view of it."""

    __slots__ = ("_seen",)

    _seen: dict[Kind, Look]

    @property
    def seen(self) -> Looks | None:
        """What was found so far; None if the reader looked at everything."""
        return None if self.looks is None else self._seen

    def note(self, kinds: Iterable[Kind]) -> None:
        """Note that somebody looked at these kinds, and not at which of them."""
        super().note(kinds)
        for kind in kinds:
            self._look(kind).is_whole = True

    def seen_by(self, caller: Caller | None) -> World:
        """Return the same World as `caller` sees it; what is found there is noted here."""
        view = Witness(self._tables, self.revision, caller, self._indexes, self._stamps)
        view._notes, view._seen = self._notes, self._seen
        return view

    def __getitem__(self, key: tuple[type[R], str]) -> R:
        """Follow a reference, and note what is there."""
        self._saw(*key)
        return super().__getitem__(key)

    def get(self, kind: type[R], id: str) -> R | None:
        """Look up an id, and note what is there, be it the caller's or not."""
        self._saw(kind, id)
        return super().get(kind, id)

    def all(self, kind: type[R], **where: object) -> Iterator[R]:
        """Yield resources of a kind; without a condition the whole kind is noted, else a bucket."""
        if not where and self.caller is None:
            self._look(kind).is_whole = True
        return super().all(kind, **where)

    def table(self, kind: Kind) -> Table:
        """Return all resources of a kind; the whole kind is noted."""
        self._look(kind).is_whole = True
        return super().table(kind)

    def bucket(self, kind: Kind, field: str, value: object) -> Table:
        """Return a bucket of an index, and note it."""
        found = super().bucket(kind, field, value)
        look = self._look(kind)
        if len(found) > BUCKET_MAX:
            look.is_whole = True
        else:
            look.buckets[field, value] = found
        return found

    def count(self, kind: Kind) -> int:
        """Count resources of a kind, and note the whole kind."""
        self._look(kind).is_whole = True
        return super().count(kind)

    def _saw(self, kind: Kind, id: str) -> None:
        self._look(kind).resources[id] = self._tables.get(kind, {}).get(id)

    def _look(self, kind: Kind) -> Look:
        look = self._seen.get(kind)
        if look is None:
            look = self._seen[kind] = Look(self._stamps.get(kind))
        return look


def witness(world: Noted) -> Witness:
    """Return the same World for another reader; the kinds that he looks at are noted in `world`, too."""
    view = Witness(world._tables, world.revision, world.caller, world._indexes, world._stamps)
    view._notes, view._seen = world._notes, {}
    return view


def stand(looks: Looks, world: World) -> bool:
    """Tell whether every look would find in `world` what it found; then its stamps vouch for it from now on."""
    for kind, look in looks.items():
        stamp = world.stamp(kind)
        if look.stamp is stamp:
            continue
        if look.is_whole:
            return False
        table = world._tables.get(kind, {})
        if any(table.get(id) is not found for id, found in look.resources.items()):
            return False
        if any(world.bucket(kind, *key) is not found for key, found in look.buckets.items()):
            return False
        look.stamp = stamp
    return True
