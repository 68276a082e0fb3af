"""Words of a POSIX shell: text is quoted, and a variable stays one.

A `Variable` stands anywhere in a call's parameters for what is not known yet, or must not be shown: an id that an
earlier command will print, a password.  Inside a text it is `mark`ed between two NULs, which no word may contain.
"""

import re
import shlex
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEPT = "\n\t"  # control characters that a terminal takes as text


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that the shell fills in."""

    name: str

    def __post_init__(self) -> None:
        """Refuse a name that is more than a name to a shell."""
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a name of a shell variable")

    def __str__(self) -> str:
        """Return its mark inside a text."""
        return f"\0{self.name}\0"


def word(text: str) -> str:
    """Quote a text as one word; marked variables are between double quotes."""
    pieces = text.split("\0")
    assert len(pieces) % 2, "marks come in pairs"
    if len(pieces) == 1:
        return shlex.quote(text)
    return "".join(f'"${piece}"' if n % 2 else shlex.quote(piece) if piece else "" for n, piece in enumerate(pieces))


def is_plain(text: str) -> bool:
    """Tell whether a person sees, in a terminal, each character that is there: no escapes, no turned direction."""
    return all(c.isprintable() or c in KEPT for c in text)
