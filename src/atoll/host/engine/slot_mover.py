"""Hash slots go from one engine to another, with their keys, while both serve.

Valkey 9 does it by itself, as a whole and atomically (CLUSTER MIGRATESLOTS).  With older engines it goes slot by
slot: the target imports, the source gives all keys of the slot in one go, in which it serves nobody, and then both
are told whose it is.  A client that comes between the last two steps is sent after its key (ASK).  Either way it may
be broken off anywhere, and asked for again: it goes on from what the engines then say.

Some clients follow ASK to nodes only that they know (redis-py).  So the first slots of a primary that had none are
given up before they are claimed, one at a time: it makes itself known by MOVED, at the price that for a millisecond
both send the client to the other.

Source: Valkey documentation, "Atomic slot migration"; Redis documentation, CLUSTER SETSLOT, "Redis Cluster live
resharding explained".
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from atoll.cache import slots, topology
from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.families import numbers
from atoll.cache.node import NodePlan
from atoll.cache.restricted import alias
from atoll.cache.shards import Slots, join, write_slots
from atoll.cache.topology import Topology
from atoll.host.contract import HostError
from atoll.host.engine.resp import EngineError
from atoll.host.engine.resp_pipe import Pipe, Raw, Word

LOOK_SECONDS = 2.0
ORDER_SECONDS = 60.0  # an engine moves a parcel of keys without doing anything else meanwhile
MIGRATE_MILLISECONDS = 5_000  # the engine's own bound for a target that does not answer
WHOLE_SECONDS_MAX = 600.0  # one migration of Valkey 9; it gives up by itself when the other side is gone
POLL_FIRST_SECONDS, POLL_LAST_SECONDS = 0.002, 0.05
SLOTS_AT_ONCE = 128  # that are prepared together
SLOTS_IN_ONE_GO = 32  # between two looks of the engine at its clients, if they have few keys
KEYS_IN_ONE_GO = 1_000  # of one slot: some milliseconds, in which the engine does nothing else
KEYS_AT_ONCE = 200  # in one command, and of several slots in one go
ACQUAINTANCE_SECONDS = 1.0  # for clients to meet a primary that had no slots before
OVER = (b"success", b"failed", b"cancelled")
# Give all keys of a slot away, and the slot itself, or say why not; what is given by then can be had after ASK.
# The secret stands where no client sees it: MONITOR does not show EVAL, and SLOWLOG only the beginning of a text.
CARRY = """
local slot, to, host, port, wait, most, parcel, lasting = unpack(ARGV)
if redis.call('CLUSTER', 'COUNTKEYSINSLOT', slot) > tonumber(most) then return 'MANY' end
while true do
  local keys = redis.call('CLUSTER', 'GETKEYSINSLOT', slot, parcel)
  if #keys == 0 then return redis.call('CLUSTER', 'SETSLOT', slot, lasting, to) end
  local said = redis.pcall(
    '%s', host, port, '', 0, wait, 'REPLACE', 'AUTH2', '%s', '%s', 'KEYS', unpack(keys))
  if type(said) == 'table' and said.err then
    redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to)
    return said
  end
