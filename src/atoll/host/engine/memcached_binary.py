"""Memcached's binary protocol, as far as a node needs it to which `binding_protocol` leaves no other.

Source: github.com/memcached/memcached/wiki/BinaryProtocolRevamped.
"""

import asyncio
import struct
from collections.abc import Sequence
from typing import NamedTuple

from atoll.cache.node import NodePlan

GET, SET, STAT = 0x00, 0x01, 0x10
_ASKS, _ANSWERS = 0x80, 0x81
_HEADER = struct.Struct(">BBHBBHIIQ")
_BODY_BYTES_MAX = 1 << 20
_STATISTICS_MAX = 1_000  # an engine has some hundred


class Answer(NamedTuple):
    """An answer of the engine."""

    status: int  # 0: done
    mark: int  # what tells an item from its next version
    key: bytes
    value: bytes


def is_spoken_by(node: NodePlan) -> bool:
    """Tell whether a node speaks this protocol only."""
    return ("-B", "binary") in zip(node.arguments, node.arguments[1:], strict=False)


def request(opcode: int, key: bytes = b"", value: bytes = b"", extras: bytes = b"") -> bytes:
    """Return a request."""
    length = len(extras) + len(key) + len(value)
    return _HEADER.pack(_ASKS, opcode, len(key), len(extras), 0, 0, length, 0, 0) + extras + key + value


def set_request(key: bytes, flags: int, value: bytes) -> bytes:
    """Return a request that stores an item for good."""
    return request(SET, key, value, struct.pack(">II", flags, 0))


async def answers(reader: asyncio.StreamReader, count: int) -> list[Answer]:
    """Return the next answers.  Raises EOFError, ValueError."""
    return [await _answer(reader) for _ in range(count)]


async def statistics(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, str]:
    """Return what `stat` answers.  Raises OSError, EOFError, ValueError."""
    writer.write(request(STAT))
    found: dict[str, str] = {}
    for _ in range(_STATISTICS_MAX):
        answer = await _answer(reader)
        if not answer.key:
            return found
        found[answer.key.decode(errors="replace")] = answer.value.decode(errors="replace")
    raise ValueError("it has statistics without end")


async def _answer(reader: asyncio.StreamReader) -> Answer:
    magic, _, key, extras, _, status, length, _, mark = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if magic != _ANSWERS or length > _BODY_BYTES_MAX:
        raise ValueError(f"not an answer of Memcached: {magic:#x}")
    body = await reader.readexactly(length)
    return Answer(status, mark, body[extras : extras + key], body[extras + key :])


def refusal(found: Sequence[Answer]) -> str | None:
    """Return why one of the requests was refused; None: none was."""
    return next((answer.value.decode(errors="replace") for answer in found if answer.status), None)
