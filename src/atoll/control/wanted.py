"""Every machine that should run, compiled from the World: instances and cache nodes, by process name.

What stands on a host that is down does not run until the fault is reverted; then it boots again.
"""

from collections.abc import Callable, Mapping
from operator import is_

from atoll.cache.plan import Planner
from atoll.control.guests import Guests
from atoll.host.contract import Machine
from atoll.model.fault import KILLS, dead, faults
from atoll.model.interface import Interface
from atoll.model.notes import Notes
from atoll.model.world import Noted, World


class Compiled:
    """Machines compiled from the newest World: the same object while they are the same machines."""

    def __init__(self, world: Callable[[], World], compile: Callable[[World], Mapping[str, Machine]]) -> None:
        """Compile what `world` returns by `compile`, which remembers the machines that it made."""
        self._world, self._compile = world, compile
        self._revision = -1
        self._found: Mapping[str, Machine] = {}
        self.notes = Notes()  # what they are made of

    def __call__(self) -> Mapping[str, Machine]:
        """Return the machines."""
        world = self._world()
        if world.revision != self._revision:
            if self._revision < 0 or self.notes.are_everything or not world.bears(self.notes.kinds):
                before, self.notes = self.notes, Notes()
                noted = world.noted(self.notes)
                self._revision = -1  # until it is done: what a failure has left here is no World's
                try:
                    found = self._compile(noted)
                finally:
                    noted.note(before.kinds)  # machines that are remembered were made of them
                if not _are_same(found, self._found):
                    self._found = dict(found)  # never an object that somebody was told of before
            self._revision = world.revision
        return self._found


class Wanted:
    """The machines of the newest World: all of them, and the cache nodes, which most loops look after."""

    def __init__(self, world: Callable[[], World]) -> None:
        """Compile what `world` returns."""
        self._guests, self._planner = Guests(), Planner()
        self.machines, self.nodes = Compiled(world, self._all), Compiled(world, self._nodes)

    def _all(self, world: World) -> Mapping[str, Machine]:
        nodes = self.nodes()
        if isinstance(world, Noted):
            world.note(self.nodes.notes.kinds)
        return {**_on_standing_hosts(world, self._guests.guests(world)), **nodes}

    def _nodes(self, world: World) -> Mapping[str, Machine]:
        return _on_standing_hosts(world, self._planner.processes(world))


def _are_same(some: Mapping[str, Machine], others: Mapping[str, Machine]) -> bool:
    return len(some) == len(others) and all(map(is_, some.values(), others.values()))


def _on_standing_hosts(world: World, machines: Mapping[str, Machine]) -> Mapping[str, Machine]:
    if not faults(world, *KILLS):
        return machines
    return {name: one for name, one in machines.items() if not dead(world, world[Interface, one.interface_id])}
