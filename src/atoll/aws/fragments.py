"""Fragments: what an answer tells of one resource, written once for as long as what it was made of stands.

A listing of 500 instances after a change of one costs one instance and the joining.  A describer says
`told(world, render, instance)` instead of `render(world, instance)`; in an answer that may be kept (of a pure
operation, `kept.py`) that is written when the serializer comes to it, from its fragment if there is one.  A fragment
stands while its resource is the same object and every look of its renderer finds what it found (`model/looks.py`).
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from atoll.aws.operation import Shape
from atoll.model.looks import Looks, stand, witness
from atoll.model.world import Noted, World

BYTES_MAX = 128 << 20  # of all fragments: 20,000 instances; further ones are written anew each time
LOOKS_BYTES = 1_500  # about what a fragment weighs besides its text
SWEEP_EVERY_MIN = 1_000  # fragments written between two sweeps, at least: so many may be of what has gone

Writer = Callable[[list[str], Any], None]
Render = Callable[..., Shape]
Teller = tuple[Writer, Render, str | None, str | None]  # for an account in a region, whoever there asks


@dataclass(frozen=True, slots=True)
class Fragment:
    """The text of what is told, of what it is told, and what its renderer saw."""

    text: str
    of: tuple[Any, ...]  # resources, or parts of the first of them
    looks: Looks

    @property
    def weight(self) -> int:
        """About how many bytes it takes."""
        return len(self.text) + LOOKS_BYTES


@dataclass(frozen=True, slots=True)
class Told:
    """Something that is going to be told."""

    world: Noted
    render: Render
    of: tuple[Any, ...]


def told(world: World, render: Render, *of: Any) -> Shape:
    """Return `render(world, *of)`, or in its place what the serializer writes as that: it costs less.

    `of` is a resource, or a resource and parts of it; each has an id.
    """
    if not isinstance(world, Noted):  # whoever reads another World may not be pure, and no fragment is made for him
        return render(world, *of)
    return cast(Shape, Told(world, render, of))


class Fragments:
    """The fragments of this process, for each that tells something: his writer, his renderer, to whom he tells it."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._tellers: dict[Teller, dict[object, Fragment]] = {}
        self._last: tuple[Any, ...] = ()
        self._told: dict[object, Fragment] = {}
        self._bytes = self._written = 0

    def __iter__(self) -> Iterator[Fragment]:
        """Yield all that are kept."""
        for mine in self._tellers.values():
            yield from mine.values()

    def text(self, it: Told, write: Writer) -> str:
        """Return what `write` makes of what is told."""
        caller = it.world.caller
        account, region = (caller.account, caller.region) if caller else (None, None)
        teller = write, it.render, account, region
        mine = self._mine(teller)
        key = it.of[0].id if len(it.of) == 1 else tuple(part.id for part in it.of)
        found = mine.get(key)
        if found is not None and _same(found.of, it.of) and stand(found.looks, it.world):
            it.world.note(found.looks)
            return found.text
        if found is not None:
            self._bytes -= mine.pop(key).weight
        who = caller and replace(caller, arn="", access_key_id="")  # whoever it is, of this account
        reader, out = witness(cast(Noted, it.world.seen_by(who))), list[str]()
        write(out, it.render(reader, *it.of))
        fragment = None if reader.seen is None else Fragment("".join(out), it.of, reader.seen)
        self._written += 1
        self._sweep_sometimes(it.world)
        if fragment:
            it.world.note(fragment.looks)
            self._put(teller, key, fragment)
        return fragment.text if fragment else "".join(out)

    def clear(self) -> None:
        """Forget all."""
        self._tellers.clear()
        self._last = ()
        self._bytes = self._written = 0

    def _mine(self, teller: Teller) -> dict[object, Fragment]:
        if not _same(teller, self._last):  # a listing has one teller
            self._last, self._told = teller, self._tellers.setdefault(teller, {})
        return self._told

    def _put(self, teller: Teller, key: object, fragment: Fragment) -> None:
        if self._bytes + fragment.weight <= BYTES_MAX:
            self._mine(teller)[key] = fragment
            self._bytes += fragment.weight

    def _sweep_sometimes(self, world: World) -> None:
        """Forget what has gone, or is another now, when so many were written that it is worth a look at all."""
        if self._written < max(SWEEP_EVERY_MIN, sum(map(len, self._tellers.values())) // 2):
            return
        left = {
            teller: {key: it for key, it in mine.items() if world.holds(it.of[0])}
            for teller, mine in self._tellers.items()
        }
        self._tellers, self._last = {teller: mine for teller, mine in left.items() if mine}, ()
        self._bytes, self._written = sum(it.weight for it in self), 0


FRAGMENTS = Fragments()


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(map(operator.is_, one, other))
