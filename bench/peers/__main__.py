"""Compare Atoll with its peers, and print ratios: how many times better Atoll is.

python -m bench.peers                     # installs the peers from PyPI for this run; some minutes
python -m bench.peers --quick --json
python -m bench.peers --peers moto --only start,groups
python -m bench.peers --environments ~/peers --write-docs     # keeps what it installs, for the next run
"""

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from bench.peers.client import Boto
from bench.peers.own import Own
from bench.peers.servers import PEERS, Absent, Server, Started, Unmet, install
from bench.peers.table import OWN, Cell, Row, Table, judged, line, markdown
from bench.peers.wire import NoAnswer, Refused
from bench.peers.work import PARTS, STARTED, STARTED_MEMORY, Seat, Sizes, Step

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"
FIRST, LAST = "<!-- written by python -m bench.peers -->\n", "<!-- until here -->"
HOSTS = {
    "paper": (
        "Atoll on the paper host, where nothing runs, as with the peers", "paper",
        Sizes(clusters=5, groups=20, instances=20, seconds=0.05, rounds=2),
        Sizes(clusters=100, groups=1_000, instances=500, seconds=0.3, rounds=3),
    ),
    "real": (
        "Atoll with real nodes, instances and packets", "root",
        Sizes(clusters=2, groups=5, instances=2, seconds=0.05, rounds=2),
        Sizes(clusters=10, groups=1_000, instances=20, seconds=0.3, rounds=3),
    ),
}  # fmt: skip
BUDGET_SECONDS = 10.0  # of one server for one step of reading; it ends the round that it is in
Makers = Mapping[str, Callable[[], Server] | str]  # by name: what starts a server, or why it is not there
UNKNOWN = ("InvalidAction", "NotImplemented", "UnknownOperationException", "not yet implemented", "not implemented")


