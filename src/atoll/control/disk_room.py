"""The room on the machine's disk: an instance that has taken too much of it may write no more, and it is said.

An instance has as much as its root volume: BYTES_MAX, and as many files as ext4 gives such a volume.  When the
file system has little left, none may write, so that the store still can.  What is deleted ends it.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from atoll.control.events import going_on, log
from atoll.control.pulse import rest
from atoll.control.record import Recorder
from atoll.host.contract import GuestPlan, Host, HostError, Machine
from atoll.host.disks import Room, spare
from atoll.store.sqlite import StoreError

LOOK_SECONDS = 0.5  # at how much is free, which costs next to nothing; a fast disk takes 1 GB meanwhile
PAUSE_TIMES = 10  # as long as a measurement took nobody measures again, however much is written
MEASURE_SECONDS = 60.0  # between two measurements, if nothing else asks for one: a file costs 3 us
GROWN_BYTES, GROWN_FILES = 64 << 20, 4_096  # on the file system since the last measurement: then it is time for one
BYTES_MAX = 8 << 30
FILES_MAX = BYTES_MAX // (16 << 10)


@dataclass(slots=True)
class _Measured:
    """When it was measured last, and what there was then."""

    at: float
    room: Room
    names: frozenset[str]


class DiskRoom:
    """Looks after the disks of one host's instances."""

    def __init__(self, want: Callable[[], Mapping[str, Machine]], host: Host, record: Recorder) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._want, self._host, self._record = want, host, record
        self._last: _Measured | None = None
        self._not_before = 0.0
        self._known: set[str] = set()  # processes that this daemon has judged: others an earlier one may have held
        self.held: dict[str, str] = {}  # process -> why
        record.doubt()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            with going_on("disk room", "disks not measured", HostError, OSError, StoreError):
                await self.look()
            await rest(LOOK_SECONDS)

    async def look(self) -> None:
        """Measure, if it is time to, and hold or release."""
        guests = {name: one for name, one in self._want().items() if isinstance(one, GuestPlan)}
        if not guests and not self.held:
            return
        room = await asyncio.to_thread(self._host.disks.room)
        least = spare(room.bytes)
        short = f"the machine's disk has less than {least >> 20} MiB left" if room.free_bytes < least else None
        begun = asyncio.get_running_loop().time()
        is_due = begun >= self._not_before
        is_time = is_due and (short or self.held or self._is_time(room, frozenset(guests)))
        if not is_time and not (short and guests.keys() - self.held.keys()):
            return
        for name in self.held.keys() - guests.keys():  # it has been stopped, or boots anew
            with _going_on(name):
                self._note(name, None)
        for name, seen in (await asyncio.to_thread(self._host.seen)).items():
            if name in guests and seen.alive and seen.pid and (is_time or name not in self.held):
                with _going_on(name):
                    await self._judge(guests[name], seen.pid, short)
        self._known &= guests.keys()
        if not is_time:
            return  # only at who is new: when all are looked at again stays as it is
        now = asyncio.get_running_loop().time()
        self._last = _Measured(begun, room, frozenset(guests))
        self._not_before = now + PAUSE_TIMES * (now - begun)

    def _is_time(self, room: Room, names: frozenset[str]) -> bool:
        last = self._last
        return (
            last is None
            or names != last.names
            or asyncio.get_running_loop().time() - last.at > MEASURE_SECONDS
            or last.room.free_bytes - room.free_bytes > GROWN_BYTES
            or last.room.free_files - room.free_files > GROWN_FILES
        )

    async def _judge(self, guest: GuestPlan, pid: int, short: str | None) -> None:
        because = short
        if because is None:
            use = await asyncio.to_thread(self._host.disks.use, guest.instance_id, pid, BYTES_MAX, FILES_MAX)
            if use.bytes > BYTES_MAX:
                because = f"its disk is full: it has more than {BYTES_MAX >> 30} GiB on it"
            elif use.files > FILES_MAX:
                because = f"its disk is full: it has more than {FILES_MAX:,} files on it"
        if because is None and guest.process in self._known and guest.process not in self.held:
            return
        is_done = await asyncio.to_thread(self._host.disks.hold, pid, held=because is not None)
        if because is None and not is_done:
            because = "its disk was full: it may write again when it has booted again"
        is_new = guest.process not in self._known
        self._known.add(guest.process)
        self._note(guest.process, because, is_new=is_new)

    def _note(self, name: str, because: str | None, *, is_new: bool = False) -> None:
        """Say that an instance is held and why, or no longer: once, but to the store again until that has it.

        `is_new`: it is judged for the first time, and the World may have of it what an earlier daemon said.
        """
        if self.held.get(name) == because:
            if because is not None or is_new:
                self._record.held(name.rpartition("#")[0], because)
            return
        if because is None:
            del self.held[name]
            log("writes allowed", machine=name)
        else:
            self.held[name] = because
            log("writes held", machine=name, because=because)
        self._record.held(name.rpartition("#")[0], because)


def _going_on(name: str) -> AbstractContextManager[None]:
    """Do what there is to do about one machine, and whatever becomes of it, go on with the others."""
    return going_on("disk room", "disk not judged", HostError, OSError, StoreError, machine=name)
