"""Every machine that should run, compiled from the World: instances and cache nodes, by process name.

What stands on a host that is down does not run until the fault is reverted; then it boots again.
"""

from collections.abc import Callable, Mapping

from atoll.cache.plan import Planner
from atoll.control.guests import Guests
from atoll.host.contract import Machine
from atoll.model.fault import KILLS, dead, faults
from atoll.model.interface import Interface
from atoll.model.world import Notes, World


class Wanted:
    """Compiles the machines of the newest World; while nothing changes that they are made of, they are the same."""

    def __init__(self, world: Callable[[], World]) -> None:
        """Compile what `world` returns."""
        self._world = world
        self._guests, self._planner = Guests(), Planner()
        self._revision = -1
        self._machines: Mapping[str, Machine] = {}
        self.notes = Notes()  # what they are made of

    def machines(self) -> Mapping[str, Machine]:
        """Return the machines that should run."""
        world = self._world()
        if world.revision != self._revision:
            if self._revision < 0 or self.notes.are_everything or not world.bears(self.notes.kinds):
                before, self.notes = self.notes, Notes()
                noted = world.noted(self.notes)
                self._machines = self._compile(noted)
                noted.note(before.kinds)  # plans that are remembered were made of them
            self._revision = world.revision
        return self._machines

    def _compile(self, world: World) -> Mapping[str, Machine]:
        found: dict[str, Machine] = dict(self._guests.guests(world))
        found.update({node.process: node for node in self._planner.nodes(world)})
        return _on_standing_hosts(world, found)


def _on_standing_hosts(world: World, machines: Mapping[str, Machine]) -> Mapping[str, Machine]:
    if not faults(world, *KILLS):
        return machines
    return {name: one for name, one in machines.items() if not dead(world, world[Interface, one.interface_id])}
