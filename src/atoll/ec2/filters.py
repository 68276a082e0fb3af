"""The Filters of every Describe operation: a table of filter name -> values, given by the resource's file.

Several filters must all match, one of a filter's values is enough.  `*` stands for any text, `?` for one character,
a backslash takes the next character literally; letters of different case differ.
Source: EC2 User Guide, "Filter resources"; EC2 API Reference, "Filter".
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from atoll.aws.operation import Shape
from atoll.aws.page import page_ec2
from atoll.ec2.errors import BAD_FILTER, BOTH, FILTER_LIMIT, MISSING
from atoll.ec2.kinds import find
from atoll.model.resource import Resource
from atoll.model.world import World

R = TypeVar("R", bound=Resource)
T = TypeVar("T")

# What a resource has for a filter: one value, several (any may match), or None.  Either a path of fields, where a
# tuple on the way means each of its elements ("ranges.cidr"), or a function.
Field = str | Callable[[World, Any], object]
Table = Mapping[str, Field]

FILTERS_MAX = 50
FILTER_VALUES_MAX = 200


def absent(_world: World, _item: object) -> None:
    """Return nothing: AWS knows the filter, but no resource of ours has such a thing."""


def listing(
    world: World,
    kind: type[R],
    table: Table,
    *,
    ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
    ids_name: str = "ids",
    low: int = 5,
) -> tuple[list[R], str | None]:
    """Return a page of the caller's resources of a kind, and the token of the next.

    Raises the kind's Malformed and NotFound errors, BOTH for ids together with `max_results` (`ids_name` is the
    parameter's name in its message), and what `select` and `page_ec2` raise.
    """
    if ids and max_results is not None:
        raise BOTH(one=ids_name, other="maxResults")
    items = [find(world, kind, id) for id in dict.fromkeys(ids)] if ids else world.all(kind)
    found = select(world, items, filters, table)
    return page_ec2(found, lambda r: r.id, max_results, next_token, low=low)


def select(
    world: World,
    items: Iterable[T],
    filters: Sequence[Shape],
    table: Table,
    *,
    tags: Callable[[T], Mapping[str, str]] = lambda item: item.tags,  # type: ignore[attr-defined]
) -> list[T]:
    """Return the items that every filter admits.  `tag:<key>` and `tag-key` need no row in the table.

    Raises BAD_FILTER for a name that is not in the table, FILTER_LIMIT, MISSING for a filter without values.
    """
    if len(filters) > FILTERS_MAX:
        raise FILTER_LIMIT(what="filters", limit=FILTERS_MAX)
    if sum(len(f.get("Values", ())) for f in filters) > FILTER_VALUES_MAX:
        raise FILTER_LIMIT(what="filter values", limit=FILTER_VALUES_MAX)
    found: Iterable[T] = items
    for f in filters:
        name, field = _read(f, table)
        found = _admitted(world, found, name, field, f["Values"], tags)
    return list(found)


def _admitted(
    world: World,
    items: Iterable[T],
    name: str,
    field: Field | None,
    values: Sequence[str],
    tags: Callable[[T], Mapping[str, str]],
) -> Iterable[T]:
    """Return the items that one filter admits."""
    if isinstance(field, str) and not any(_is_pattern(value) for value in values):
        wanted, path = frozenset(values), field.split(".")
        if len(path) == 1:  # most filters ask for one text
            return [item for item in items if _has(getattr(item, field), wanted)]
        return [item for item in items if not wanted.isdisjoint(map(_text, _walk(item, path)))]
    return [item for item in items if _admits(values, _actual(world, item, name, field, tags))]


def _has(value: object, wanted: frozenset[str]) -> bool:
    return value in wanted if type(value) is str else not wanted.isdisjoint(map(_text, _walk(value, ())))


def _is_pattern(value: str) -> bool:
    return "*" in value or "?" in value or "\\" in value


def _read(f: Shape, table: Table) -> tuple[str, Field | None]:
    name = f.get("Name")
    if not name or not (name in table or name == "tag-key" or (name.startswith("tag:") and len(name) > 4)):
        raise BAD_FILTER(name=name or "null")
    if not f.get("Values"):
        raise MISSING(name=f"Values of the filter {name}")
    return name, table.get(name)


def _actual(
    world: World, item: T, name: str, field: Field | None, tags: Callable[[T], Mapping[str, str]]
) -> Iterable[str]:
    """Return what an item has for a filter, as texts."""
    if field is None:
        if name == "tag-key":
            return tags(item).keys()
        value = tags(item).get(name.removeprefix("tag:"))
        return () if value is None else (value,)
    if isinstance(field, str):
        return map(_text, _walk(item, field.split(".")))
    found = field(world, item)
    if isinstance(found, list | tuple | set):
        return [_text(v) for v in found if v is not None]
    return () if found is None else (_text(found),)


def _walk(value: object, path: Sequence[str]) -> Iterator[object]:
    """Yield what is at the end of a path of fields."""
    if isinstance(value, tuple):
        for element in value:
            yield from _walk(element, path)
    elif value is not None:
        if path:
            yield from _walk(getattr(value, path[0]), path[1:])
        else:
            yield value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _admits(patterns: Sequence[str], actual: Iterable[str]) -> bool:
    return any(matches(pattern, value) for value in actual for pattern in patterns)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a filter's value admits a text."""
    return pattern == text or _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Translate a filter's value into a regular expression."""
    out, characters = [], iter(pattern)
    for c in characters:
        if c == "*":
            out.append(".*")
        elif c == "?":
            out.append(".")
        else:
            out.append(re.escape(next(characters, c) if c == "\\" else c))
    return re.compile("".join(out), re.DOTALL)
