"""Answers that are kept: a question that is asked again costs a look-up, while what it is about has not changed.

Only of pure operations (`operation.py`): their answer follows from the World, the parameters and the caller alone.
With an answer go the stamps of all tables that were looked at for it.  A World with the same stamps has the very same
resources of these kinds, so nothing is ever told to a caller that is not so now; nobody has to remember to forget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atoll.model.world import Caller, Stamps, World

CHARACTERS_MAX = 16 << 20  # of all that is kept; the longest unused is forgotten first
CHARACTERS_EACH_MAX = 4 << 20
ANSWERS_MAX = 1_000
QUESTION_CHARACTERS_MAX = 8_192  # 20 MB of longest questions at the most, with their parameters read

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, what it was given for, and what vouches for it."""

    given: Mapping[str, Any]  # the parameters, for the journal
    body: str
    stamps: Stamps


class Shelf:
    """The answers of this process."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._kept: dict[Key, Kept] = {}  # the longest unused first
        self._characters = 0

    def find(self, key: Key, world: World) -> Kept | None:
        """Return the answer to a question, if it is still what it would be."""
        found = self._kept.pop(key, None)
        if found is None:
            return None
        if not world.bears(found.stamps):
            self._characters -= len(found.body)
            return None
        self._kept[key] = found
        return found

    def put(self, key: Key, kept: Kept) -> None:
        """Keep an answer, unless it is very long."""
        if len(kept.body) > CHARACTERS_EACH_MAX:
            return
        if former := self._kept.pop(key, None):
            self._characters -= len(former.body)
        self._kept[key] = kept
        self._characters += len(kept.body)
        while self._characters > CHARACTERS_MAX or len(self._kept) > ANSWERS_MAX:
            self._characters -= len(self._kept.pop(next(iter(self._kept))).body)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._characters = 0


SHELF = Shelf()


def key_of(service: str, caller: Caller, form: Mapping[str, str]) -> Key | None:
    """Return what tells a question from all others, if it is short enough to be kept with its answer."""
    if sum(len(name) + len(value) for name, value in form.items()) > QUESTION_CHARACTERS_MAX:
        return None
    return service, caller, *form.items()
