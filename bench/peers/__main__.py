"""Compare Atoll with its peers, and print ratios: how many times better Atoll is.

python -m bench.peers                     # installs the peers from PyPI for this run; some minutes
python -m bench.peers --quick --json
python -m bench.peers --peers moto --only start,groups
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
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from bench.peers.client import Boto
from bench.peers.servers import PEERS, Absent, Own, Server, Started, install
from bench.peers.wire import NoAnswer, Refused
from bench.peers.work import PARTS, Seat, Sizes

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"
FIRST, LAST = "<!-- written by python -m bench.peers -->\n", "<!-- until here -->"
OWN = "Atoll"
HOSTS = {
    "paper": (
        "Atoll on the paper host, where nothing runs, as with the peers", "paper",
        Sizes(clusters=5, groups=20, instances=20, seconds=0.1, rounds=1),
        Sizes(clusters=100, groups=1_000, instances=1_000, seconds=1, rounds=3),
    ),
    "real": (
        "Atoll with real nodes, instances and packets", "root",
        Sizes(clusters=2, groups=5, instances=2, seconds=0.1, rounds=1),
        Sizes(clusters=10, groups=20, instances=20, seconds=1, rounds=3),
    ),
}  # fmt: skip
Table = dict[tuple[str, str], dict[str, float | str]]  # by row and unit, by server: a figure, or why there is none


def main() -> int:
    """Measure, print, and write what was asked for."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what runs is stopped then, too
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # all of them start from byte code
    scratch = Path(tempfile.mkdtemp(prefix="ab-", dir="/tmp"))
    found: dict[str, Table] = {}
    try:
        makers = _makers(options.peers.split(","), scratch)
        for host in options.hosts.split(","):
            title, mode, quick, whole = HOSTS[host]
            own = partial(Own, mode)
            found[title] = _compare(own, makers, quick if options.quick else whole, options.only.split(","))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    page = "\n\n".join(f"**{name}**\n\n{_markdown(table)}" for name, table in found.items())
    if options.json:
        rows = [
            {"host": host, "row": row, "unit": unit, "figures": figures}
            for host, table in found.items()
            for (row, unit), figures in table.items()
        ]
        print(json.dumps({"machine": _machine(), "rows": rows}, indent=1))
    else:
        print(f"{_machine()}\n\n{page}")
    if options.write_docs:
        before, _, rest = DOCS.read_text().partition(FIRST)
        DOCS.write_text(f"{before}{FIRST}\n{_machine()}\n\n{page}\n\n{LAST}{rest.partition(LAST)[2]}")
    return 0


def _makers(names: list[str], scratch: Path) -> dict[str, Callable[[], Server] | str]:
    found: dict[str, Callable[[], Server] | str] = {}
    for peer in PEERS:
        if peer.name.lower() not in names:
            continue
        print(f"installing: {peer.requirement}", file=sys.stderr)
        try:
            programs = install(peer, scratch)
            found[peer.requirement] = lambda peer=peer, programs=programs: Started(peer, programs)
        except Absent as absent:
            found[peer.requirement] = str(absent)
    return found


def _compare(
    own: Callable[[], Server],
    peers: dict[str, Callable[[], Server] | str],
    sizes: Sizes,
    parts: list[str],
) -> Table:
    table: Table = {}
    seats: dict[str, Seat] = {}
    try:
        for name, maker in {OWN: own, **peers}.items():
            _seat(name, maker, sizes.rounds, seats, table)
        for part in parts:
            for name in tuple(seats) if part in PARTS else ():
                print(f"measuring: {part}, {name}", file=sys.stderr)
                try:
                    for row, unit, figure in PARTS[part](seats[name], sizes):
                        table.setdefault((row, unit), {})[name] = figure
                except (NoAnswer, Refused, BotoCoreError, ClientError) as error:
                    table.setdefault((part, ""), {})[name] = f"{type(error).__name__}: {str(error)[:120]}"
                    if not isinstance(error, Refused | ClientError):
                        seats.pop(name).server.stop()  # what it still works on would slow the others
    finally:
        for seat in seats.values():
            seat.server.stop()
    return table


def _seat(name: str, maker: Callable[[], Server] | str, rounds: int, seats: dict[str, Seat], table: Table) -> None:
    """Start a server some times, and leave the last one running; the first start writes byte code."""
    if isinstance(maker, str):
        table.setdefault(("exec to first answer", "s"), {})[name] = maker
        return
    print(f"starting: {name}", file=sys.stderr)
    took: list[float] = []
    try:
        maker().stop()
        for number in range(rounds):
            begun = time.perf_counter()
            server = maker()
            took.append(time.perf_counter() - begun)
            if number < rounds - 1:
                server.stop()
    except Absent as absent:
        table.setdefault(("exec to first answer", "s"), {})[name] = str(absent)
        return
    seats[name] = Seat(server, Boto(server.port))
    table.setdefault(("exec to first answer", "s"), {})[name] = statistics.median(took)
    table.setdefault(("memory then", "MB"), {})[name] = server.memory_mb()


def _markdown(table: Table) -> str:
    names = list(dict.fromkeys(name for figures in table.values() for name in figures))
    lines = ["| | | " + " | ".join(names) + " |", "|---|---|" + "---:|" * len(names)]
    for (row, unit), figures in table.items():
        own = figures.get(OWN)
        cells = [_cell(figures.get(name, "-"), own if name != OWN else None, unit) for name in names]
        lines.append(f"| {row} | {unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figure: float | str, own: float | str | None, unit: str) -> str:
    """Return a figure, and how many times better than it Atoll is."""
    if isinstance(figure, str):
        return figure.replace("|", "/").replace("\n", " ").replace("<", "&lt;")
    told = f"{figure:,.0f}" if figure >= 1_000 else f"{figure:.3g}"
    if not isinstance(own, float):
        return told
    return f"{told} ({own / figure if unit == '/s' else figure / own:.2f})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.peers", description="Atoll beside its peers, as ratios.")
    names = ",".join(peer.name.lower() for peer in PEERS)
    hosts = "paper,real" if os.geteuid() == 0 else "paper"
    parser.add_argument("--quick", action="store_true", help="few of everything, once: does it run?")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,...", help="of " + ", ".join(PARTS))
    parser.add_argument("--peers", default=names, metavar="NAME,...", help=f"of {names}; or none")
    parser.add_argument("--hosts", default=hosts, metavar="HOST,...", help="of paper, real (needs root)")
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
