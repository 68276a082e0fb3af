"""Look inside the machines on a packet's way, each in its own network, read-only and for a bounded time."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atoll.cli import enter
from atoll.cli.failure import Failure

SECONDS_MAX = 10.0  # four commands of 2 s at most, and one engine of 2
PROBE = Path(__file__).with_name("probe.py")


def look(machine: Mapping[str, Any], where: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is inside a machine, or {"error": why nobody can look}."""
    if "error" in machine:
        return {"error": str(machine["error"])}
    asked = {"pid": machine["pid"] if machine["kind"] == "instance" else None, "engine": machine["engine"]}
    place = enter.place_of({**where, **machine})
    command = [sys.executable, "-I", "-S", str(PROBE), json.dumps(asked)]
    try:
        ended = enter.run(enter.in_network(place), command, seconds_max=SECONDS_MAX)
    except Failure as failure:
        return {"error": failure.message}
    if ended.code is None:
        return {"error": f"looking took longer than {SECONDS_MAX:.0f} s"}
    last = ended.output.strip().splitlines()[-1:] or [""]
    try:
        found = json.loads(last[0])
    except ValueError:
        return {"error": ended.output.strip()[-300:] or f"the probe ended with {ended.code}"}
    return found if isinstance(found, dict) else {"error": "the probe said something else"}
