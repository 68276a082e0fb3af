"""The machine loop: instances and cache nodes that should run, run; and what was seen is written down.

Woken by a revision in force, by a process that ended, and by the clock.  It takes no input: each round looks at the
World and at the host, decides (`round.decide`), acts, and records transitions.  One path serves creation, reboot,
repair and the first round after a crash.

What is seen is written down before it is forgotten, so that a crash, or a store that cannot be written, only means
that it is seen again.  All times are the event loop's, so that a simulation can have its own.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from atoll.cache.node import NodePlan
from atoll.control.admission import Admitter
from atoll.control.encryption import Encrypter
from atoll.control.events import going_on, log, log_mistake
from atoll.control.pulse import waits
from atoll.control.record import Recorder
from atoll.control.round import Attempts, Ended, Forget, Start, Stop, decide
from atoll.control.tuning import Tuner
from atoll.host.contract import GuestPlan, Host, HostError, Machine, Seen
from atoll.store.sqlite import StoreError

T = TypeVar("T")

ROUND_SECONDS = 2.0  # a look even when nothing woke us
ASK_FIRST_SECONDS, ASK_LAST_SECONDS = 0.003, 0.2  # between two questions: engines answer after 5 ms, or much later
ASK_SECONDS_MAX = 60.0
TOGETHER_SECONDS = 0.05  # between two writings of who serves: each is a revision, at which every loop may look
GUESTS_TOGETHER = 10  # started in one visit of the thread; those that are not wanted any more are stopped after it
VISIT_SECONDS = 0.25  # of the thread, after which others have their turn; one start may take longer
STARTS_MAX = 3  # failed starts before a new instance is given up; what ran before is tried for ever
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
        self._tuner, self._admitter = Tuner(host, record), Admitter(host, record)
        self._encrypter = Encrypter(host, record, want)
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="machines")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._started: dict[str, float] = {}
        self._serving: list[NodePlan] = []  # that is not written down yet
        self._booted: list[GuestPlan] = []  # neither is that; and since when
        self._booted_at = 0.0
        self._kept: Mapping[str, Machine] = {}  # those that were wanted when others were forgotten
        self._settled: dict[str, NodePlan] = {}  # of which there is nothing to see while these are their plans
        self._written = float("-inf")
        self._untidy = True  # an earlier daemon may have been killed before it threw a disk away
        self.rounds = 0
        host.on_exit(self._wake.set)

    def wake(self) -> None:
        """Have a look, soon."""
        self._wake.set()

    async def idle(self) -> None:
        """Wait until nothing runs that should not, and no disk has its place.  Raises TimeoutError, HostError."""
        async with asyncio.timeout(IDLE_SECONDS):
            while set(await self._host_call(self._host.seen)) - set(self._want()):
                self._wake.set()
                await asyncio.sleep(ASK_FIRST_SECONDS)
            await self._host_call(partial(self._host.sweep, self._record.subjects()))

    async def lead(self, node: NodePlan) -> None:
        """Lead the clients of a node as its newest plan says: when this returns, no older one is still in force.

        Raises HostError.
        """
        await self._host_call(self._host.seen)  # after a start that is under way; and an earlier daemon's are known
        await self._encrypter.again(node)

    async def take_stock(self) -> None:
        """Say of nodes that ended while no daemon was there that they are not available, before anybody asks."""
        seen = await self._host_call(self._host.seen)
        nodes = [machine for machine in self._want().values() if isinstance(machine, NodePlan)]
        dead = [node for node in nodes if node.process not in seen or not seen[node.process].alive]
        with contextlib.suppress(StoreError):  # the first round says so again
            self._record.missing([node for node in dead if not node.guarded])  # the failover judges their end

    async def run(self) -> None:
        """Run until cancelled."""
        with contextlib.suppress(HostError):  # the first instance will meet the same error, and say so
            await self._host_call(self._host.prepare)
        self._wake.set()  # what ended while no daemon was there is started at once
        while True:
            await self._pause()
            await self._ready()
            with going_on("machine round", "machines not seen", HostError):
                await self._round()
            self.rounds += 1

    async def close(self) -> None:
        """Stop asking and stopping; what runs goes on running."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._thread.shutdown(wait=True)

    async def _pause(self) -> None:
        now = self._now()
        soon = self._attempts.next_try(now)
        pause = ROUND_SECONDS if soon is None else min(ROUND_SECONDS, soon - now)
        waits(pause)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()
        if not self._wake.is_set():
            self._untidy = True  # nothing else to do: a stopped instance may have been forgotten by a reset
        self._wake.clear()

    async def _round(self) -> None:
        want = self._want()
        if want is not self._kept:
            self._keep(want)
        seen = await self._host_call(self._host.seen)
        steps = decide(want, seen, self._attempts, self._now())
        starts = [step.machine for step in steps if isinstance(step, Start)]
        for step in steps:
            if not isinstance(step, Start):
                await self._attempt(self._take(step))
        for machines in _together(starts):
            await self._start(machines)
        await self._attempt(self._observe(want, seen, {machine.process for machine in starts}))

    def _keep(self, want: Mapping[str, Machine]) -> None:
        """Forget the processes that nobody wants any more."""
        for keeper in (self._attempts, self._tuner, self._admitter, self._encrypter):
            keeper.keep(want)
        for of_processes in (self._started, self._settled):
            for gone in of_processes.keys() - want.keys():
                del of_processes[gone]
        self._kept = want

    async def _attempt(self, work: Awaitable[None]) -> None:
        """Do one thing; whatever is wrong with it, the others are done all the same, and it in the next round."""
        try:
            await work
        except StoreError as error:
            log("not written down", because=str(error))
        except HostError as error:
            log("the machine refused", because=str(error))
        except Exception:  # a mistake of ours about one machine must not stop all others
            log_mistake("machine round")

    async def _take(self, step: Stop | Forget | Ended) -> None:
        match step:
            case Stop(name):
                self._task(f"stop {name}", self._stop(name))
            case Forget(name):
                await self._host_call(partial(self._host.forget, name))
                self._untidy = True
            case Ended(machine, status):
                await self._ended(machine, status)

    async def _observe(self, want: Mapping[str, Machine], seen: Mapping[str, Seen], started: set[str]) -> None:
        alive = {name for name, process in seen.items() if process.alive}
        unsettled = self._record.unsettled()
        for name, machine in want.items():
            if name not in alive:
                continue
            if isinstance(machine, GuestPlan):
                if machine.instance_id in unsettled:
                    self._look(machine)
            elif self._settled.get(name) is not machine:
                self._look(machine)
                if _has_all(machine) and not self._record.awaits(machine):
                    self._settled[name] = machine
        await self._attempt(self._write_booted())
        self._record.absent(alive | started)
        if self._untidy:
            keep = self._record.subjects() | {name.rpartition("#")[0] for name in (*seen, *started)}
            self._untidy = False
            try:
                await self._host_call(partial(self._host.sweep, keep))
            except HostError:
                self._untidy = True
                raise

    async def _start(self, machines: Sequence[Machine]) -> None:
        """Start some in one visit of the thread, and write down what came of them."""
        fit = [found for machine in machines if (found := self._fit(machine)) is not None]
        while fit:
            tried = await self._host_call(partial(_start_each, self._host, fit))
            fit = fit[len(tried) :]
            for machine, error in tried:
                await self._attempt(self._started_or_not(machine, error))
            if self._booted and self._now() >= self._booted_at + TOGETHER_SECONDS:
                await self._attempt(self._write_booted())

    def _fit(self, machine: Machine) -> Machine | None:
        """Return a machine as it is to start; None: it is not, or not yet."""
        fit = None
        with going_on("machine round", "not written down", StoreError):
            if self._want().get(machine.process) == machine:  # else it was changed since this round began
                self._tell_of_node(machine, lambda: self._record.starting(machine))
                fit = self._want().get(machine.process, machine)  # it begins with its group's newest parameters
        return fit

    async def _started_or_not(self, machine: Machine, error: Exception | None) -> None:
        if isinstance(error, HostError):
            count = self._attempts.fail(machine.process, self._now())
            log("start failed", machine=machine.process, because=str(error), attempt=count)
            self._record.start_failed(machine, str(error), final=count >= STARTS_MAX)
        elif error:
            raise error
        else:
            self._started[machine.process] = self._now()
            self._look(machine)

    async def _ended(self, machine: Machine, status: int) -> None:
        """A process that should run has ended: a guest may have halted; everything else is started again."""
        words = await self._host_call(partial(self._host.last_words, machine.process))
        log("process ended", machine=machine.process, status=status, last_words=words)
        if self._lived(machine) < QUICK_DEATH_SECONDS:
            self._attempts.fail(machine.process, self._now())
        else:
            self._attempts.succeed(machine.process)
        told = words if machine.process in self._started else None
        self._tell_of_node(machine, lambda: self._record.ended(machine, status, told))
        await self._host_call(partial(self._host.forget, machine.process))
        self._wake.set()

    def _tell_of_node(self, machine: Machine, tell: Callable[[], None]) -> None:
        """Write down what happened to a machine; a node is mended even if that cannot be written."""
        try:
            tell()
        except StoreError as error:
            if isinstance(machine, GuestPlan):  # it may have halted, and must then not be started again
                raise
            log("not written down", because=str(error))

    def _look(self, machine: Machine) -> None:
        """See whether a machine that runs also serves, if the World does not know it yet, and has its parameters."""
        if isinstance(machine, GuestPlan):
            if not self._booted:
                self._booted_at = self._now()
            self._booted.append(machine)
            return
        if self._encrypter.is_due(machine, self._now()):
            self._task(f"encrypt {machine.process}", self._encrypter.encrypt(machine))
        if self._record.awaits(machine):
            self._task(f"ask {machine.process}", self._ask(machine))
        else:
            self._tell(machine)

    async def _write_booted(self) -> None:
        """Write down which guests run: those of a round together, but none much later than it is seen."""
        guests, self._booted = self._booted, []
        lasting = [guest for guest in guests if self._lived(guest) >= QUICK_DEATH_SECONDS]
        is_woken = self._wake.is_set()  # by something else
        _each_if_not_all(self._record.booted, guests)
        if not is_woken:  # after that write nothing is to be done for them
            self._wake.clear()
        _each_if_not_all(self._record.lasting, lasting)

    def _tell(self, node: NodePlan) -> None:
        """Tell a node that serves what its engine does not know yet."""
        if self._admitter.is_due(node, self._now()):
            self._task(f"admit {node.process}", self._admitter.admit(node))
        if self._tuner.is_due(node, self._now()):
            self._task(f"tune {node.process}", self._tuner.tune(node))

    async def _ask(self, node: NodePlan) -> None:
        """Ask a node until it serves.  The next round asks again if it does not within ASK_SECONDS_MAX."""
        until, waiting, pause = self._now() + ASK_SECONDS_MAX, "an answer", ASK_FIRST_SECONDS
        while self._now() < until and self._record.awaits(node):
            newest = self._want().get(node.process, node)  # whom it follows may change while we ask
            answer = await self._host.ask(newest if isinstance(newest, NodePlan) else node)
            if answer is None:
                await self._answered(node)
                return
            waiting = answer
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, ASK_LAST_SECONDS)
        if self._record.awaits(node):
            log("node is silent", node=node.process, because=f"it waits for {waiting}")

    async def _answered(self, node: NodePlan) -> None:
        """Write down that a node serves: at once, or together with those that answer when many do."""
        self._serving.append(node)
        if len(self._serving) > 1:
            return  # the first of them writes for all
        await asyncio.sleep(self._written + TOGETHER_SECONDS - self._now())
        nodes, self._serving, self._written = self._serving, [], self._now()
        _each_if_not_all(self._record.answered, nodes)

    async def _stop(self, name: str) -> None:
        await self._host.stop(name, self._record.grace_seconds(name))
        self._wake.set()

    def _lived(self, machine: Machine) -> float:
        """Return for how many seconds it runs already; one that an earlier daemon started has lived long."""
        return self._now() - self._started.get(machine.process, float("-inf"))

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

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _host_call(self, call: Callable[[], T]) -> T:
        if self._host.is_paper:
            await asyncio.sleep(0)  # requests have their turn
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _together(machines: Sequence[Machine]) -> Iterator[Sequence[Machine]]:
    """Yield machines as they are started: guests some at a time, and each node alone, for it is asked at once."""
    guests = [machine for machine in machines if isinstance(machine, GuestPlan)]
    yield from (guests[first : first + GUESTS_TOGETHER] for first in range(0, len(guests), GUESTS_TOGETHER))
    yield from ((machine,) for machine in machines if isinstance(machine, NodePlan))


def _has_all(node: NodePlan) -> bool:
    """Tell whether nothing is to be told to a node that serves: so it is for as long as its plan is this object."""
    return not (node.tuning or node.admission or node.encryption or node.encrypted)


def _start_each(host: Host, machines: Sequence[Machine]) -> list[tuple[Machine, Exception | None]]:
    """Start machines, as many as go into one visit, and return what kept each of these from starting."""
    found: list[tuple[Machine, Exception | None]] = []
    latest = time.monotonic() + VISIT_SECONDS
    for machine in machines:
        if found and time.monotonic() > latest:
            break
        try:
            host.start(machine)
        except Exception as error:  # whatever it is, it is judged where its machine is written down
            found.append((machine, error))
        else:
            found.append((machine, None))
    return found


def _each_if_not_all(write: Callable[..., None], machines: Sequence[Machine]) -> None:
    """Write something down of all, or, for a mistake about one of them must not keep the others back, of each."""
    try:
        write(*machines)
    except StoreError:
        raise
    except Exception:  # a mistake of ours about one of them: whose it was is logged below
        for one in machines:
            with going_on("machines written down"):
                write(one)
