"""A picture becomes SVG text: escaped, for light and dark, with its words for who does not see it.

A page that shows several, or that allows no styles in its text, takes `STYLE` as a file and asks for `inline` text.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape as _escaped
from xml.sax.saxutils import quoteattr

from atoll.picture.icons import ICONS
from atoll.picture.measure import clean
from atoll.picture.shapes import Box, Label, Picture, Wire
from atoll.picture.style import STYLE

RADIUS = {"vpc": 10, "zone": 8, "subnet": 8, "internet": 10, "pill": 7, "mark": 5, "badge": 5, "title": 0}
BARE = ("title", "empty")  # boxes of which only the text is seen
CORNER = 5.0  # radius of a wire's bends
CROSS = 4.5  # half of the mark of a refusal


def svg(picture: Picture, *, inline: bool = False) -> str:
    """Write a picture; `inline`: for an HTML page that has the style sheet already."""
    return "".join(_parts(picture, inline=inline))


def _parts(picture: Picture, *, inline: bool) -> Iterator[str]:
    w, h = _number(picture.width), _number(picture.height)
    space = "" if inline else ' xmlns="http://www.w3.org/2000/svg"'
    yield (
        f'<svg{space} class="atoll-map" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        f'aria-labelledby="map-title map-words">\n'
    )
    yield f'<title id="map-title">{_text(picture.title)}</title>\n'
    yield f'<desc id="map-words">{_text(". ".join(picture.words))}</desc>\n'
    if not inline:
        yield f"<style>{STYLE}</style>\n"
    yield f'<rect class="ground" width="{w}" height="{h}"/>\n'
    yield from (part for box in picture.boxes if box.is_container for part in _box(box))
    yield from (part for wire in picture.wires for part in _wire(wire))
    yield from (part for box in picture.boxes if not box.is_container for part in _box(box))
    yield from (part for wire in picture.wires for part in _mark(wire))
    yield "</svg>\n"


def _box(box: Box) -> Iterator[str]:
    about = f" data-target={quoteattr(clean(box.target))}" if box.target else ""
    of = f" data-box={quoteattr(clean(box.id))}" if box.target else ""
    yield f'<g class="{box.kind} {box.style}"{about}{of}>'
    if box.title:
        yield f"<title>{_text(box.title)}</title>"
    if box.kind not in BARE:
        x, y, w, h = map(_number, (box.x, box.y, box.width, box.height))
        radius = RADIUS.get(box.kind, 6)
        yield f'<rect class="box" x="{x}" y="{y}" width="{w}" height="{h}" rx="{radius}"/>'
    if box.icon in ICONS:
        top = box.y + (13 if box.kind == "subnet" else 9)
        place = f"translate({_number(box.x + 10)} {_number(top)})"
        yield f'<path class="icon" transform="{place}" d="{ICONS[box.icon]}"/>'
    yield from map(_label, box.labels)
    yield "</g>\n"


def _label(it: Label) -> str:
    anchor = "" if it.anchor == "start" else f' text-anchor="{it.anchor}"'
    style = f' class="{" ".join(f"t-{name}" for name in it.style.split())}"' if it.style else ""
    x, y, size = map(_number, (it.x, it.y, it.size))
    return f'<text x="{x}" y="{y}" font-size="{size}"{anchor}{style}>{_text(it.text)}</text>'


def _wire(it: Wire) -> Iterator[str]:
    if it.number:
        yield f'<g class="wire {it.style}" data-flow="{it.number}">'
        yield f'<path class="under" d="{_path(it.points)}"/>'
    else:
        yield f'<g class="wire {it.style}">'
    yield f'<path d="{_path(it.points)}"/></g>\n'


def _mark(it: Wire) -> Iterator[str]:
    """Yield the end of a wire, an arrow or the cross of a refusal, and its pill."""
    if it.number == 0 or it.flow is None:
        return
    x, y = it.points[-1]
    if it.flow.blocked:
        if it.flow.stops == "sender":
            x, y = it.points[0]
            y += 2 * CROSS
        elif it.flow.stops == "network":
            x, y = it.points[len(it.points) // 2]
        else:
            y += 2 * CROSS
        yield f'<g class="stop" data-flow="{it.number}"><circle cx="{_number(x)}" cy="{_number(y)}" r="7.5"/>'
        yield f'<path d="M{_number(x - 3)} {_number(y - 3)}l6 6m0-6l-6 6"/></g>'
    else:
        (x0, y0), tip = it.points[-2], it.points[-1]
        size = CROSS + 1
        sideways = size if x0 > tip[0] else -size
        dx, dy = (sideways, 0.0) if y0 == tip[1] else (0.0, size if y0 > tip[1] else -size)
        wing = (dy * 0.7, dx * 0.7)
        corners = ((tip[0], tip[1]), (tip[0] + dx + wing[0], tip[1] + dy + wing[1]),
                   (tip[0] + dx - wing[0], tip[1] + dy - wing[1]))  # fmt: skip
        yield f'<path class="arrow" d="M{"L".join(f"{_number(a)} {_number(b)}" for a, b in corners)}z"/>'
    if it.pill is not None:
        yield from _box(it.pill)


def _path(points: tuple[tuple[float, float], ...]) -> str:
    """Return a line with rounded bends."""
    parts = [f"M{_number(points[0][0])} {_number(points[0][1])}"]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        near, far = _towards(at, before), _towards(at, after)
        parts.append(f"L{_number(near[0])} {_number(near[1])}Q{_number(at[0])} {_number(at[1])} ")
        parts.append(f"{_number(far[0])} {_number(far[1])}")
    parts.append(f"L{_number(points[-1][0])} {_number(points[-1][1])}")
    return "".join(parts)


def _towards(at: tuple[float, float], there: tuple[float, float]) -> tuple[float, float]:
    dx, dy = there[0] - at[0], there[1] - at[1]
    length = abs(dx) + abs(dy)  # every part is horizontal or vertical
    share = min(CORNER, length / 2) / length if length else 0.0
    return at[0] + dx * share, at[1] + dy * share


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(value: str) -> str:
    return _escaped(clean(value))
