"""Fragments: the facts of one resource, and the memory that spares compiling what did not change."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from atoll.model.resource import Resource
from atoll.network.facts import Fact

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
MEMO_MAX = 20_000  # resources: 10,000, and those that have gone, of 2 kB each; AWS allows 2,500 security groups


class Key(NamedTuple):
    """The name of a fragment."""

    vpc_id: str  # "": the internet
    kind: str  # "interfaces", "groups" ...
    id: str  # of the resource


@dataclass(frozen=True, slots=True)
class Fragment:
    """The facts of one resource."""

    key: Key
    made_from: tuple[object, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """The fragments of one kind in one VPC, by id."""

    made_from: tuple[object, ...]
    fragments: Mapping[str, Fragment]


Wanted: TypeAlias = Iterable[tuple[str, tuple[object, ...], Callable[[], Iterator[Fact]]]]
"""Fragments to be: id, what it is made from, and how to make it."""


def no_facts() -> Iterator[Fact]:
    """Make nothing, for a fragment that is there already."""
    return iter(())


class Memo(Generic[R, T]):
    """What was derived from a resource, until there is a newer one of its id: for what is asked of all each time.

    Resources are recognised by identity; they are too large to be compared.
    """

    def __init__(self, derive: Callable[[R], T]) -> None:
        """Remember what `derive` returns."""
        self._derive = derive
        self._known: dict[str, tuple[R, T]] = {}
        self._older: dict[str, tuple[R, T]] = {}  # not asked for since `_known` was full: most have gone

    def __call__(self, resource: R) -> T:
        """Return what is derived from a resource."""
        known = self._known.get(resource.id)
        if known is None or known[0] is not resource:
            if len(self._known) >= MEMO_MAX // 2:
                self._known, self._older = {}, self._known
            known = self._older.pop(resource.id, None)
            if known is None or known[0] is not resource:
                known = resource, self._derive(resource)
            self._known[resource.id] = known
        return known[1]


def part(
    vpc_id: str, kind: str, old: Part | None, made_from: tuple[object, ...], wanted: Callable[[], Wanted]
) -> Part:
    """Return a part: the old one if it is made from the same, else with those fragments made anew that are not.

    Tuples compare their members by identity first, so what did not change costs nanoseconds.
    """
    if old is not None and old.made_from == made_from:
        return old
    known: Mapping[str, Fragment] = old.fragments if old is not None else {}
    fragments = {}
    for id, inputs, make in wanted():
        fragment = known.get(id)
        if fragment is None or fragment.made_from != inputs:
            fragment = Fragment(Key(vpc_id, kind, id), inputs, tuple(make()))
        fragments[id] = fragment
    if len(known) == len(fragments) and all(known.get(id) is f for id, f in fragments.items()):
        return Part(made_from, known)
    return Part(made_from, fragments)
