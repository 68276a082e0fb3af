"""The section "Fuzzing" of docs/reliability.md, written from a run."""

import platform
from datetime import UTC, datetime
from pathlib import Path

from tests.fuzz.run import Tally
from tests.fuzz.stage import ALL

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- fuzzing: written by `python -m tests.fuzz --all --write-docs` -->", "<!-- end of fuzzing -->"
SERVICES = sorted({name for name, _ in ALL})


def write(tally: Tally, seed: int) -> None:
    """Put what a run found in the place of what the last one did."""
    head, begin, rest = PAGE.read_text().partition(BEGIN)
    assert begin, f"{PAGE} has the lines {BEGIN} and {END}"
    PAGE.write_text(f"{head}{BEGIN}\n{_table(tally, seed)}\n{END}{rest.partition(END)[2]}")


def _table(tally: Tally, seed: int) -> str:
    answered = ", ".join(f"{count:,} of {status}" for status, count in sorted(tally.statuses.items()))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(tally.kinds.items()))
    rows = [
        ("requests", f"{tally.requests:,}: {kinds}"),
        ("seed", f"{seed}"),
        ("violations", f"{len(tally.violations)}"),
        ("answers", answered),
        ("error codes met", f"{len(tally.codes)}"),
        ("processor time", f"{tally.seconds:.0f} s, {tally.seconds / tally.requests * 1e3:.2f} ms a request"),
        ("the slowest request", f"{tally.slowest[0]:.2f} s ({tally.slowest[1].partition(' ')[0]})"),
        ("memory grew by", f"{max(tally.grown_mb, 0.0):.0f} MB"),
        ("operations done at least once", f"{tally.share():.0%} of {len(ALL)}"),
        *((f"of {name}", f"{tally.share(name):.0%}") for name in SERVICES),
    ]
    when = f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}, one core"
    return "\n".join([f"\n{when}:\n", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""])
