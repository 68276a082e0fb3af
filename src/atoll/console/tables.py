"""Tables: rows that a URL filters, sorts and cuts into pages, so that every state of a table has an address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from atoll.console.ask import Ask, name_of

Row = Mapping[str, Any]
ROWS_A_PAGE = 50
ROWS_CHOICES = (50, 200, 1000)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its name in the URL, its heading's text, and the value that it is sorted and filtered by."""

    key: str
    text: str
    value: Callable[[Row], Any]
    shows: str = "text"  # or "id", "ids", "status", "code", "time", "yes", "number", "wrap", "tags"

    @property
    def is_number(self) -> bool:
        """Tell whether it stands at the right."""
        return self.shows == "number"


def column(
    key: str, text: str, value: str | Callable[[Row], Any], shows: str = "text", *, is_number: bool = False
) -> Column:
    """Return a column of a member of AWS's, or of what a function says of a row."""
    shows = "number" if is_number else shows
    if callable(value):
        return Column(key=key, text=text, value=value, shows=shows)
    member = value
    return Column(key=key, text=text, value=lambda row: row.get(member), shows=shows)


NAME = column("name", "common.name", name_of)


@dataclass(frozen=True, kw_only=True)
class Table:
    """One page of rows, and the addresses of its other states."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    total: int  # of all rows
    found: int  # of those that the filter leaves
    number: int  # of this page, from 1
    pages: int
    size: int
    text: str  # of the filter
    sort: str
    descending: bool
    here: str  # the address without a query
    others: Sequence[tuple[str, str]]  # fields of the query that are not the table's

    def address(self, **changes: str | int) -> str:
        """Return the address of this table with changes."""
        now: dict[str, str | int] = {"q": self.text, "sort": self.sort, "page": self.number, "rows": self.size}
        if self.descending:
            now["order"] = "desc"
        asked = {name: value for name, value in (now | changes).items() if value not in ("", *_USUAL.get(name, ()))}
        query = urlencode([*self.others, *asked.items()])
        return f"{self.here}?{query}" if query else self.here

    def sorted_by(self, column: Column) -> str:
        """Return the address with this column's order; the other way round if it is sorted so."""
        other = self.sort == column.key and not self.descending
        return self.address(sort=column.key, order="desc" if other else "", page=1)

    def direction(self, column: Column) -> str:
        """Return what `aria-sort` says of a column."""
        if self.sort != column.key:
            return "none"
        return "descending" if self.descending else "ascending"


_USUAL: Mapping[str, tuple[str | int, ...]] = {"page": (1,), "rows": (ROWS_A_PAGE,)}
_OWN = ("q", "sort", "order", "page", "rows", "done", "id")


def table(ask: Ask, rows: Sequence[Row], *columns: Column) -> Table:
    """Return the page of rows that the URL asks for."""
    query, text = ask.query, ask.query.get("q")
    found = [row for row in rows if _matches(row, columns, text)]
    sort, descending = query.get("sort"), query.get("order") == "desc"
    if by := next((c for c in columns if c.key == sort), None):
        found.sort(key=lambda row: _order(by.value(row)), reverse=descending)
    size = next((n for n in ROWS_CHOICES if str(n) == query.get("rows")), ROWS_A_PAGE)
    pages = max(1, -(-len(found) // size))
    asked = query.get("page")
    number = min(max(int(asked), 1), pages) if asked.isdecimal() and len(asked) < 10 else 1
    return Table(
        columns=columns,
        rows=found[(number - 1) * size : number * size],
        total=len(rows),
        found=len(found),
        number=number,
        pages=pages,
        size=size,
        text=text,
        sort=by.key if by else "",
        descending=bool(by) and descending,
        here=ask.url(ask.path),
        others=[pair for pair in query.pairs() if pair[0] not in _OWN],
    )


def _matches(row: Row, columns: Sequence[Column], text: str) -> bool:
    """Tell whether each word of a filter is in one of the cells."""
    if not text:
        return True
    cells = " ".join(str(c.value(row)) for c in columns).lower()
    return all(word in cells for word in text.lower().split())


def _order(value: Any) -> tuple[int, float, str]:
    """Put what is missing last, numbers before texts."""
    if value is None or value == "":
        return (2, 0.0, "")
    if isinstance(value, int | float):
        return (0, float(value), "")
    return (1, 0.0, str(value).lower())
