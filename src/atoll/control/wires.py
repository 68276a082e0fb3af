"""The network loop: whatever the World says, the kernel obeys.

It is woken by each commit of something that it looked at, compiles the plan of the newest World, and has the host
apply it in one thread that owns the kernel's network.  Many commits that arrive while it works, or in a burst, are
one round.  Callers wait in `in_force` until the kernel obeys their revision (design, decision 9), at once and not
for the end of the burst; nobody waits longer than IN_FORCE_SECONDS for a host that fails.

On paper nothing has to obey: there a plan is made only for who asks for it.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from atoll.control.events import log, log_mistake
from atoll.control.news import BURST_SECONDS, Burst
from atoll.control.pulse import waits
from atoll.control.services import Services
from atoll.host.contract import Door, Failure, Host
from atoll.model.interface import Interface
from atoll.model.notes import Notes
from atoll.model.world import World
from atoll.network.plan import Plan, compile, stands

IN_FORCE_SECONDS = 5.0
VERIFY_SECONDS = 5.0  # how soon damage done behind our back is repaired
RETRY_SECONDS = 1.0
VPCS_ASKED = 16  # by a look of 20 us at each, in the event loop: a way to the thread and back costs 150


@dataclass(slots=True)
class Report:
    """What the loop did last, for people."""

    rounds: int = 0
    revision: int = 0
    milliseconds: float = 0.0
    failures: Sequence[Failure] = ()
    repairs: list[str] = field(default_factory=list)


class Wires:
    """Runs the network loop of one host."""

    def __init__(
        self,
        world: Callable[[], World],
        host: Host,
        services: Services,
        after: Callable[[World, Sequence[Failure]], bool],
    ) -> None:
        """Prepare; `after` is called when a World is in force, with what of it is not: again, until it is done."""
        self._world, self._host, self._services, self._after = world, host, services, after
        self._plan: Plan | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._wake = asyncio.Event()
        self._burst = Burst(self._wake.set, BURST_SECONDS)
        self._notes = Notes()  # what the plan, and all that goes with it, was made of
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._mistake = ""
        self._is_told = True  # `after` has done what there was to do
        self.report = Report(revision=-1)

    @property
    def plan(self) -> Plan:
        """The plan that was applied last; where there is no network, that of the newest World."""
        if self._host.is_paper:
            self._plan = compile(self._world(), self._plan)
        return self._plan or Plan()

    def wake(self) -> None:
        """The World has changed: have a look, soon, if that concerns the network."""
        if self._obeys(world := self._world()):
            self._in_force(world)
        else:
            self._burst.happened()

    async def in_force(self, revision: int) -> bool:
        """Wait until the kernel obeys a revision; False when it did not within IN_FORCE_SECONDS."""
        if self.report.revision >= revision or self._obeys(self._world()):
            return True
        self._burst.now()
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((revision, future))
        try:
            async with asyncio.timeout(IN_FORCE_SECONDS):
                await future
        except TimeoutError:
            log("network is late", revision=revision, because=[f.because for f in self.report.failures])
            return False
        finally:
            self._waiting = [(r, f) for r, f in self._waiting if f is not future]
        return True

    async def run(self) -> None:
        """Run until cancelled; the first round comes at once."""
        self._wake.set()
        now = asyncio.get_running_loop().time
        verify_at = now() + VERIFY_SECONDS
        while True:
            pause = verify_at - now() if self._is_told and not self.report.failures else RETRY_SECONDS
            waits(pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(pause, 0)):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._round()
                if now() >= verify_at:
                    verify_at = now() + VERIFY_SECONDS
                    await self._verify()
                self._mistake = ""
            except Exception as mistake:  # of ours: everybody else's network must go on, and be repaired
                self._note(mistake)

    def close(self) -> None:
        """Close the services and the thread."""
        self._services.close()
        self._thread.shutdown(wait=True)

    def _note(self, mistake: Exception) -> None:
        """Log a mistake, once for as long as it repeats itself, and try again soon."""
        because = f"{type(mistake).__name__}: {mistake}"
        if because != self._mistake:
            log_mistake("network round")
        self._mistake = because
        self.report = replace(self.report, failures=(Failure("network", because),))

    def _obeys(self, world: World) -> bool:
        """Tell whether the kernel obeys a World: it is like the one that it obeys, in all that was looked at."""
        if not self.report.rounds or self.report.failures or self._notes.are_everything:
            return False  # before the end of the first round, nothing is noted
        return world.bears(self._notes.kinds)

    async def _round(self) -> None:
        world, started = self._world(), time.perf_counter()
        if self._obeys(world) or (world.revision == self.report.revision and not self.report.failures):
            self._in_force(world)
            if not self._is_told:
                self._is_told = self._after(world.noted(self._notes), ())
            return
        notes = Notes()
        noted = world.noted(notes)
        noted.note(self._notes.kinds)  # fragments that are kept were made of them
        self._plan, failures = await self._applied(noted)
        failures = [*failures, *await self._serve(noted)]
        for failure in failures:
            if failure not in self.report.failures:  # each is tried again every second, and told once
                log("network refused", subject=failure.subject, because=failure.because)
        spent = (time.perf_counter() - started) * 1e3
        self.report = Report(self.report.rounds + 1, world.revision, spent, failures, self.report.repairs)
        self._notes = notes
        self._in_force(world)
        self._is_told = False  # should it fail
        self._is_told = self._after(noted, failures)
        if not self._obeys(self._world()):  # it has changed meanwhile, in what was looked at for the first time
            self._burst.happened()

    def _in_force(self, world: World) -> None:
        self.report.revision = world.revision
        for revision, future in self._waiting:
            if revision <= world.revision and not future.done():
                future.set_result(None)

    async def _applied(self, world: World) -> tuple[Plan, Sequence[Failure]]:
        """Have the kernel obey a World.  The thread need not be asked if it does already, and few VPCs tell so."""
        plan, is_asked = self._plan, False
        if self._host.is_paper:
            return plan or Plan(), ()
        if plan is not None and not self.report.failures and len(plan.vpc_ids) <= VPCS_ASKED:
            is_asked = world.stamp(Interface) is self._notes.kinds.get(Interface)  # with another one, none stands
        if plan is not None and is_asked and stands(world, plan):
            return plan, ()
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._apply, world)

    def _apply(self, world: World) -> tuple[Plan, Sequence[Failure]]:
        plan = compile(world, self._plan)
        if plan is self._plan and not self.report.failures:
            return plan, ()
        return plan, self._host.apply(plan)

    async def _verify(self) -> None:
        repairs = await asyncio.get_running_loop().run_in_executor(self._thread, self._host.verify)
        for repair in repairs:
            log("network repaired", what=repair, because="it was not as planned")
        self.report.repairs = [*self.report.repairs, *repairs][-100:]
        if repairs and self._plan:  # a namespace may be a new one: the sockets would be in the former
            self._services.close()
            if failures := await self._serve(self._world()):
                self.report = replace(self.report, failures=failures)

    async def _serve(self, world: World) -> list[Failure]:
        """Have the services of the VPCs that are in the kernel, and of no others."""
        assert self._plan, "the plan was just applied"
        if self._host.is_paper:
            return []
        return await self._services.follow(world, self._plan.vpc_ids, self._sockets)

    async def _sockets(self, vpc_id: str | None, doors: tuple[Door, ...]) -> list[socket.socket]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._host.service_sockets, vpc_id, doors)
