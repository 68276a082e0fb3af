"""The world: every resource, at one revision.

A World is an immutable value.  Operations read and write one through a `Tx`; the network model, the reconciler,
DNS and the console only ever read one.  Because nobody can change a World under its reader, no reader takes a lock
and every answer is consistent.

A World may be *seen by* a caller: then `get` and `all` show only what belongs to the caller's account and region,
so that an operation cannot leak another account's resources by forgetting to ask.

Costs: `get` is a dictionary look-up.  `all(kind)` is linear in what it yields.  `all(kind, field=value)` uses an
index that is built on first use and then carried from revision to revision; the bucket of an index that no change
touched stays the *same object*, which is how the network compiler recognises an untouched VPC.
A write copies the tables it touches: about 10 ns a resource.

Each table has a stamp, an object of its own that a write of the kind replaces: two Worlds with the same stamp have
the same resources of the kind, and it is known what has changed since a stamp that is not old.  `Noted` is a World
that notes the stamps of all that its reader looked at, so that what was made of it can be used again while they
stand, and a loop is woken only by what it looks at.  `looks.py` notes the very resources instead.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar, cast

from atoll.model.notes import Notes
from atoll.model.resource import Resource
from atoll.model.stamp import Stamp

R = TypeVar("R", bound=Resource)
Kind = type[Resource]
Table = Mapping[str, Resource]
Index = Sequence[Mapping[object, Table]]  # a value's bucket is in the part of its hash: a write copies that part
Stamps = Mapping[Kind, object]

INDEX_PARTS = 64

_EMPTY: Table = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: an account in a region, by a principal."""

    account: str
    region: str
    arn: str
    access_key_id: str = ""


class World:
    """All resources at one revision; immutable."""

    __slots__ = ("_indexes", "_stamps", "_tables", "caller", "revision")

    def __init__(
        self,
        tables: Mapping[Kind, Table] | None = None,
        revision: int = 0,
        caller: Caller | None = None,
        indexes: dict[Kind, dict[str, Index]] | None = None,
        stamps: Mapping[Kind, Stamp] | None = None,
    ) -> None:
        """Build a World from its tables: kind -> id -> resource.  They are never changed afterwards."""
        self._tables = tables or {}
        self._indexes = {} if indexes is None else indexes
        self._stamps = {kind: Stamp() for kind in self._tables} if stamps is None else stamps
        self.revision = revision
        self.caller = caller

    def seen_by(self, caller: Caller | None) -> "World":
        """Return the same World as `caller` sees it; `None` sees everything."""
        return World(self._tables, self.revision, caller, self._indexes, self._stamps)

    def noted(self, notes: Notes | None = None) -> "Noted":
        """Return the same World, for a reader of whom it is noted, in `notes`, which kinds were looked at."""
        view = Noted(self._tables, self.revision, self.caller, self._indexes, self._stamps)
        view._notes = Notes() if notes is None else notes
        return view

    def bears(self, stamps: Stamps) -> bool:
        """Tell whether the tables with these stamps are this World's, too; None: there was no such resource yet."""
        mine = self._stamps
        return all(mine.get(kind) is stamp for kind, stamp in stamps.items())

    def holds(self, resource: Resource) -> bool:
        """Tell whether this very resource is here, whosever it is."""
        return self._tables.get(type(resource), _EMPTY).get(resource.id) is resource

    def stamp(self, kind: Kind) -> Stamp | None:
        """Return what stands for all resources of a kind; None: there was none yet."""
        return self._stamps.get(kind)

    def changed(self, kind: Kind, since: object) -> Collection[str] | None:
        """Return the ids of all that may be otherwise, or gone, since a kind had a stamp; None: nobody knows."""
        stamp = self.stamp(kind)
        return () if stamp is since else stamp.changed_since(since) if stamp else None

    def __getitem__(self, key: tuple[type[R], str]) -> R:
        """Follow a reference that another resource holds, in whatever account; the store never lets one dangle."""
        kind, id = key
        return cast(R, self._tables[kind][id])

    def get(self, kind: type[R], id: str) -> R | None:
        """Look up an id that a caller gave us, and that may name nothing or nothing of theirs."""
        found = self._tables.get(kind, _EMPTY).get(id)
        if found is None or (self.caller and found.owner != (self.caller.account, self.caller.region)):
            return None
        return cast(R, found)

    def all(self, kind: type[R], **where: object) -> Iterator[R]:
        """Yield the resources of a kind whose fields (or properties) equal `where`, oldest first.

        The first condition uses an index; the others are compared one by one.
        """
        if self.caller and "owner" not in where:
            where["owner"] = self.caller.account, self.caller.region
        if not where:
            yield from cast("Iterator[R]", iter(self._tables.get(kind, _EMPTY).values()))
            return
        (field, value), *others = where.items()
        for resource in self.bucket(kind, field, value).values():
            if not others or all(getattr(resource, name) == wanted for name, wanted in others):
                yield cast(R, resource)

    def count(self, kind: Kind) -> int:
        """Count the caller's resources of a kind, or, if the World is nobody's view, everybody's."""
        if self.caller:
            return len(self.bucket(kind, "owner", (self.caller.account, self.caller.region)))
        return len(self._tables.get(kind, _EMPTY))

    def bucket(self, kind: Kind, field: str, value: object) -> Table:
        """Return the resources of a kind whose hashable `field` is `value`, in all accounts.

        The mapping is the same object in every later World in which none of them changed.
        """
        mine = self._indexes.get(kind)
        index = mine.get(field) if mine else None
        if index is None:
            index = _build(self._tables.get(kind, _EMPTY), field)
            self._indexes.setdefault(kind, {})[field] = index
        return index[hash(value) % INDEX_PARTS].get(value, _EMPTY)

    def table(self, kind: Kind) -> Table:
        """Return all resources of a kind, in all accounts: the same object while none of them changes."""
        return self._tables.get(kind, _EMPTY)

    def kinds(self) -> Iterator[Kind]:
        """Yield the kinds of which there is a resource."""
        return (kind for kind, table in self._tables.items() if table)

    def __iter__(self) -> Iterator[Resource]:
        """Yield every resource, of every account."""
        for table in self._tables.values():
            yield from table.values()

    def __len__(self) -> int:
        """Count the resources."""
        return sum(map(len, self._tables.values()))

    def after(self, changes: Mapping[tuple[Kind, str], Resource | None]) -> "World":
        """Return the next revision: these resources put, or, where `None`, removed."""
        tables, indexes, stamps = dict(self._tables), dict(self._indexes), dict(self._stamps)
        by_kind: dict[Kind, dict[str, Resource | None]] = {}
        for (kind, id), resource in changes.items():
            by_kind.setdefault(kind, {})[id] = resource
        for kind, changed in by_kind.items():
            old = self._tables.get(kind, _EMPTY)
            table = dict(old)
            for id, resource in changed.items():
                if resource is None:
                    table.pop(id, None)
                else:
                    table[id] = resource
            tables[kind], stamps[kind] = table, Stamp(stamps.get(kind), tuple(changed))
            if mine := indexes.get(kind):  # Worlds with the same table share it, and readers of each may add to it
                indexes[kind] = {field: _carry(index, field, old, changed) for field, index in list(mine.items())}
        return World(tables, self.revision + 1, self.caller, indexes, stamps)


