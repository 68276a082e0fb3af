"""What a picture is made of: boxes with labels, wires with pills.  All lengths are pixels; y grows downwards."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atoll.picture.measure import shortened, width
from atoll.picture.scene import Flow


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text; x is its beginning (or end, of anchor "end"), y its baseline."""

    x: float
    y: float
    text: str
    size: float
    style: str = ""  # classes of the style sheet: "bold", "mono", "soft" ...
    anchor: str = "start"

    @property
    def width(self) -> float:
        """How much room it may take."""
        return width(self.text, self.size, bold="bold" in self.style, mono="mono" in self.style)

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle, what is written in it, and what a click on it leads to."""

    id: str  # unique on the picture
    kind: str
    x: float
    y: float
    width: float
    height: float
    parent: str | None = None  # the box that it is in
    labels: tuple[Label, ...] = ()
    title: str = ""  # told on hovering, and to who does not see
    target: str = ""  # the resource that a click leads to; empty: none
    style: str = ""
    icon: str = ""

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def is_container(self) -> bool:
        """Tell whether wires are drawn over it: others hide them."""
        return self.kind in ("vpc", "zone", "subnet", "internet", "page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A line from one box to another."""

    source: str  # boxes
    target: str
    points: tuple[tuple[float, float], ...]
    style: str  # "open", "blocked", "stub"
    number: int = 0  # in the list of flows; 0: a stub, which has none
    pill: Box | None = None
    flow: Flow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that is drawn."""

    width: float
    height: float
    title: str
    words: tuple[str, ...]  # the same, told: for who does not see it, and for search
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...] = ()


Line = tuple[str, float, str]  # text, size, style


def write(box: Box, lines: Sequence[Line], *, left: float = 12.0, top: float = 18.0, right: float = 12.0) -> Box:
    """Return a box with lines of text from its top on, each as long as there is room; others are left out."""
    labels, y = list(box.labels), box.y + top
    for text, size, style in lines:
        if y + size * 0.3 > box.bottom:
            break
        room = box.width - left - right
        cut = shortened(text, room, size, bold="bold" in style, mono="mono" in style)
        if cut:
            labels.append(Label(box.x + left, y, cut, size, style))
        y += size * 1.35
    return replace(box, labels=tuple(labels))
