"""Lose primaries a thousand times, and write down how long nobody could write and what was gone.

    nice python -m tests.failover.rounds                 # as root, half an hour; prints Markdown
    python -m tests.failover.rounds --rounds 40          # so many in all; --minutes 5: for so long at most
    nice python -m tests.failover.rounds --write-docs    # into docs/failover.md, between its two marks
    python -m tests.failover.rounds --record FILE        # in several sittings: goes on where the file ends

Groups in both cluster modes and of both engines; kills, hangs, partitions and planned changes take turns.  Half of
the rounds with one client, which writes by redis-py and by valkey-py, batch by batch; half with two clients and WAIT.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.daemon.atoll import Atoll, own_mode, running
from tests.failover.conftest import NODE, Ward

DOCS = Path(__file__).parents[2] / "docs" / "failover.md"
BEGIN, END = "<!-- written by python -m tests.failover.rounds -->", "<!-- until here -->"
FAULTS = ("kill", "hang", "partition", "planned")
WRITERS = (("one client", ("--clients", "1")), ("two clients, WAIT 1", ("--clients", "2", "--wait", "1")))
LIBRARIES = ("redis", "valkey")
PART = 20  # rounds of one command: five of each fault


def main() -> int:
    """Run all, print what was seen; the exit code is 1 if anything acknowledged is gone."""
    parser = argparse.ArgumentParser(prog="tests.failover.rounds", description="Many failovers, summed up.")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="lines of JSON: what was seen, and is not done again"
    )
    parser.add_argument("--write-docs", action="store_true", help="write the table into docs/failover.md")
    options = parser.parse_args()
    found = recorded(options.record)
    if len(found) * PART < options.rounds:
        with running(own_mode()) as atoll:
            _play(atoll, options, found)
    page = _table(found)
    print(page)
    if options.write_docs:
        before, _, rest = DOCS.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        DOCS.write_text(f"{before}{BEGIN}\n{page}\n{END}{after}")
    return 1 if any(part["lost"] for part in found) else 0


def recorded(file: Path | None) -> list[dict[str, Any]]:
    """Return what earlier sittings have seen; the first one finds no file."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file and file.exists() else []


def _play(atoll: Atoll, options: argparse.Namespace, found: list[dict[str, Any]]) -> None:
    """Add to what was found until there are so many rounds, or the time is up."""
    until = time.monotonic() + 60 * options.minutes
    groups = [_group(atoll, engine, mode) for engine in ("valkey", "redis") for mode in ("disabled", "enabled")]
    for n in range(len(found), max(options.rounds // PART, 1)):
        if time.monotonic() > until:
            break
        mode, group = groups[n % len(groups)]
        writers, how = WRITERS[n // len(groups) % len(WRITERS)]
        library = LIBRARIES[n // (len(groups) * len(WRITERS)) % len(LIBRARIES)]
        words = ["failover", group, "--fault", "all", "--rounds", str(PART), "--library", library, "--json", *how]
        done = subprocess.run(
            [sys.executable, "-m", "atoll.cli", "drill", *words],
            env=atoll.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if "{" not in done.stdout:
            print(f"{words}: {done.stdout}{done.stderr}", file=sys.stderr, flush=True)
            continue
        said = json.loads(done.stdout[done.stdout.index("{") :])
        found.append({"mode": mode, "writers": writers, "load": os.getloadavg()[0], **said})
        if options.record:
            with options.record.open("a") as file:
                file.write(json.dumps(found[-1]) + "\n")
        lost = sum(part["lost"] for part in said["faults"].values())
        print(f"{(n + 1) * PART} rounds: {group}, {library}, {writers}: {lost} lost", file=sys.stderr, flush=True)


def _group(atoll: Atoll, engine: str, mode: str) -> tuple[str, str]:
    """Make a group of a primary and two replicas; in cluster mode it is one of two shards that is harmed."""
    ward = Ward(atoll, engine, group=False)
    name, more = f"{engine}-{mode}", dict[str, Any]()
    if mode == "enabled":
        more = {"NumNodeGroups": 2, "ReplicasPerNodeGroup": 2, "ClusterMode": mode}
    else:
        more = {"NumCacheClusters": 3}
    ward.cache.create_replication_group(
        ReplicationGroupId=name, ReplicationGroupDescription="x", Engine=engine, AutomaticFailoverEnabled=True,
        **NODE, **more,
    )  # fmt: skip
    ward.available(name, 60.0)
    return mode, name


def _table(found: list[dict[str, Any]]) -> str:
    engines = sorted({part["engine"] for part in found})
    loads = [part["load"] for part in found]
    rounds = sum(part["rounds"] for part in found)
    lines = [
        f"{rounds} rounds on {datetime.now(UTC).date()}, {' and '.join(engines)}, two processors with a load of "
        f"{min(loads):.0f} to {max(loads):.0f}. Milliseconds\nwithout an accepted write: the median of the medians "
        "of five rounds each, and the most:",
        "",
        "| cluster mode | clients | fault | rounds | median | maximum | acknowledged | lost |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for mode in ("disabled", "enabled"):
        for writers, _ in WRITERS:
            for fault in FAULTS:
                parts = [p["faults"][fault] for p in found if (p["mode"], p["writers"]) == (mode, writers)]
                outages = [p["outage_ms"] for p in parts if p["outage_ms"]]
                if not outages:
                    continue
                medians = sorted(outage["median"] for outage in outages)
                lines.append(
                    f"| {mode} | {writers} | {fault} | {sum(p['rounds'] for p in parts)} "
                    f"| {medians[len(medians) // 2]:.0f} | {max(o['max'] for o in outages):.0f} "
                    f"| {sum(p['acknowledged'] for p in parts):,} | {sum(p['lost'] for p in parts)} |"
                )
    never = sum(p["never"] for part in found for p in part["faults"].values())
    return "\n".join(lines) + (
        f"\n\nRounds in which no write was accepted before the next fault: {never}." if never else ""
    )


if __name__ == "__main__":
    sys.exit(main())
