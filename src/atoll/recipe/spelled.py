"""Spell a value for one option of the AWS CLI: in its shorthand where that is safe, else in JSON.

The shorthand is written only for texts of which the CLI's parser reads each character as itself; what is left out of
`SAFE` is not forbidden there, but JSON is then easier to trust.  Source: AWS CLI User Guide,
"Using shorthand syntax".
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from atoll.aws.models import Model, Ref, Shape
from atoll.recipe.shell import Variable, is_plain

# Not `,` `=` `[` `]` `{` `}` quotes and backslashes, which mean something; spaces only inside.
SAFE = re.compile(r"[\w.:/*+@-](?:[\w.:/*+@ -]*[\w.:/*+@-])?")
KEY = re.compile(r"[A-Za-z0-9_.#/:-]+")
BEYOND = re.compile("[\U00010000-\U0010ffff]")  # the CLI's parser knows no characters there
COMPLEX = ("structure", "list", "map")


class NotShort(Exception):
    """The shorthand cannot say this value."""


def as_json(value: Any) -> str:
    """Return JSON in which variables are marked, and of which a terminal shows each character."""
    match value:
        case Variable():
            return f'"{value}"'
        case str():
            return json.dumps(value, ensure_ascii=not is_plain(value))
        case Mapping():
            return "{" + ", ".join(f"{as_json(str(k))}: {as_json(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(as_json(v) for v in value) + "]"
        case bool() | int() | float() | None:
            return json.dumps(value)
        case _:
            return as_json(str(value))  # a time, an address


def shorthand(model: Model, shape: Shape, value: Any) -> str:
    """Return a structure or a map as one word in shorthand.  Raises NotShort."""
    return ",".join(_pairs(model, shape, value, nested=False))


def _pairs(model: Model, shape: Shape, value: Any, *, nested: bool) -> list[str]:
    if not isinstance(value, Mapping) or not value:
        raise NotShort
    return [f"{_key(key)}={_value(model, _ref(shape, key), item, nested=nested)}" for key, item in value.items()]


def _ref(shape: Shape, key: str) -> Ref:
    found = shape.value if shape.type == "map" else shape.members.get(key)
    if found is None:
        raise NotShort
    return found


def _value(model: Model, ref: Ref, value: Any, *, nested: bool) -> str:
    shape = model.shape(ref)
    match shape.type, value:
        case (("structure" | "map"), Mapping()):
            return "{" + ",".join(_pairs(model, shape, value, nested=True)) + "}"
        case "list", (list() | tuple()) if value:
            return _list(model, shape, value, nested=nested)
        case (("structure" | "map" | "list"), _):
            raise NotShort
        case _:
            return scalar(shape, value)


def _list(model: Model, shape: Shape, value: Sequence[Any], *, nested: bool) -> str:
    assert shape.member is not None, "a list of the model has members"
    items = [_value(model, shape.member, item, nested=True) for item in value]
    if not nested and model.shape(shape.member).type not in COMPLEX:
        return ",".join(items)  # Name=vpc-id,Values=a,b
    return "[" + ",".join(items) + "]"


def scalar(shape: Shape, value: Any) -> str:
    """Return a scalar inside shorthand.  Raises NotShort."""
    if isinstance(value, Variable):
        return str(value)
    text = plain(value)
    if shape.type == "blob" or not SAFE.fullmatch(text) or BEYOND.search(text):
        raise NotShort
    return text


def plain(value: Any) -> str:
    """Return a scalar as the CLI reads it."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case _:
            return str(value)


def _key(key: str) -> str:
    if not KEY.fullmatch(key):
        raise NotShort
    return key
