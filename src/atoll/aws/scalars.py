"""The leaves of a form: text into booleans, numbers, times, bytes and strings.

A ValueError says what was expected.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from atoll.aws.models import Shape

Reader = Callable[[str], Any]

# XML 1.0, section 2.2: what could not be said back in an answer is refused at the door.
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)

# An operation that has its own words for a bad value of these says them itself.
WORDED_BY_OPERATIONS = frozenset(("InputAuthenticationType",))


def reader(name: str, shape: Shape) -> Reader:
    """Return the function that reads a scalar shape."""
    match shape.type:
        case "string" | "character":
            return _one_of(shape.enum) if shape.enum and name not in WORDED_BY_OPERATIONS else _string
        case "boolean":
            return _boolean
        case "integer":
            return _integer(31)
        case "long":
            return _integer(63)
        case "float" | "double":
            return _number
        case "timestamp":
            return _time
        case "blob":
            return _blob
        case other:
            raise TypeError(f"{name} is a {other}: no such scalar")


def _string(text: str) -> str:
    if NOT_XML.search(text):
        raise ValueError("It contains characters that are not allowed.")
    return text


def _one_of(values: tuple[str, ...]) -> Reader:
    allowed = dict.fromkeys(values)
    some = ", ".join(values[:20]) + (", ..." if len(values) > 20 else "")

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"Valid values: {some}")
        return text

    return read


def _boolean(text: str) -> bool:
    match text.lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError("Must be true or false.")


def _integer(bits: int) -> Reader:
    limit = 1 << bits

    def read(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise ValueError("Must be an integer.")
        value = int(text)
        if not -limit <= value < limit:
            raise ValueError(f"Must be between {-limit} and {limit - 1}.")
        return value

    return read


def _number(text: str) -> float:
    if len(text) > 400 or not _NUMBER.fullmatch(text) or math.isinf(value := float(text)):
        raise ValueError("Must be a number.")
    return value


def _time(text: str) -> datetime:
    """Read ISO 8601; without a zone it is UTC."""
    if found := _TIME.fullmatch(text):
        day, time, fraction, zone = found.groups()
        micros = f"{fraction or '0':0<6}"[:6]
        try:
            moment = datetime.fromisoformat(f"{day}T{time or '00:00'}{zone or 'Z'}")
            return moment.astimezone(UTC).replace(microsecond=int(micros))
        except (ValueError, OverflowError):
            pass
    raise ValueError("Timestamp must follow ISO8601.")


def _blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("Must be base64.") from None
