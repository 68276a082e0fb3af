"""RDB files, as far as their first bytes: which engine wrote one, and which can read it.

Whether the rest is whole is the engine's to say: it checks the CRC64 at the file's end while it loads.
Source: `rdb.h` of Redis OSS and Valkey (RDB_VERSION), and what the engines of the tests refused.
"""

import re
from typing import NamedTuple

from atoll.cache.families import numbers

HEADER_BYTES = 9  # "REDIS" and four digits, or "VALKEY" and three
EMPTY = b"REDIS0009\xff" + bytes(8)  # a file without keys; eight zeros: no checksum
_HEADER = re.compile(rb"(REDIS)(\d{4})|(VALKEY)(\d{3})")
# The newest format that a version reads.  Newer versions of Redis OSS than the last row: their loader decides.
_REDIS = (((6, 0), 9), ((7, 0), 10), ((7, 2), 11), ((7, 4), 12))
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
