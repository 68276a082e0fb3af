"""TLS terminators tied to their engines: started, told, and ended with them.  The host's side of `terminators.py`."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from atoll.cache.node import NodePlan
from atoll.host.contract import HostError
from atoll.host.engine.terminating import SUFFIX
from atoll.host.linux.client import Keeper, Process
from atoll.host.linux.nodes import Nodes


class Watched(Protocol):
    """A process that is watched, and its end."""

    process: Process
    ended: asyncio.Event


class Tied:
    """The terminators of one host."""

    def __init__(
        self,
        keeper: Keeper,
        nodes: Nodes,
        watched: Mapping[str, Watched],
        watch: Callable[[str, Process | None], object],
        drop: Callable[[str], None],
    ) -> None:
        """Use `watched` to find processes by name, `watch` to begin watching one, `drop` to stop."""
        self._keeper, self._nodes = keeper, nodes
        self._watched, self._watch, self._drop = watched, watch, drop
        self._starting = set[str]()
        self._ready = set[str]()  # engines whose terminators listen, as far as they have not ended since

    def runs(self, engine: str) -> bool:
        """Tell whether an engine's terminator runs, as far as is known."""
        found = self._watched.get(engine + SUFFIX)
        return found is not None and not found.ended.is_set()

    def listens(self, engine: str) -> bool:
        """Tell whether an engine's terminator listens: it does not while it is being started again."""
        return engine in self._ready and self.runs(engine)

    async def encrypt(self, node: NodePlan) -> None:
        """Have a node's clients meet TLS, or plain text, as its plan says.  Raises HostError."""
        terminators, name = self._nodes.terminators, node.process + SUFFIX
        await asyncio.to_thread(self._watch, name, None)
        runs = self.runs(node.process)
        await self._nodes.name_in_cluster(node)
        if node.encryption is None:
            await asyncio.to_thread(terminators.apply, node)
            if runs:
                self._watched[name].process.send(signal.SIGUSR1)  # it ends with the last of its connections
            return
        if not runs or await asyncio.to_thread(terminators.is_stopping, node):
            self._ready.discard(node.process)
            with self.starting(node.process):
                self._drop(name)
                process = await asyncio.to_thread(self._nodes.encrypt, node)
                await asyncio.to_thread(self._watch, name, process)
        await asyncio.to_thread(terminators.apply, node)
        self._ready.add(node.process)
        if node.encryption.mode == "required" and node.encrypted == "preferred":
            await self._nodes.cut_plain(node)

    @contextlib.contextmanager
    def starting(self, engine: str) -> Iterator[None]:
        """Leave an engine's terminator alone meanwhile: it may be there before its engine."""
        self._starting.add(engine)
        try:
            yield
        finally:
            self._starting.discard(engine)

    def check(self, name: str, alive: Collection[str]) -> None:
        """Let a terminator live as long as its engine; `alive`: the names of processes that run."""
        found, engine = self._watched.get(name), name.removesuffix(SUFFIX)
        if engine in self._starting:
            return
        if name in alive and engine in alive:
            self._watch(name, None)
        elif name in alive:
            self._keeper.kill(name)
        elif found is None or found.ended.is_set():  # else another has this name by now
            with contextlib.suppress(HostError):
                self._keeper.forget(name)
            self._drop(name)

    def end(self, engine: str) -> None:
        """Kill an engine's terminator: whoever was its client must know at once."""
        self._ready.discard(engine)
        if found := self._watched.get(engine + SUFFIX):
            found.process.send(signal.SIGKILL)
