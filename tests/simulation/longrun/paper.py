"""A whole daemon in this process, on a clock of its own, whose host and store fail as they are told.

Every loop of the daemon runs, and the people's calls go through the wire's own code.  A step is a call, or a blow: a
process dies, everything that runs dies, the daemon dies at once (what SQLite has, the next one finds), the clock is
set forward or back, the network refuses.  While there is trouble each call of the host and each statement of the
store fails now and then, as a full or a broken disk and a full process table let them.
"""

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import atoll.daemon
import atoll.gate
from atoll.control.hooks import Hooks
from atoll.control.wanted import Wanted
from atoll.daemon import Daemon
from atoll.host.contract import HostError
from atoll.model.instance import Instance
from atoll.model.kinds import KINDS
from atoll.model.world import Caller, World
from atoll.options import Options
from atoll.reception import Reception
from atoll.store.sqlite import StoreError
from tests.simulation.clock import VirtualLoop
from tests.simulation.longrun import claims
from tests.simulation.longrun.found import Found
from tests.simulation.longrun.people import ACCOUNTS, REGION, Ask, People
from tests.simulation.longrun.sick import SickHost, SickStore
from tests.simulation.longrun.wire import Wire

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
CALM_EVERY = 40  # steps; then nothing fails for a while, and everything must come to rest
CALM_SECONDS = 240.0  # the longest cooling is 30 s, a node is asked for 60 s, and some wait for each other
CALM_LEAST_SECONDS = 6.0
LOOK_EVERY, PROBES = 5, 40  # steps; packets that tracer and plan are then asked about
STEPS_UP = (timedelta(seconds=1), timedelta(minutes=7), timedelta(hours=3), timedelta(days=40))


WIRE: list[Wire] = []


@dataclass
class Life:
    """A daemon from its start to its end."""

    daemon: Daemon
    store: SickStore
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)


