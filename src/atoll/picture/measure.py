"""How wide text is, without a font: bounds that hold for the sans-serif fonts that people have, and for CJK ones."""

import unicodedata

WIDE = 1.04  # ems of a Korean or Chinese character, and of most emoji
UPPER, LOWER, THIN, BROAD = 0.74, 0.64, 0.42, 1.0  # of DejaVu Sans, the broadest of the usual fonts
MONO = 0.62
BOLD = 1.09  # times as wide as regular
THINNEST = frozenset("ijlI.,:;'|!()[]{}/\\` ft")
BROADEST = frozenset("MWmw@%\u2014\u2026\u2192\u2716\u2713")
MORE = "\u2026"
TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # write backwards
UNSEEN = ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")  # what XML cannot hold and nobody sees


def width(text: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """Return how many pixels a line of text takes at most."""
    ems = sum(_ems(character, mono=mono) for character in text)
    return ems * size * (BOLD if bold else 1.0)


def _ems(character: str, *, mono: bool) -> float:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0.0
    if unicodedata.east_asian_width(character) in ("W", "F") or ord(character) > 0xFFFF:
        return WIDE
    if mono:
        return MONO if character.isascii() else WIDE
    if character in THINNEST:
        return THIN
    if character in BROADEST or ord(character) > 0x2FF:
        return BROAD
    return UPPER if character.isupper() else LOWER


def shortened(text: str, most: float, size: float, *, bold: bool = False, mono: bool = False) -> str:
    """Return text that is at most `most` pixels wide, with its end cut off if need be."""
    text = clean(text)
    if width(text, size, bold=bold, mono=mono) <= most:
        return text
    left = most - width(MORE, size, bold=bold, mono=mono)
    kept = []
    for character in text:
        left -= width(character, size, bold=bold, mono=mono)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + MORE if kept or most >= width(MORE, size, bold=bold, mono=mono) else ""


def clean(text: str) -> str:
    """Return text without what turns the direction of writing, and with spaces for control characters."""
    return "".join(" " if unicodedata.category(c) in UNSEEN else c for c in text if c not in TURNS)
