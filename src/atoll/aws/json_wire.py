"""AWS's JSON protocols, and RPC v2 in CBOR: parameters and result are one object each.

The operation is named by a header (JSON), or by the path (CBOR).

The shapes say what is allowed, as in the other protocols: what the model lacks is refused in a request, and is a
mistake of ours in a result.  Names are those of the model; a time is a number of seconds.  Services
that spoke the query protocol once tell their errors' names of then in a header.

Source: the awsJson1_0, awsJson1_1 and rpcv2Cbor protocols, as `botocore/serialize.py` and `botocore/parsers.py` write
and read them.
"""

import json
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from atoll.aws import cbor
from atoll.aws.dialect import DIALECTS, MISSING_ACTION, TOO_LARGE, Dialect, clip
from atoll.aws.errors import AwsError
from atoll.aws.http import BODY_BYTES_MAX, Request
from atoll.aws.models import Model, Ref, Shape, service
from atoll.aws.scalars import NOT_XML

CONTENT_TYPES = {
    "service-quotas": "application/x-amz-json-1.1",
    "cloudwatch": "application/x-amz-json-1.0",
    "logs": "application/x-amz-json-1.1",
    "ssm": "application/x-amz-json-1.1",
}
CBOR_TYPE, CBOR_HEADERS = "application/cbor", {"smithy-protocol": "rpc-v2-cbor"}
CBOR = ("cloudwatch",)  # the services that speak it
# Services that spoke the query protocol: the shapes of errors, where their name is not the code of then.
ONCE_QUERY: Mapping[str, Mapping[str, str]] = {
    "cloudwatch": {
        "InvalidParameterValue": "InvalidParameterValueException",
        "InvalidParameterCombination": "InvalidParameterCombinationException",
        "MissingParameter": "MissingRequiredParameterException",
        "InternalFailure": "InternalServiceFault",
    },
}
_PATH = re.compile(r"/service/\w{1,64}/operation/(\w{1,128})")
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
}
BITS = {"integer": 31, "long": 63}  # of the numbers that a shape holds, beside the sign


def action_of(request: Request) -> str:
    """Return the operation that a request names."""
    action = request.headers.get("x-amz-target", "").rpartition(".")[2]
    if not action:
        raise MISSING_ACTION()
    return action


def cbor_action_of(request: Request) -> str:
    """Return the operation that the path of a request in CBOR names."""
    found = _PATH.fullmatch(request.path)
    if found is None:
        raise MISSING_ACTION()
    return found[1]


def read(name: str, action: str, request: Request, *, is_cbor: bool = False) -> dict[str, Any]:
    """Return the parameters of a call; raises AwsError in the words of the service."""
    words = DIALECTS[name]
    if len(request.body) > BODY_BYTES_MAX:
        raise TOO_LARGE(limit=BODY_BYTES_MAX)
    try:
        if is_cbor:
            body = cbor.loads(request.body or b"\xa0")
        else:
            body = json.loads(request.body or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError):
        reason = f"It is not {'CBOR' if is_cbor else 'JSON'}."
        raise words.invalid(name="body", got=clip(repr(request.body)), reason=reason) from None
    model = service(name)
    out: dict[str, Any] = _read_structure(model, model.input(action), body, "")
    return out


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is JSON for Python only")


def _read(model: Model, ref: Ref, value: Any, path: str) -> Any:
    shape = model.shape(ref)
    if shape.type == "structure":
        return _read_structure(model, shape, value, path)
    words = DIALECTS[model.name]
    if shape.type == "list":
        assert shape.member, "a list has a member"
        if not isinstance(value, list):
            raise words.invalid(name=clip(path), got=clip(repr(value)), reason="It must be a list.")
        return [_read(model, shape.member, one, f"{path}.{n}") for n, one in enumerate(value, 1)]
    if shape.type == "map":
        assert shape.value, "a map has values"
        if not isinstance(value, dict):
            raise words.invalid(name=clip(path), got=clip(repr(value)), reason="It must be an object.")
        if any(NOT_XML.search(key) for key in value):
            reason = "A key contains characters that are not allowed."
            raise words.invalid(name=clip(path), got=clip(repr(value)), reason=reason)
        return {key: _read(model, shape.value, one, f"{path}.{key}") for key, one in value.items()}
    if shape.type == "timestamp":
        return _read_time(words, value, path)
    types = TYPES[shape.type]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise words.invalid(name=clip(path), got=clip(repr(value)), reason=f"It must be of type {shape.type}.")
    if unfit := _unfit(shape.type, value):
        raise words.invalid(name=clip(path), got=clip(repr(value)), reason=unfit)
    if shape.enum and value not in shape.enum:
        reason = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        raise words.invalid(name=clip(path), got=clip(str(value)), reason=reason)
    return value