end
"""


class SlotMover:
    """Moves the slots of one installation's engines."""

    def __init__(self, password: str, socket_of: Callable[[NodePlan], Path]) -> None:
        """Use `socket_of` to find an engine's administration socket."""
        self._password, self._socket_of = password, socket_of
        self._migrate = alias("migrate", password)

    async def topology(self, node: NodePlan) -> Topology:
        """Return what a node knows of its cluster.  Raises HostError."""
        try:
            async with self._pipe(node, LOOK_SECONDS) as engine:
                return await _topology(engine)
        except _FAILURES as error:
            raise HostError(f"{type(error).__name__}: {error}", f"ask {node.name}") from error

    async def move(self, source: NodePlan, target: NodePlan, wanted: Slots, others: Sequence[NodePlan]) -> None:
        """Move slots, and return when both engines say so.  Slots that the target owns already are no mistake.

        `others` are the other primaries, which an older engine needs to be told.  Raises HostError.
        """
        step = f"move slots {write_slots(wanted)[:60]} from {source.name} to {target.name}"
        try:
            async with self._pipe(source, ORDER_SECONDS) as a, self._pipe(target, ORDER_SECONDS) as b:
                if is_atomic(source):
                    await _whole(a, b, wanted)
                else:
                    await self._slot_by_slot(a, b, wanted, target, others)
        except _FAILURES as error:
            said, *_ = str(error).split(", with args")  # among which our password may be
            raise HostError(f"{type(error).__name__}: {said}", step) from None

    def _pipe(self, node: NodePlan, seconds: float) -> Pipe:
        return Pipe(self._socket_of(node), ADMINISTRATOR, self._password, seconds=seconds)

    async def _slot_by_slot(
        self, a: Pipe, b: Pipe, wanted: Slots, target: NodePlan, others: Sequence[NodePlan]
    ) -> None:
        """Move slots some at a time."""
        ours, seen = (await _topology(a)).myself, await _topology(b)
        theirs, known = seen.myself, seen.find(ours.id)
        # A target that forgot who had a slot, and imports it, believes no gossip about it.
        believed = set(slots.slots_of(known.slots)) if known else set[int]()
        has, arrived = set(slots.slots_of(ours.slots)), set(slots.slots_of(theirs.slots))
        halfway = {slot for slot, id in theirs.importing.items() if id == ours.id and slot not in has}
        todo = [slot for slot in slots.slots_of(wanted) if slot in has | arrived | halfway]
        if len(todo) < slots.count(wanted):
            raise EngineError("some of the slots belong to neither")
        told = [engine for engine in others if engine.process != target.process]
        for at in range(0, len(todo), SLOTS_AT_ONCE):
            part = todo[at : at + SLOTS_AT_ONCE]
            coming = [slot for slot in part if slot in has and slot not in arrived]
            await b.demand(_said([slot for slot in coming if slot not in believed], ours.id))
            await b.demand([("CLUSTER", "SETSLOT", slot, "IMPORTING", ours.id) for slot in coming])
            stranger = at == 0 and not arrived and not halfway
            for going in [[slot] for slot in coming] if stranger else await _gos(a, coming):
                await self._carry(a, going, target, theirs.id, lasting="NODE" if stranger else "MIGRATING")
                await _belong(a, b, going, theirs.id)
            await _belong(a, b, [slot for slot in part if slot not in coming], theirs.id)
            await asyncio.gather(*(self._tell(other, _said(part, theirs.id)) for other in told))
            if stranger:
                await asyncio.sleep(ACQUAINTANCE_SECONDS)

    async def _carry(self, a: Pipe, going: Sequence[int], target: NodePlan, id: str, *, lasting: str) -> None:
        """Move the keys of slots, each in one go; those of one with too many keys, or open already, in parcels."""
        script = CARRY % (self._migrate, ADMINISTRATOR, self._password)
        where = (str(target.address), target.port, MIGRATE_MILLISECONDS)
        answers = await a.pipe(
            [("EVAL", script, 0, slot, id, *where, KEYS_IN_ONE_GO, KEYS_AT_ONCE, lasting) for slot in going]
        )
        rest = [slot for slot, answer in zip(going, answers, strict=True) if answer != b"OK"]
        if rest:
            await a.demand([("CLUSTER", "SETSLOT", slot, "MIGRATING", id) for slot in rest])
            await self._empty(a, rest, target)

    async def _empty(self, a: Pipe, emptying: Sequence[int], target: NodePlan) -> None:
        """Move the keys of open slots in parcels, until there are none."""
        where = (str(target.address), target.port, "", 0, MIGRATE_MILLISECONDS, "REPLACE")
        who = ("AUTH2", ADMINISTRATOR, self._password)
        for slot in emptying:
            while True:
                (found,) = await a.demand([("CLUSTER", "GETKEYSINSLOT", slot, KEYS_AT_ONCE)])
                keys = [key for key in found if isinstance(key, bytes)] if isinstance(found, list) else []
                if not keys:
                    break
                await a.demand([(self._migrate, *where, *who, "KEYS", *keys)])

    async def _tell(self, node: NodePlan, commands: Sequence[Sequence[Word]]) -> None:
        """Say whose slots are; one that does not hear it learns it from the others."""
        try:
            async with self._pipe(node, LOOK_SECONDS) as engine:
                await engine.pipe(commands)
        except _FAILURES:
            return


