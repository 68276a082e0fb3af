"""The slots of a cluster as a bar: which shard has which of the 16,384.  A table beside it says the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

SLOTS = 16_384
WIDTH, HEIGHT = 1_000, 34
COLOURS = 8
LETTER = 8.5  # the width of a letter in the bar: a name that has no room is left to the title


@dataclass(frozen=True, slots=True)
class Share:
    """A shard and its slots: the first and the last of each range."""

    name: str
    ranges: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """How many slots these are."""
        return sum(last - first + 1 for first, last in self.ranges)


def ranges_of(text: str) -> tuple[tuple[int, int], ...]:
    """Return the ranges that the API writes as `0-100,200,300-400`; none for an empty text."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, _, last = part.partition("-")
        found.append((int(first), int(last or first)))
    return tuple(found)


def bar(shares: Sequence[Share], label: str) -> str:
    """Return the bar as SVG; slots that nobody has are hatched, for a client they are an error."""
    parts = [f'<rect class="nobody" width="{WIDTH}" height="{HEIGHT}"/>']
    for place, share in enumerate(shares):
        parts += [_part(share, place, first, last) for first, last in share.ranges]
    said = ", ".join(f"{share.name}: {share.count:,}" for share in shares)
    return (
        f'<svg class="slots-bar" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" preserveAspectRatio="none" '
        f'aria-label="{escape(f"{label}: {said}")}">{"".join(parts)}</svg>'
    )


def _part(share: Share, place: int, first: int, last: int) -> str:
    x, width = first * WIDTH / SLOTS, (last - first + 1) * WIDTH / SLOTS
    name = escape(share.name)
    text = ""
    if len(share.name) * LETTER < width - 6:
        text = f'<text x="{x + width / 2:.2f}" y="{HEIGHT / 2 + 5}">{name}</text>'
    return (
        f'<g class="slots c{place % COLOURS}"><title>{name}: {first}–{last}</title>'
        f'<rect x="{x:.2f}" width="{max(width, 0.5):.2f}" height="{HEIGHT}"/>{text}</g>'
    )
