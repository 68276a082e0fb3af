"""The machine loop: instances and cache nodes that should run, run; and what was seen is written down.

Woken by a revision in force, by a process that ended, and by the clock.  It takes no input: each round looks at the
World and at the host, decides (`round.decide`), acts, and records transitions.  One path serves creation, reboot,
repair and the first round after a crash.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from atoll.cache.node import NodePlan
from atoll.control.events import log, log_mistake
from atoll.control.record import Recorder
from atoll.control.round import Attempts, Ended, Forget, Start, Stop, decide
from atoll.host.contract import GuestPlan, Host, HostError, Machine

T = TypeVar("T")

ROUND_SECONDS = 2.0  # a look even when nothing woke us
ASK_EVERY_SECONDS = 0.003
ASK_SECONDS_MAX = 60.0
STARTS_MAX = 3  # failed starts before an instance is given up; a node is tried for ever
QUICK_DEATH_SECONDS = 1.0
IDLE_SECONDS = 10.0


class Machines:
    """Runs the machine loop of one host."""

    def __init__(
        self,
        want: Callable[[], Mapping[str, Machine]],
        host: Host,
        record: Recorder,
        ready: Callable[[], Awaitable[bool]],
    ) -> None:
        """Prepare.  `want` compiles the machines of the newest World; `ready` waits for the network under them."""
        self._want, self._host, self._record, self._ready = want, host, record, ready
        self._attempts = Attempts()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="machines")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._started: dict[str, float] = {}
        self.rounds = 0
        host.on_exit(self._wake.set)

    def wake(self) -> None:
        """Have a look, soon."""
        self._wake.set()

    async def idle(self) -> None:
        """Wait until nothing runs that should not, for a bounded time."""
        async with asyncio.timeout(IDLE_SECONDS):
            while set(await self._host_call(self._host.seen)) - set(self._want()):
                self._wake.set()
                await asyncio.sleep(ASK_EVERY_SECONDS)

    async def run(self) -> None:
        """Run until cancelled."""
        with contextlib.suppress(HostError):  # the first instance will meet the same error, and say so
            await self._host_call(self._host.prepare)
        while True:
            soon = self._attempts.next_try()
            pause = ROUND_SECONDS if soon is None else min(ROUND_SECONDS, max(soon - time.monotonic(), 0.01))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            await self._ready()
            try:
                await self._round()
            except Exception:  # a mistake of ours about one machine must not stop all others
                log_mistake("machine round")
            self.rounds += 1

    async def close(self) -> None:
        """Stop asking and stopping; what runs goes on running."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._thread.shutdown(wait=True)

    async def _round(self) -> None:
        want = self._want()
        seen = await self._host_call(self._host.seen)
        for step in decide(want, seen, self._attempts, time.monotonic()):
            match step:
                case Stop(name):
                    self._task(f"stop {name}", self._stop(name))
                case Forget(name):
                    await self._host_call(partial(self._host.forget, name))
                case Start(machine):
                    await self._start(machine)
                case Ended(machine, status):
                    await self._ended(machine, status)
        alive = {name for name, process in seen.items() if process.alive and name in want}
        for name in alive:
            self._look(want[name])
        for subject in self._record.absent({n for n, p in seen.items() if p.alive}):
            await self._host_call(partial(self._host.discard, subject))

    async def _start(self, machine: Machine) -> None:
        try:
            await self._host_call(partial(self._host.start, machine))
        except HostError as error:
            count = self._attempts.fail(machine.process, time.monotonic())
            log("start failed", machine=machine.process, because=str(error), attempt=count)
            self._record.start_failed(machine, str(error), final=count >= STARTS_MAX)
            return
        self._started[machine.process] = time.monotonic()
        self._look(machine)

    async def _ended(self, machine: Machine, status: int) -> None:
        """A process that should run has ended: a guest may have halted; everything else is started again."""
        log("process ended", machine=machine.process, status=status)
        lived = time.monotonic() - self._started.get(machine.process, 0.0)
        if lived < QUICK_DEATH_SECONDS:
            self._attempts.fail(machine.process, time.monotonic())
        await self._host_call(partial(self._host.forget, machine.process))
        self._record.ended(machine, status)
        self._wake.set()

    def _look(self, machine: Machine) -> None:
        """See whether a machine that runs also serves, if the World does not know it yet."""
        if isinstance(machine, GuestPlan):
            self._record.booted(machine)
            self._attempts.succeed(machine.process)
        elif self._record.awaits(machine):
            self._task(f"ask {machine.process}", self._ask(machine))

    async def _ask(self, node: NodePlan) -> None:
        """Ask a node until it serves.  The next round asks again if it does not within ASK_SECONDS_MAX."""
        until, waiting = time.monotonic() + ASK_SECONDS_MAX, "an answer"
        while time.monotonic() < until:
            answer = await self._host.ask(node)
            if answer is None:
                self._attempts.succeed(node.process)
                self._record.answered(node)
                return
            waiting = answer
            await asyncio.sleep(ASK_EVERY_SECONDS)
        log("node is silent", node=node.process, because=f"it waits for {waiting}")

    async def _stop(self, name: str) -> None:
        await self._host.stop(name, self._record.grace_seconds(name))
        self._wake.set()

    def _task(self, name: str, work: Awaitable[None]) -> None:
        """Run `work` beside the loop, once at a time for each name."""
        if name in self._tasks:
            work.close()  # type: ignore[attr-defined]
            return
        task = asyncio.ensure_future(work)
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._done(name, done))

    def _done(self, name: str, task: asyncio.Future[None]) -> None:
        self._tasks.pop(name, None)
        if not task.cancelled() and (error := task.exception()):
            log("task failed", task=name, because=repr(error))

    async def _host_call(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
