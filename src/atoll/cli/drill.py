"""`atoll drill failover`: lose a primary while clients write, and tell what they saw."""

import time
from typing import Any

from atoll.admin import drill_report
from atoll.cli import private, show
from atoll.cli.drill_clients import writing
from atoll.cli.failure import Failure

WARM_SECONDS = 1.0  # of writes before the fault
RESULT_SECONDS = 60.0
SETTLE_SECONDS = 30.0


def failover(
    group: str, *, fault: str, clients: int, seconds: float, wait: int, source: str | None, library: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Rehearse, and print what happened; the exit code is 1 if acknowledged writes are gone, or none came after."""
    world = described(group)
    instance = source or instance_near(world)
    run = f"{world['tag']}{time.time_ns():x}"
    with show.progress(f"{fault} {world['primary']}, while {clients} clients in {instance} write"):
        said, begun = _play(world, instance, fault, clients, seconds, wait, run, library)
    steps = [step for step in described(group)["steps"] if step["at"] >= begun["at"] - 0.001]
    found = drill_report.report(said, steps, begun["at"])
    if as_json:
        about = {k: begun[k] for k in ("group", "engine", "primary")}
        about |= {"fault": fault, "from": instance, "clients": clients, "wait": wait}
        show.as_json(about | found.to_json() | {"steps": steps})
    else:
        _print(found, begun, steps, fault)
    return 1 if found.lost or found.outage_ms is None else 0


def described(group: str) -> dict[str, Any]:
    """Return what the daemon says of a group."""
    found: dict[str, Any] = private.get("/_atoll/drill", group=group, **private.whose())
    return found


def instance_near(world: dict[str, Any]) -> str:
    """Return an instance of the VPC that may talk to the primary.  Raises Failure."""
    status = private.get("/_atoll/status", **private.whose())
    near = [i for i in status["instances"] if i["vpc"] == world["vpc"] and i["state"] == "running"]
    for instance in near:
        question = {"from": instance["id"], "to": world["primary"], "port": world["port"], **private.whose()}
        if private.post("/_atoll/trace", question)["delivered"]:
            return str(instance["id"])
    if near:
        step = f"atoll why {near[0]['id']} {world['primary']}:{world['port']}"
        raise Failure(f"no instance of {world['vpc']} may talk to {world['primary']}", step)
    raise Failure(
        f"no instance runs in {world['vpc']}, where the clients could be",
        "launch one in a subnet of the VPC with a security group that the cache's group lets in",
    )


def _play(
    world: dict[str, Any], instance: str, fault: str, clients: int, seconds: float, wait: int, run: str,
    library: str | None,
) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """Have clients write, let the fault happen, and return what they said, and how it began."""
    words = (world["endpoint"], str(world["port"]), str(clients), str(wait), run)
    try:
        with writing(instance, "drill_writer", *words, tls=world["tls"], library=library) as writers:
            time.sleep(WARM_SECONDS)
            begun = private.post("/_atoll/drill", {"group": world["group"], "fault": fault, **private.whose()})
            time.sleep(seconds)
            return writers.end(), begun
    finally:
        private.post("/_atoll/drill/heal", {"group": world["group"], **private.whose()})


def _print(found: drill_report.Report, begun: dict[str, Any], steps: list[dict[str, Any]], fault: str) -> None:
    show.line(f"{begun['group']} ({begun['engine']}), primary {begun['primary']}: {fault}")
    show.line("       ms  what happened")
    for line in drill_report.time_line(found, steps, begun["at"], fault):
        show.line(line)
    show.line()
    for at, writes, errors in found.buckets:
        if -500 <= at <= (found.slowest_ms or 0) + 500:
            show.line(f"{at:+9.0f}  {writes:6d} writes" + (f"  {errors} errors" if errors else ""))
    show.line()
    show.line(f"writes a second: {found.before:.0f} before, {found.after:.0f} after")
    show.line("errors: " + (", ".join(f"{n} {what}" for what, n in found.errors.items()) or "none"))
    if found.outage_ms is None:
        show.line("no write was accepted after the fault", "red")
    else:
        show.line(f"no write was accepted for {found.outage_ms:.1f} ms")
    gone = f"{len(found.lost)} lost: {', '.join(found.lost[:5])}" if found.lost else "none lost"
    show.line(f"acknowledged: {found.acknowledged}, {gone}", "red" if found.lost else None)
