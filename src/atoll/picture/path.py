"""The path of a flow as a picture: what it met, box by box, with a red stop at what refuses it."""

from collections.abc import Sequence
from dataclasses import dataclass

from atoll.picture.grid import MARGIN
from atoll.picture.scene import Flow
from atoll.picture.shapes import Box, Line, Picture, Wire, write

WIDE, HIGH, GAP, GUTTER = 226.0, 96.0, 40.0, 34.0
ABREAST = 4
AWAY = Flow(source="", target="")  # a line that is no flow of a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One thing on the way."""

    layer: str  # "ingress-groups"
    at: str  # who decides
    because: str
    allowed: bool = True
    code: str = ""
    is_end: bool = False  # the sender, or who is asked


def draw_path(stops: Sequence[Stop], title: str, *, refused: str = "refused") -> Picture:
    """Draw stops from left to right, and row by row; what comes after the first refusal is pale.

    `refused` is that word, in the reader's language.
    """
    end = next((n for n, stop in enumerate(stops) if not stop.allowed), len(stops))
    boxes = tuple(_box(n, stop, later=n > end) for n, stop in enumerate(stops))
    wires = tuple(_wire(boxes[n], boxes[n + 1], open=n < end, n=n) for n in range(len(boxes) - 1))
    rows = -(-len(boxes) // ABREAST)
    abreast = min(ABREAST, len(boxes))
    words = tuple(f"{n}. {'' if stop.allowed else f'{refused}: '}{_told(stop)}" for n, stop in enumerate(stops, 1))
    return Picture(
        width=2 * MARGIN + abreast * WIDE + max(0, abreast - 1) * GAP,
        height=2 * MARGIN + rows * HIGH + max(0, rows - 1) * GUTTER,
        title=title,
        words=words,
        boxes=boxes,
        wires=wires,
    )


def _told(stop: Stop) -> str:
    return " ".join(filter(None, (stop.layer, stop.at, stop.because, stop.code)))


def _box(n: int, stop: Stop, *, later: bool) -> Box:
    row, place = divmod(n, ABREAST)
    icon = "instance" if stop.is_end else "yes" if stop.allowed else "no"
    style = "end" if stop.is_end else "refused" if not stop.allowed else "passed" if later else ""
    box = Box(
        id=f"stop {n}", kind="step", x=MARGIN + place * (WIDE + GAP), y=MARGIN + row * (HIGH + GUTTER), width=WIDE,
        height=HIGH, title=_told(stop), style=style, icon=icon,
        target="" if stop.is_end else stop.at,
    )  # fmt: skip
    lines: list[Line] = [
        (stop.layer, 12.5, "bold" if stop.allowed else "bold trouble"),
        (stop.at, 10.5, "mono"),
        *((part, 10.5, "soft") for part in _parts(stop.because)),
    ]
    if stop.code:
        lines.append((stop.code, 9.5, "bold trouble"))
    return write(box, lines, left=38, top=21, right=8)


def _parts(text: str) -> list[str]:
    """Break a sentence into two lines, between words."""
    words, first = text.split(), ""
    while words and len(first) + len(words[0]) < 32:
        first = f"{first} {words.pop(0)}".strip()
    return [part for part in (first or (words.pop(0) if words else ""), " ".join(words)) if part]


def _wire(a: Box, b: Box, *, open: bool, n: int) -> Wire:
    points: tuple[tuple[float, float], ...]
    if a.y == b.y:
        points = ((a.right, a.y + HIGH / 2), (b.x, b.y + HIGH / 2))
    else:
        between = a.bottom + GUTTER / 2
        middle, there = a.x + WIDE / 2, b.x + WIDE / 2
        points = ((middle, a.bottom), (middle, between), (there, between), (there, b.y))
    if not open:
        return Wire(source=a.id, target=b.id, points=points, style="stub")
    return Wire(source=a.id, target=b.id, points=points, style="open", number=n + 1, flow=AWAY)
