"""The network loop: whatever the World says, the kernel obeys.

It is woken by each commit, compiles the plan of the newest World, and has the host apply it in one thread that owns
the kernel's network.  Many commits that arrive while it works are one round.  Callers wait in `in_force` until the
kernel obeys their revision (design, decision 9); nobody waits longer than IN_FORCE_SECONDS for a host that fails.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from atoll.control.events import log, log_mistake
from atoll.control.pulse import waits
from atoll.control.services import Services
from atoll.host.contract import Door, Failure, Host
from atoll.model.world import World
from atoll.network.plan import Plan, compile

IN_FORCE_SECONDS = 5.0
VERIFY_SECONDS = 5.0  # how soon damage done behind our back is repaired
RETRY_SECONDS = 1.0


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
        after: Callable[[World, Sequence[Failure]], None],
    ) -> None:
        """Prepare; `after` is called when a World is in force, with what of it is not."""
        self._world, self._host, self._services, self._after = world, host, services, after
        self._plan: Plan | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._wake = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._mistake = ""
        self.report = Report(revision=-1)

    @property
    def plan(self) -> Plan:
        """The plan that was applied last."""
        return self._plan or Plan()

    def wake(self) -> None:
        """Have a look, soon."""
        self._wake.set()

    async def in_force(self, revision: int) -> bool:
        """Wait until the kernel obeys a revision; False when it did not within IN_FORCE_SECONDS."""
        if self.report.revision >= revision:
            return True
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
        self.wake()
        now = asyncio.get_running_loop().time
        verify_at = now() + VERIFY_SECONDS
        while True:
            pause = RETRY_SECONDS if self.report.failures else verify_at - now()
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

    async def _round(self) -> None:
        world, started = self._world(), time.perf_counter()
        if world.revision == self.report.revision and not self.report.failures:
            return
        loop = asyncio.get_running_loop()
        plan, failures = await loop.run_in_executor(self._thread, self._apply, world)
        self._plan = plan
        failures = [*failures, *await self._serve(world)]
        for failure in failures:
            if failure not in self.report.failures:  # each is tried again every second, and told once
                log("network refused", subject=failure.subject, because=failure.because)
        spent = (time.perf_counter() - started) * 1e3
        self.report = Report(self.report.rounds + 1, world.revision, spent, failures, self.report.repairs)
        for revision, future in self._waiting:
            if revision <= world.revision and not future.done():
                future.set_result(None)
        self._after(world, failures)

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
        return await self._services.follow(world, self._plan.vpc_ids, self._sockets)

    async def _sockets(self, vpc_id: str | None, doors: tuple[Door, ...]) -> list[socket.socket]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._host.service_sockets, vpc_id, doors)
