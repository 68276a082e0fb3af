"""Turn an operation's result into the XML that its output shape describes.

Each shape is compiled once, when it is first met, into a closure that appends to a list of strings; a result is
walked once, and what is told of a resource may have been written before (`fragments.py`).  The result names members
as AWS does; `None` means that a member is left out.  A member that the model lacks, or a value that is not of its
type, is a mistake of ours and raises TypeError: it would be lost on the way.

Source: the awsQuery and ec2Query protocols, as `botocore/parsers.py` reads them.
"""

import base64
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from atoll.aws.errors import AwsError
from atoll.aws.fragments import FRAGMENTS, Told
from atoll.aws.models import Model, Ref, Shape, service
from atoll.aws.scalars import NOT_XML

Writer = Callable[[list[str], Any], None]
Text = Callable[[Any], str]

PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n'
RETURN_TRUE = "<return>true</return>"  # EC2, for an operation without an output shape

_MARKUP = re.compile("[&<>\r]|" + NOT_XML.pattern)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_PRINTED = (str, int, Enum, IPv4Address, IPv6Address, IPv4Network, IPv6Network)


def serialize(name: str, action: str, result: Mapping[str, Any] | None) -> str:
    """Return the XML of a result, without the envelope that carries the request id.

    Raises TypeError for a result that is not of the operation's output shape.
    """
    model, out = service(name), list[str]()
    ref = _output(model, action)
    if ref is None:
        if result:
            raise TypeError(f"{action} answers nothing, so not {sorted(result)}")
        return RETURN_TRUE if model.protocol == "ec2" else ""
    _writer(model, Ref(ref.shape))(out, result or {})
    body = "".join(out)
    return f"<{ref.result_wrapper}>{body}</{ref.result_wrapper}>" if ref.result_wrapper else body


@functools.cache
def _output(model: Model, action: str) -> Ref | None:
    return model.action(action).output


def envelope(name: str, action: str, body: str, request_id: str) -> str:
    """Put the XML of a result into the response that its service sends."""
    model = service(name)
    if model.protocol == "ec2":
        inner, prologue = f"<requestId>{request_id}</requestId>{body}", PROLOGUE
    else:
        inner, prologue = f"{body}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>", ""
    return f'{prologue}<{action}Response xmlns="{model.namespace}">{inner}</{action}Response>'


def serialize_error(name: str, error: AwsError, request_id: str) -> str:
    """Return the error response of a service."""
    model = service(name)
    what = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if model.protocol == "ec2":
        return (
            f"{PROLOGUE}<Response><Errors><Error>{what}</Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    who = "Sender" if error.status < 500 else "Receiver"
    return (
        f'<ErrorResponse xmlns="{model.namespace}"><Error><Type>{who}</Type>{what}</Error>'
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def escape(text: str) -> str:
    """Make text safe inside an element; a character that XML cannot carry becomes U+FFFD."""
    if not _MARKUP.search(text):
        return text
    return _MARKUP.sub(lambda found: _ENTITIES.get(found[0], "\ufffd"), text)


@functools.cache
def _writer(model: Model, ref: Ref) -> Writer:
    shape = model.shape(ref)
    match shape.type:
        case "structure":
            return _structure(model, shape, ref.shape)
        case "list":
            return _list(model, shape, ref.shape)
        case "map":
            return _map(model, shape, ref.shape)
        case _:
            return _scalar(shape, ref.shape)


def _structure(model: Model, shape: Shape, name: str) -> Writer:
    members: dict[str, tuple[str, str, Writer, Text | None]] = {}
    for member, ref in shape.members.items():
        tag = model.name_of(ref) or member
        text = _text_of(model.shape(ref))
        members[member] = f"<{tag}>", f"</{tag}>", _writer(model, Ref(ref.shape)), text

    def write(out: list[str], value: Any) -> None:
        if type(value) is not dict:
            if type(value) is Told:
                out.append(FRAGMENTS.text(value, write))
                return
            if not isinstance(value, Mapping):
                raise TypeError(f"{name}: {value!r} is not a structure")
        for member, content in value.items():
            known = members.get(member)
            if known is None:
                raise TypeError(f"{name} has no member {member}")
            if content is None:
                continue
            start, end, write_content, text = known
            try:
                if text:  # most members are: without a call and two appends less, a listing takes half the time
                    out.append(f"{start}{text(content)}{end}")
                    continue
                out.append(start)
                write_content(out, content)
            except TypeError:
                raise TypeError(f"{name}.{member}: {_complaint(write_content, content)}") from None
            out.append(end)

    return write


def _complaint(write: Writer, value: Any) -> str:
    """Return what a writer has against a value."""
    try:
        write([], value)
    except TypeError as error:
        return str(error)
    raise AssertionError("it complained a moment ago")


def _list(model: Model, shape: Shape, name: str) -> Writer:
    assert shape.member is not None, "a list has a member"
    tag = model.name_of(shape.member) or ("item" if model.protocol == "ec2" else "member")
    start, end, write_element = f"<{tag}>", f"</{tag}>", _writer(model, Ref(shape.member.shape))

    def write(out: list[str], value: Any) -> None:
        if type(value) not in (list, tuple) and (
            isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable)
        ):
            raise TypeError(f"{name}: {value!r} is not a list")
        for element in value:
            out.append(start)
            write_element(out, element)
            out.append(end)

    return write


def _map(model: Model, shape: Shape, name: str) -> Writer:
    assert shape.key is not None, "a map has keys"
    assert shape.value is not None, "a map has values"
    tags = model.name_of(shape.key) or "key", model.name_of(shape.value) or "value"
    write_key, write_value = _writer(model, Ref(shape.key.shape)), _writer(model, Ref(shape.value.shape))

    def write(out: list[str], value: Any) -> None:
        if not isinstance(value, Mapping):
            raise TypeError(f"{name}: {value!r} is not a map")
        for key, content in value.items():
            out.append(f"<entry><{tags[0]}>")
            write_key(out, key)
            out.append(f"</{tags[0]}><{tags[1]}>")
            write_value(out, content)
            out.append(f"</{tags[1]}></entry>")

    return write


def _scalar(shape: Shape, name: str) -> Writer:
    text = _text_of(shape) or _string

    def write(out: list[str], value: Any) -> None:
        try:
            out.append(text(value))
        except TypeError:
            raise TypeError(f"{name}: {value!r} is not a {shape.type}") from None

    return write


def _text_of(shape: Shape) -> Text | None:
    """Return how a value of this shape is written; None for what is not a scalar."""
    return None if shape.type in ("structure", "list", "map") else _TEXTS.get(shape.type, _string)


def _string(value: Any) -> str:
    if type(value) is str:
        return escape(value) if _MARKUP.search(value) else value
    if isinstance(value, datetime):  # some dates of EC2, such as an image's, are strings in the model
        return _time(value)
    if isinstance(value, bool) or not isinstance(value, _PRINTED):
        raise TypeError
    return escape(str(value))


def _boolean(value: Any) -> str:
    if not isinstance(value, bool):
        raise TypeError
    return "true" if value else "false"


def _integer(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return str(int(value))


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return repr(float(value))


def _time(value: Any) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _blob(value: Any) -> str:
    if not isinstance(value, bytes):
        raise TypeError
    return base64.b64encode(value).decode()


_TEXTS: Mapping[str, Text] = {
    "boolean": _boolean,
    "integer": _integer,
    "long": _integer,
    "float": _number,
    "double": _number,
    "timestamp": _time,
    "blob": _blob,
}
