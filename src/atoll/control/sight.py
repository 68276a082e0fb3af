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
from atoll.control.wanted import Compiled
from atoll.host.contract import Machine
from atoll.model.notes import Notes
from atoll.model.world import Caller, Kind, Tx, World
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
    store: Store, nodes: Compiled, make: "Callable[[Sight, Want], L]", burst_seconds: float = BURST_SECONDS
) -> L:
    """Make a loop that has its own sight of the store and of the nodes that should run, and is woken by it."""
    sight = Sight(store)
    loop = make(sight, sight.through(nodes))
    sight.watch(loop.wake, burst_seconds)
    return loop


class Sight(Notes):
    """One loop's sight of the store."""

    __slots__ = ("_burst", "_compiled", "_is_sure", "_loop", "_store", "_tell", "_told", "_view")

    def __init__(self, store: Store) -> None:
        """Look at `store`."""
        super().__init__()
        self._store = store
        self._view: World | None = None  # of the newest World: a round asks a thousand times
        self._burst: Burst | None = None  # None: nobody is to be told yet
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tell: Callable[[], None] = lambda: None
        self._compiled: Compiled | None = None  # machines that the loop looks at, as soon as it has
        self._told: Mapping[str, Machine] | None = None  # those of which it was told last
        self._is_sure = False  # something changed that it looks at itself

    @property
    def world(self) -> World:
        """The newest World."""
        view, newest = self._view, self._store.world
        if view is None or view.revision != newest.revision:
            self._view = view = newest.noted(self)
        return view

    def write(self, fn: Callable[[Tx], T], *, caller: Caller | None = None, what: str = "") -> T:
        """Run `fn` in a transaction.  Raises StoreError."""
        return self._store.write(fn, caller=caller, what=what)

    def through(self, compiled: Compiled) -> Want:
        """Return what tells machines that should run: whoever has looked at them is told when they are others."""

        def machines() -> Mapping[str, Machine]:
            self._compiled = compiled
            return compiled()

        return machines

    def watch(self, tell: Callable[[], None], burst_seconds: float = BURST_SECONDS) -> None:
        """From now on tell the loop of changes: in the event loop of whoever asks for this."""
        self._tell, self._loop = tell, asyncio.get_running_loop()
        self._burst = burst = Burst(self._look_up, burst_seconds)
        self._store.watch(lambda _: burst.happened(), self.concerns)

    def concerns(self, changed: Collection[Kind]) -> bool:
        """Tell whether a change of these kinds is one of what was looked at, or may be."""
        self._view = None  # or a loop that sleeps would keep an old World
        machines = self._compiled.notes if self._compiled else None
        if not (self.kinds or machines) or _has(self, changed):
            self._is_sure = True
        return self._is_sure or (machines is not None and _has(machines, changed))

    def note(self, kind: Kind, stamp: object) -> None:
        """A kind is looked at for the first time; in an older World, perhaps, from another thread."""
        super().note(kind, stamp)
        if self._burst and self._loop and not self._store.world.bears({kind: stamp}):
            self._is_sure = True
            self._loop.call_soon_threadsafe(self._burst.happened)

    def _look_up(self) -> None:
        """Tell the loop, unless only the machines may be others and are not; no commit waits for that."""
        assert self._loop, "somebody is to be told"
        if self._is_sure:
            self._is_sure = False
            self._tell()
        else:
            self._loop.call_soon(self._compare)

    def _compare(self) -> None:
        assert self._compiled, "else nobody had to look"
        machines = self._compiled()
        if machines is not self._told:
            self._told = machines
            self._tell()


def _has(notes: Notes, changed: Collection[Kind]) -> bool:
    # Not isdisjoint: that may walk through `kinds`, to which another thread may add one meanwhile.
    if notes.are_everything:
        return True
    for kind in changed:  # noqa: SIM110 - a dozen loops are asked after each write, and `any` takes twice as long
        if kind in notes.kinds:
            return True
    return False
