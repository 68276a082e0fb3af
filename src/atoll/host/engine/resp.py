"""Ask a Redis or Valkey engine over its administration socket: enough of RESP for the control loop, and no more.

The loop asks while a node is coming up, every few milliseconds, and once in a while afterwards; a client library
with pools and retries would cost more than the answer.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from atoll.cache.restricted import RENAMED, alias

_ANSWER_SECONDS = 2.0
_LINE_BYTES_MAX = 1 << 20
_TEXT_BYTES_MAX = 64 << 20  # CLIENT LIST with 65,000 clients has some 25 MB
_ITEMS_MAX, _DEPTH_MAX = 1_000_000, 8  # of an answer: CLUSTER SHARDS nests five

Reply: TypeAlias = "str | int | list[Reply] | None"


_UNKNOWN = "ERR unknown command"


class EngineError(Exception):
    """The engine answered with an error."""


class Breach(ValueError):
    """The engine said what is no answer, or more than any has: what it says after that answers no question."""


class Connection:
    """A connection to one engine; use it as an asynchronous context manager.

    Raises OSError, EngineError; Breach, EOFError, and the connection is of no use then.
    """

    def __init__(
        self, path: Path, user: str, password: str, *, seconds: float = _ANSWER_SECONDS, strange: str = "replace"
    ) -> None:
        """Prepare; nothing is opened yet.  No answer may take longer than `seconds`.

        `strange`: what becomes of bytes that are no text, as Python's codecs call it.
        """
        self._strange = strange
        self._path, self._user, self._password, self._seconds = path, user, password, seconds

    async def __aenter__(self) -> Self:
        """Connect and authenticate."""
        async with asyncio.timeout(self._seconds):  # an engine that hangs accepts nobody, sooner or later
            self._reader, self._writer = await asyncio.open_unix_connection(str(self._path), limit=_LINE_BYTES_MAX)
        try:
            await self.ask("AUTH", self._user, self._password)
        except BaseException:
            self._writer.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close, at once."""
        self._writer.close()

    async def ask(self, *words: str) -> Reply:
        """Send one command and return its answer.

        What is called otherwise in our engines is called so here; an engine that an older Atoll started still has the
        plain names.
        """
        if words[0].lower() not in RENAMED:
            return await self._ask(*words)
        try:
            return await self._ask(alias(words[0], self._password), *words[1:])
        except EngineError as error:
            if not str(error).startswith(_UNKNOWN):
                raise
        return await self._ask(*words)

    async def _ask(self, *words: str) -> Reply:
        (answer,) = await self.ask_all([words])
        return answer

    async def ask_all(self, commands: Sequence[Sequence[str]]) -> list[Reply]:
        """Send commands, which must not be called otherwise here, in one go; the first answer that is an error is
        raised, and the connection is of no use then.
        """
        self._writer.write(b"".join(map(_request, commands)))
        answers = []
        for _ in commands:
            async with asyncio.timeout(self._seconds):
                answers.append(await self._reply())
        return answers

    async def _reply(self, depth: int = 0) -> Reply:
        line = (await self._line()).decode(errors="replace")
        kind, rest = line[:1], line[1:]
        if kind == "+":
            return rest
        if kind == ":":
            return int(rest)
        if kind == "$" and int(rest) < 0:
            return None
        if kind == "$":
            return (await self._bytes(int(rest), _TEXT_BYTES_MAX)).decode(errors=self._strange)
        if kind == "*":
            return [await self._reply(depth + 1) for _ in range(bounded(int(rest), depth))]
        if kind == "-" and depth == 0:  # in a list it is none of what we ask for, and the rest would follow
            raise EngineError(rest)
        raise Breach(f"not RESP: {line[:80]!r}")

    async def _line(self) -> bytes:
        """Read a line; a client's command may have broken into the engine, and have it say what it likes."""
        try:
            return (await self._reader.readuntil(b"\r\n"))[:-2]
        except asyncio.LimitOverrunError as error:
            raise Breach(f"not RESP: {error}") from None

    async def _bytes(self, count: int, most: int) -> bytes:
        if count > most:
            raise Breach(f"it says {count} bytes, and may say {most}")
        return (await self._reader.readexactly(count + 2))[:-2]


def bounded(items: int, depth: int) -> int:
    """Return how many items a list has.  Raises Breach."""
    if items > _ITEMS_MAX or depth >= _DEPTH_MAX:
        raise Breach(f"it says {items} things at once, {depth} lists deep")
    return items


def _request(words: Sequence[str]) -> bytes:
    raws = [word.encode(errors="surrogateescape") for word in words]
    return b"".join((b"*%d\r\n" % len(raws), *(b"$%d\r\n%s\r\n" % (len(raw), raw) for raw in raws)))
