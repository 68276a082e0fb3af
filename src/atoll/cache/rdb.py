"""RDB files, as far as their first bytes: which engine wrote one, which can read it, and where its keys begin.

Whether the rest is whole is the engine's to say: it checks the CRC64 at the file's end while it loads.
Source: `rdb.h` of Redis OSS and Valkey (RDB_VERSION), and what the engines of the tests refused.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from atoll.cache.families import numbers

FOOTER_BYTES = 9  # the end's mark, and the checksum of everything before it
FOOTER = b"\xff" + bytes(8)  # eight zeros: no checksum
HEADER_BYTES = 9  # "REDIS" and four digits, or "VALKEY" and three
EMPTY = b"REDIS0009" + FOOTER  # a file without keys
_AUXILIARY, _FUNCTION = b"\xfa", b"\xf5"  # what stands before the keys: two strings, or one
_HEADER = re.compile(rb"(REDIS)(\d{4})|(VALKEY)(\d{3})")
# The newest format that a version reads.  Newer versions of Redis OSS than the last row: their loader decides.
_REDIS = (((6, 0), 9), ((7, 0), 10), ((7, 2), 11), ((7, 4), 12))
STRING_BYTES_MAX = 512 << 20  # an engine's own limit
_REDIS_KNOWN = (8, 0)
_VALKEY_OF_REDIS, _VALKEY_OWN = 11, (9, 0)  # Valkey reads Redis OSS up to 7.2, and has a format of its own since 9.0


class Header(NamedTuple):
    """Who wrote a file, and in which format."""

    kind: str  # "REDIS" or "VALKEY"
    version: int


def header(raw: bytes) -> Header | None:
    """Read how a file begins; None: it is no RDB file."""
    match = _HEADER.match(raw)
    if match is None:
        return None
    return Header("REDIS", int(match[2])) if match[1] else Header("VALKEY", int(match[4]))


def reads(engine: str, version: str, found: Header) -> bool:
    """Tell whether an engine of a version can be expected to read a file."""
    if engine == "valkey":
        if found.kind == "VALKEY":
            return numbers(version) >= _VALKEY_OWN
        return found.version <= _VALKEY_OF_REDIS
    if found.kind != "REDIS":
        return False
    if numbers(version) >= _REDIS_KNOWN:
        return True
    return any(numbers(version) >= since and found.version <= newest for since, newest in _REDIS)


def newest(headers: list[bytes]) -> bytes:
    """Return the one among headers whose reader reads the others, too."""
    return max(headers, key=lambda raw: header(raw) or Header("", 0))


def pass_preamble(read: Callable[[int], bytes]) -> bytes:
    """Read a file up to its keys, past what describes its engine and past its functions.

    Returns the first byte of the keys, which `read` has given already.  Raises ValueError.
    """
    if header(read(HEADER_BYTES)) is None:
        raise ValueError("it is not an RDB file")
    while (code := read(1)) in (_AUXILIARY, _FUNCTION):
        for _ in range(2 if code == _AUXILIARY else 1):
            _pass_string(read)
    if not code:
        raise ValueError("it ends before its keys")
    return code


def _pass_string(read: Callable[[int], bytes]) -> None:
    """Read a string: of a length, a number of 1, 2 or 4 bytes, or compressed."""
    first = _byte(read)
    if first >> 6 != 3:
        _pass(_length(first, read), read)
        return
    kind = first & 63
    if kind < 3:
        _pass(1 << kind, read)
        return
    compressed = _length(_byte(read), read)
    _length(_byte(read), read)
    _pass(compressed, read)


def _pass(length: int, read: Callable[[int], bytes]) -> None:
    if length > STRING_BYTES_MAX or len(read(length)) < length:
        raise ValueError("it ends within a string")


def _byte(read: Callable[[int], bytes]) -> int:
    found = read(1)
    if not found:
        raise ValueError("it ends within a string")
    return found[0]


def _length(first: int, read: Callable[[int], bytes]) -> int:
    match first >> 6:
        case 0:
            return first & 63
        case 1:
            return (first & 63) << 8 | _byte(read)
        case _:
            return int.from_bytes(read(8 if first & 1 else 4), "big")