class Noted(World):
    """A World that notes which kinds it is asked for, by itself and by every view of it."""

    __slots__ = ("_notes",)

    _notes: Notes  # one for all views

    def note(self, kinds: Iterable[Kind]) -> None:
        """Note that somebody looked at these kinds for what is made of this World."""
        for kind in kinds:
            self._note(kind)

    @property
    def looks(self) -> Stamps | None:
        """The stamps of what was looked at; None if that was everything, and so no few stamps can vouch for it."""
        return None if self._notes.are_everything else self._notes.kinds

    def seen_by(self, caller: Caller | None) -> World:
        """Return the same World as `caller` sees it; what is asked of it is noted here."""
        view = Noted(self._tables, self.revision, caller, self._indexes, self._stamps)
        view._notes = self._notes
        return view

    def __getitem__(self, key: tuple[type[R], str]) -> R:
        """Follow a reference, and note it."""
        self._note(key[0])
        return super().__getitem__(key)

    def get(self, kind: type[R], id: str) -> R | None:
        """Look up an id, and note it."""
        self._note(kind)
        return super().get(kind, id)

    def all(self, kind: type[R], **where: object) -> Iterator[R]:
        """Yield resources of a kind, and note it."""
        self._note(kind)
        return super().all(kind, **where)

    def stamp(self, kind: Kind) -> Stamp | None:
        """Return what stands for all resources of a kind, and note it."""
        self._note(kind)
        return super().stamp(kind)

    def bucket(self, kind: Kind, field: str, value: object) -> Table:
        """Return a bucket of an index, and note it."""
        self._note(kind)
        return super().bucket(kind, field, value)

    def table(self, kind: Kind) -> Table:
        """Return all resources of a kind, and note it."""
        self._note(kind)
        return super().table(kind)

    def count(self, kind: Kind) -> int:
        """Count resources of a kind, and note it."""
        self._note(kind)
        return super().count(kind)

    def kinds(self) -> Iterator[Kind]:
        """Yield the kinds: that is about everything."""
        self._notes.are_everything = True
        return super().kinds()

    def __iter__(self) -> Iterator[Resource]:
        """Yield everything."""
        self._notes.are_everything = True
        return super().__iter__()

    def __len__(self) -> int:
        """Count everything."""
        self._notes.are_everything = True
        return super().__len__()

    def after(self, changes: Mapping[tuple[Kind, str], Resource | None]) -> World:
        """Return the next revision, in which nothing is noted: so it is about everything."""
        self._notes.are_everything = True
        return super().after(changes)

    def _note(self, kind: Kind) -> None:
        if kind not in self._notes.kinds:
            self._notes.note(kind, self._stamps.get(kind))


