"""HTML from a view: templates that escape everything, with the texts, the menu and the calls of the page."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from atoll.console import cells, components, recipes
from atoll.console.ask import Ask, Made, Shown, View, name_of
from atoll.console.texts import LANGUAGES, NAMES, TAGS
from atoll.model.zones import REGIONS
from atoll.picture.style import STYLE

HERE = Path(__file__).parent
SHELVES = ("static", "vendor")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, kw_only=True)
class Looks:
    """How a person wants it."""

    language: str
    theme: str


@functools.cache
def files() -> Mapping[str, bytes]:
    """Return what browsers fetch: name -> content."""
    found = (path for shelf in SHELVES for path in (HERE / shelf).iterdir() if path.suffix in TYPES)
    return {path.name: path.read_bytes() for path in found} | {"vpc-map.css": STYLE.encode()}


@functools.cache
def edition() -> str:
    """Return what changes when one of the files does."""
    return hashlib.sha256(b"".join(content for _, content in sorted(files().items()))).hexdigest()[:12]


def file_url(name: str) -> str:
    """Return the address of a file; the browser may keep what is there."""
    assert name in files(), f"there is no {name}"
    return f"/console/static/{edition()}/{name}"


@functools.cache
def environment() -> Environment:
    """Return the templates.  A value that is missing is a mistake, not an empty text."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        file_url=file_url, languages=LANGUAGES, language_names=NAMES, themes=THEMES, regions=tuple(REGIONS),
        version=version("atoll"), name_of=name_of,
        tone=components.tone, home_of=components.home_of, is_within=components.is_within, menu=components.menu,
        menu_path=components.menu_path,
    )  # fmt: skip
    made.filters.update(time=cells.time, pretty=_pretty, anchor=_anchor)
    return made


def page(ask: Ask, view: View, looks: Looks, *, token: str, last: list[Made | Shown]) -> str:
    """Return the HTML of a view; `last` are the calls of the act that led here."""
    calls = [*last, *ask.calls]
    values = {
        "ask": ask,
        "t": ask.t,
        "looks": looks,
        "lang": TAGS[looks.language],
        "form_token": token,
        "seen_revision": ask.seen_revision,
        "commands": recipes.as_cli(calls, ask.region),
        "blocks": recipes.as_terraform(calls),
        "call_count": len(calls),
        "cells": cells.Cells(ask),
        **components.of(ask),
        **view.values,
    }
    return environment().get_template(view.template).render(values)


def bare(template: str, looks: Looks, values: Mapping[str, Any]) -> str:
    """Return the HTML of a page without an account: the door, and errors before it."""
    return environment().get_template(template).render({"looks": looks, "lang": TAGS[looks.language], **values})


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _anchor(value: str) -> str:
    """Turn an AWS id into one for HTML."""
    return "".join(c if c.isalnum() or c == "-" else "-" for c in value)
