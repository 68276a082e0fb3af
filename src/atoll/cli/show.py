"""Print for people: tables on standard output, progress on standard error.  For programs: JSON.

Rich is imported when something is shown; it honours NO_COLOR by itself.  Names, tags and messages come from anybody
who may call the API: what would be an order to the terminal is shown as its number, and brackets are not markup.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS_MAX = 240  # nothing is wrapped that another program may read, or that must not be cut
# Control characters but tab and newline, those of eight bits too; and what turns the direction of a text.
_ORDERS = (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _ORDERS}


def plain(text: str) -> str:
    """Return a text that no terminal obeys: as it is, but for what would be an order."""
    return text.translate(_SHOWN)


@cache
def console() -> "Console":
    """Return the console on standard output."""
    from rich.console import Console

    return Console(width=COLUMNS_MAX, highlight=False, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, wrap: bool = False) -> None:
    """Print a table; an empty one is one line that says so.

    `wrap`: long cells take several lines.  Without it every row is one line, however narrow the terminal: an id
    that was cut is of no use.
    """
    from rich.table import Table
    from rich.text import Text

    if not rows:
        console().print(plain(f"{title}: none"), markup=False)
        return
    heading = Text(plain(title))
    drawn = Table(title=heading, title_justify="left", box=None, pad_edge=False, header_style="bold", expand=False)
    for column in columns:
        drawn.add_column(Text(plain(column)), no_wrap=not wrap)
    for row in rows:
        drawn.add_row(*(Text("" if cell is None else _in_cell(str(cell), wrap=wrap)) for cell in row))
    width = COLUMNS_MAX
    if wrap and sys.stdout.isatty():
        import shutil

        width = shutil.get_terminal_size().columns
    console().print(drawn, width=width)


def _in_cell(text: str, *, wrap: bool) -> str:
    """Return a text that cannot be taken for another row."""
    return plain(text) if wrap else plain(text).replace("\n", "\\n")


def line(text: str = "", style: str | None = None) -> None:
    """Print a line as it is: brackets are not markup."""
    console().print(plain(text), style=style, markup=False)


def as_json(value: Any) -> None:
    """Print a value as JSON, for programs."""
    print(json.dumps(value, indent=2, default=str))


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Show that something takes time: a spinner on a terminal, a line elsewhere."""
    if not sys.stderr.isatty():
        print(f"{plain(text)} ...", file=sys.stderr, flush=True)
        yield
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(plain(text))):
        yield
