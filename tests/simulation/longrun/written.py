"""The figures of a run, for docs/reliability.md."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.simulation.longrun.found import Found

PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"
BEGIN, END = "<!-- longrun: written by --write-docs -->", "<!-- longrun: end -->"
NAMES = {"paper": "on paper", "real": "in the kernel", "rootless": "in the kernel, rootless"}
ROWS = (
    ("stories, each with its seed", lambda all: len(all)),
    ("steps", lambda all: sum(it.steps for it in all)),
    ("calls of the API", lambda all: sum(it.calls for it in all)),
    ("of them refused, as AWS would", lambda all: sum(it.refused for it in all)),
    ("of them refused because the disk failed", lambda all: sum(it.unwritten for it in all)),
    ("of them cut by the daemon's death", lambda all: sum(it.cut for it in all)),
    ("lives of the daemon", lambda all: sum(it.lives for it in all)),
    ("packets compared with the tracer", lambda all: sum(it.probes for it in all)),
    ("times everything came to rest", lambda all: sum(it.rests for it in all)),
    ("most resources at a time", lambda all: max((it.most_resources for it in all), default=0)),
    ("hours that passed in them", lambda all: round(sum(it.virtual_seconds for it in all) / 3600, 1)),
)


def write(found: Mapping[str, Sequence[Found]], minutes: float, seed: int) -> None:
    """Put the figures between their marks."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{figures(found, minutes, seed)}\n{END}{tail}", encoding="utf-8")


def figures(found: Mapping[str, Sequence[Found]], minutes: float, seed: int) -> str:
    """Return the table of a run, and what was wrong."""
    levels = [level for level in NAMES if level in found]
    machine = f"{os.cpu_count()} processors, Linux {platform.release().split('-')[0]}, {platform.machine()}"
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}; {minutes:.0f} minutes, seeds from {seed}.",
        "",
        "| | " + " | ".join(NAMES[level] for level in levels) + " |",
        "|---|" + "--:|" * len(levels),
    ]
    lines += [f"| {name} | " + " | ".join(f"{count(found[it]):,}" for it in levels) + " |" for name, count in ROWS]
    blows = sorted({blow for level in levels for story in found[level] for blow in story.blows})
    for blow in blows:
        counts = [sum(story.blows.get(blow, 0) for story in found[level]) for level in levels]
        lines.append(f"| blow: {blow} | " + " | ".join(f"{count:,}" if count else "" for count in counts) + " |")
    wrong = [len([1 for story in found[level] if story.wrongs]) for level in levels]
    lines.append("| **stories in which something was wrong** | " + " | ".join(f"**{n}**" for n in wrong) + " |")
    return "\n".join(lines)
