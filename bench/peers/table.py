"""The table: per row and server the figures of all rounds, or why there are none; ratios, and which aim is missed.

Nothing here measures anything: it is arithmetic, and text.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

OWN = "Atoll"
LEADER = "ministack"  # the fastest peer: whom the aims are held against


@dataclass(frozen=True)
class Row:
    """What a row tells."""

    name: str
    unit: str  # of "/s" more is better, of any other less
    times_min: float = 1.0  # how many times better than the leader Atoll means to be
    most: float | None = None  # what Atoll means not to exceed, whatever the peers do

    @property
    def title(self) -> str:
        return f"{self.name} [{self.unit}]"


Cell = Sequence[float] | str  # a figure of each round, or why there is none
Table = Mapping[Row, Mapping[str, Cell]]


def better(row: Row, own: Sequence[float], other: Sequence[float]) -> float:
    """Return how many times better `own` is: the median of the ratios of the rounds, for each had its own weather."""
    pairs = zip(own, other, strict=False)  # a server that failed later has fewer rounds
    return statistics.median(a / b if row.unit == "/s" else b / a for a, b in pairs)


def judged(found: Mapping[str, Cell], counts: Mapping[str, int]) -> dict[str, Cell]:
    """Return a row in which only answers that tell as much as Atoll's are figures."""
    own = counts.get(OWN)
    cells = dict(found)
    for name, count in counts.items():
        if own is not None and count != own and not isinstance(cells.get(name), str):
            cells[name] = f"void: {count:,} results, and {own:,} of Atoll"
    return cells


def misses(table: Table) -> list[str]:
    """Return each row that Atoll does not win, or whose aim it misses, as a line of text."""
    return [said for row, cells in table.items() for said in _missed(row, cells)]


def _missed(row: Row, cells: Mapping[str, Cell]) -> Iterator[str]:
    own = cells.get(OWN)
    if own is None or isinstance(own, str):
        if any(cell and not isinstance(cell, str) for name, cell in cells.items() if name != OWN):
            yield f"{row.title}: Atoll has no figure ({own})"
        return
    if row.most is not None and statistics.median(own) > row.most:
        yield f"{row.title}: {_figure(statistics.median(own))}, where {_figure(row.most)} is the aim"
    for name, cell in cells.items():
        if name == OWN or isinstance(cell, str):
            continue
        times, least = better(row, own, cell), row.times_min if name == LEADER else 1.0
        if times < least:
            yield f"{row.title}: {times:.2f} times {name}, where {least:g} is the aim"


def markdown(table: Table) -> str:
    """Return the table, and below it what is missed."""
    names = list(dict.fromkeys(name for cells in table.values() for name in cells))
    lines = ["| | | " + " | ".join(names) + " |", "|---|---|" + "---:|" * len(names)]
    for row, cells in table.items():
        lines.append(line(row, cells, names))
    missed = misses(table)
    lines += ["", "Behind, or short of an aim:" if missed else "No row is behind, and no aim is missed."]
    return "\n".join(lines + ([""] if missed else []) + [f"- {it}" for it in missed])


def line(row: Row, cells: Mapping[str, Cell], names: Sequence[str]) -> str:
    """Return one line of it."""
    own = cells.get(OWN, "-")
    told = [_cell(row, cells.get(name, "-"), own if name != OWN else "") for name in names]
    return f"| {row.name} | {row.unit} | " + " | ".join(told) + " |"


def _cell(row: Row, cell: Cell, own: Cell) -> str:
    """Return a figure, and in brackets how many times better than it Atoll is."""
    if isinstance(cell, str):
        return cell.replace("|", "/").replace("\n", " ").replace("<", "&lt;")
    told = _figure(statistics.median(cell))
    return told if isinstance(own, str) else f"{told} ({better(row, own, cell):.2f})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
