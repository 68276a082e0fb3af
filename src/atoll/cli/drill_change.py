"""`atoll drill change`: change what a group runs on while clients write, and tell what they saw."""

import itertools
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from atoll.cli import private, show
from atoll.cli.drill import described, instance_near
from atoll.cli.drill_clients import writing
from atoll.cli.failure import Failure

WARM_SECONDS = 1.0  # of writes before, and half of it after
LOOK_SECONDS = 0.02
CHANGE_SECONDS_MAX = 1800.0
PAUSE_SECONDS = 0.05  # without an accepted write of anybody: a client would notice


def change(
    group: str, *, wish: Mapping[str, str], clients: int, source: str | None, library: str | None, as_json: bool
) -> int:
    """Rehearse, and print what happened; the exit code is 1 if acknowledged writes are gone, or none came after."""
    if not wish:
        raise Failure("nothing is to change", "name a --node-type, --engine, --engine-version or --cluster-mode")
    world = described(group)
    instance = source or instance_near(world)
    asked = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in wish.items())
    with show.progress(f"{group} gets {asked}, while {clients} clients in {instance} write"):
        said, seen = _play(world, instance, wish, clients, library)
    steps = [step for step in described(group)["steps"] if step["at"] >= seen[0]["at"]]
    found = report(said, seen)
    if as_json:
        about = {"group": world["group"], "engine": world["engine"], "from": instance, "clients": clients}
        show.as_json(about | {"asked": dict(wish)} | found | {"steps": steps, "seen": seen})
    else:
        _print(world, asked, found, time_line(seen, steps))
    return 1 if found["lost"] or found["silent"] else 0


def _play(
    world: dict[str, Any], instance: str, wish: Mapping[str, str], clients: int, library: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Have clients write, let the change happen, and return what they said, and what was seen of the group."""
    tag = world["tag"] or "{drill}"  # in one slot: the group may be in cluster mode afterwards
    endpoint = world["configuration"] if wish.get("cluster_mode") == "enabled" else world["endpoint"]
    words = (endpoint, str(world["port"]), str(clients), "0", f"{tag}{time.time_ns():x}")
    with writing(instance, "drill_writer", *words, tls=world["tls"], library=library) as writers:
        time.sleep(WARM_SECONDS)
        begun = time.time()
        private.post("/_atoll/drill/change", {"group": world["group"], "wish": dict(wish), **private.whose()})
        seen = _watch(world["group"], begun)
        time.sleep(WARM_SECONDS / 2)
        return writers.end(), seen


def _watch(group: str, begun: float) -> list[dict[str, Any]]:
    """Look at the group until it is available again; returns what changed, with times."""
    seen: list[dict[str, Any]] = [{"at": begun, "status": "asked", "runs": {}}]
    while seen[-1]["status"] != "available":
        said = described(group)
        now = {name: said[name] for name in ("status", "runs")}
        if now != {name: seen[-1][name] for name in now}:
            seen.append({"at": time.time(), **now})
        if time.time() - begun > CHANGE_SECONDS_MAX:
            raise Failure(f"{group} is {said['status']} still", "`atoll status` says what it waits for")
        time.sleep(LOOK_SECONDS)
    return seen


def report(said: Mapping[str, Any], seen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures: milliseconds count from the call, pauses are those in which nobody's write was accepted."""
    begun, over = seen[0]["at"], seen[-1]["at"]
    times = [when for when, _, _ in said["acks"]]
    before, during = [t for t in times if t < begun], [t for t in times if begun <= t <= over]
    edges = [max(before, default=begun), *during, min((t for t in times if t > over), default=over)]
    gaps = [(a, b - a) for a, b in itertools.pairwise(edges)]
    pauses = [(at, long) for at, long in gaps if long >= PAUSE_SECONDS]
    first = min(times, default=begun)
    return {
        "seconds": round(over - begun, 2),
        "outage_ms": round(1000 * max((long for _, long in gaps), default=0.0), 1),
        "pauses": [{"ms": round(1000 * (at - begun), 1), "long_ms": round(1000 * long, 1)} for at, long in pauses],
        "writes_per_second": {
            "before": round(len(before) / max(begun - first, 0.001)),
            "during": round(len(during) / max(over - begun, 0.001)),
        },
        "acknowledged": len(times),
        "silent": not any(t > over for t in times),  # nobody has written since it is over
        "lost": said["lost"],
        "errors": dict(Counter(what for when, _, what in said["errors"] if when >= begun)),
    }


def time_line(seen: Sequence[Mapping[str, Any]], steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the members ran on, and what the failover did, in order."""
    begun, before, lines = seen[0]["at"], dict[str, str](), []
    for one in seen:
        for name, runs in one["runs"].items():
            if before and before.get(name) != runs:
                lines.append((one["at"], f"{name}: {runs}"))
        before = one["runs"] or before
    lines += [(step["at"], f"{step['act']} {step.get('id', '')}: {step['because']}") for step in steps]
    return [f"{1000 * (at - begun):+9.1f}  {what}" for at, what in sorted(lines)]


def _print(world: Mapping[str, Any], asked: str, found: Mapping[str, Any], line: Sequence[str]) -> None:
    show.line(f"{world['group']} ({world['engine']}): {asked}")
    show.line("       ms  what happened")
    for one in line:
        show.line(one)
    show.line()
    for pause in found["pauses"]:
        show.line(f"{pause['ms']:+9.1f}  no write was accepted for {pause['long_ms']} ms")
    rate = found["writes_per_second"]
    show.line(f"{found['seconds']} s; writes a second: {rate['before']} before, {rate['during']} during")
    show.line("errors: " + (", ".join(f"{n} {what}" for what, n in found["errors"].items()) or "none"))
    show.line(f"the longest time without an accepted write: {found['outage_ms']} ms")
    gone = f"{len(found['lost'])} lost: {', '.join(found['lost'][:5])}" if found["lost"] else "none lost"
    show.line(f"acknowledged: {found['acknowledged']}, {gone}", "red" if found["lost"] else None)
