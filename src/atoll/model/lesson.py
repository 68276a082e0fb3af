"""Lessons that somebody has opened: how far they are.  What a lesson is about is in `learn`."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson(Resource):
    """An opened lesson.  Its id is its name; it belongs to the account in which its world is.

    A daemon that ends while a lesson is being built leaves it with `built` false: it is then built anew.
    """

    opened: datetime
    built: bool = False
    done: tuple[str, ...] = ()  # steps whose state was right once, in order
    hints: tuple[tuple[str, int], ...] = ()  # step, and how many of its hints were shown

    def hints_shown(self, step: str) -> int:
        """Return how many hints of a step were shown."""
        return dict(self.hints).get(step, 0)
