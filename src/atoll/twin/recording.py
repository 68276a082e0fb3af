"""A recording: the files of a directory, checked against the shapes of AWS's own models, their pages put together."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from atoll.aws.models import Model, Ref, Shape, service
from atoll.twin.commands import COMMANDS, Command, command_of
from atoll.twin.row import BadRecording, Row, inside, shown

FILES_MAX = 10_000  # two for each VPC, one for each prefix list, and pages
BYTES_MAX = 256 << 20  # of all files: 100,000 interfaces take half of it
_TOKENS = ("NextToken", "Marker", "NextMarker")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "long": (int,), "boolean": (bool,), "double": (float, int),
    "float": (float, int), "timestamp": (str, int, float), "blob": (str,), "list": (list,), "structure": (dict,),
    "map": (dict,),
}  # fmt: skip
_NAMES = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}
_PAGE = re.compile(r"\d{1,6}")
_DEPTH_MAX = 24  # the deepest output of these has 8


@dataclass(frozen=True, slots=True)
class Recording:
    """What was described, by the command that described it."""

    tables: Mapping[str, tuple[Row, ...]]  # verb -> the members of its list, of all pages
    parts: Mapping[str, Mapping[str, tuple[Row, ...]]] = field(default_factory=dict)  # verb -> rest of the name
    strange: tuple[str, ...] = ()  # files that no command fills

    def rows(self, verb: str) -> tuple[Row, ...]:
        """Return what a command described; nothing if its file is not there."""
        return self.tables.get(verb, ())

    def has(self, verb: str) -> bool:
        """Tell whether a command's file is there."""
        return verb in self.tables


def read(files: Mapping[str, bytes]) -> Recording:
    """Read files: name -> content.  Raises BadRecording."""
    if len(files) > FILES_MAX or sum(map(len, files.values())) > BYTES_MAX:
        raise BadRecording(f"a recording has at most {FILES_MAX} files and {BYTES_MAX >> 20} MiB")
    tables: dict[str, list[Row]] = {}
    parts: dict[str, dict[str, list[Row]]] = {}
    open_ends: dict[str, list[bool]] = {}
    strange = []
    for name in sorted(files):
        found = command_of(name)
        if found is None or not (found[0].each or not found[1] or _PAGE.fullmatch(found[1])):
            strange.append(name)
            continue
        command, rest = found
        for page in _pages(name, files[name]):
            whole = _checked(command, name, page)
            rows = [whole] if not isinstance(page.get(command.member), list) else list(whole.rows(command.member))
            tables.setdefault(command.verb, []).extend(rows)
            key = re.sub(r"-\d{1,6}$", "", rest) if command.each else ""
            parts.setdefault(command.verb, {}).setdefault(key, []).extend(rows)
            open_ends.setdefault(f"{command.verb}-{key}".rstrip("-"), []).append(any(map(whole.has, _TOKENS)))
    _check_complete(tables, open_ends)
    frozen = {verb: {key: tuple(rows) for key, rows in of.items()} for verb, of in parts.items()}
    return Recording({verb: tuple(rows) for verb, rows in tables.items()}, frozen, tuple(strange))


def _pages(name: str, text: bytes) -> list[dict[str, Any]]:
    """Return the outputs in a file: one, or a list of pages."""
    if not text.strip():
        raise BadRecording(f"{name}: it is empty: did its command fail?")
    try:
        said = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRecording(f"{name}: it is not JSON ({error}): use --output json") from None
    pages = said if isinstance(said, list) else [said]
    for page in pages:
        if not isinstance(page, dict):
            raise BadRecording(f"{name}: it holds {_named(page)}, not the output of a command")
    return pages


def _checked(command: Command, name: str, page: dict[str, Any]) -> Row:
    """Return an output whose values have the types of AWS's model.  Raises BadRecording."""
    model = service(command.service)
    output = model.action(command.action).output
    assert output, "every command here has an output"
    if page.get(command.member) is None:
        command_line = f"aws {command.service} {command.verb}"
        raise BadRecording(f"{name}: it has no {command.member}: it is no output of `{command_line}`")
    return Row(f"{name}: ", _value(model, output, page, f"{name}: ", 0))


def _value(model: Model, ref: Ref, value: Any, place: str, depth: int) -> Any:
    """Return a value as the model has it, without the members that it does not know.  Raises BadRecording."""
    shape = _shape(model, ref)
    allowed: tuple[type, ...] = _TYPES[shape.type]
    if type(value) not in allowed or depth > _DEPTH_MAX:
        raise BadRecording(f"{place.removesuffix(': ')}: {_named(value)} stands where {_NAMES[allowed[0]]} belongs")
    if shape.type == "structure":
        return {
            member: _value(model, inner, value[member], inside(place, member), depth + 1)
            for member, inner in shape.members.items()
            if value.get(member) is not None
        }
    if shape.type == "list" and shape.member:
        return [_value(model, shape.member, one, f"{place}[{n}]", depth + 1) for n, one in enumerate(value)]
    return value


@functools.lru_cache(maxsize=4096)  # the shapes of all these outputs are some 600; decoding one costs 10 us
def _shape(model: Model, ref: Ref) -> Shape:
    return model.shape(ref)


def _named(value: Any) -> str:
    return shown(value) if isinstance(value, str) else "nothing" if value is None else _NAMES.get(type(value), "it")


def _check_complete(tables: Mapping[str, object], open_ends: Mapping[str, list[bool]]) -> None:
    for name, ends in open_ends.items():
        if all(ends):
            why = "its last page says that there are more: run the command without --max-items and --no-paginate"
            raise BadRecording(f"{name}.json: {why}, or bring the other pages as {name}-2.json ...")
    for command in COMMANDS:
        if command.is_needed and command.verb not in tables:
            step = f"aws {command.service} {command.verb} --output json > {command.verb}.json"
            raise BadRecording(f"{command.verb}.json is missing: {step}")
