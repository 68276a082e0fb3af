"""The loop of flow logs: reads what the kernel counted, minute by minute, and delivers it window by window.

It decides nothing about packets, and nothing waits for it.  What it has not read is not lost before two minutes are
over; what it could not read in time, or what the kernel had no room to count, is told as SKIPDATA.
"""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import cast

from atoll.control.events import going_on
from atoll.control.events import log as tell
from atoll.control.flow_files import FlowFiles, Record
from atoll.control.pulse import rest
from atoll.host.contract import HostError, Tallied
from atoll.model.flow_log import FlowLog, stands
from atoll.model.interface import Interface
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.compile.flow_logs import FLOWS_MAX, FORGET_SECONDS
from atoll.network.facts import Container
from atoll.network.flow_records import Counted, Flow, Key, Shown, add, flow_of, lines
from atoll.network.plan import Plan

LOOK_SECONDS = 60.0  # AWS's shorter interval; the other is ten of these
WINDOW_FLOWS_MAX = 200_000  # of a log: some 100 MB.  Whoever scans a whole network for ten minutes makes more
SHOWN_MAX = 10_000  # records of a log that are kept for showing
TROUBLE = "Unknown error"  # AWS's DeliverLogsErrorMessage, when it is neither access nor rate

Take = Callable[[Sequence[Container]], Awaitable[Sequence[Tallied]]]


