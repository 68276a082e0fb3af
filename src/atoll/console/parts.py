"""What most pages are made of, as values: tables, facts, buttons, fields.  Three templates show them.

    return listing(ask, "vpc.subnets", rows, columns, kinds=("Subnet",), create="/vpc/subnets/create")
    return detail(ask, "vpc.subnet", id, up=("/vpc/subnets", "vpc.subnets"), parts=[Facts(...), Rows(...)])
    return form(ask, "vpc.create_subnet", "/vpc/subnets/create", fields=[Field(...)], cancel="/vpc/subnets")

A text is named ("vpc.subnets"); a value that came from the API is itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from atoll.console import tables
from atoll.console.ask import Ask, View, name_of
from atoll.console.tables import Column, Row


@dataclass(frozen=True, kw_only=True)
class Button:
    """A link that looks like a button."""

    path: str
    text: str
    primary: bool = False


@dataclass(frozen=True, kw_only=True)
class Act:
    """A button that posts; with `sure`, a person is asked first."""

    path: str
    text: str
    fields: Mapping[str, str] = field(default_factory=dict)
    sure: str = ""  # the name of a question; `id` in it is the value of the field "id"
    danger: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a thing: the text of a label, the value, how it is shown."""

    title: str
    facts: Sequence[tuple[str, Any, str]]
    form: str = "facts"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table without states of its own."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    acts: Callable[[Row], Sequence[Act]] | None = None
    buttons: Sequence[Button] = ()
    empty: str = ""
    about: str = ""
    form: str = "rows"


@dataclass(frozen=True, kw_only=True)
class Note:
    """A sentence to heed."""

    text: str
    tone: str = "info"
    form: str = "note"


@dataclass(frozen=True, kw_only=True)
class Code:
    """Text as it is: a log, a document."""

    title: str
    text: str
    id: str
    form: str = "code"


Part = Facts | Rows | Note | Code


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a form; `shows` is "text", "number", "select", "several", "one", "tick", "area" or "hidden"."""

    name: str
    text: str = ""
    shows: str = "text"
    value: Any = ""
    hint: str = ""
    required: bool = False
    placeholder: str = ""
    choices: Sequence[tuple[str, ...]] = ()


def deleting(path: str, id: str) -> Act:
    """Return the button that deletes a thing, after a question."""
    return Act(path=path, text="common.delete", fields={"id": id}, sure="common.sure_delete", danger=True)


NAME = Field(name="name", text="common.name", hint="common.name_hint")


def listing(
    ask: Ask,
    title: str,
    rows: Sequence[Row],
    columns: Sequence[Column],
    *,
    kinds: Sequence[str],
    buttons: Sequence[Button] = (),
    create: str = "",
    acts: Callable[[Row], Sequence[Act]] | None = None,
    notes: Sequence[Note] = (),
) -> View:
    """Show a table that fills the page, and follows changes of these kinds; `title` + "_about" says what they are."""
    if create:
        buttons = [*buttons, Button(path=create, text="common.create", primary=True)]
    table = tables.table(ask, rows, *columns)
    values: dict[str, Any] = {
        "title": title,
        "table": table,
        "kinds": kinds,
        "buttons": buttons,
        "acts": acts,
        "notes": notes,
    }
    return ask.view("listing.html", **values)


def detail(
    ask: Ask,
    title: str,
    id: str,
    *,
    up: tuple[str, str],
    parts: Sequence[Part],
    kinds: Sequence[str],
    name: str = "",
    buttons: Sequence[Button] = (),
    acts: Sequence[Act] = (),
    tabs: Sequence[tuple[str, str, str]] = (),
    tab: str = "",
) -> View:
    """Show one thing."""
    values: dict[str, Any] = {"title": title, "id": id, "up": up, "parts": parts, "kinds": kinds, "name": name}
    return ask.view("detail.html", **values, buttons=buttons, acts=acts, tabs=tabs, tab=tab)


def form(
    ask: Ask,
    title: str,
    path: str,
    fields: Sequence[Field],
    *,
    up: tuple[str, str],
    submit: str = "common.create",
    notes: Sequence[Note] = (),
    about: str = "",
    about_id: str = "",
) -> View:
    """Show a form that posts to a path; cancelling it leads up."""
    values: dict[str, Any] = {
        "title": title,
        "path": path,
        "fields": fields,
        "up": up,
        "submit": submit,
        "notes": notes,
    }
    return ask.view("form.html", **values, about=about, about_id=about_id)


def one(found: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the one thing that was asked for by its id; the API has refused any other id."""
    assert len(found) == 1, "an id names one thing"
    return found[0]


def titled(resource: Mapping[str, Any], id: str, *more: str) -> tuple[str, str]:
    """Return a choice of a field: the id, and what people know it by."""
    said = [resource[id], f"({name})" if (name := name_of(resource)) else "", *more]
    return resource[id], " ".join(part for part in said if part)
