"""A host and a store on which everything goes wrong that can, as often as they are told."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from atoll.cache.node import NodePlan
from atoll.cache.tuning import places
from atoll.host.contract import HostError, Machine, Replication, Seen
from atoll.host.paper import PaperHost
from atoll.store.sqlite import Store, StoreError


class FaultyHost(PaperHost):
    """Keeps processes and disks as the keeper does; survives the daemons that use it."""

    is_paper = False

    def __init__(self, dice: Random):
        super().__init__()
        self.dice = dice
        self.trouble = 0.0  # how likely each call fails
        self.disks: set[str] = set()
        self.wrongs: list[str] = []  # what must never happen, and did
        self.boots = 0
        self.settings: dict[str, dict[tuple[str, str], str]] = {}  # what each engine runs with
        self.tuned = 0

    def _fails(self) -> bool:
        return self.dice.random() < self.trouble

    @property
    def alive(self) -> set[str]:
        return {name for name, process in self._seen.items() if process.alive}

    def seen(self) -> Mapping[str, Seen]:
        if self._fails():
            raise HostError("no answer")
        return dict(self._seen)

    def start(self, machine: Machine) -> None:
        if self._fails():
            raise HostError("it did not start")
        if machine.process in self._seen:
            raise HostError("there is one of this name")
        subject = machine.process.rpartition("#")[0]
        if others := [name for name in self.alive if name.rpartition("#")[0] == subject]:
            self.wrongs.append(f"{machine.process} was started beside {others}")
        self._seen[machine.process] = Seen(machine.process, alive=True, pid=1)
        self.disks.add(subject)
        if isinstance(machine, NodePlan):
            self.settings[machine.process] = places(machine.settings)
        self.boots += 1
        if self._fails():  # it runs, and nobody was told
            raise HostError("the answer was lost")
        if self._fails():
            self.end(machine.process, 1)

    def end(self, name: str, status: int) -> None:
        """A process ends."""
        if name in self.alive:
            self._seen[name] = replace(self._seen[name], alive=False, pid=None, status=status)
            self._wake()

    def lose_all(self) -> None:
        """The keeper is killed."""
        self._follows.clear()
        self._seen.clear()

    async def stop(self, name: str, grace_seconds: float) -> None:
        await asyncio.sleep(self.dice.random() * grace_seconds * 1.2)
        if self._fails():
            raise HostError("it does not end")
        self.end(name, 0 if self.dice.random() < 0.7 else -9)

    def forget(self, name: str) -> None:
        if self._fails():
            raise HostError("no answer")
        if name in self.alive:
            raise HostError(f"{name} runs")
        self._seen.pop(name, None)

    def sweep(self, keep: Collection[str]) -> None:
        gone = self.disks - set(keep)
        if lost := gone & {name.rpartition("#")[0] for name in self.alive}:
            self.wrongs.append(f"the disks of {lost} were thrown away while they ran")
        self.disks -= gone

    def last_words(self, name: str) -> str:
        return f"the last words of {name}"

    async def ask(self, node: NodePlan) -> str | None:
        await asyncio.sleep(self.dice.random() * 0.05)
        return None if node.process in self.alive and not self._fails() else "an answer"

    async def replication(self, node: NodePlan) -> Replication | None:
        await asyncio.sleep(self.dice.random() * 0.05)
        if self._fails():
            raise HostError("no answer")
        return await super().replication(node)

    async def command(self, node: NodePlan, *words: str, run: int | None = None) -> None:
        if self._fails():
            raise HostError("no answer")
        if self.vital(node.process) is None:
            raise HostError("it does not run")
        await super().command(node, *words, run=run)
        if self._fails():
            raise HostError("the answer was lost")

    async def tune(self, node: NodePlan, directive: str, value: str) -> str | None:
        connected = self.settings.get(node.process)  # to this process, or to none
        await asyncio.sleep(self.dice.random() * 0.05)
        if self._fails() or node.process not in self.alive or self.settings[node.process] is not connected:
            raise HostError("no answer")
        if self._fails():
            return "ERR not now"
        connected |= places(((directive, value),))
        self.tuned += 1
        if self._fails():
            raise HostError("the answer was lost")
        return None

    async def reaches(self, node: NodePlan) -> bool:  # noqa: ARG002 - every node is as far
        await asyncio.sleep(self.dice.random() * 0.05)
        return not self._fails()

    def on_exit(self, wake: Callable[[], None]) -> None:
        self._wake = wake


class FaultyStore(Store):
    """A store whose disk is full now and then."""

    trouble = 0.0
    dice = Random(0)

    def _persist(self, *what: Any) -> None:
        if self.dice.random() < self.trouble:
            raise StoreError("the disk is full")
        super()._persist(*what)
