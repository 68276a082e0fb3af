"""Print for people: tables on standard output, progress on standard error.  For programs: JSON.

Rich is imported when something is shown; it honours NO_COLOR by itself.
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

    if not rows:
        console().print(f"{title}: none", markup=False)
        return
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", expand=False)
    for column in columns:
        drawn.add_column(column, no_wrap=not wrap)
    for row in rows:
        drawn.add_row(*("" if cell is None else str(cell) for cell in row))
    width = COLUMNS_MAX
    if wrap and sys.stdout.isatty():
        import shutil

        width = shutil.get_terminal_size().columns
    console().print(drawn, width=width)


def line(text: str = "", style: str | None = None) -> None:
    """Print a line as it is: brackets are not markup."""
    console().print(text, style=style, markup=False)


def as_json(value: Any) -> None:
    """Print a value as JSON, for programs."""
    print(json.dumps(value, indent=2, default=str))


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Show that something takes time: a spinner on a terminal, a line elsewhere."""
    if not sys.stderr.isatty():
        print(f"{text} ...", file=sys.stderr, flush=True)
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield
