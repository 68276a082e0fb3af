"""An ASGI application behind our own server: a request goes in, an answer or a stream comes out.

Only what the console needs of ASGI: requests with a whole body, answers whole or in pieces, no WebSockets.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from atoll.aws.http import Answer, Request, Stream

Message = MutableMapping[str, Any]
App = Callable[[Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
PIECES_WAITING = 16  # of a stream; a slow client slows whoever makes them


async def answer(app: App, request: Request) -> Answer | Stream:
    """Have an application answer a request.  What it raises before its answer began rises here."""
    pieces: asyncio.Queue[Message] = asyncio.Queue(PIECES_WAITING)
    gone, asked = asyncio.Event(), False

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": request.body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        await app(scope_of(request), receive, pieces.put)

    task = asyncio.create_task(run())
    begun, first = await _next(pieces, task), await _next(pieces, task)
    if begun is None or first is None:
        await task
        raise AssertionError("the application answered nothing")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in begun.get("headers", ())}
    headers.pop("content-length", None)  # the server writes it
    if first.get("more_body"):
        return Stream(begun["status"], headers, _pieces(first, pieces, task, gone))
    await task
    return Answer(begun["status"], headers, bytes(first["body"]))


async def _next(pieces: "asyncio.Queue[Message]", task: "asyncio.Task[None]") -> Message | None:
    """Return what the application says next; `None` when it has ended."""
    if pieces.empty():
        getting = asyncio.create_task(pieces.get())
        try:
            await asyncio.wait({getting, task}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                return getting.result()
        finally:
            getting.cancel()
    return None if pieces.empty() else pieces.get_nowait()


async def _pieces(
    first: Message, pieces: "asyncio.Queue[Message]", task: "asyncio.Task[None]", gone: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    message: Message | None = first
    try:
        while message is not None:
            yield bytes(message.get("body", b""))
            if not message.get("more_body"):
                break
            message = await _next(pieces, task)
    finally:
        gone.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def scope_of(request: Request) -> dict[str, Any]:
    """Return what ASGI calls a scope."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()],
        "client": (request.peer, 0),
        "server": None,
    }
