"""The store as one loop sees it: what the loop looks at is noted, and nothing else wakes it.

A loop says nowhere what it reads, so nobody can forget to: every World that it is given notes the kinds that it is
asked for.  What was decided from some kinds stays decided until one of them changes.  A loop that has not looked at
anything yet is woken by everything.

What a transaction reads is not noted: one is begun because of something that was looked at.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol, TypeVar

from atoll.control.news import BURST_SECONDS, Burst
from atoll.control.wanted import Wanted
from atoll.host.contract import Machine
from atoll.model.world import Caller, Kind, Notes, Tx, World
from atoll.store.sqlite import Store

T = TypeVar("T")
Want = Callable[[], Mapping[str, Machine]]


class Book(Protocol):
    """What keeps the World, for a loop: the store, or a sight of it."""

    @property
    def world(self) -> World:
        """The newest World."""
        ...

    def write(self, fn: Callable[[Tx], T], *, caller: Caller | None = None, what: str = "") -> T:
        """Run `fn` in a transaction.  Raises StoreError."""
        ...


class Wakeable(Protocol):
    """A loop that waits."""

    def wake(self) -> None:
        """Have a look, soon."""
        ...


L = TypeVar("L", bound=Wakeable)


def looking(
    store: Store, wanted: Wanted, make: "Callable[[Sight, Want], L]", burst_seconds: float = BURST_SECONDS
) -> L:
    """Make a loop that has its own sight of the store and of the machines that should run, and is woken by it."""
    sight = Sight(store)
    loop = make(sight, sight.through(wanted))
    sight.watch(loop.wake, burst_seconds)
    return loop


class Sight(Notes):
    """One loop's sight of the store."""

    __slots__ = ("_burst", "_loop", "_store", "_wanted")

    def __init__(self, store: Store) -> None:
        """Look at `store`."""
        super().__init__()
        self._store = store
        self._burst: Burst | None = None  # None: nobody is to be told yet
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted: Mapping[str, Machine] | None = None

    @property
    def world(self) -> World:
        """The newest World."""
        return self._store.world.noted(self)

    def write(self, fn: Callable[[Tx], T], *, caller: Caller | None = None, what: str = "") -> T:
        """Run `fn` in a transaction.  Raises StoreError."""
        return self._store.write(fn, caller=caller, what=what)

    def through(self, wanted: Wanted) -> Want:
        """Return what tells the machines that should run: whoever looks at them looks at what they are made of."""

        def machines() -> Mapping[str, Machine]:
            found = wanted.machines()
            if found is not self._wanted:
                self._wanted = found
                self._include(wanted.notes)
            return found

        return machines

    def watch(self, tell: Callable[[], None], burst_seconds: float = BURST_SECONDS) -> None:
        """From now on tell the loop of changes: in the event loop of whoever asks for this."""
        self._burst, self._loop = burst, _ = Burst(tell, burst_seconds), asyncio.get_running_loop()
        self._store.watch(lambda _: burst.happened(), self.concerns)

    def concerns(self, changed: Collection[Kind]) -> bool:
        """Tell whether a change of these kinds is one of what was looked at."""
        # Not isdisjoint: that may walk through `kinds`, to which another thread may add one meanwhile.
        return self.are_everything or not self.kinds or any(kind in self.kinds for kind in changed)

    def note(self, kind: Kind, stamp: object) -> None:
        """A kind is looked at for the first time; in an older World, perhaps, from another thread."""
        super().note(kind, stamp)
        if self._burst and self._loop and not self._store.world.bears({kind: stamp}):
            self._loop.call_soon_threadsafe(self._burst.happened)

    def _include(self, notes: Notes) -> None:
        self.are_everything = self.are_everything or notes.are_everything
        for kind in notes.kinds.keys() - self.kinds.keys():
            self.note(kind, notes.kinds[kind])
