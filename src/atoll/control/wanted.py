"""Every machine that should run, compiled from the World: instances and cache nodes, by process name.

What stands on a host that is down does not run until the fault is reverted; then it boots again.
"""

from collections.abc import Callable, Mapping

from atoll.cache.plan import Planner
from atoll.control.guests import guests
from atoll.host.contract import Machine
from atoll.model.fault import KILLS, dead, faults
from atoll.model.interface import Interface
from atoll.model.world import World


class Wanted:
    """Compiles the machines of the newest World; a World that was compiled already costs nothing."""

    def __init__(self, world: Callable[[], World]) -> None:
        """Compile what `world` returns."""
        self._world = world
        self._planner = Planner()
        self._revision = -1
        self._machines: Mapping[str, Machine] = {}

    def machines(self) -> Mapping[str, Machine]:
        """Return the machines that should run."""
        world = self._world()
        if world.revision != self._revision:
            found: dict[str, Machine] = dict(guests(world))
            found.update({node.process: node for node in self._planner.nodes(world)})
            self._machines, self._revision = _on_standing_hosts(world, found), world.revision
        return self._machines


def _on_standing_hosts(world: World, machines: Mapping[str, Machine]) -> Mapping[str, Machine]:
    if not faults(world, *KILLS):
        return machines
    return {name: one for name, one in machines.items() if not dead(world, world[Interface, one.interface_id])}
