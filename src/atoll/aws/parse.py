"""Turn a form into the parameters that an operation's input shape describes.

The shapes say everything: `Filter.1.Value.2` of EC2 is the second of the values of the first of the filters.
Each shape is compiled once, when it is first met, into a closure that turns a subtree of the form into a value.

Source: the awsQuery and ec2Query protocols, as `botocore/serialize.py` writes them.  Lists of a query service may
also be written `.member.N`, whatever name their model gives to an element: the documentation's examples do.
"""

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from atoll.aws import scalars
from atoll.aws.dialect import DIALECTS, MALFORMED, clip
from atoll.aws.errors import AwsError
from atoll.aws.http import DEPTH_MAX, Form
from atoll.aws.models import Model, Ref, Shape, service

Node = str | dict[str, Any]  # a value of the form, or a subtree: {"1": {"Name": "vpc-id", "Value": {"1": "vpc-1"}}}
Parser = Callable[[Node, str], Any]  # the second is the path, for messages

INDEX_DIGITS_MAX = 9


def parse(name: str, action: str, form: Form) -> dict[str, Any]:
    """Return the parameters of a call, by their names in the model.

    Raises AwsError in the words of the service: unknown, missing inside a structure, or not of its type.  Whether
    a parameter of the operation itself may be missing is the operation's to say.
    """
    out: dict[str, Any] = _operation(name, action)(_tree(form), "")
    return out


def wire_name(name: str, action: str, member: str) -> str:
    """Return the name that a member of an operation's input has in a form."""
    model = service(name)
    return name_in_form(model, model.input(action).members[member], member)


def _tree(form: Form) -> dict[str, Any]:
    """Split the names at their dots; costs one step a part."""
    root: dict[str, Any] = {}
    for name, value in form.items():
        *path, leaf = name.split(".", DEPTH_MAX)
        if len(path) == DEPTH_MAX:
            raise MALFORMED(why=f"{clip(name)} is nested too deep")
        node = root
        for part in path:
            node = node.setdefault(part, {})
            if isinstance(node, str):
                raise MALFORMED(why=f"{clip(name)} is both a value and a structure")
        if leaf in node:
            raise MALFORMED(why=f"{clip(name)} is both a value and a structure")
        node[leaf] = value
    return root


@functools.cache
def _operation(name: str, action: str) -> Parser:
    model = service(name)
    return _structure(model, model.input(action), top=True)


@functools.cache
def _parser(model: Model, ref: Ref) -> Parser:
    shape = model.shape(ref)
    match shape.type:
        case "structure":
            return _structure(model, shape)
        case "list":
            return _list(model, shape)
        case "map":
            return _map(model, shape)
        case _:
            return _scalar(model, ref, shape)


def _structure(model: Model, shape: Shape, *, top: bool = False) -> Parser:
    words = DIALECTS[model.name]
    names = {member: name_in_form(model, ref, member) for member, ref in shape.members.items()}
    members = {names[member]: (member, _parser(model, ref)) for member, ref in shape.members.items()}
    required = () if top else shape.required

    def parse(node: Node, path: str) -> dict[str, Any]:
        if isinstance(node, str):
            if node:
                raise words.unknown(name=clip(path))
            node = {}
        out = {}
        for part, value in node.items():
            where = f"{path}.{part}" if path else part
            known = members.get(part)
            if known is None:
                raise words.unknown(name=clip(_first(value, where)))
            out[known[0]] = known[1](value, where)
        for member in required:
            if member not in out:
                raise words.missing(name=clip(f"{path}.{names[member]}"))
        return out

    return parse


def _list(model: Model, shape: Shape) -> Parser:
    words = DIALECTS[model.name]
    assert shape.member, "a list has a member"
    element = _parser(model, shape.member)
    wrapper = None if model.protocol == "ec2" else model.name_of(shape.member) or "member"

    def parse(node: Node, path: str) -> list[Any]:
        if node == "":
            return []  # the query protocol writes an empty list so
        if wrapper and isinstance(node, dict):
            part, *more = node
            if odd := more or [part] * (part not in (wrapper, "member")):
                raise words.unknown(name=clip(_first(node[odd[0]], f"{path}.{odd[0]}")))
            node, path = node[part], f"{path}.{part}"
        if isinstance(node, str):
            raise words.unknown(name=clip(path))
        return [element(node[part], f"{path}.{part}") for part in _in_order(node, path, words.unknown)]

    return parse


def _map(model: Model, shape: Shape) -> Parser:
    words = DIALECTS[model.name]
    assert shape.key is not None, "a map has keys"
    assert shape.value is not None, "a map has values"
    key, value = _parser(model, shape.key), _parser(model, shape.value)
    names = model.name_of(shape.key) or "key", model.name_of(shape.value) or "value"

    def parse(node: Node, path: str) -> dict[str, Any]:
        if node == "":
            return {}
        if isinstance(node, str) or node.keys() != {"entry"} or isinstance(node["entry"], str):
            raise words.unknown(name=clip(_first(node, path)))
        entries, out = node["entry"], {}
        for part in _in_order(entries, f"{path}.entry", words.unknown):
            entry, where = entries[part], f"{path}.entry.{part}"
            if isinstance(entry, str) or entry.keys() != set(names):
                raise words.unknown(name=clip(_first(entry, where)))
            out[key(entry[names[0]], where)] = value(entry[names[1]], where)
        return out

    return parse


def _scalar(model: Model, ref: Ref, shape: Shape) -> Parser:
    words = DIALECTS[model.name]
    read = scalars.reader(ref.shape, shape)

    def parse(node: Node, path: str) -> Any:
        if not isinstance(node, str):
            raise words.unknown(name=clip(_first(node, path)))
        try:
            return read(node)
        except ValueError as reason:
            raise words.invalid(name=clip(path), got=clip(node), reason=reason) from None

    return parse


def name_in_form(model: Model, ref: Ref, member: str) -> str:
    """Return the name that a member of any structure has in a form."""
    name = model.name_of(ref)
    if model.protocol != "ec2":
        return name or member
    if ref.query_name:
        return ref.query_name
    return name[0].upper() + name[1:] if name else member


def _first(node: Node, path: str) -> str:
    """Return the whole name of the first field below a path."""
    while isinstance(node, dict):
        part = next(iter(node))
        node, path = node[part], f"{path}.{part}"
    return path


def _in_order(node: Mapping[str, Any], path: str, unknown: Callable[..., AwsError]) -> list[str]:
    """Return the indexes of a list in numeric order; gaps are allowed, so the highest index costs nothing."""
    for part in node:
        if not (part.isascii() and part.isdecimal() and len(part) <= INDEX_DIGITS_MAX):
            raise unknown(name=clip(_first(node[part], f"{path}.{part}")))
    parts = sorted(node, key=int)
    for one, other in itertools.pairwise(parts):
        if int(one) == int(other):
            raise MALFORMED(why=f"{clip(path)}.{one} is given more than once")
    return parts
