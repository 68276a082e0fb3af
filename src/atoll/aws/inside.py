"""Call an operation from inside the program: the steps of the wire without HTTP and a signature.

Parameters and results are values, named as in AWS's model and in boto3; text stands for a number or a truth, as it
comes from a form.  Everything else is as on the wire: parsing, limits, errors, in force when it returns, and noted.
"""

import base64
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from atoll.aws import bind, json_wire, parse
from atoll.aws.answer import WRITERS, Backend, Call, Writer, do
from atoll.aws.dialect import DIALECTS, clip
from atoll.aws.errors import AwsError
from atoll.aws.http import Form, Request
from atoll.aws.models import Model, Ref, Shape, protocol, service
from atoll.model.world import Caller

Given = Mapping[str, Any]
_AS_THEY_ARE = (str, bool, int, float, bytes, datetime)


async def call(name: str, action: str, given: Given, backend: Backend, caller: Caller) -> dict[str, Any]:
    """Do an operation as a caller, note it, and return its result.  Raises AwsError."""
    begun, status, code = time.perf_counter(), 200, None
    kept: list[Mapping[str, Any] | None] = []
    try:
        bound = bound_of(name, action, given)
        await do(bound, backend, caller, _keeping(kept, WRITERS[_speech(name)]))
    except AwsError as error:
        status, code = error.status, error.code
        raise
    except Exception:  # a mistake of ours: the page gets an answer, the log the trace
        status, code = 500, DIALECTS[name].internal.code
        raise
    finally:
        backend.called(
            Call(
                service=name,
                action=action,
                caller=caller,
                status=status,
                error=code,
                milliseconds=(time.perf_counter() - begun) * 1e3,
                request_id=str(uuid.uuid4()),
                parameters=given,
            )
        )
    out: dict[str, Any] = plain(kept[0] or {})
    return out


def bound_of(name: str, action: str, given: Given) -> bind.Bound:
    """Return the call that values ask for, checked as the wire checks it.  Raises AwsError."""
    bind.check(name, action)
    bound = bind.bind(name, action, typed(name, action, given))
    assert bound.client_token is None, "whoever calls from inside does not repeat a call"
    return bound


def typed(name: str, action: str, given: Given) -> dict[str, Any]:
    """Return parameters with the types that the model gives them, as the wire reads them.  Raises AwsError."""
    if protocol(name) != "json":
        return parse.parse(name, action, form_of(name, action, given))
    body = json.dumps(_without_none(given), default=datetime.timestamp).encode()
    return json_wire.read(name, action, Request("POST", "/", "", {}, body))


def form_of(name: str, action: str, given: Given) -> Form:
    """Return parameters as a client writes them into a form.  Raises AwsError for a name that AWS lacks."""
    model, form = service(name), Form()
    _flatten_structure(model, model.input(action), given, "", form)
    return form


def plain(value: Any) -> Any:
    """Return a result in plain values, as a client would read it: without what is None, addresses as text."""
    match value:
        case Mapping():
            return {key: plain(one) for key, one in value.items() if one is not None}
        case Enum():
            return value.value
        case _ if isinstance(value, _AS_THEY_ARE):
            return value
        case Iterable() if not hasattr(value, "prefixlen"):  # a network is iterable, and a text
            return [plain(one) for one in value]
        case _:
            return str(value)


def _keeping(kept: list[Mapping[str, Any] | None], write: Writer) -> Writer:
    """Return a writer that also keeps what it is given; it writes, for that checks a result against the model."""

    def keep(name: str, action: str, result: Mapping[str, Any] | None) -> str | bytes:
        kept.append(result)
        return write(name, action, result)

    return keep


def _speech(name: str) -> str:
    return "json" if protocol(name) == "json" else "xml"


def _without_none(given: Given) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def _flatten_structure(model: Model, shape: Shape, given: Given, path: str, form: Form) -> None:
    for member, value in given.items():
        if member not in shape.members:
            raise DIALECTS[model.name].unknown(name=clip(f"{path}{member}"))
        ref = shape.members[member]
        _flatten(model, ref, value, f"{path}{parse.name_in_form(model, ref, member)}", form)


def _flatten(model: Model, ref: Ref, value: Any, path: str, form: Form) -> None:
    if value is None:
        return
    shape = model.shape(ref)
    wanted: Any = {"structure": Mapping, "map": Mapping, "list": Iterable}.get(shape.type, object)
    if not isinstance(value, wanted) or (wanted is Iterable and isinstance(value, (str, bytes, Mapping))):
        reason = f"It must be a {shape.type}."
        raise DIALECTS[model.name].invalid(name=clip(path), got=clip(repr(value)), reason=reason)
    match shape.type:
        case "structure":
            _flatten_structure(model, shape, value, f"{path}.", form)
        case "list":
            assert shape.member, "a list has a member"
            prefix = path if model.protocol == "ec2" else f"{path}.{model.name_of(shape.member) or 'member'}"
            for number, one in enumerate(value, 1):
                _flatten(model, shape.member, one, f"{prefix}.{number}", form)
        case "map":
            assert shape.key, "a map has keys"
            assert shape.value, "a map has values"
            names = model.name_of(shape.key) or "key", model.name_of(shape.value) or "value"
            for number, (key, one) in enumerate(value.items(), 1):
                form[f"{path}.entry.{number}.{names[0]}"] = str(key)
                _flatten(model, shape.value, one, f"{path}.entry.{number}.{names[1]}", form)
        case _:
            form[path] = _text(value)


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
