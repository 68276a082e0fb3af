"""Copies of another region whose source says nothing: they are made to ask again, before their engines would.

A copy that hears its source acknowledges each second, and learns at once when the backbone leads to another node.
One that waits for an answer says nothing: if the link is moved just then, nobody ends its connection, and the engine
waits for a minute (`repl-timeout`).  In a planned change that may happen at any time: the old primary's leaders
connect at once, to nodes that are about to be replaced by their heirs.

No engine in cluster mode can be told to connect again, but each looks once a second whether it has waited for longer
than its patience.  So that is shortened for a moment, which harms nobody who hears something.
"""

import asyncio
import contextlib
from collections.abc import Container
from dataclasses import dataclass

from atoll.cache.node import NodePlan
from atoll.cache.replicated import Said, follows
from atoll.control.events import log
from atoll.host.contract import Host, HostError

PATIENCE = "repl-timeout"
SILENT_SECONDS = 3  # of a source, while the link is there: engines answer within milliseconds
SHORT_SECONDS = 2  # for an engine, which counts whole ones, and hears something each second of a source that prepares
TURN_SECONDS = 1.5  # in which an engine looks once whether it has waited for too long
AGAIN_SECONDS = 5.0  # until one that does not answer is told again


@dataclass(slots=True)
class _Memory:
    plan: NodePlan
    since: float | None = None  # when it was seen first that it hears nothing
    patience_seconds: float = SILENT_SECONDS  # twice as long each time: a source may be slow
    hurried: float | None = float("-inf")  # since when its engine's patience is short: perhaps by an earlier daemon
    again: float = float("-inf")  # when it may be told so again


class Hearing:
    """Looks after the nodes of one host that are members of global datastores."""

    def __init__(self, host: Host) -> None:
        """Prepare; any node's patience may be what a killed daemon has left."""
        self._host = host
        self._memory: dict[str, _Memory] = {}

    def keep(self, processes: Container[str]) -> None:
        """Forget all but these."""
        self._memory = {process: memory for process, memory in self._memory.items() if process in processes}

    def know(self, plan: NodePlan) -> None:
        """Look after a node from now on, also when its group is no member any more."""
        self._remember(plan)

    async def restore(self) -> None:
        """Give engines their own patience back when it is time; one that hangs keeps nobody waiting for long."""
        await asyncio.gather(*(self._restore(memory) for memory in self._memory.values() if self._is_due(memory)))

    def _is_due(self, memory: _Memory) -> bool:
        is_over = memory.hurried is not None and _now() - memory.hurried >= TURN_SECONDS
        return is_over and _now() >= memory.again and self._host.vital(memory.plan.process) is not None

    async def _restore(self, memory: _Memory) -> None:
        memory.again = _now() + AGAIN_SECONDS
        with contextlib.suppress(HostError):
            await self._host.tune(memory.plan, PATIENCE, dict(memory.plan.settings)[PATIENCE])
            memory.hurried = None

    def _remember(self, plan: NodePlan) -> _Memory:
        memory = self._memory.setdefault(plan.process, _Memory(plan))
        memory.plan = plan
        return memory

    async def look(self, plan: NodePlan, said: Said, *, is_linked: bool) -> None:
        """Look at what a copy says of itself; if it has waited for too long for its source, have it ask again."""
        memory = self._remember(plan)
        if follows(said):
            memory.patience_seconds = SILENT_SECONDS
        if follows(said) or said.get("role") != "slave" or not is_linked or _receives(said):
            memory.since = None
            return
        memory.since = _now() if memory.since is None else memory.since
        if memory.hurried is not None or _now() - memory.since < memory.patience_seconds:
            return
        memory.since, memory.hurried, memory.again = None, _now(), _now()
        memory.patience_seconds = min(memory.patience_seconds * 2, float(dict(plan.settings)[PATIENCE]))
        with contextlib.suppress(HostError):
            await self._host.tune(plan, PATIENCE, str(SHORT_SECONDS))
            log("source asked again", node=plan.name, because=f"it has said nothing for {SILENT_SECONDS} s")


def _receives(said: Said) -> bool:
    """Tell whether an engine is being sent all data just now."""
    sent = said.get("master_sync_in_progress") == "1"
    return sent and int(said.get("master_sync_last_io_seconds_ago", "-1")) in range(SILENT_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()
