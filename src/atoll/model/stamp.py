"""Stamps of tables, as `world.py` tells of them: what stands for all resources of a kind at some revisions."""

from collections.abc import Collection
from typing import Self

STEPS_KEPT = 32  # back from a stamp, at least, and twice as many at most: a reader that is further behind reads all


class Stamp:
    """A table's stamp, which knows what has changed in it since those before."""

    __slots__ = ("_before", "_ids", "_steps")

    def __init__(self, before: Self | None = None, ids: tuple[str, ...] = ()) -> None:
        """Come after another stamp, by a change of the resources with these ids."""
        self._before, self._ids = before, ids
        self._steps: int = before._steps + 1 if before else 0
        if self._steps == 2 * STEPS_KEPT:
            self._forget()

    def changed_since(self, older: object) -> Collection[str] | None:
        """Return the ids of all that may be otherwise than in a table with an older stamp; None: nobody knows.

        Those that changed first come first.
        """
        found: list[tuple[str, ...]] = []
        at: Stamp | None = self
        while at is not older:
            if at is None:
                return None
            found.append(at._ids)
            at = at._before
        return dict.fromkeys(id for ids in reversed(found) for id in ids) if older else None

    def _forget(self) -> None:
        last: Stamp | None = self
        for _ in range(STEPS_KEPT):
            last = last._before if last else None
        if last:
            last._before = None
        self._steps = STEPS_KEPT
