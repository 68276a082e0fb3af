"""How the cost of a call grows: worlds of 10 to 10,000 resources of a kind on paper, and cache nodes for real.

    python -m bench.scale                         # 10 minutes; the nodes need root and the engines
    python -m bench.scale --quick --json
    python -m bench.scale --nodes 10,50,100,200   # what this machine holds
    python -m bench.scale --write-docs            # into docs/performance.md, with the date and the machine
"""

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.ground import Atoll, cpu_seconds, one, resident_mb, running, spent, until
from bench.scale import calls, memory, real
from bench.scale.growth import Grown, linear, table
from bench.scale.world import furnish, multiply

DOCS = Path(__file__).parents[2] / "docs" / "performance.md"
FIRST, LAST = "<!-- written by python -m bench.scale -->\n", "<!-- until here -->"
SIZES, QUICK_SIZES = "10,100,1000,10000", "2,10"
NODES, QUICK_NODES = "10,20", ""
PLAN_SECONDS = 300.0
START, PLANNED, MEMORY = "start of the daemon", "then until the network is in force", "memory of the daemon"

_PAGE = """{machine}

CPU time that the daemon spends on a call that comes over HTTP, and on what it sets off; the best of {rounds} rounds.
A world of N has N security groups, N instances with an interface and a volume each, and N caches (200 at most), all
in one VPC on the paper host. The exponent is that of the two largest worlds: 0 is flat, 1 linear. What each of the
resources adds is told where it is linear.

{paper}

A resource in the World weighs, in kB: {memory}.
{nodes}
Linear in the world, the costliest first:

{linear}
"""
_NODES = """
Cache nodes for real, all in one subnet:

{table}
"""


def main() -> int:
    """Measure, print, and write what was asked for."""
    options = _options()
    rounds = 1 if options.quick else options.rounds
    paper, weights = _paper(_numbers(options.sizes or (QUICK_SIZES if options.quick else SIZES)), rounds)
    steps = _numbers(options.nodes if options.nodes is not None else (QUICK_NODES if options.quick else NODES))
    nodes = real.measure(steps, rounds) if len(steps) > 1 and os.geteuid() == 0 else []
    if options.json:
        rows = {"paper": paper, "nodes": nodes}
        shown = {part: [row.to_json() for row in some] for part, some in rows.items()}
        print(json.dumps({"machine": _machine(), "memory": weights, **shown}, indent=1))
        return 0
    page = _PAGE.format(
        machine=_machine(),
        rounds=rounds,
        paper=table(paper, "of each"),
        memory=", ".join(f"{kind} {kilobytes:.1f}" for kind, kilobytes in weights.items()),
        nodes=_NODES.format(table=table(nodes, "nodes")) if nodes else "",
        linear=linear(paper),
    )
    print(page)
    if options.write_docs:
        before, _, rest = DOCS.read_text().partition(FIRST)
        DOCS.write_text(f"{before}{FIRST}\n{page}\n{LAST}{rest.partition(LAST)[2]}")
    return 0


def _paper(sizes: list[int], rounds: int) -> tuple[list[Grown], dict[str, float]]:
    found: dict[str, dict[int, float]] = {}
    weights: dict[str, float] = {}
    for size in sizes:
        print(f"measuring: {size:,} of each", file=sys.stderr)
        with running("--host", "paper") as atoll:
            place = furnish(atoll)
            address = one(atoll.api.ec2("DescribeInstances"), "privateIpAddress")
            atoll.down(purge=False)
            multiply(atoll.state, place, size)
            weights = dict(memory.measure(atoll.state))
            for name, figure in _started(atoll).items():
                found.setdefault(name, {})[size] = figure
            for name, figure in calls.measure(calls.Timed(atoll), place, address, rounds).items():
                found.setdefault(name, {})[size] = figure
            found.setdefault(MEMORY, {})[size] = resident_mb(atoll.pid) * 1e3
    alike = {row.name for row in calls.ROWS if row.answers_all}
    order = [row.name for row in calls.ROWS] + [START, PLANNED, MEMORY]
    units = {MEMORY: "kB"}
    return [
        Grown(name=name, unit=units.get(name, "ms"), figures=found[name], answers_all=name in alike)
        for name in order
    ], weights


def _started(atoll: Atoll) -> dict[str, float]:
    atoll.up()
    up = cpu_seconds(atoll.pid)
    _, planned = spent(atoll.pid, lambda: until(lambda: _in_force(atoll), 0.05, PLAN_SECONDS))
    until(lambda: _serve(atoll), 0.2, PLAN_SECONDS)  # they start one after the other
    return {START: up * 1e3, PLANNED: planned}


def _serve(atoll: Atoll) -> bool:
    status = atoll.api.private("GET", "/_atoll/status")
    return all(cache["status"] == "available" for cache in status["caches"])


def _in_force(atoll: Atoll) -> bool:
    status = atoll.api.private("GET", "/_atoll/status")
    revision: int = status["loop"]["revision"]
    return revision == status["revision"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench scale", description="How the cost of a call grows with the world.")
    parser.add_argument("--quick", action="store_true", help="two small worlds, once: does it run?")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--sizes", metavar="N,...", help=f"of the worlds on paper (default: {SIZES})")
    parser.add_argument("--nodes", metavar="N,...", help=f"cache nodes for real (default: {NODES}; none: '')")
    parser.add_argument("--rounds", type=int, default=5, help="of which the best counts (default: 5)")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    for text in (options.sizes, options.nodes):
        if text and not all(part.isdecimal() and int(part) > 0 for part in text.split(",")):
            parser.error(f"{text!r} is not a list of sizes: give one such as 10,100")
    if options.sizes and len(_numbers(options.sizes)) < 2:
        parser.error("growth takes two sizes: give them as 10,100")
    return options


def _numbers(text: str) -> list[int]:
    return sorted({int(part) for part in text.split(",") if part})


def _machine() -> str:
    processors = len(os.sched_getaffinity(0))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Linux {platform.release()} {platform.machine()}, {processors} processors, "
        f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}."
    )


sys.exit(main())
