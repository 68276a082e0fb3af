"""Read a file of `atoll apply`: YAML whose every value knows where it stands, checked against the schema.

YAML is read by PyYAML (the extra `apply`), which is imported when a file is read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from atoll.apply.schema import SCHEMA, Schema

Path = tuple[str | int, ...]
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip
WORDS = {"object": "names with values", "array": "a list", "string": "text", "boolean": "true or false",
    "integer": "a whole number", "number": "a number"}  # fmt: skip
BYTES_MAX = 1_000_000
DEPTH_MAX = 12
VALUES_MAX = 100_000  # with what aliases repeat: a few lines of them could make a million million


@dataclass(frozen=True, slots=True, order=True)
class Trouble:
    """Something wrong in a file, and where; lines and columns count from one."""

    line: int
    column: int
    message: str


class Wrong(Exception):
    """The file cannot be applied; nothing was changed."""

    def __init__(self, troubles: list[Trouble]) -> None:
        """Keep all that is wrong, in the order of the file."""
        self.troubles = sorted(set(troubles))
        super().__init__("\n".join(t.message for t in self.troubles))


class NoYaml(Exception):
    """PyYAML is not installed."""


@dataclass(slots=True)
class Document:
    """What a file says, and where it says it."""

    value: dict[str, Any] = field(default_factory=dict)
    spots: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def trouble(self, path: Path, message: str) -> Trouble:
        """Return a Trouble with the value at a path, or with what is around it."""
        while path and path not in self.spots:
            path = path[:-1]
        line, column = self.spots.get(path, (1, 1))
        return Trouble(line, column, message)


def read(text: str) -> Document:
    """Read a file and check it against the schema.  Raises Wrong, or NoYaml."""
    try:
        import yaml
    except ImportError:
        raise NoYaml from None
    if len(text) > BYTES_MAX:
        raise Wrong([Trouble(1, 1, f"the file is longer than {BYTES_MAX} characters")])
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise Wrong([Trouble(line, column, f"this is not YAML: {error.problem or error.context}")]) from None
    except yaml.YAMLError as error:
        raise Wrong([Trouble(1, 1, f"this is not YAML: {error}")]) from None
    except RecursionError:
        raise Wrong([Trouble(1, 1, "this is nested too deep")]) from None
    found, troubles = Document(), list[Trouble]()
    built = _build(root, (), found, troubles) if root is not None else {}
    if not troubles:
        troubles += _check(built, SCHEMA, (), found)
    if troubles:
        raise Wrong(troubles)
    found.value = built
    return found


def _build(node: Any, path: Path, found: Document, troubles: list[Trouble]) -> Any:
    """Return the value of a node, and note where it and its parts stand."""
    import yaml

    spot = (node.start_mark.line + 1, node.start_mark.column + 1)
    found.spots.setdefault(path, spot)
    if len(found.spots) > VALUES_MAX:
        raise Wrong([Trouble(*spot, f"this has more than {VALUES_MAX} values")])
    if len(path) > DEPTH_MAX:
        troubles.append(Trouble(*spot, "this is nested too deep"))
        return None
    if isinstance(node, yaml.MappingNode):
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            at = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                troubles.append(Trouble(*at, "a name must be a text"))
                continue
            key = str(key_node.value)
            if key in built:
                troubles.append(Trouble(*at, f"{key} is there twice"))
            found.spots[(*path, key)] = at
            built[key] = _build(value_node, (*path, key), found, troubles)
        return built
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, n), found, troubles) for n, item in enumerate(node.value)]
    return _scalar(node, yaml)


def _scalar(node: Any, yaml: Any) -> Any:
    tag = node.tag.rpartition(":")[2]
    if tag in ("int", "float", "bool", "null") and not re.fullmatch(r"[\d_]+:[\d:]+", node.value):
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (ValueError, KeyError):  # a number of thousands of digits, or a tag that the text is not
            spot = node.start_mark.line + 1, node.start_mark.column + 1
            raise Wrong([Trouble(*spot, f"this is not of type {tag}")]) from None
    return node.value  # dates and the like are text here


def _check(value: Any, schema: Schema, path: Path, found: Document) -> Iterator[Trouble]:
    name = str(path[-1]) if path else "the file"
    kinds = schema.get("type")
    wanted = [kinds] if isinstance(kinds, str) else kinds or []
    if wanted and not any(_is(value, kind) for kind in wanted):
        yield found.trouble(path, f"{name} must be {' or '.join(WORDS[kind] for kind in wanted)}")
    elif "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(map(str, schema["enum"]))
        meant = nearest(str(value), schema["enum"])
        yield found.trouble(path, f"{name} cannot be {value!r}{meant}: it is one of {allowed}")
    elif isinstance(value, dict):
        yield from _check_object(value, schema, path, found)
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield found.trouble(path, f"{name} must have something in it")
        for n, item in enumerate(value):
            yield from _check(item, schema["items"], (*path, n), found)
    elif isinstance(value, str) and (pattern := schema.get("pattern")) and not re.fullmatch(pattern, value):
        yield found.trouble(path, f"{name} cannot be {value!r}: {schema.get('description') or 'see --schema'}")
    elif isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield found.trouble(path, f"{name} must be from {schema['minimum']} to {schema['maximum']}")


def _check_object(value: Mapping[str, Any], schema: Schema, path: Path, found: Document) -> Iterator[Trouble]:
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", False)
    for key, item in value.items():
        if key in known:
            yield from _check(item, known[key], (*path, key), found)
        elif rest is False:
            yield found.trouble((*path, key), f"there is no {key!r} here{nearest(key, known)}")
        elif (names := schema.get("propertyNames")) and not re.fullmatch(names["pattern"], key):
            yield found.trouble((*path, key), f"{key!r} is not a name: letters, digits and dashes, a letter first")
        else:
            yield from _check(item, rest, (*path, key), found)
    for key in schema.get("required", ()):
        if key not in value:
            yield found.trouble(path, f"{path[-1] if path else 'the file'} needs {key}")


def nearest(name: str, known: Any) -> str:
    """Return what may have been meant, to be put behind what was said."""
    close = get_close_matches(name, [str(one) for one in known], 1, 0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
