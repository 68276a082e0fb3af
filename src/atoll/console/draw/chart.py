"""A chart of values over time: lines with their gaps, axes, what the pointer is at, and the same as a table.

Colours are CSS variables, so one picture serves light and dark pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from atoll.console.draw.scale import time_text, time_ticks, value_text, value_ticks

WIDTH, HEIGHT = 560, 200
LEFT, RIGHT, TOP, BOTTOM = 62, 10, 10, 24  # around the lines
COLOURS = 8  # then they begin again, dashed
GAP_PERIODS = 1.5  # between two points: what is further apart was not measured


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: what it is of, and its points, by time (seconds since 1970)."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a chart shows of time, and its words."""

    start: float  # seconds since 1970
    end: float
    period_seconds: float
    empty: str  # what is said where there are no values
    time: str  # the heading of the table's first column
    table: str  # what opens the table


def chart(title: str, lines: Sequence[Line], unit: str, frame: Frame) -> str:
    """Return a chart as HTML: a figure with an SVG picture, a legend if there are several lines, and a table."""
    lines = [_within(line, frame) for line in lines]
    body = _picture(title, lines, unit, frame)
    legend = _legend(lines, unit) if len(lines) > 1 else ""
    return (
        f'<figure class="chart"><figcaption>{escape(title)}{_latest(lines, unit)}</figcaption>'
        f"{body}{legend}{_table(title, lines, unit, frame)}</figure>"
    )


def runs(line: Line, gap_seconds: float) -> list[tuple[tuple[float, float], ...]]:
    """Return the parts of a line between its gaps."""
    found: list[list[tuple[float, float]]] = []
    for point in line.points:
        if found and point[0] - found[-1][-1][0] <= gap_seconds:
            found[-1].append(point)
        else:
            found.append([point])
    return [tuple(run) for run in found]


def style(place: int) -> str:
    """Return the class of the line at a place."""
    return f"line c{place % COLOURS}" + (" dashed" if place // COLOURS % 2 else "")


def _within(line: Line, frame: Frame) -> Line:
    return Line(line.name, tuple(sorted(p for p in line.points if frame.start <= p[0] <= frame.end)))


@dataclass(frozen=True, slots=True)
class _Scale:
    frame: Frame
    low: float
    high: float

    def x(self, at: float) -> float:
        share = (at - self.frame.start) / ((self.frame.end - self.frame.start) or 1)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM), 1)


def _picture(title: str, lines: Sequence[Line], unit: str, frame: Frame) -> str:
    values = [value for line in lines for _, value in line.points]
    ticks = value_ticks(min(values, default=0), max(values, default=0), unit)
    scale = _Scale(frame, ticks[0], ticks[-1])
    parts = [_axes(scale, ticks, unit, frame)]
    for place, line in enumerate(lines):
        parts += _line(line, style(place), scale, frame.period_seconds * GAP_PERIODS)
    if values:
        parts.append(_pointer(lines, unit, scale, frame))
    else:
        middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
        parts.append(f'<text class="empty" x="{middle}" y="{HEIGHT / 2}">{escape(frame.empty)}</text>')
    said = escape(f"{title}: " + (", ".join(_said(line, unit) for line in lines if line.points) or frame.empty))
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">{"".join(parts)}</svg>'


def _axes(scale: _Scale, ticks: Sequence[float], unit: str, frame: Frame) -> str:
    parts = []
    for tick in ticks:
        y = scale.y(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick value" x="{LEFT - 6}" y="{y + 4}">{value_text(tick, unit)}</text>')
    times = time_ticks(frame.start, frame.end)
    step = times[1] - times[0] if len(times) > 1 else 60
    for at in times:
        x = scale.x(at)
        parts.append(f'<path class="mark" d="M{x} {HEIGHT - BOTTOM}v4"/>')
        if LEFT + 8 <= x <= WIDTH - RIGHT - 12:  # one that would be cut off is not written
            parts.append(f'<text class="tick time" x="{x}" y="{HEIGHT - 7}">{time_text(at, step)}</text>')
    return "".join(parts)


def _line(line: Line, kind: str, scale: _Scale, gap_seconds: float) -> list[str]:
    parts = []
    for run in runs(line, gap_seconds):
        if len(run) == 1:
            at, value = run[0]
            parts.append(f'<circle class="{kind}" cx="{scale.x(at)}" cy="{scale.y(value)}" r="2.2"/>')
        else:
            path = "L".join(f"{scale.x(at)} {scale.y(value)}" for at, value in run)
            parts.append(f'<path class="{kind}" d="M{path}"/>')
    return parts


def _pointer(lines: Sequence[Line], unit: str, scale: _Scale, frame: Frame) -> str:
    """Return a column for each time, which shows its values while the pointer is over it."""
    by_time = _by_time(lines)
    wide = max(scale.x(frame.start + frame.period_seconds) - LEFT, 2.0)
    parts = []
    for at, values in by_time.items():
        x = scale.x(at)
        told = "\n".join(f"{line.name}: {value_text(values[n], unit)}" for n, line in enumerate(lines) if n in values)
        spots = "".join(f'<circle class="{style(n)}" cx="{x}" cy="{scale.y(v)}" r="3"/>' for n, v in values.items())
        parts.append(
            f"<g><title>{time_text(at, 1)}\n{escape(told)}</title>"
            f'<rect x="{x - wide / 2:.1f}" y="{TOP}" width="{wide:.1f}" height="{HEIGHT - TOP - BOTTOM}"/>'
            f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}"/>{spots}</g>'
        )
    return f'<g class="pointer">{"".join(parts)}</g>'


def _by_time(lines: Sequence[Line]) -> dict[float, dict[int, float]]:
    found: dict[float, dict[int, float]] = {}
    for place, line in enumerate(lines):
        for at, value in line.points:
            found.setdefault(at, {})[place] = value
    return dict(sorted(found.items()))


def _said(line: Line, unit: str) -> str:
    return f"{line.name} {value_text(line.points[-1][1], unit)}"


def _latest(lines: Sequence[Line], unit: str) -> str:
    if len(lines) != 1 or not lines[0].points:
        return ""
    return f' <span class="latest">{value_text(lines[0].points[-1][1], unit)}</span>'


def _legend(lines: Sequence[Line], unit: str) -> str:
    parts = []
    for place, line in enumerate(lines):
        value = value_text(line.points[-1][1], unit) if line.points else "–"
        kind = style(place)
        swatch = f'<svg viewBox="0 0 14 8" aria-hidden="true"><path class="{kind}" d="M0 4H14"/></svg>'
        parts.append(f'<li>{swatch}{escape(line.name)} <span class="latest">{value}</span></li>')
    return f'<ul class="legend">{"".join(parts)}</ul>'


def _table(title: str, lines: Sequence[Line], unit: str, frame: Frame) -> str:
    by_time = _by_time(lines)
    if not by_time:
        return ""
    heads = "".join(f'<th scope="col">{escape(line.name)}</th>' for line in lines)
    rows = []
    for at, values in reversed(by_time.items()):
        cells = "".join(f"<td>{value_text(values[n], unit) if n in values else '–'}</td>" for n in range(len(lines)))
        rows.append(f'<tr><th scope="row">{time_text(at, 1)}</th>{cells}</tr>')
    return (
        f"<details><summary>{escape(frame.table)}</summary><table><caption>{escape(title)}</caption>"
        f'<thead><tr><th scope="col">{escape(frame.time)}</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></details>"
    )