@dataclass(slots=True)
class _Window:
    """What a log will deliver next."""

    log: FlowLog
    begin: float
    skipped: bool
    flows: dict[Key, Flow] = field(default_factory=dict)

    def add(self, flow: Flow) -> None:
        if len(self.flows) < WINDOW_FLOWS_MAX or flow.key in self.flows:
            add(self.flows, flow)
        else:
            self.skipped = True

    def is_due(self, now: float) -> bool:
        interval = self.log.interval_seconds
        return now >= (self.begin // interval + 1) * interval


class FlowLogs:
    """Every flow log."""

    def __init__(
        self,
        world: Callable[[], World],
        plan: Callable[[], Plan],
        take: Take,
        files: FlowFiles,
        note: Callable[[FlowLog, str | None], None],
        forget: Callable[[Sequence[FlowLog]], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        `note` writes into the World whether a log could be delivered, `forget` removes logs of what is no more.
        """
        self._world, self._plan, self._take, self.files = world, plan, take, files
        self._note, self._forget = note, forget
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._shown: dict[str, deque[Shown]] = {}
        self._sequence = count(int(clock() * 1e6))  # goes on above what an earlier daemon gave out
        self._old_sequence = count(1)  # of records that it delivered: who follows has seen them
        self._known: dict[tuple[str, int], Interface] = {}  # by VPC and number; also some that went meanwhile
        self._last = files.looked()
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            with going_on("flow logs", "flow logs not read", HostError):
                await self.look()
            await rest(LOOK_SECONDS - self._clock() % LOOK_SECONDS)

    async def look(self, *, flush: bool = False) -> int:
        """Read the counters and deliver the windows that are over (`flush`: all); return how many records.

        Raises HostError.
        """
        async with self._lock:
            world = self._world().seen_by(None)
            logs = [log for log in world.all(FlowLog) if stands(world, log)]
            self._open(logs)
            await self._count(world, logs)
            delivered = 0
            standing = {log.id for log in logs}
            for window in list(self._windows.values()):
                is_last = window.log.id not in standing
                if flush or is_last or window.is_due(self._clock()):
                    delivered += await self._deliver(world, window)
                if is_last:
                    del self._windows[window.log.id]
                    self._shown.pop(window.log.id, None)
                    self.files.forget(window.log.id)
            if orphans := [log for log in world.all(FlowLog) if log.id not in standing]:
                self._forget(orphans)
            return delivered

    def records(self, log_ids: Iterable[str], after: int) -> list[Shown]:
        """Return the records of logs that came after a sequence number, the oldest first."""
        logs = {log.id: log for log in self._world().seen_by(None).all(FlowLog)}
        self._open([logs[id] for id in log_ids if id in logs])
        found = [shown for id in log_ids for shown in self._shown.get(id, ()) if shown.sequence > after]
        return sorted(found)

    def clear(self) -> None:
        """Forget everything, with the files."""
        self._windows.clear()
        self._shown.clear()
        self._known.clear()
        self.files.clear()

    def _open(self, logs: Sequence[FlowLog]) -> None:
        """Have a window for each log."""
        now = self._clock()
        for log in logs:
            if log.id in self._windows:
                self._windows[log.id].log = log
            else:
                created = log.created.timestamp()
                last = created if self._last is None else self._last
                is_late = created < last < now - FORGET_SECONDS  # there was no daemon to read what was counted
                self._windows[log.id] = _Window(log, begin=max(created, last), skipped=is_late)
                self._shown[log.id] = deque(maxlen=SHOWN_MAX)
                self._show(log, self.files.recent(log), self._old_sequence)

    def _show(self, log: FlowLog, records: Iterable[Record], sequence: Iterator[int]) -> None:
        self._shown[log.id].extend(Shown(next(sequence), log.id, *record) for record in records)

    async def _count(self, world: World, logs: Sequence[FlowLog]) -> None:
        """Add what was counted since the last look."""
        vpc_ids = {log.vpc_id for log in logs}
        interfaces = {
            (vpc_id, cast(Interface, i).number): cast(Interface, i)
            for vpc_id in vpc_ids
            for i in world.bucket(Interface, "vpc_id", vpc_id).values()
        }
        parts = (part.fragments for id in vpc_ids if (part := self._plan().parts.get((id, "flow_logs"))))
        facts = (f for fragments in parts for id in vpc_ids & fragments.keys() for f in fragments[id].facts)
        tallies = await self._take([fact for fact in facts if isinstance(fact, Container) and fact.is_tally])
        now = self._clock()
        self._known |= interfaces
        await asyncio.to_thread(self._add, tallies, now)
        self._known = {key: i for key, i in self._known.items() if key in interfaces or self._is_awaited(key)}
        self._last = now
        if logs:
            with contextlib.suppress(OSError):
                self.files.note_look(now)

    def _add(self, tallies: Sequence[Tallied], now: float) -> None:
        full = {vpc_id for vpc_id, size in _sizes(tallies).items() if size >= FLOWS_MAX}
        for it in tallies:
            flow = flow_of(Counted(it.key, it.packets, it.bytes, now - (it.idle_seconds or 0.0)))
            interface = self._known.get((it.container.namespace, flow.number))
            for window in self._windows.values():
                if interface is not None and window.log.covers(interface):
                    window.add(flow)
        for window in self._windows.values():
            window.skipped = window.skipped or window.log.vpc_id in full

    def _is_awaited(self, key: tuple[str, int]) -> bool:
        windows = (w for w in self._windows.values() if w.log.vpc_id == key[0])
        return any(flow.number == key[1] for window in windows for flow in window.flows.values())

    async def _deliver(self, world: World, window: _Window) -> int:
        log, end = window.log, self._clock()
        records, failed = await asyncio.to_thread(self._write, world, window, end)
        window.flows, window.begin, window.skipped = {}, end, False
        if failed is None:
            self._show(log, records, self._sequence)
        else:
            tell("flow log not delivered", log=log.id, because=failed)
        self._note(log, TROUBLE if failed else None)
        return 0 if failed else len(records)

    def _write(self, world: World, window: _Window, end: float) -> tuple[list[Record], str | None]:
        """Write a window's records; return them, and why they could not be written."""
        records = [(i.id, line) for i in self._covered(world, window) for line in self._lines(world, window, i, end)]
        try:
            self.files.deliver(window.log, records, datetime.fromtimestamp(end, UTC))
        except OSError as error:
            return records, str(error)
        return records, None

    def _covered(self, world: World, window: _Window) -> list[Interface]:
        """Return the interfaces that a window tells of: those that are in use, and those that have gone since."""
        counted = {flow.number for flow in window.flows.values()}
        found = (i for (vpc_id, _), i in self._known.items() if vpc_id == window.log.vpc_id)
        covered = (i for i in found if window.log.covers(i) and world.get(Subnet, i.subnet_id))
        return [i for i in covered if i.number in counted or i.attachment is not None]

    def _lines(self, world: World, window: _Window, interface: Interface, end: float) -> list[str]:
        flows = [flow for flow in window.flows.values() if flow.number == interface.number]
        begin, skipped = window.begin, window.skipped
        return list(lines(world, window.log, interface, flows, begin=begin, end=end, skipped=skipped))


def _sizes(tallies: Iterable[Tallied]) -> dict[str, int]:
    """Return by VPC how many entries its fullest set has."""
    found: dict[str, int] = {}
    for container, size in Counter(it.container for it in tallies).items():
        found[container.namespace] = max(size, found.get(container.namespace, 0))
    return found
