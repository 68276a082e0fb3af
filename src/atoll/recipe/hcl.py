"""Print HCL, the language of Terraform's configurations, as `terraform fmt` lays it out.

Text stays text: `${` and `%{`, quotes, line ends and what a terminal would not show are escaped.  What is meant as
HCL is an `Expression`.  Source: HCL Native Syntax Specification, "Template Expressions".
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from atoll.recipe.shell import Variable

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
TEMPLATE = re.compile(r"([$%])\{")
LINES_MIN = 3  # of a text that is shown as lines: two of them, and the end of the second
LINE_ITEMS_MAX = 4  # of a list in one line


@dataclass(frozen=True, slots=True)
class Expression:
    """HCL as it is: `aws_vpc.main.id`."""

    text: str


@dataclass(frozen=True, slots=True)
class Comment:
    """A line for people."""

    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block: `resource "aws_vpc" "main" { ... }`; attributes are pairs of a name and a value."""

    name: str
    labels: tuple[str, ...] = ()
    body: tuple["Item", ...] = field(default=())


Item = tuple[str, Any] | Block | Comment


def document(items: Sequence[Item]) -> str:
    """Return the text of a file."""
    return "\n".join("\n".join(_item(item)) + "\n" for item in items)


def value(it: Any, indent: str = "") -> str:
    """Return a value; its later lines are indented by `indent`."""
    match it:
        case Expression():
            return it.text
        case Variable():
            return f"var.{it.name.lower()}"
        case bool() | None:
            return json.dumps(it)
        case int() | float():
            return repr(it)
        case Mapping():
            return _object(it, indent)
        case list() | tuple():
            return _list(it, indent)
        case _:
            return _text(str(it), indent)


def string(text: str) -> str:
    """Return a text as a quoted string."""
    return '"' + TEMPLATE.sub(r"\1\1{", "".join(_escaped(c) for c in text)) + '"'


def _text(text: str, indent: str) -> str:
    """Return a text of several lines as its lines: exact, whatever they begin and end with."""
    lines = text.split("\n")
    if len(lines) < LINES_MIN:
        return string(text)
    return 'join("\\n", ' + "\n".join(["[", *(f"{indent}  {string(line)}," for line in lines), indent + "])"])


def _escaped(character: str) -> str:
    if (known := ESCAPES.get(character)) is not None:
        return known
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def _item(item: Item) -> list[str]:
    match item:
        case Comment():
            return [f"# {line}".rstrip() for line in _shown(item.text).splitlines()] or ["#"]
        case Block():
            head = " ".join([item.name, *(string(label) for label in item.labels)])
            if not item.body:
                return [head + " {}"]
            return [head + " {", *("  " + line if line else "" for line in _body(item.body)), "}"]
        case (name, it):
            return f"{name} = {value(it)}".split("\n")


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def _body(items: Sequence[Item]) -> Iterator[str]:
    """Yield the lines of a body: attributes in a row have their `=` in a column, as `terraform fmt` does."""
    row: list[tuple[str, str]] = []
    first = True
    for item in items:
        if isinstance(item, tuple) and "\n" not in (text := value(item[1])):
            row.append((item[0], text))
        else:
            yield from _aligned(row)
            row = []
            if isinstance(item, Block) and not first:
                yield ""
            yield from _item(item)
        first = False
    yield from _aligned(row)


def _aligned(row: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in row), default=0)
    return [f"{name:<{width}} = {text}" for name, text in row]


def _object(it: Mapping[str, Any], indent: str) -> str:
    if not it:
        return "{}"
    keys = [key if IDENTIFIER.fullmatch(key) else string(key) for key in map(str, it)]
    width = max(map(len, keys))
    inner = indent + "  "
    lines = [f"{inner}{key:<{width}} = {value(v, inner)}" for key, v in zip(keys, it.values(), strict=True)]
    return "\n".join(["{", *lines, indent + "}"])


def _list(it: Sequence[Any], indent: str) -> str:
    items = [value(v, indent + "  ") for v in it]
    if len(items) <= LINE_ITEMS_MAX and not any("\n" in item for item in items):
        return "[" + ", ".join(items) + "]"
    return "\n".join(["[", *(f"{indent}  {item}," for item in items), indent + "]"])
