"""What the network says of a connection: the tracer of a new one, the compiled plan of one that is open.

The plan is walked as the kernel would walk it, with connection tracking (`network/decide.py`): so a rule that goes
cuts an open connection exactly when the kernel would have cut it.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.world import World
from atoll.network.decide import Kernel, Lost
from atoll.network.decide_rules import ends_of
from atoll.network.flow import TCP, At, Packet, Trace, Verdict
from atoll.network.plan import Plan
from atoll.network.trace import trace

SOURCE_PORTS = range(32_768, 61_000)  # that Linux gives to clients


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection that was let through."""

    sender: At
    packet: Packet  # its first, as it was sent
    receiver: str  # the interface that has it
    received: Packet  # the same packet there


class Judge:
    """Judges the connections of one installation.  In the event loop's thread."""

    def __init__(self, world: Callable[[], World], source_ports: Iterable[int] = SOURCE_PORTS) -> None:
        """Ask `world` for the newest World; connections come from `source_ports` in turn."""
        self._world = world
        self._plan, self._kernel = Plan(), Kernel(())
        self._is_stale = False
        self._ports = itertools.cycle(source_ports)

    def obey(self, plan: Plan) -> None:
        """Take another plan; the connections stay as they are until they are asked about."""
        self._plan, self._is_stale = plan, True

    def ask(self, sender: At, destination: Ip, port: int) -> tuple[Flow | None, Trace | None]:
        """Return a new connection, or why there is none: a trace that did not arrive, or no sender at all."""
        world = self._world().seen_by(None)
        if isinstance(sender, str) and world.get(Interface, sender) is None:
            return None, None
        found = trace(world, sender, destination, TCP, port, source_port=next(self._ports))
        receiver, received = found.receiver, found.received
        if found.verdict is not Verdict.DELIVERED or not isinstance(receiver, str) or received is None:
            return None, found
        flow = Flow(sender, found.packet, receiver, received)
        self.stands(flow)  # from now on it is tracked
        return flow, None

    def stands(self, flow: Flow) -> bool:
        """Tell whether packets of an open connection, and answers to them, still arrive."""
        if self._is_stale:
            self._kernel.put(self._plan.facts())
            self._is_stale = False
        try:
            return self._kernel.ask(flow.sender, flow.packet).answered
        except (Lost, KeyError):  # an end of it has gone
            return False

    def end(self, flow: Flow, *, is_last: bool) -> None:
        """Forget a connection.  `is_last`: nothing else is tracked, whatever was translated on its way."""
        if is_last:
            self._kernel.flows.clear()
            return
        ends = ends_of(flow.packet)
        for flows in self._kernel.flows.values():
            if ends is not None and (tracked := flows.get(ends)):
                for key in [key for key, one in flows.items() if one is tracked]:
                    del flows[key]
