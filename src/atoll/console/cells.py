"""The cells of tables, written without templates: a page of 1,000 rows has 7,000 of them.

They look as the macros of `ui.html` make single values: `tests/console/test_cells.py` holds one to the other.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from atoll.console import components
from atoll.console.ask import Ask
from atoll.console.tables import Column, Row

NOTHING = "–"
CLASSES = {"number": ' class="number"', "wrap": ' class="wrap"'}


class Cells:
    """Writes cells for one page: its links lead into the page's account and region."""

    def __init__(self, ask: Ask) -> None:
        """Write for a request."""
        self._ask = ask
        self._links: dict[str, str] = {}  # ids repeat: of a VPC, in each of its rows
        self._writers: dict[str, Callable[[Any], str]] = {
            "id": self._id,
            "ids": self._ids,
            "status": self._status,
            "time": time,
            "yes": self._yes,
            "tags": _tags,
            "code": _code,
        }

    def row(self, columns: Sequence[Column], row: Row) -> Markup:
        """Return the cells of a row."""
        out = []
        for column in columns:
            write = self._writers.get(column.shows, _text)
            out.append(f"<td{CLASSES.get(column.shows, '')}>{write(column.value(row))}</td>")
        return Markup("".join(out))

    def shown(self, value: Any, shows: str) -> Markup:
        """Return a value as a cell of that kind has it (`tables.Column`)."""
        return Markup(self._writers.get(shows, _text)(value))

    def _id(self, id: Any) -> str:
        if not id:
            return NOTHING
        link = self._links.get(id)
        if link is None:
            text, home = escape(id), components.home_of(id)
            url = escape(self._ask.url(home))
            link = f'<a class="id" href="{url}">{text}</a>' if home else f"<code>{text}</code>"
            self._links[id] = link
        return link

    def _ids(self, ids: Any) -> str:
        return ", ".join(map(self._id, ids or ())) or NOTHING

    def _status(self, word: Any) -> str:
        if not word:
            return NOTHING
        t = self._ask.t
        known = t.has(f"common.status_{str(word).replace('-', '_').replace(' ', '_')}")
        said = t.word("common", f"status_{word}") if known else word
        return f'<span class="status {components.tone(word)}">{escape(said)}</span>'

    def _yes(self, value: Any) -> str:
        return str(self._ask.t("common.yes" if value else "common.no"))


def time(value: Any) -> Markup:
    """Write a time as a `time` element, in UTC."""
    if not isinstance(value, datetime):
        return Markup(NOTHING)
    moment = value.astimezone(UTC)
    machine = moment.isoformat(timespec="seconds")
    return Markup('<time datetime="{}">{}</time>').format(machine, f"{moment:%Y-%m-%d %H:%M:%S} UTC")


def _text(value: Any) -> str:
    return NOTHING if value is None or value == "" else escape(value)


def _code(value: Any) -> str:
    return f"<code>{escape(value)}</code>" if value else NOTHING


def _tags(tags: Any) -> str:
    if not tags:
        return NOTHING
    shown = (f"<li><span>{escape(tag['Key'])}</span><b>{escape(tag['Value'])}</b></li>" for tag in tags)
    return f'<ul class="tags">{"".join(shown)}</ul>'
