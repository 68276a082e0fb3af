"""`atoll drill failover --rounds N`: lose a group's primary again and again, and sum up what clients saw.

The group stays up between the rounds, and so do the clients for a batch of them: then every acknowledged record of
the batch is read back.  Ctrl-C ends it after the batch that is under way, with what was seen.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from atoll.admin import drill_report
from atoll.cli import private, show
from atoll.cli.drill import SETTLE_SECONDS, described, instance_near
from atoll.cli.drill_clients import writing
from atoll.cli.failure import Failure

BATCH = 10  # rounds between two looks at what is there: the records must fit the smallest node
WARM_SECONDS = 0.3  # of writes before each fault
LOOK_SECONDS = 0.03
FAULTS = ("kill", "hang", "partition", "planned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round showed."""

    fault: str
    at: float
    outage_ms: float | None  # None: no write was accepted afterwards
    acknowledged: int
    lost: tuple[str, ...]


def rounds(
    group: str, *, count: int, faults: Sequence[str], clients: int, wait: int, source: str | None,
    library: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Rehearse so often, and print the sums; the exit code is 1 if acknowledged writes are gone, or no write came."""
    unknown = [fault for fault in faults if fault not in FAULTS]
    if unknown:
        raise Failure(f"{unknown[0]!r} is not a fault", f"choose from {', '.join(FAULTS)}, or all")
    world = described(group)
    instance = source or instance_near(world)
    done: list[Round] = []
    kinds = itertools.islice(itertools.cycle(faults), count)
    try:
        while batch := list(itertools.islice(kinds, BATCH)):
            with show.progress(f"round {len(done) + 1} of {count}, while {clients} clients in {instance} write"):
                done += _batch(world, instance, batch, clients, wait, library)
    except KeyboardInterrupt:
        show.line(f"interrupted after {len(done)} of {count} rounds")
    found = {fault: summary([r for r in done if r.fault == fault]) for fault in faults}
    about = {"group": group, "engine": world["engine"], "clients": clients, "wait": wait, "library": library}
    if as_json:
        show.as_json(about | {"rounds": len(done), "faults": found, "lost": [key for r in done for key in r.lost]})
    else:
        _print(about, found, done)
    return 1 if any(r.lost or r.outage_ms is None for r in done) else 0


def summary(done: Sequence[Round]) -> dict[str, Any]:
    """Return the sums of some rounds."""
    outages = sorted(r.outage_ms for r in done if r.outage_ms is not None)
    return {
        "rounds": len(done),
        "outage_ms": {"median": round(median(outages), 1), "max": outages[-1]} if outages else None,
        "never": sum(r.outage_ms is None for r in done),
        "acknowledged": sum(r.acknowledged for r in done),
        "lost": sum(len(r.lost) for r in done),
        "rounds_with_loss": sum(bool(r.lost) for r in done),
    }


def _batch(
    world: dict[str, Any], instance: str, faults: Sequence[str], clients: int, wait: int, library: str | None
) -> list[Round]:
    """Have clients write while the primary is lost some times, and return what they saw of each."""
    run, begins = f"{world['tag']}{time.time_ns():x}", []
    words = (world["endpoint"], str(world["port"]), str(clients), str(wait), run)
    steps: dict[float, Any] = {}
    with writing(instance, "drill_writer", *words, tls=world["tls"], library=library) as writers:
        for fault in faults:
            time.sleep(WARM_SECONDS)
            before = private.post("/_atoll/drill", _about(world["group"], fault=fault))
            begins.append((fault, before["at"]))
            _recover(world["group"], before["primary"])
            writers.go_on(SETTLE_SECONDS)  # a client that waits for a processor may take longer than the group
            steps |= {step["at"]: step for step in described(world["group"])["steps"]}
        said = writers.end()
    return divided(said, begins, list(steps.values()))


def _recover(group: str, primary: str) -> None:
    """Wait until the group has noticed and mended what was done; heals what hangs or is cut off on the way."""
    until, noticed, healed = time.time() + SETTLE_SECONDS * 2, False, False
    while True:
        seen = described(group)
        status = seen["status"]
        noticed = noticed or status != "available" or seen["primary"] != primary
        if noticed and not healed and status == "modifying":
            private.post("/_atoll/drill/heal", _about(group))  # its process is fenced, or is about to be
            healed = True
        if noticed and status == "available":
            return
        if time.time() > until:
            raise Failure(f"{group} is {status} still", "`atoll status` says what it waits for")
        time.sleep(LOOK_SECONDS)


def divided(
    said: Mapping[str, Any], begins: Sequence[tuple[str, float]], steps: Sequence[Mapping[str, Any]]
) -> list[Round]:
    """Return what clients saw of each round, from what they wrote down about all of a batch."""
    ends = [at for _, at in begins[1:]] + [float("inf")]
    found, first = [], 0.0
    when = {(client, record): at for at, client, record in said["acks"]}
    for (fault, at), end in zip(begins, ends, strict=True):
        until = end - WARM_SECONDS / 2
        part = {
            "acks": [ack for ack in said["acks"] if first <= ack[0] < until],
            "errors": [error for error in said["errors"] if first <= error[0] < until],
            "names": [name for name in said["names"] if first <= name[0] < until],
            "lost": [key for key in said["lost"] if first <= when.get(_record(key), 0.0) < until],
        }
        own = [step for step in steps if at - 0.001 <= step["at"] < end]
        seen = drill_report.report(part, own, at)
        lost, count = tuple(part["lost"]), len(part["acks"])
        found.append(Round(fault=fault, at=at, outage_ms=seen.outage_ms, acknowledged=count, lost=lost))
        first = until
    return found


def _record(key: str) -> tuple[int, int]:
    client, record = key.split(":")[-2:]
    return int(client), int(record)


def _about(group: str, **more: str) -> dict[str, Any]:
    return {"group": group, **more, **private.whose()}


def _print(about: dict[str, Any], found: Mapping[str, Any], done: Sequence[Round]) -> None:
    waits = f", WAIT {about['wait']}" if about["wait"] else ""
    show.line(f"{about['group']} ({about['engine']}), {about['clients']} clients{waits}: {len(done)} rounds")
    show.line("fault       rounds   median ms   max ms   acknowledged   lost")
    for fault, sums in found.items():
        outage = sums["outage_ms"] or {"median": 0.0, "max": 0.0}
        never = f"  ({sums['never']} without a write afterwards)" if sums["never"] else ""
        show.line(
            f"{fault:10s} {sums['rounds']:7d} {outage['median']:11.1f} {outage['max']:8.1f} "
            f"{sums['acknowledged']:14d} {sums['lost']:6d}{never}",
            "red" if sums["lost"] or sums["never"] else None,
        )
