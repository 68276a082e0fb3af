"""A connection to an engine for bulk work: many commands in one go, and answers as bytes.

Keys are any bytes, and one round trip for each would take longer than the work.
"""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from atoll.host.engine.resp import Breach, Connection, EngineError, bounded

_VALUE_BYTES_MAX = 1 << 30  # of a key, as DUMP writes it: a string has 512 MB at most, a list may have more

Raw: TypeAlias = "bytes | int | list[Raw] | EngineError | None"
Word: TypeAlias = "str | bytes | int"


class Pipe(Connection):
    """Gives an engine several commands at once."""

    async def pipe(self, commands: Sequence[Sequence[Word]]) -> list[Raw]:
        """Send commands, and return their answers in order; what the engine refused is its error, not raised."""
        self._writer.write(b"".join(_packed(words) for words in commands))
        async with asyncio.timeout(self._seconds):
            return [await self._raw() for _ in commands]

    async def demand(self, commands: Sequence[Sequence[Word]]) -> list[Raw]:
        """Send commands, and return their answers.  Raises the first EngineError, once all are answered."""
        answers = await self.pipe(commands)
        for answer in answers:
            if isinstance(answer, EngineError):
                raise answer
        return answers

    async def _raw(self, depth: int = 0) -> Raw:
        line = await self._line()
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return rest
            case b"-":
                return EngineError(rest.decode(errors="replace"))
            case b":":
                return int(rest)
            case b"$":
                return None if int(rest) < 0 else await self._bytes(int(rest), _VALUE_BYTES_MAX)
            case b"*":
                return [await self._raw(depth + 1) for _ in range(bounded(int(rest), depth))]
        raise Breach(f"not RESP: {line[:80]!r}")


def _packed(words: Sequence[Word]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    return b"".join(parts)
