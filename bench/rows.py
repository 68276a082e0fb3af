"""Rows of the report: a figure, what it is held against, and the ratio of the two, round by round."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Measure = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line: medians of all rounds; the ratio is the median of the rounds' own ratios."""

    section: str
    name: str
    value: float
    unit: str
    baseline: str
    baseline_value: float
    ratio: float
    target: str  # as a person would say it; empty: for information

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A row before it is measured: which series, against which."""

    series: str
    unit: str
    baseline: str
    target: str = ""


def interleave(measures: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Measure A B C A B C ...: what disturbs the machine disturbs all of them."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def rows(section: str, series: Mapping[str, Sequence[float]], asked: Sequence[Asked]) -> list[Row]:
    """Return the rows that were asked for."""
    return [_row(section, series, it) for it in asked]


def _row(section: str, series: Mapping[str, Sequence[float]], it: Asked) -> Row:
    mine, theirs = series[it.series], series[it.baseline]
    return Row(
        section=section,
        name=it.series,
        value=statistics.median(mine),
        unit=it.unit,
        baseline=it.baseline,
        baseline_value=statistics.median(theirs),
        ratio=statistics.median(a / b for a, b in zip(mine, theirs, strict=True)),
        target=it.target,
    )


def table(found: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| | | | against | | ratio | target |", "|---|---:|---|---|---:|---:|---|"]
    section = ""
    for row in found:
        if row.section != section:
            section = row.section
            lines.append(f"| **{section}** | | | | | | |")
        lines.append(
            f"| {row.name} | {_figure(row.value)} | {row.unit} | {row.baseline} | {_figure(row.baseline_value)} "
            f"| {row.ratio:.2f} | {row.target} |"
        )
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
