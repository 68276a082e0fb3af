"""CBOR (RFC 8949): values to bytes and back, as far as AWS's protocol uses it.

A time has tag 1, and is a `datetime` in UTC.  `loads` takes lengths that are known and lengths that are not.
"""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

DEPTH_MAX = 16  # the deepest parameter of the models has 11 parts
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(8)
_OPEN = 31  # a length that is not known, or the break that ends it
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_CONSTANTS = {20: False, 21: True, 22: None, 23: None}


def dumps(value: Any) -> bytes:
    """Return a value as CBOR; raises TypeError for what has none."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def _write(out: bytearray, value: Any) -> None:
    match value:
        case None | bool():
            out.append({False: 0xF4, True: 0xF5, None: 0xF6}[value])
        case int():
            out += _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        case float():
            out += b"\xfb" + struct.pack(">d", value)
        case str():
            raw = value.encode("utf-8", "replace")
            out += _head(_TEXT, len(raw)) + raw
        case datetime():
            out += _head(_TAG, 1)
            _write(out, value.timestamp())
        case list() | tuple():
            out += _head(_LIST, len(value))
            for one in value:
                _write(out, one)
        case Mapping():
            out += _head(_MAP, len(value))
            for key, one in value.items():
                _write(out, key)
                _write(out, one)
        case _:
            raise TypeError(f"{value!r} has no form in CBOR")


def _head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes((kind << 5 | number,))
    for code, size in ((24, 1), (25, 2), (26, 4)):
        if number < 1 << 8 * size:
            return bytes((kind << 5 | code,)) + number.to_bytes(size, "big")
    return bytes((kind << 5 | 27,)) + number.to_bytes(8, "big")


def loads(raw: bytes) -> Any:
    """Return the value that bytes say; raises ValueError if they say none, or more than one."""
    reader = _Reader(raw)
    value = reader.value(0)
    if reader.at != len(raw):
        raise ValueError("there is more than one value")
    return value


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw, self.at = raw, 0

    def value(self, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise ValueError("it is too deep")
        first = self._take(1)[0]
        kind, code = first >> 5, first & 31
        if kind == _SIMPLE:
            return self._simple(code)
        size = None if code == _OPEN else self._number(code)
        if kind in (_LIST, _MAP):
            return self._list(size, depth) if kind == _LIST else self._map(size, depth)
        if kind in (_BYTES, _TEXT):
            said = self._string(kind, size)
            return said.decode() if kind == _TEXT else said
        if size is None:
            raise ValueError("a number has no length")
        if kind == _TAG:
            return self._time(size, depth)
        return size if kind == _UNSIGNED else -1 - size

    def _take(self, size: int) -> bytes:
        found = self._raw[self.at : self.at + size]
        if len(found) < size:
            raise ValueError("it ends too early")
        self.at += size
        return found

    def _number(self, code: int) -> int:
        if code < 24:
            return code
        if code > 27:
            raise ValueError("a number is of no known size")
        return int.from_bytes(self._take(1 << code - 24), "big")

    def _simple(self, code: int) -> Any:
        if code in _FLOATS:
            size = struct.calcsize(_FLOATS[code])
            return struct.unpack(_FLOATS[code], self._take(size))[0]
        if code not in _CONSTANTS:
            raise ValueError("a simple value is not known")
        return _CONSTANTS[code]

    def _string(self, kind: int, size: int | None) -> bytes:
        if size is not None:
            return self._take(size)
        parts = []
        while not self._ended():
            first = self._take(1)[0]
            if first >> 5 != kind or first & 31 == _OPEN:
                raise ValueError("a part of a string is none")
            parts.append(self._take(self._number(first & 31)))
        return b"".join(parts)

    def _list(self, size: int | None, depth: int) -> list[Any]:
        found: list[Any] = []
        while self._goes_on(size, len(found)):
            found.append(self.value(depth + 1))
        return found

    def _map(self, size: int | None, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        count = 0
        while self._goes_on(size, count):
            key = self.value(depth + 1)
            if not isinstance(key, str) or key in found:
                raise ValueError("a key is no text, or there twice")
            found[key] = self.value(depth + 1)
            count += 1
        return found

    def _time(self, tag: int, depth: int) -> datetime:
        seconds = self.value(depth + 1)
        if tag != 1 or isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ValueError("a tag is not that of a time")
        return moment(seconds)

    def _goes_on(self, size: int | None, count: int) -> bool:
        return not self._ended() if size is None else count < size

    def _ended(self) -> bool:
        if self._raw[self.at : self.at + 1] != b"\xff":
            return False
        self.at += 1
        return True


def moment(seconds: float) -> datetime:
    """Return the time so many seconds after 1970; raises ValueError if there is none."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise ValueError("it is no time") from None
