"""What a lesson is: a world to begin with, and steps, each with commands to try and a judge.

Texts are elsewhere (`texts`), one file for each lesson and language; a step's `id` is the section of its text.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from atoll.learn.ground import Ground
from atoll.learn.view import View

REGION = "us-east-1"
ACCOUNTS = 710_000_000_000  # the account of lesson number N is this and N: nobody's real account begins so here

Facts: TypeAlias = Mapping[str, str]
Judge: TypeAlias = Callable[[View], Facts]
"""Looks at the state; returns what proves that the step is done.  Raises `view.Not` with what is missing."""
Build: TypeAlias = Callable[[Ground], Awaitable[None]]
Commands: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Wrong:
    """What people do instead, and the reason by which a judge refuses it; the tests do it."""

    code: str
    commands: Commands
    undo: Commands = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step.  `commands` do it, as written, once their placeholders are filled in (`names`)."""

    id: str
    commands: Commands
    judge: Judge
    before: str  # the reason while nothing was done
    others: tuple[Commands, ...] = ()  # other ways that are as right
    wrong: tuple[Wrong, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A lesson, or a lab: a world in which something is wrong."""

    name: str
    number: int  # unique: it gives the account
    build: Build
    steps: tuple[Step, ...]
    is_lab: bool = False

    @property
    def account(self) -> str:
        """The account in which its world is: nobody else's resources are there."""
        return str(ACCOUNTS + self.number)

    def step(self, id: str) -> Step | None:
        """Return a step by its id."""
        return next((step for step in self.steps if step.id == id), None)
