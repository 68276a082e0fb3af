"""The paper host: every call works, verdicts come from the tracer, and nothing runs.

For machines that allow no namespaces, and for tests of everything that is not the kernel.
"""

import asyncio
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from atoll.cache.node import NodePlan
from atoll.host.contract import Door, Failure, Machine, Seen
from atoll.model.engine import EngineBuild
from atoll.network.plan import Plan


class PaperHost:
    """Keeps the contract in memory."""

    mode = "paper"

    def __init__(self) -> None:
        """Start with nothing."""
        self._seen: dict[str, Seen] = {}
        self._wake: Callable[[], None] = lambda: None

    def builds(self) -> Sequence[EngineBuild]:
        """Nothing is built: verbs list AWS's versions."""
        return ()

    def prepare(self) -> None:
        """Nothing to do."""

    def apply(self, plan: Plan) -> Sequence[Failure]:
        """Accept any plan."""
        return ()

    def verify(self) -> Sequence[str]:
        """Nothing can have changed."""
        return ()

    def service_sockets(self, vpc_id: str | None, doors: Sequence[Door]) -> list[socket.socket]:
        """There is no network to listen in."""
        return []

    def seen(self) -> Mapping[str, Seen]:
        """Return what was started on paper."""
        return dict(self._seen)

    def start(self, machine: Machine) -> None:
        """Note that it runs."""
        self._seen[machine.process] = Seen(machine.process, alive=True)

    async def stop(self, name: str, grace_seconds: float) -> None:
        """Note that it ended."""
        self._seen[name] = replace(self._seen[name], alive=False, status=0)
        self._wake()

    def forget(self, name: str) -> None:
        """Forget it."""
        self._seen.pop(name, None)

    def sweep(self, keep: Collection[str]) -> None:
        """There are no disks."""

    def last_words(self, name: str) -> str:
        """Nobody says anything."""
        return ""

    async def ask(self, node: NodePlan) -> str | None:
        """Every node on paper serves."""
        return None

    def console(self, instance_id: str) -> bytes:
        """Return a line that says why there is no console."""
        return b"This instance exists on paper only: Atoll runs with --host paper.\n"

    def on_exit(self, wake: Callable[[], None]) -> None:
        """Remember whom to wake."""
        self._wake = wake

    async def lost(self) -> str:
        """Paper is patient."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody completes it")

    def close(self) -> None:
        """Nothing to let go of."""

    def destroy(self) -> None:
        """Forget everything."""
        self._seen.clear()
