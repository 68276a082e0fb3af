"""The pages that there are: functions at paths, and their places in the menu.

A module in `pages/` registers what it has when it is imported:

    menu("vpc", "/vpc/subnets", "vpc.subnets", order=20)

    @page("/vpc/subnets")
    async def subnets(ask: Ask) -> Answered: ...

    @act("/vpc/subnets/create", back="/vpc/subnets/create")
    async def create(ask: Ask) -> Answered: ...

A page answers GET and changes nothing.  An act answers POST, which has passed every check of `door.py`; if the API
refuses, the page `back` is shown again, with the error and what was filled in.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.routing import compile_path

from atoll.console.ask import Page

AREAS = ("home", "tools", "vpc", "ec2", "cache")  # of the menu, in this order; a text "common.area_..." names each


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the menu."""

    area: str
    path: str
    text: str
    order: int


PAGES: dict[str, Page] = {}
ACTS: dict[str, tuple[Page, str]] = {}
MENU: list[Entry] = []
HOMES: dict[str, str] = {}  # what an id begins with -> the page of what has it


def page(path: str) -> Callable[[Page], Page]:
    """Register a page at a path; `{name}` in it stands for a part, which is then in `ask.parts`."""

    def register(fn: Page) -> Page:
        assert path not in PAGES, f"{path} is there twice"
        PAGES[path] = fn
        return fn

    return register


def act(path: str, *, back: str) -> Callable[[Page], Page]:
    """Register an act at a path, and the page that is shown again if it is refused."""

    def register(fn: Page) -> Page:
        assert path not in ACTS, f"{path} is there twice"
        ACTS[path] = fn, back
        return fn

    return register


def menu(area: str, path: str, text: str, *, order: int) -> None:
    """Add a line to the menu."""
    assert area in AREAS, f"{area} is no area"
    MENU.append(Entry(area=area, path=path, text=text, order=order))


def home(prefix: str, pattern: str) -> None:
    """Have ids of this beginning, such as "vpc", lead to a page: "/vpc/vpcs/{id}"."""
    HOMES[prefix] = pattern


def load() -> None:
    """Import every module of `pages`: that registers them."""
    from atoll.console import pages

    for module in pkgutil.iter_modules(pages.__path__, f"{pages.__name__}."):
        importlib.import_module(module.name)
    MENU.sort(key=lambda entry: (AREAS.index(entry.area), entry.order))


class Paths:
    """Finds what is registered at a path."""

    def __init__(self, patterns: Mapping[str, object]) -> None:
        """Compile the patterns; those without parts come first."""
        ordered = sorted(patterns, key=lambda pattern: ("{" in pattern, pattern))
        self._compiled = [(pattern, compile_path(pattern)[0]) for pattern in ordered]

    def find(self, path: str) -> tuple[str, dict[str, str]] | None:
        """Return the pattern that a path is of, and its parts."""
        for pattern, regex in self._compiled:
            if found := regex.match(path):
                return pattern, found.groupdict()
        return None
