"""Measure everything, or a part of it, and print it as ratios.

    python -m bench                       # some minutes; needs root, namespaces and the engines
    python -m bench --quick               # some two minutes: does it run at all?
    python -m bench --only start,packets
    python -m bench --write-docs          # docs/benchmarks.md, with the date and the machine; with --only: a section

It measures in namespaces that it makes, and removes them.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import (
    carrying,
    changing,
    creating,
    discovering,
    encrypting,
    failing,
    forwarding,
    growing,
    keeping,
    paging,
    paths,
    reaching,
    resharding,
    serving,
    starting,
    worlding,
)
from bench.rows import Row, table

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks.md"
APART_HEADING = "## Measured apart\n"
PEERS_HEADING = "## Beside its peers\n"
Part = Callable[[bool], list[Row]]  # whether to be quick

PARTS: dict[str, Part] = {
    "start": lambda quick: starting.measure(1 if quick else 15),
    "create": lambda quick: creating.measure(1 if quick else 15),
    "rules": lambda quick: changing.measure(2 if quick else 50),
    "growth": lambda quick: growing.measure(*((2, 20, 2, 20) if quick else (100, 1_000, 100, 10_000))),
    "reach": lambda quick: reaching.measure(*((1, 40, 4) if quick else (3, 10_000, 50))),
    "snapshots": lambda quick: keeping.measure(*((1, 10) if quick else (5, 300))),
    "worlds": lambda quick: worlding.measure(*((1, 10) if quick else (9, 100))),
    "console": lambda quick: paging.measure(*((1, 20) if quick else (15, 1_000))),
    "failover": lambda quick: failing.measure(1, ("kill",)) if quick else failing.measure(10),
    "resharding": lambda quick: resharding.measure(*((1, 20_000, ("valkey",)) if quick else (5, 300_000))),
    "packets": lambda quick: carrying.measure(1 if quick else 7, 2_000 if quick else 30_000),
    "paths": lambda quick: paths.measure(1 if quick else 7, 2_000 if quick else 20_000),
    "discovery": lambda quick: discovering.measure(1 if quick else 9, 2_000 if quick else 60_000),
    "tls": lambda quick: encrypting.measure(1 if quick else 7, 2_000 if quick else 40_000),
    "serving": lambda quick: serving.measure(1 if quick else 7, 2_000 if quick else 40_000, 5 if quick else 100),
    "nat": lambda quick: forwarding.measure(1 if quick else 5, 2_000 if quick else 20_000),
}

_PAGE = """# Benchmarks

Written by `python -m bench --write-docs`; `make bench` prints the same. What was done to get here, and what is left,
is in [performance.md](performance.md).

{machine}

Every figure stands beside a baseline that was measured in the same run, in turn with it: A B A B. Figures are
medians, a ratio is the median of the ratios of the rounds; read the ratios, for the machine was not quiet. The
targets are meant for a quiet machine.

{table}

Packets: redis-benchmark, GET, {clients} connections, client and server on one processor, from one subnet to
another, so that two network ACLs, two security groups and a route table judge each flow. The Docker-like path is a
bridge with br_netfilter, connection tracking and iptables with the usual shortcut for established connections.
"""

_APART = f"""{APART_HEADING}
These parts, and no others, in a run of their own (`python -m bench --only PART,... --write-docs`):

{{machine}}

{{table}}

"""


def main() -> int:
    """Measure, print, and write what was asked for."""
    options = _options()
    if os.geteuid() != 0:
        print("error: the benchmark needs root\nnext:  sudo -E .venv/bin/python -m bench", file=sys.stderr)
        return 1
    found: list[Row] = []
    for name in options.only.split(",") if options.only else PARTS:
        print(f"measuring: {name}", file=sys.stderr)
        found += PARTS[name](options.quick)
    if options.json:
        print(json.dumps({"machine": _machine(), "rows": [row.to_json() for row in found]}, indent=1))
    else:
        print(f"{_machine()}\n\n{table(found)}")
    if options.write_docs:
        former, heading, peers = DOCS.read_text().partition(PEERS_HEADING)  # `python -m bench.peers` writes those
        page = _PAGE.format(machine=_machine(), table=table(found), clients=carrying.CLIENTS) + "\n"
        if options.only:  # what else was measured stands
            page = former.partition(APART_HEADING)[0] + _APART.format(machine=_machine(), table=table(found))
        DOCS.write_text(f"{page}{heading}{peers}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="How fast Atoll is, as ratios.")
    parser.add_argument("--quick", action="store_true", help="one round of everything: does it run?")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", metavar="PART,...", help="of " + ", ".join(PARTS))
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    if unknown := set(options.only.split(",") if options.only else ()) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def _machine() -> str:
    processors = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Linux {platform.release()} {platform.machine()}, {processors} processors, "
        f"load {load:.1f}, Python {platform.python_version()}."
    )


sys.exit(main())
