"""From times at several sizes to what is said of them: the exponent, what one more resource costs, and the table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FLAT = 0.2  # a logarithm grows so from 1,000 to 10,000, and noise does
STEEP = 1.25


@dataclass(frozen=True, kw_only=True)
class Grown:
    """One call at every size."""

    name: str
    unit: str  # of the figures: "ms" or "kB"
    figures: Mapping[int, float]  # by size
    answers_all: bool = False

    @property
    def exponent(self) -> float:
        """How the figure grows with the world at the two largest sizes: 0 is flat, 1 is linear."""
        (small, less), (large, more) = sorted(self.figures.items())[-2:]
        return math.log(more / less) / math.log(large / small)

    @property
    def each(self) -> float:
        """What one more resource adds, in thousandths of the unit: microseconds, or bytes."""
        (small, less), (large, more) = sorted(self.figures.items())[-2:]
        return (more - less) / (large - small) * 1e3

    @property
    def verdict(self) -> str:
        """Say it in a word or two."""
        if self.exponent < FLAT:
            return "flat"
        if self.exponent > STEEP:
            return "**more than linear**"
        return "linear, as its answer" if self.answers_all else "**linear**"

    @property
    def is_linear(self) -> bool:
        """Tell whether one more resource makes it longer."""
        return self.exponent >= FLAT

    def to_json(self) -> dict[str, Any]:
        """Return the figures and what is said of them."""
        return asdict(self) | {"exponent": self.exponent, "each": self.each, "verdict": self.verdict}


def table(found: Sequence[Grown], of: str) -> str:
    """Return the rows as a Markdown table; `of` what there are so many of."""
    sizes = sorted(found[0].figures)
    lines = [
        "| | | " + " | ".join(f"{size:,} {of}" for size in sizes) + " | exponent | each adds | grows |",
        "|---|---|" + "---:|" * (len(sizes) + 2) + "---|",
    ]
    for row in found:
        figures = " | ".join(_figure(row.figures[size]) for size in sizes)
        each = f"{_figure(row.each)} {'µs' if row.unit == 'ms' else 'B'}" if row.is_linear else ""
        lines.append(f"| {row.name} | {row.unit} | {figures} | {row.exponent:.2f} | {each} | {row.verdict} |")
    return "\n".join(lines)


def linear(found: Sequence[Grown]) -> str:
    """Return the list of what is linear, the costliest first."""
    rows = sorted((row for row in found if row.is_linear and row.unit == "ms"), key=lambda row: -row.each)
    lines = [
        f"- {row.name}: {_figure(row.each)} µs for each{', which its answer tells' if row.answers_all else ''}"
        for row in rows
    ]
    return "\n".join(lines) or "Nothing."


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
