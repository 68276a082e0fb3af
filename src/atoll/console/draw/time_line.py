"""What clients saw of a fault, on one line of time: their writes as bars, the outage, and what happened when.

Milliseconds count from the fault.  The list of what happened stands below the picture, as text, by the same numbers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from atoll.console.draw.scale import value_ticks

WIDTH, HEIGHT = 900, 190
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 34, 26
TICKS_MAX = 9
MARK_WIDTH = 17  # of a numbered mark: those that would cover each other share one


@dataclass(frozen=True, slots=True)
class Bucket:
    """What clients did in a short while, from `at_ms` on."""

    at_ms: float
    writes: int
    errors: int


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened, and when."""

    at_ms: float
    text: str
    kind: str = ""  # "fault", "good" or nothing in particular


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that a time line shows."""

    buckets: tuple[Bucket, ...]
    bucket_ms: float
    happenings: tuple[Happening, ...]
    outage_ms: tuple[float, float] | None  # while no write was accepted; None: it did not end
    from_ms: float
    until_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the picture says, in the reader's language; `{ms}` stands for a number."""

    title: str
    writes: str  # of the axis
    outage: str  # "{ms} ms without a write"
    write_errors: str  # "{at} ms: {writes} writes, {errors} errors"


def time_line(story: Story, words: Words) -> str:
    """Return the time line as a figure: the picture, and the numbered list of what happened."""
    scale = _Scale(story)
    shown = [h for h in sorted(story.happenings, key=lambda h: h.at_ms) if h.at_ms >= story.from_ms]
    drawn = (_outage(story, scale, words), _axis(story, scale, words), _bars(story, scale, words))
    parts = [*drawn, _marks(shown, scale)]
    rows = "".join(
        f'<li class="{h.kind or "step"}"><span class="number">{n}</span>'
        f'<span class="at">{h.at_ms:+,.1f} ms</span> {escape(h.text)}</li>'
        for n, h in enumerate(shown, 1)
    )
    said = words.title
    if story.outage_ms:
        said += ": " + words.outage.format(ms=f"{story.outage_ms[1] - story.outage_ms[0]:,.1f}")
    return (
        f'<figure class="time-line"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">'
        f'{"".join(parts)}</svg><ol class="happenings">{rows}</ol></figure>'
    )


class _Scale:
    def __init__(self, story: Story) -> None:
        self._from, self._span = story.from_ms, max(story.until_ms - story.from_ms, 1.0)
        most = max((max(b.writes, b.errors) for b in story.buckets), default=0)
        self.ticks = value_ticks(0, most, "Count")

    def x(self, at_ms: float) -> float:
        share = min(max((at_ms - self._from) / self._span, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, count: float) -> float:
        return round(HEIGHT - BOTTOM - count / self.ticks[-1] * (HEIGHT - TOP - BOTTOM), 1)


def _outage(story: Story, scale: _Scale, words: Words) -> str:
    if not story.outage_ms:
        return ""
    begin, end = story.outage_ms
    x, width = scale.x(begin), max(scale.x(end) - scale.x(begin), 2)
    text = escape(words.outage.format(ms=f"{end - begin:,.1f}"))
    return (
        f'<g class="outage"><title>{text}</title>'
        f'<rect x="{x}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM}"/></g>'
    )


def _axis(story: Story, scale: _Scale, words: Words) -> str:
    parts = []
    for tick in scale.ticks:
        y = scale.y(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick value" x="{LEFT - 6}" y="{y + 4}">{tick:,.0f}</text>')
    parts.append(f'<text class="tick" x="4" y="{TOP - 14}">{escape(words.writes)}</text>')
    step = _step(story.until_ms - story.from_ms)
    for n in range(math.ceil(story.from_ms / step), math.floor(story.until_ms / step) + 1):
        x = scale.x(n * step)
        parts.append(f'<path class="mark" d="M{x} {HEIGHT - BOTTOM}v4"/>')
        if x < WIDTH - RIGHT - 20:
            parts.append(f'<text class="tick time" x="{x}" y="{HEIGHT - 8}">{n * step:,.0f} ms</text>')
    return "".join(parts)


def _step(span_ms: float) -> float:
    power = 10.0 ** math.floor(math.log10(span_ms / TICKS_MAX))
    return next(m * power for m in (1, 2, 5, 10) if span_ms / (m * power) <= TICKS_MAX)


def _bars(story: Story, scale: _Scale, words: Words) -> str:
    parts = []
    for bucket in story.buckets:
        if bucket.at_ms + story.bucket_ms < story.from_ms or bucket.at_ms > story.until_ms:
            continue
        x = scale.x(bucket.at_ms)
        width = max(scale.x(bucket.at_ms + story.bucket_ms) - x - 1, 1)
        title = words.write_errors.format(
            at=f"{bucket.at_ms:+,.0f}", writes=f"{bucket.writes:,}", errors=f"{bucket.errors:,}"
        )
        bars = "".join(
            f'<rect class="{kind}" x="{x}" y="{scale.y(count)}" width="{width:.1f}" '
            f'height="{HEIGHT - BOTTOM - scale.y(count):.1f}"/>'
            for kind, count in (("writes", bucket.writes), ("errors", bucket.errors))
            if count
        )
        parts.append(f"<g><title>{escape(title)}</title>{bars}</g>")
    return "".join(parts)


def _marks(shown: Sequence[Happening], scale: _Scale) -> str:
    """Return a numbered mark for each happening; those that would cover each other share one."""
    groups: list[tuple[float, list[tuple[int, Happening]]]] = []
    for number, happening in enumerate(shown, 1):
        x = scale.x(happening.at_ms)
        if groups and x - groups[-1][0] < MARK_WIDTH * (1.6 if len(groups[-1][1]) > 1 else 1):
            groups[-1][1].append((number, happening))
        else:
            groups.append((x, [(number, happening)]))
    parts = []
    for x, several in groups:
        first, last = several[0][0], several[-1][0]
        label = f"{first}" if first == last else f"{first}–{last}"
        kind = next((h.kind for _, h in several if h.kind), "step")
        title = "\n".join(f"{n} {h.at_ms:+,.1f} ms {h.text}" for n, h in several)
        wide = MARK_WIDTH if first == last else MARK_WIDTH * 2
        at = min(x, WIDTH - RIGHT - wide / 2)
        parts.append(
            f'<g class="happening {kind}"><title>{escape(title)}</title>'
            f'<path d="M{x} {TOP - 8}V{HEIGHT - BOTTOM}"/>'
            f'<rect x="{at - wide / 2:.1f}" y="{TOP - 26}" width="{wide}" height="18" rx="9"/>'
            f'<text x="{at:.1f}" y="{TOP - 13}">{label}</text></g>'
        )
    return "".join(parts)
