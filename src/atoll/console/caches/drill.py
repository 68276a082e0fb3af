"""Failovers on purpose, in the daemon: clients write in an instance's network while a group loses its primary.

What they are asked is in `admin/drill.py`, what they saw becomes a report in `admin/drill_report.py`.  The last drill
of each group is kept in memory.
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from atoll.admin import drill as asked
from atoll.admin.drill_report import BUCKET_SECONDS, Report, report
from atoll.admin.machines import NotRunning, machine
from atoll.aws import inside
from atoll.aws.errors import AwsError
from atoll.console.ask import Service
from atoll.host.contract import Harm, HostError
from atoll.model.cache import ReplicationGroup
from atoll.model.interface import Interface
from atoll.model.world import Caller
from atoll.network.places import PlaceError, endpoint
from atoll.store.sqlite import StoreError

log = logging.getLogger(__name__)
TEST = "test"  # AWS's TestFailover; the other faults are those of `atoll drill failover`
FAULTS = (TEST, *asked.FAULTS)
CLIENTS = 2
READY_SECONDS = 20.0  # until the clients have had their first answer
WARM_SECONDS = 1.0  # of writes before the fault
AFTER_SECONDS = 3.0  # of writes after it: a partition's failover takes one
RESULT_SECONDS = 60.0  # until every acknowledged write was read back
LINE_BYTES_MAX = 64 << 20  # of what the clients say in the end: 100,000 writes are 4 MB
KEPT_MAX = 50  # drills
BARS = 15  # of the time line, until all is well again
BUCKETS_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_START = "import sys; sys.path.insert(0, sys.argv[1]); from atoll.cli.drill_inside import main; main(*sys.argv[2:])"


class Harmful(Service, Protocol):
    """What a drill asks of the daemon beyond what pages do."""

    async def harm(self, cluster_id: str, what: Harm) -> None: ...  # noqa: D102
    def failover_steps(self) -> list[dict[str, Any]]: ...  # noqa: D102


@dataclass(slots=True)
class Drill:
    """One failover on purpose, as far as it is."""

    group: str
    fault: str
    source: str  # the instance whose network the clients are in; "": nobody writes
    phase: str = "starting"  # then "writing", "harmed", "reading", and "done" or "failed"
    because: str = ""  # it failed
    at: float = 0.0  # of the fault, in seconds since 1970
    primary: str = ""
    steps: Sequence[dict[str, Any]] = field(default_factory=list)
    report: Report | None = None
    bucket_seconds: float = BUCKET_SECONDS

    @property
    def until_ms(self) -> float:
        """Return when the last of what there is to see happened, in milliseconds after the fault."""
        seen = [(step["at"] - self.at) * 1000 for step in self.steps]
        if self.report:
            seen += [ms for ms in (self.report.slowest_ms, self.report.resumed_ms) if ms is not None]
        return max(seen, default=0.0)

    @property
    def is_running(self) -> bool:
        """Tell whether there is more to come."""
        return self.phase not in ("done", "failed")


class Failed(Exception):
    """The drill cannot be done, or could not go on."""


_drills: OrderedDict[tuple[str, str, str], Drill] = OrderedDict()
_tasks: set[asyncio.Task[None]] = set()  # asyncio itself holds tasks weakly


def last(caller: Caller, group: str) -> Drill | None:
    """Return the newest drill of a group."""
    return _drills.get((caller.account, caller.region, group))


def start(service: Harmful, caller: Caller, group: str, fault: str, source: str) -> Drill:
    """Begin a drill.  Raises Failed if there is one, or if the group cannot stand it."""
    if (before := last(caller, group)) and before.is_running:
        raise Failed(f"a drill of {group} is running")
    try:
        found = asked.group_of(service.world.seen_by(caller), group)
        asked.check(found, "planned" if fault == TEST else fault)
    except asked.NoDrill as error:
        raise Failed(str(error)) from None
    drill = Drill(group=group, fault=fault, source=source)
    _drills[caller.account, caller.region, group] = drill
    if len(_drills) > KEPT_MAX:
        _drills.popitem(last=False)
    task = asyncio.get_running_loop().create_task(_run(service, caller, drill))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return drill


async def _run(service: Harmful, caller: Caller, drill: Drill) -> None:
    group = asked.group_of(service.world.seen_by(caller), drill.group)
    try:
        await _play(service, caller, drill, group)
        drill.phase = "done"
    except (Failed, asked.NoDrill, HostError, StoreError, AwsError, TimeoutError) as error:
        drill.because = str(error) or "it took too long"
        drill.phase = "failed"
    except Exception as mistake:  # of ours: the page says it, the log has the trace
        log.exception("a drill failed")
        drill.because, drill.phase = f"{type(mistake).__name__}: {mistake}", "failed"
    finally:
        for id in group.member_ids:
            with suppress(HostError):
                await service.harm(id, "heal")


async def _play(service: Harmful, caller: Caller, drill: Drill, group: ReplicationGroup) -> None:
    about = asked.described(service.world.seen_by(caller), group)
    drill.primary = about["primary"]
    writers = await _writers(service, caller, drill, about) if drill.source else None
    try:
        drill.at = time.time()
        await _harm(service, caller, drill, group)
        drill.phase = "harmed"
        await asyncio.sleep(AFTER_SECONDS)
        drill.phase = "reading"
        said = await _said(writers) if writers else {"acks": [], "errors": [], "names": [], "lost": []}
        drill.steps = [
            step
            for step in service.failover_steps()
            if step["group"] == group.name and step["at"] >= drill.at - 0.001
        ]
        drill.report = await asyncio.to_thread(report, said, drill.steps, drill.at)
        drill.bucket_seconds = _bucket_seconds(drill.until_ms)
        drill.report = await asyncio.to_thread(report, said, drill.steps, drill.at, drill.bucket_seconds)
    finally:
        if writers and writers.returncode is None:
            with suppress(ProcessLookupError):
                writers.kill()
            await writers.wait()


async def _writers(
    service: Harmful, caller: Caller, drill: Drill, about: dict[str, Any]
) -> asyncio.subprocess.Process:
    """Start the clients, and return when the first of their writes is acknowledged and some time has passed."""
    place = json.dumps(_place(service, caller, drill.source) | service.where())
    run = f"{about['tag']}{time.time_ns():x}"
    words = (about["endpoint"], str(about["port"]), str(CLIENTS), "0", run)
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        _START,
        str(Path(__file__).parents[3]),
        place,
        "drill_writer",
        *words,
    ]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=pipe,
        stdout=pipe,
        limit=LINE_BYTES_MAX,
        env=os.environ | ({"DRILL_TLS": "yes"} if about["tls"] else {}),
    )
    assert process.stdout, "it has a pipe"
    try:
        async with asyncio.timeout(READY_SECONDS):
            first = (await process.stdout.readline()).decode(errors="replace").strip()
        if first != "ready":
            raise Failed(f"the clients in {drill.source} could not write: {first or 'they ended'}")
        drill.phase = "writing"
        await asyncio.sleep(WARM_SECONDS)
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return process


async def _said(writers: asyncio.subprocess.Process) -> dict[str, Any]:
    """Have the clients end, and return what they wrote down."""
    assert writers.stdin, "it has a pipe"
    assert writers.stdout, "it has a pipe"
    writers.stdin.write(b"\n")
    await writers.stdin.drain()
    async with asyncio.timeout(RESULT_SECONDS):
        line = await writers.stdout.readline()
    if not line:
        raise Failed("the clients ended without a word")
    said: dict[str, Any] = await asyncio.to_thread(json.loads, line)
    return said


def _bucket_seconds(until_ms: float) -> float:
    """Return the width of a bar, so that there are some thirty of them until the end."""
    return next((s for s in BUCKETS_SECONDS if until_ms / 1000 / s <= BARS), BUCKETS_SECONDS[-1])


def _place(service: Harmful, caller: Caller, source: str) -> dict[str, Any]:
    """Return how to enter an instance's network."""
    world = service.world.seen_by(caller)
    try:
        at = endpoint(world, caller, source).at
        interface = world.get(Interface, str(at))
        if interface is None:
            raise Failed(f"{source} is not an instance")
        return machine(world, interface, service.seen()).to_json()
    except (PlaceError, NotRunning) as error:
        raise Failed(str(error)) from None


async def _harm(service: Harmful, caller: Caller, drill: Drill, group: ReplicationGroup) -> None:
    group = service.world[ReplicationGroup, group.id]
    match drill.fault:
        case "test":
            names = {"ReplicationGroupId": group.name, "NodeGroupId": group.shard.id}
            await inside.call("elasticache", "TestFailover", names, service.backend, caller)
        case "planned":
            service.write(lambda tx: asked.ask_planned(tx, group), "drill")
        case fault:
            await service.harm(group.shard.primary_id, cast("Harm", fault))
