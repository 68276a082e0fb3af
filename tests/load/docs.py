"""The figures of a run, as the section "Load" of docs/reliability.md has them."""

import os
import platform
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
WRONGS_MAX, WRONG_MAX = 8, 140  # things that are told, and letters of each: it is a table; the run prints them all
BEGIN, END = "<!-- load: python -m tests.load --write-docs -->", "<!-- load: end -->"


def machine(waiting: float) -> str:
    """Say what this ran on, and how many processes ran or waited to, on the average, before it began."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    return f"{os.cpu_count()} CPUs, {memory:.0f} GB, Linux {platform.release()}, load average {waiting:.1f} before"


def text(found) -> str:
    """Return the figures as a table, and what was wrong."""
    rows = [
        ("World", f"{found.nodes} cache nodes, {found.instances} instances, {found.processes} processes"),
        ("Load", f"{found.clients} clients of the API and {found.instances} connections at full speed, "
            f"{found.minutes:g} min"),
        ("Built, deleted in", f"{found.build_seconds:.0f} s, {found.delete_seconds:.0f} s"),
        ("Calls of the API", f"{found.calls:,}, the slowest {found.call_seconds_max:.1f} s"),
        ("Answers of caches, each checked", f"{found.answers:,}"),
        ("Pairs compared with the tracer", f"{found.pairs:,}"),
        ("Memory of the daemon", f"{found.daemon_mb:.0f} MB, {found.daemon_growth:+.2f} MB a minute"),
        ("Memory of all that it runs", f"{found.guests_mb:,.0f} MB, {found.guests_growth:+.2f} MB a minute"),
        ("Wrong", wrongs(found.wrong)),
    ]  # fmt: skip
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, {machine(found.waiting)}:", "", "| What | Seen |", "|---|---|"]
    return "\n".join([*lines, *(f"| {what} | {seen} |" for what, seen in rows)])


def wrongs(told) -> str:
    """Return what was wrong as one cell: each thing once, with how often, shortened, and the first of them only."""
    counts = Counter(_plain(what) for what in told)
    cells = [f"{count} times: {what}" if count > 1 else what for what, count in counts.items()]
    if more := cells[WRONGS_MAX:]:
        cells = [*cells[:WRONGS_MAX], f"and {len(more)} more"]
    return "; ".join(cells) or "nothing"


def _plain(what) -> str:
    """Return a text without anything that a table or a terminal would take amiss."""
    text = "".join(char if char.isprintable() else " " for char in str(what)).replace("|", "/")
    return text if len(text) <= WRONG_MAX else f"{text[:WRONG_MAX]}..."


def write(found) -> None:
    """Put them into the page, in the place of those of the last run."""
    page = PAGE.read_text()
    new = f"{BEGIN}\n{text(found)}\n{END}"
    changed = re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: new, page, count=1, flags=re.S)
    PAGE.write_text(changed)