class Story:
    """One seed's story; `play` returns what was found."""

    def __init__(self, seed: int, directory: Path, steps: int, *, most: int = 120) -> None:
        self.dice, self.steps, self.found = Random(seed), steps, Found(seed)
        self.directory = directory
        self.loop = VirtualLoop(self.dice)
        self.host = SickHost(self.dice)
        self.people = People(self.dice, most=most)
        self.ahead = timedelta(0)  # how far the wall's clock was set
        self.disk_trouble = 0.0
        self.life: Life
        if not WIRE:
            WIRE.append(Wire())

    def wall(self) -> datetime:
        """Return the time of the wall's clock."""
        now = START + timedelta(seconds=self.loop.now) + self.ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    @property
    def world(self) -> World:
        return self.life.store.world

    def play(self) -> Found:
        """Play it to its end, or until something is wrong."""
        with clock_of(self):
            try:
                self.loop.run_until_complete(self._play())
            finally:
                for task in asyncio.all_tasks(self.loop):
                    task.cancel()
                self.loop.run_until_complete(asyncio.sleep(1))
                self.loop.close()
        return self.found

    async def _play(self) -> None:
        self.loop.set_exception_handler(self._lost_exception)
        await self._begin()
        self.life.store.write(claims.people_outside, what="people")
        threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
        blows = (
            self._kill,
            self._kill,
            self._crash,
            self._lose_all,
            self._set_clock,
            self._pause,
            self._turn_trouble,
        )
        while self.found.steps < self.steps and not self.found.wrongs:
            self.found.steps += 1
            if self.found.steps % CALM_EVERY == 0:
                await self._rest()
            elif self.dice.random() < 0.75:
                await self._call()
            else:
                await self.dice.choice(blows)()
            self._check()
            await asyncio.sleep(self.dice.expovariate(2.0))
        self.found.virtual_seconds = self.loop.now
        await self._delete_everything()
        await self._end()
        self.found.starts = self.host.boots
        if (now := threading.active_count()) > threads:
            self.found.note("end", [f"{now} threads, {threads} at first: {[t.name for t in threading.enumerate()]}"])
        if (now := len(os.listdir("/proc/self/fd"))) > files:
            self.found.note("end", [f"{now} descriptors, {files} at first"])

    def _lost_exception(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.found.note("loop", [f"{context.get('message')}: {context.get('exception')!r}"])

    # Steps

    async def _call(self) -> None:
        ask = self.people.ask(self.world)
        self._say(str(ask))
        status, told = await WIRE[0].call(self.life.daemon.backend, ask)
        self.found.calls += 1
        code = told.get("Error", {}).get("Code", "")
        if status == 503 and self.disk_trouble:
            self.found.unwritten += 1
        elif status >= 500 and code != "InsufficientInstanceCapacity":
            self.found.note(str(ask), [f"it was answered with {status}: {told}"])
        elif status >= 400:
            self.found.refused += 1

    async def _kill(self) -> None:
        if alive := sorted(self.host.alive):
            victim, status = self.dice.choice(alive), self.dice.choice((-9, -9, 1, 0))
            self._blow("a process dies", victim)
            self.host.end(victim, status)

    async def _crash(self) -> None:
        self._blow("the daemon is killed")
        await self._end()
        await asyncio.sleep(1.0)
        await self._begin()

    async def _lose_all(self) -> None:
        self._blow("the keeper is killed")
        await self._end()
        self.host.lose_all()
        await asyncio.sleep(1.0)
        await self._begin()

    async def _set_clock(self) -> None:
        step = self.dice.choice(STEPS_UP) * self.dice.choice((1, -1))
        self._blow("the clock is set", str(step))
        self.ahead += step

    async def _pause(self) -> None:
        self._blow("time passes")
        await asyncio.sleep(self.dice.random() * 20)

    async def _turn_trouble(self) -> None:
        host, disk, network = (self.dice.choice((0.0, 0.02, 0.1, 0.4)) for _ in range(3))
        self._blow("trouble changes", f"host {host}, disk {disk}, network {network}")
        self.host.trouble, self.disk_trouble, self.host.network_trouble = host, disk, network
        self.loop.slow = 1.0 if host else 0.01

    def _calm(self) -> None:
        self.host.trouble = self.disk_trouble = self.host.network_trouble = 0.0
        self.loop.slow = 0.01

    def _blow(self, what: str, more: str = "") -> None:
        self.found.blow(what)
        self._say(f"{what} {more}")

    def _say(self, what: str) -> None:
        self.found.say(what, self.loop.now)

    async def _rest(self) -> None:
        """Nothing fails any more: everything comes to rest, and what runs is what is wanted."""
        trouble = self.host.trouble, self.disk_trouble, self.host.network_trouble, self.loop.slow
        self._calm()
        wrongs = await self._come_to_rest()
        self._say("rest")
        self.found.rests += 1
        self.found.note("rest", wrongs)
        for row in claims.TOLD:
            for account in ACCOUNTS:
                caller = Caller(account=account, region=REGION, arn="")
                status, told = await WIRE[0].call(self.life.daemon.backend, Ask(caller, row[0], row[1], {}))
                seen = self.world.seen_by(caller)
                self.found.note(row[1], claims.told_otherwise(seen, told, row) if status == 200 else [str(told)])
        self.host.trouble, self.disk_trouble, self.host.network_trouble, self.loop.slow = trouble

    async def _come_to_rest(self) -> list[str]:
        """Wait until nothing is under way; return what is so for ever."""
        until = self.loop.now + CALM_SECONDS
        await asyncio.sleep(CALM_LEAST_SECONDS)  # a round of each loop
        while (wrongs := list(self._restless())) and self.loop.now < until:  # noqa: ASYNC110 - time is ours
            await asyncio.sleep(CALM_LEAST_SECONDS)
        return [*wrongs, *claims.other_plan(self.world, self.host.plan)]

    async def _delete_everything(self) -> None:
        if self.found.wrongs:
            return
        self._calm()
        self.found.note("end", await self._come_to_rest())
        await self.life.daemon.reset()
        await asyncio.sleep(5)
        if self.host.alive or self.host.seen() or self.host.disks:
            self.found.note("reset", [f"left: {self.host.seen()}, {self.host.disks}"])
        self.found.note("reset", claims.other_plan(self.world, self.host.plan))

    # Claims

    def _check(self) -> None:
        """What must hold after each step, in the midst of trouble."""
        world = self.world
        self.found.most_resources = max(self.found.most_resources, len(world))
        is_due = self.found.steps % LOOK_EVERY == 0
        self.found.note("file", (claims.differs_on_disk if is_due else claims.differs_in_rows)(self.path, world))
        self.found.note("references", list(claims.broken_references(world))[:3])
        self.found.note("host", self.host.wrongs)
        plan = self.life.daemon.wires.plan
        if is_due and self.life.daemon.wires.report.revision == world.revision:
            self.found.probes += PROBES
            self.found.note("packets", claims.wrong_verdicts(world, plan, Random(self.found.steps), PROBES))
        for task in self.life.tasks:
            if task.done():
                self.found.note("loops", [f"a loop ended: {task}"])

    def _restless(self) -> Iterator[str]:
        want = set(Wanted(lambda: self.world).machines())
        if self.host.alive != want:
            yield f"runs: {sorted(self.host.alive - want)} too much, {sorted(want - self.host.alive)} missing"
        if others := set(self.host.seen()) - want:
            yield f"not forgotten: {sorted(others)}"
        if failures := self.life.daemon.wires.report.failures:
            yield f"the network is not in force: {failures}"
        if self.life.daemon.wires.report.revision != self.world.revision:
            yield f"the network obeys {self.life.daemon.wires.report.revision}, not {self.world.revision}"
        for instance in self.world.all(Instance):
            if instance.state not in ("running", "stopped", "terminated"):
                yield f"{instance.id} is {instance.state}"
        for kind in KINDS:
            for it in self.world.all(kind):
                status = str(getattr(it, "status", getattr(it, "state", "")))
                if status.endswith("ing") and status not in ("running", "waiting"):
                    yield f"{kind.__name__} {it.id} is {status}"

    # Lives

    @property
    def path(self) -> Path:
        return self.directory / "atoll.db"

    async def _begin(self) -> None:
        for _ in range(100):  # a disk that fails at the start lets no daemon start: somebody tries again
            try:
                store = SickStore(self.path, self.dice, self.wall, lambda: self.disk_trouble)
                break
            except StoreError:
                await asyncio.sleep(1.0)
                self.disk_trouble /= 2
        options = Options(state_dir=self.directory, host="paper")
        reception = Reception(options, store)
        daemon = Daemon(options, self.host, store, Hooks(None, {}), reception)
        reception.show_in(daemon)
        self.life = Life(daemon, store)
        self.found.lives += 1
        with contextlib.suppress(HostError):
            await daemon.machines.take_stock()
        self.life.tasks = [daemon._pulses.begin(name, run()) for name, run in daemon._named_loops()]

    async def _end(self) -> None:
        """Die: what is in SQLite's files is copied aside first, as a killed process would leave it."""
        life, left = self.life, self.directory / "left"
        left.mkdir(exist_ok=True)
        files = [path for path in self.directory.glob("atoll.db*") if path.is_file()]
        for path in files:
            shutil.copy(path, left / path.name)
        world = life.store.world
        for task in life.tasks:
            task.cancel()
        for result in await asyncio.gather(*life.tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, asyncio.CancelledError):
                self.found.note("loops", [f"a loop ended: {result!r}"])
        life.daemon._health.close()
        await life.daemon.machines.close()
        life.daemon.wires.close()
        self.host.on_exit(lambda: None)
        life.store.close()
        self.found.disk_errors += life.store.refused
        for path in self.directory.glob("atoll.db*"):
            path.unlink()
        for path in left.iterdir():
            shutil.move(path, self.directory / path.name)
        self.found.note("after a kill", claims.differs_on_disk(self.path, world))


@contextlib.contextmanager
def clock_of(story: Story) -> Iterator[None]:
    """Have the daemon read the story's clock on its wall."""
    before = atoll.daemon.utc_now, atoll.gate.utc_now
    atoll.daemon.utc_now = atoll.gate.utc_now = story.wall
    try:
        yield
    finally:
        atoll.daemon.utc_now, atoll.gate.utc_now = before