_FAILURES = (OSError, EOFError, TimeoutError, ValueError, EngineError)


def is_atomic(node: NodePlan) -> bool:
    """Tell whether an engine moves slots by itself."""
    return node.engine == "valkey" and numbers(node.version) >= (9,)


async def _topology(engine: Pipe) -> Topology:
    (said,) = await engine.demand([("CLUSTER", "NODES")])
    if not isinstance(said, bytes):
        raise EngineError(f"not an answer to CLUSTER NODES: {said!r}")
    return topology.parse(said.decode())


async def _gos(a: Pipe, coming: Sequence[int]) -> list[list[int]]:
    """Return slots as they go together: many with few keys, or one with many."""
    keys = await a.demand([("CLUSTER", "COUNTKEYSINSLOT", slot) for slot in coming])
    gos: list[list[int]] = []
    room = 0
    for slot, count in zip(coming, keys, strict=True):
        held = count if isinstance(count, int) else 0
        if not gos or held > room or len(gos[-1]) >= SLOTS_IN_ONE_GO:
            gos.append([])
            room = KEYS_AT_ONCE
        gos[-1].append(slot)
        room -= held
    return gos


def _said(slots: Sequence[int], id: str) -> list[tuple[Word, ...]]:
    return [("CLUSTER", "SETSLOT", slot, "NODE", id) for slot in slots]


async def _belong(a: Pipe, b: Pipe, moved: Sequence[int], id: str) -> None:
    """Tell both whose slots are: the target first, because a slot that nobody claims has no clients served."""
    await b.demand(_said(moved, id))
    await a.demand(_said(moved, id))


async def _whole(a: Pipe, b: Pipe, wanted: Slots) -> None:
    """Have the source move slots, and wait; one that it is moving already, since an earlier daemon, comes first."""
    await _idle(a)
    has = set(slots.slots_of((await _topology(a)).myself.slots))
    going, target = join(s for s in slots.slots_of(wanted) if s in has), (await _topology(b)).myself
    if not going:
        return
    flat = [end for pair in going for end in pair]
    await a.demand([("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", *flat, "NODE", target.id)])
    last = await _idle(a)
    if last.get(b"state") != b"success":
        said = last.get(b"message")
        raise EngineError(said.decode(errors="replace") if isinstance(said, bytes) and said else f"it ended: {last}")


async def _idle(a: Pipe) -> dict[Raw, Raw]:
    """Wait until an engine moves no slots, and return what it says of the last that it moved."""
    pause, last = POLL_FIRST_SECONDS, dict[Raw, Raw]()
    async with asyncio.timeout(WHOLE_SECONDS_MAX):
        while True:
            (said,) = await a.demand([("CLUSTER", "GETSLOTMIGRATIONS")])
            jobs = [_fields(job) for job in said] if isinstance(said, list) else []
            ours = [job for job in jobs if job.get(b"operation") == b"EXPORT"]
            last = ours[0] if ours else {}
            if all(job.get(b"state") in OVER for job in ours):
                return last
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, POLL_LAST_SECONDS)


def _fields(job: Raw) -> dict[Raw, Raw]:
    if not isinstance(job, list):
        return {}
    return {name: value for name, value in zip(job[::2], job[1::2], strict=False) if isinstance(name, bytes)}
