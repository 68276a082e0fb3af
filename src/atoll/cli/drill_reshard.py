"""`atoll drill reshard`: change a group's shards while clients write, and tell what they saw."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from atoll.cli import private, show
from atoll.cli.drill import SETTLE_SECONDS, described, instance_near
from atoll.cli.drill_clients import writing
from atoll.cli.failure import Failure

WARM_SECONDS = 2.0  # of writes before, and half of it after
LOOK_SECONDS = 0.05
RESHARD_SECONDS_MAX = 1800.0
BUCKETS = 12  # lines of the time line


def reshard(group: str, *, shards: int, clients: int, source: str | None, as_json: bool) -> int:
    """Rehearse, and print what happened; the exit code is 1 if there were errors, or acknowledged writes are gone."""
    world = described(group)
    if not world.get("configuration"):
        raise Failure(f"{group} has one shard", "make a group with --cluster-mode enabled")
    instance = source or instance_near(world)
    with show.progress(f"{group} gets {shards} shards, while {clients} clients in {instance} write"):
        said, seen = _play(world, instance, shards, clients)
    found = report(said, seen)
    if as_json:
        about = {"group": world["group"], "engine": world["engine"], "from": instance, "clients": clients}
        show.as_json(about | {"shards": shards} | found)
    else:
        _print(world, found)
    return 1 if found["lost"] or found["errors"] else 0


def _play(
    world: dict[str, Any], instance: str, shards: int, clients: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Have clients write, let shards change, and return what they said, and what was seen of the group."""
    words = (world["configuration"], str(world["port"]), str(clients), f"{time.time_ns():x}")
    with writing(instance, "drill_cluster_writer", *words, tls=world["tls"]) as writers:
        time.sleep(WARM_SECONDS)
        begun = time.time()
        private.post("/_atoll/drill/reshard", {"group": world["group"], "shards": shards, **private.whose()})
        seen = _watch(world["group"], begun)
        time.sleep(WARM_SECONDS / 2)
        return writers.end(), seen


def _watch(group: str, begun: float) -> list[dict[str, Any]]:
    """Look at the group until it is available again; returns what changed, with times."""
    seen: list[dict[str, Any]] = [{"at": begun, "status": "asked", "progress": None, "slots": {}}]
    while seen[-1]["status"] != "available":
        said = described(group)
        now = {name: said[name] for name in ("status", "progress", "slots")}
        if now != {name: seen[-1][name] for name in now}:
            seen.append({"at": time.time(), **now})
        if time.time() - begun > RESHARD_SECONDS_MAX + SETTLE_SECONDS:
            raise Failure(f"{group} is {said['status']} still", "`atoll status` says what it waits for")
        time.sleep(LOOK_SECONDS)
    return seen


def report(said: dict[str, Any], seen: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures: milliseconds count from the call."""
    begun, over = seen[0]["at"], seen[-1]["at"]
    before = [took for when, took in said["acks"] if when < begun]
    during = [took for when, took in said["acks"] if begun <= when <= over]
    first = min((when for when, _ in said["acks"]), default=begun)
    moving = [one["at"] for one in seen if one["progress"] is not None]
    width = max((over - begun) / BUCKETS, 0.1)
    line = []
    for n in range(BUCKETS):
        start = begun + n * width
        part = [took for when, took in said["acks"] if start <= when < start + width]
        errors = sum(start <= when < start + width for when, _ in said["errors"])
        done = [one["progress"] for one in seen if one["at"] < start + width and one["progress"] is not None]
        finished = n == BUCKETS - 1 or over <= start + width  # the last ends when it is over, but for rounding
        line.append({
            "ms": round(1000 * n * width),
            "progress": 100.0 if finished else done[-1] if done else 0.0,
            "writes_per_second": round(len(part) / width),
            "errors": errors,
            "p99_ms": p99(part),
        })  # fmt: skip
    return {
        "seconds": round(over - begun, 2),
        "moving_seconds": round(moving[-1] - moving[0], 2) if moving else 0.0,
        "writes_per_second": {
            "before": round(len(before) / max(begun - first, 0.001)),
            "during": round(len(during) / max(over - begun, 0.001)),
        },
        "p99_ms": {"before": p99(before), "during": p99(during)},
        "slowest_ms": round(1000 * max(during, default=0.0), 1),
        "acknowledged": len(said["acks"]),
        "lost": said["lost"],
        "errors": dict(Counter(what for _, what in said["errors"])),
        "slots": {"after": seen[-1]["slots"]},
        "time_line": line,
    }


def p99(took: Sequence[float]) -> float | None:
    """Return how long all but one in a hundred took at most, in milliseconds; None: there were none."""
    return round(1000 * sorted(took)[int(len(took) * 0.99)], 2) if took else None


def _print(world: dict[str, Any], found: dict[str, Any]) -> None:
    show.line(
        f"{world['group']} ({world['engine']}): {len(world['slots'])} shards, then {len(found['slots']['after'])}"
    )
    show.line("       ms   moved  writes/s   p99 ms")
    for one in found["time_line"]:
        wrong = f"  {one['errors']} errors" if one["errors"] else ""
        slow = one["p99_ms"] or 0.0
        show.line(f"{one['ms']:+9.0f}  {one['progress']:5.1f}%  {one['writes_per_second']:8d}  {slow:7.2f}{wrong}")
    show.line()
    for id, slots in found["slots"]["after"].items():
        show.line(f"{id}: {slots}")
    rate, slow = found["writes_per_second"], found["p99_ms"]
    show.line(f"{found['seconds']} s; writes a second: {rate['before']} before, {rate['during']} during")
    show.line(
        f"p99: {slow['before']} ms before, {slow['during']} ms during; the slowest took {found['slowest_ms']} ms"
    )
    show.line("errors: " + (", ".join(f"{n} {what}" for what, n in found["errors"].items()) or "none"))
    gone = f"{len(found['lost'])} lost: {', '.join(found['lost'][:5])}" if found["lost"] else "none lost"
    show.line(f"acknowledged: {found['acknowledged']}, {gone}", "red" if found["lost"] else None)
