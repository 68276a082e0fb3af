"""The figures of a run, as the section "Load" of docs/reliability.md has them."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- load: python -m tests.load --write-docs -->", "<!-- load: end -->"


def machine() -> str:
    """Say what this ran on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    return f"{os.cpu_count()} CPUs, {memory:.0f} GB, Linux {platform.release()}, shared with other work"


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
        ("Wrong", "; ".join(found.wrong).replace("|", "\\|")[:1500] or "nothing"),
    ]  # fmt: skip
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, {machine()}:", "", "| What | Seen |", "|---|---|"]
    return "\n".join([*lines, *(f"| {what} | {seen} |" for what, seen in rows)])


def write(found) -> None:
    """Put them into the page, in the place of those of the last run."""
    page = PAGE.read_text()
    new = f"{BEGIN}\n{text(found)}\n{END}"
    changed = re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: new, page, count=1, flags=re.S)
    PAGE.write_text(changed)
