"""What happens to a global datastore in a rough story: engines die, hang and fall silent, and regions are cut off."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

from atoll.model.fault import Fault
from tests.simulation.engines import Engine, EngineHost

ZONES = {"us-east-1": "us-east-1a", "eu-west-1": "eu-west-1c"}  # so that their addresses differ


def region_of(engine: Engine) -> str:
    """Return the region that an engine is in."""
    return engine.plan.cluster_id.split("/")[1]


class Roughness:
    """Acts of a story, each of which may be still going on when it is over; `_heal` ends them all."""

    dice: Random
    loop: asyncio.AbstractEventLoop
    host: EngineHost
    life: Any
    _crashing: asyncio.Task[None] | None
    _crash: Callable[[], Awaitable[None]]

    def _acts(self) -> list[Callable[[], Awaitable[None]]]:
        acts = [self._kill, self._kill, self._hang, self._mute, self._cut_off, self._crash, self._heal_later]
        return [self.dice.choice(acts) for _ in range(self.dice.randrange(3))]

    def _any(self) -> Engine | None:
        engines = sorted(self.host.engines.values(), key=lambda e: e.plan.process)
        return self.dice.choice(engines) if engines else None

    async def _kill(self) -> None:
        await asyncio.sleep(self.dice.random() * 3.0)
        if engine := self._any():
            self.host.end(engine.plan.process, -9)

    async def _hang(self) -> None:
        await asyncio.sleep(self.dice.random())
        if engine := self._any():
            engine.is_stopped = True
            if self.dice.random() < 0.5:  # for a moment: nobody is sure
                self.loop.call_later(self.dice.random() * 2.0, setattr, engine, "is_stopped", False)

    async def _mute(self) -> None:
        if engine := self._any():
            engine.answers = False
            self.loop.call_later(self.dice.random() * 5.0, setattr, engine, "answers", True)

    async def _cut_off(self) -> None:
        """Cut a region off, so that nothing reaches it."""
        zone = self.dice.choice(list(ZONES.values()))
        if self._crashing:
            return
        fault = Fault(id=f"f-{zone}", account="", region="", act="partition-zone", target=zone,
                      since=datetime.now(UTC))  # fmt: skip
        self.life.store.write(lambda tx: tx.put(fault), what="chaos")
        self.host.cut |= {e.address for e in self.host.engines.values() if region_of(e) == zone[:-1]}

    async def _heal_later(self) -> None:
        await asyncio.sleep(self.dice.random() * 10.0)
        self._heal()

    def _heal(self) -> None:
        for engine in self.host.engines.values():
            engine.is_stopped, engine.answers = False, True
        if self._crashing:
            return
        self.host.cut.clear()
        for fault in list(self.life.store.world.all(Fault)):
            self.life.store.write(lambda tx, fault=fault: tx.delete(fault), what="revert")