def _unfit(type_: str, value: Any) -> str | None:
    """Say why a value of a type could not be kept, or said back in an answer."""
    if isinstance(value, str):
        return "It contains characters that are not allowed." if NOT_XML.search(value) else None
    if type_ in BITS:
        limit = 1 << BITS[type_]
        return None if -limit <= value < limit else f"Must be between {-limit} and {limit - 1}."
    return None if abs(value) <= sys.float_info.max else "Must be a number."  # also what is none, and large integers


def _read_time(words: Dialect, value: Any, path: str) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        return cbor.moment(value)
    except ValueError:
        raise words.invalid(name=clip(path), got=clip(repr(value)), reason="It must be a time.") from None


def _read_structure(model: Model, shape: Shape, value: Any, path: str) -> dict[str, Any]:
    words = DIALECTS[model.name]
    if not isinstance(value, dict):
        raise words.invalid(name=clip(path or "body"), got=clip(repr(value)), reason="It must be an object.")
    out = {}
    for member, content in value.items():
        where = f"{path}.{member}" if path else member
        if member not in shape.members:
            raise words.unknown(name=clip(where))
        if content is not None:
            out[member] = _read(model, shape.members[member], content, where)
    for member in shape.required if path else ():
        if member not in out:
            raise words.missing(name=clip(f"{path}.{member}"))
    return out


def write(name: str, action: str, result: Mapping[str, Any] | None) -> str:
    """Return the JSON of a result; raises TypeError for one that is not of the operation's output shape."""
    return json.dumps(_result(name, action, result), default=datetime.timestamp)


def write_cbor(name: str, action: str, result: Mapping[str, Any] | None) -> bytes:
    """Return the CBOR of a result; raises TypeError likewise."""
    return cbor.dumps(_result(name, action, result))


def _result(name: str, action: str, result: Mapping[str, Any] | None) -> Any:
    model = service(name)
    ref = model.action(action).output
    if ref is None and result:
        raise TypeError(f"{action} answers nothing, so not {sorted(result)}")
    return _write(model, ref, result or {}) if ref else {}


def _write(model: Model, ref: Ref, value: Any) -> Any:
    shape = model.shape(ref)
    if shape.type == "structure":
        if unknown := value.keys() - shape.members.keys():
            raise TypeError(f"{ref.shape} has no member {sorted(unknown)}")
        return {m: _write(model, shape.members[m], v) for m, v in value.items() if v is not None}
    if shape.type == "list":
        assert shape.member, "a list has a member"
        return [_write(model, shape.member, one) for one in value]
    if shape.type == "map":
        assert shape.value, "a map has values"
        return {key: _write(model, shape.value, one) for key, one in value.items()}
    if not isinstance(value, datetime if shape.type == "timestamp" else TYPES[shape.type]):
        raise TypeError(f"{ref.shape}: {value!r} is not a {shape.type}")
    return value


def write_error(name: str, error: AwsError) -> tuple[str, dict[str, str]]:
    """Return the JSON of an error, and the headers that name it."""
    said, headers = _error(name, error)
    return json.dumps(said), headers


def write_cbor_error(name: str, error: AwsError) -> tuple[bytes, dict[str, str]]:
    """Return the CBOR of an error, and the headers that name it."""
    said, headers = _error(name, error)
    return cbor.dumps(said), headers


def _error(name: str, error: AwsError) -> tuple[dict[str, str], dict[str, str]]:
    headers = {"x-amzn-ErrorType": error.code}
    if name in ONCE_QUERY:
        headers["x-amzn-query-error"] = f"{error.code};{'Sender' if error.status < 500 else 'Receiver'}"
    shape = ONCE_QUERY.get(name, {}).get(error.code, error.code)
    return {"__type": shape, "message": error.message}, headers
