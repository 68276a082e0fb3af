"""What each loop did last and why, and when it looks again, for whoever asks how the loops are.

A loop is a task.  What is logged or written down in it, or in a task that it begins, is its doing; so no loop has to
say who it is.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass(slots=True)
class Pulse:
    """One loop."""

    looks: int = 0
    looked: datetime | None = None
    next: datetime | None = None  # None: as soon as something happens, and not before
    did: str = ""  # as the log or the journal has it; "" is nothing yet
    about: str = ""
    because: str = ""
    at: datetime | None = None  # when it did that

    def do(self, did: str, about: str = "", because: str = "") -> None:
        """Keep what the loop did."""
        self.did, self.about, self.because, self.at = did, about, because, datetime.now(UTC)


_MINE: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


class Pulses:
    """The loops of one daemon, in the order in which they were begun."""

    def __init__(self) -> None:
        """Begin without any."""
        self._pulses: dict[str, Pulse] = {}

    def begin(self, name: str, loop: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run a loop as a task of this name."""
        self._pulses[name] = pulse = Pulse()

        async def run() -> None:
            _MINE.set(pulse)
            await loop

        return asyncio.create_task(run(), name=name)

    def told(self) -> list[dict[str, Any]]:
        """Return all, as JSON-able values."""
        return [
            {
                "name": name,
                "looks": pulse.looks,
                "looked": _text(pulse.looked),
                "next": _text(pulse.next),
                "did": pulse.did,
                "about": pulse.about,
                "because": pulse.because,
                "at": _text(pulse.at),
            }
            for name, pulse in self._pulses.items()
        ]


def did(event: str, about: str = "", because: str = "") -> None:
    """Say that the loop that we are in, if we are in one, did something."""
    if event and (pulse := _MINE.get()):
        pulse.do(event, about, because)


def waits(seconds: float | None) -> None:
    """Say that our loop has looked, and looks again so much later (None: when something happens)."""
    if pulse := _MINE.get():
        now = datetime.now(UTC)
        pulse.looks, pulse.looked = pulse.looks + 1, now
        pulse.next = None if seconds is None else now + timedelta(seconds=max(seconds, 0))


async def rest(seconds: float) -> None:
    """Sleep until our loop looks again."""
    waits(seconds)
    await asyncio.sleep(seconds)


def _text(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