def main() -> int:
    """Measure, print, and write what was asked for."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what runs is stopped then, too
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # all of them start from byte code
    found: dict[str, Table] = {}
    end = time.monotonic() + options.minutes * 60
    with ExitStack() as stack:
        scratch = Path(tempfile.mkdtemp(prefix="ab-", dir="/tmp"))
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        makers = _makers(options.peers.split(","), options.environments or scratch)
        for host in options.hosts.split(","):
            title, mode, quick, whole = HOSTS[host]
            own = {OWN: partial(Own, mode, scratch)}
            found[title] = _compare(own | makers, quick if options.quick else whole, options.only.split(","), end)
    _show(found, as_json=options.json, write=options.write_docs)
    return 0


def _show(found: Mapping[str, Table], *, as_json: bool, write: bool) -> None:
    page = "\n\n".join(f"**{name}**\n\n{markdown(table)}" for name, table in found.items())
    if as_json:
        rows = [
            {"host": host, "row": row.name, "unit": row.unit,
             "figures": {name: cell if isinstance(cell, str) else statistics.median(cell)
                         for name, cell in cells.items()}}
            for host, table in found.items()
            for row, cells in table.items()
        ]  # fmt: skip
        print(json.dumps({"machine": _machine(), "rows": rows}, indent=1))
    else:
        print(f"{_machine()}\n\n{page}")
    if write:
        before, _, rest = DOCS.read_text().partition(FIRST)
        DOCS.write_text(f"{before}{FIRST}\n{_machine()}\n\n{page}\n\n{LAST}{rest.partition(LAST)[2]}")


def _makers(names: list[str], home: Path) -> dict[str, Callable[[], Server] | str]:
    found: dict[str, Callable[[], Server] | str] = {}
    for peer in PEERS:
        if peer.name.lower() not in names:
            continue
        print(f"installing: {peer.requirement}", file=sys.stderr)
        try:
            found[peer.name] = partial(Started, peer, install(peer, home))
        except Absent as absent:
            found[peer.name] = str(absent)
    return found


def _compare(makers: Makers, sizes: Sizes, parts: list[str], end: float) -> Table:
    """Measure row by row, each server in turn, begin none after `end`, and stop all of them, whatever happens."""
    table: dict[Row, Mapping[str, Cell]] = {}
    with ExitStack() as stack:
        seats, started = _seats(makers, sizes.rounds, stack)
        table.update(started)
        gone: dict[str, Cell] = {name: "-" for name in makers if name not in seats}
        for part in parts:
            for step in PARTS[part](sizes) if part in PARTS else ():
                if time.monotonic() > end:
                    print(
                        f"the time is up: not measured: {', '.join(row.name for row in step.rows)}", file=sys.stderr
                    )
                    continue
                for row, cells in _measure(step, seats, gone).items():
                    table[row] = {name: cells[name] for name in makers if name in cells}
                    print(line(row, table[row], list(makers)), file=sys.stderr)
    return table


def _measure(step: Step, seats: dict[str, Seat], gone: dict[str, Cell]) -> Mapping[Row, Mapping[str, Cell]]:
    figures: dict[str, list[tuple[float, ...]]] = {name: [] for name in seats}
    spent = dict.fromkeys(seats, 0.0)
    whys: dict[str, str] = {}
    counts: dict[str, int] = {}
    for number in range(step.rounds):
        for name in tuple(seats) if number % 2 == 0 else tuple(seats)[::-1]:
            if name in whys or spent[name] > BUDGET_SECONDS:
                continue  # who is so slow has shown it, and would keep the others waiting
            seats[name].results = None
            begun = time.perf_counter()
            try:
                figures[name].append(tuple(step.act(seats[name])))
            except (Unmet, Refused, ClientError, LookupError, NoAnswer, BotoCoreError, OSError) as error:
                whys[name] = _why(error)
                if not step.rows:
                    print(f"not made on {name}: {whys[name]}", file=sys.stderr)
                if isinstance(error, NoAnswer | BotoCoreError | OSError):  # its work would slow the others
                    seats.pop(name).server.stop()
                    gone[name] = "- (stopped before)"
            else:
                if (results := seats[name].results) is not None:
                    counts[name] = results
                spent[name] += time.perf_counter() - begun if step.rows and not step.makes else 0
    found: dict[Row, Mapping[str, Cell]] = {}
    for index, row in enumerate(step.rows):
        cells: dict[str, Cell] = dict(gone)
        cells |= {name: whys.get(name) or [figure[index] for figure in rounds] for name, rounds in figures.items()}
        found[row] = judged(cells, counts)
    return found


def _why(error: Exception) -> str:
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, Unmet):
        return str(error)
    if isinstance(error, LookupError):
        return "-"  # what was to be read could not be made
    if any(word in said for word in UNKNOWN):
        return "not implemented"
    return said[:120]


def _seats(makers: Makers, rounds: int, stack: ExitStack) -> tuple[dict[str, Seat], Table]:
    """Start the servers some times, in turn, and leave the last ones running; the first start writes byte code."""
    seats: dict[str, Seat] = {}
    took: dict[str, list[float]] = {}
    memory: dict[str, list[float]] = {}
    whys: dict[str, Cell] = {name: maker for name, maker in makers.items() if isinstance(maker, str)}
    for number in range(rounds + 1):
        print(f"starting: {number} of {rounds}", file=sys.stderr)
        for name, maker in makers.items():
            if isinstance(maker, str) or name in whys:
                continue
            try:
                begun = time.perf_counter()
                server = maker()
                seconds = time.perf_counter() - begun
            except Absent as absent:
                whys[name] = str(absent)
                continue
            if number:
                took.setdefault(name, []).append(seconds)
                memory.setdefault(name, []).append(server.memory_mb())
            if number < rounds:
                server.stop()
            else:
                stack.callback(server.stop)
                seats[name] = Seat(server, Boto(server.port))
    none: dict[str, Cell] = dict.fromkeys(whys, "-")
    order = [name for name in makers if name in seats or name in whys]
    return seats, {
        STARTED: {name: (whys | took)[name] for name in order},
        STARTED_MEMORY: {name: (none | memory)[name] for name in order},
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.peers", description="Atoll beside its peers, as ratios.")
    names = ",".join(peer.name.lower() for peer in PEERS)
    hosts = "paper,real" if os.geteuid() == 0 else "paper"
    parser.add_argument("--quick", action="store_true", help="few of everything, once: does it run?")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,...", help="of " + ", ".join(PARTS))
    parser.add_argument("--peers", default=names, metavar="NAME,...", help=f"of {names}; or none")
    parser.add_argument("--environments", type=Path, metavar="DIR", help="install the peers there, and keep them")
    parser.add_argument("--hosts", default=hosts, metavar="HOST,...", help="of paper, real (needs root)")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no row after that; of all hosts together")
    parser.add_argument("--write-docs", action="store_true", help="write the section of docs/benchmarks.md")
    options = parser.parse_args()
    for given, known in ((options.only, {*PARTS, "start"}), (options.peers, {*names.split(","), "none"}),
                         (options.hosts, set(HOSTS))):  # fmt: skip
        if unknown := set(given.split(",")) - known:
            parser.error(f"no such part, peer or host: {', '.join(sorted(unknown))}")
    if "real" in options.hosts and os.geteuid() != 0:
        parser.error("real nodes need root: run it with sudo, or with --hosts paper")
    return options


def _machine() -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Linux {platform.release()} {platform.machine()}, "
        f"{len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}."
    )


sys.exit(main())