def _build(table: Table, field: str) -> Index:
    parts: list[dict[object, dict[str, Resource]]] = [{} for _ in range(INDEX_PARTS)]
    for id, resource in table.items():
        value = getattr(resource, field)
        parts[hash(value) % INDEX_PARTS].setdefault(value, {})[id] = resource
    return parts


def _carry(index: Index, field: str, old: Table, changed: Mapping[str, Resource | None]) -> Index:
    """Return an index with some resources changed; buckets, and parts, that hold none of them are shared."""
    out = list(index)
    parts: dict[int, dict[object, Table]] = {}
    fresh: dict[object, dict[str, Resource]] = {}

    def part_of(value: object) -> dict[object, Table]:
        number = hash(value) % INDEX_PARTS
        if number not in parts:
            out[number] = parts[number] = dict(out[number])
        return parts[number]

    def own(value: object) -> dict[str, Resource]:
        if value not in fresh:
            part = part_of(value)
            part[value] = fresh[value] = dict(part.get(value, _EMPTY))
        return fresh[value]

    for id, resource in changed.items():
        before = old.get(id)
        was = getattr(before, field) if before is not None else None
        now = getattr(resource, field) if resource is not None else None
        if before is not None and (resource is None or was != now):
            own(was).pop(id, None)
        if resource is not None:
            own(now)[id] = resource
    for value, bucket in fresh.items():
        if not bucket:
            del part_of(value)[value]
    return out


class Tx:
    """One transaction: a World to read, the changes made to it so far, the time and the dice.

    `world` always includes this transaction's own changes.  If the operation raises, the changes are forgotten.
    """

    __slots__ = ("_base", "_fresh", "_new_hex", "_world", "caller", "changes", "now")

    def __init__(self, world: World, *, caller: Caller | None, now: datetime, new_hex: Callable[[int], str]) -> None:
        """Open a transaction on `world` for `caller`; `new_hex(n)` gives n random hexadecimal digits."""
        self._base = self._world = world.seen_by(caller)
        self._fresh: dict[tuple[Kind, str], Resource | None] = {}  # the changes that `_world` does not have yet
        self._new_hex = new_hex
        self.caller = caller
        self.now = now  # aware, UTC, whole milliseconds
        self.changes: dict[tuple[Kind, str], Resource | None] = {}

    @property
    def world(self) -> World:
        """The World with this transaction's changes, as the caller sees it."""
        if self._fresh:
            self._world = self._world.after(self._fresh)
            self._world.revision = self._base.revision + 1  # all of it is one revision
            self._fresh = {}
        return self._world

    @property
    def account(self) -> str:
        """The caller's account: 12 digits."""
        assert self.caller, "only a caller's transaction has an account"
        return self.caller.account

    @property
    def region(self) -> str:
        """The caller's region, such as `us-east-1`."""
        assert self.caller, "only a caller's transaction has a region"
        return self.caller.region

    def acting_as(self, account: str) -> AbstractContextManager[None]:
        """Be another account for a while: what is made then belongs to it, and only what it has is seen."""
        return self._acting(account=account)

    def acting_in(self, region: str) -> AbstractContextManager[None]:
        """Be the same account in another region for a while."""
        return self._acting(region=region)

    @contextmanager
    def _acting(self, **other: str) -> Iterator[None]:
        assert self.caller, "only a caller's transaction has an account and a region"
        before = self.caller
        self._become(replace(before, **other))
        try:
            yield
        finally:
            self._become(before)

    def _become(self, caller: Caller) -> None:
        self.caller, self._base, self._world = caller, self._base.seen_by(caller), self._world.seen_by(caller)

    def new_id(self, prefix: str) -> str:
        """Return a fresh EC2 id: `vpc-` and 17 hexadecimal digits."""
        return f"{prefix}-0{self._new_hex(16)}"

    def new_hex(self, digits: int) -> str:
        """Return random hexadecimal digits."""
        return self._new_hex(digits)

    def make(self, kind: type[R], id: str, /, **fields: Any) -> R:
        """Put a new resource that belongs to the caller's account and region."""
        return self.put(kind(id=id, account=self.account, region=self.region, **fields))

    def put(self, resource: R) -> R:
        """Create or replace a resource."""
        key = type(resource), resource.id
        if self.changes.get(key, resource) is None:  # deleted and made again, it has its old place
            self._world, self._fresh = self._base, dict(self.changes)
        self.changes[key] = self._fresh[key] = resource
        return resource

    def delete(self, resource: Resource) -> None:
        """Remove a resource."""
        key = type(resource), resource.id
        self.changes[key] = self._fresh[key] = None

    def get(self, kind: type[R], id: str) -> R | None:
        """Look up an id that a caller gave us; see `World.get`.  Makes no World of what was put before."""
        if (kind, id) not in self._fresh:
            return self._world.get(kind, id)
        found = self._fresh[kind, id]
        is_seen = not self.caller or (found is not None and found.owner == (self.account, self.region))
        return cast("R | None", found) if is_seen else None

    def all(self, kind: type[R], **where: object) -> list[R]:
        """Return the matching resources; a list, so that the caller may change them while it walks."""
        return list(self.world.all(kind, **where))
