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
    pieces: asyncio.Queue[Message | None] = asyncio.Queue(PIECES_WAITING)
    gone, asked = asyncio.Event(), False

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": request.body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        try:
            await app(scope_of(request), receive, pieces.put)
        finally:
            if not gone.is_set():
                await pieces.put(None)

    task = asyncio.create_task(run())
    begun = await pieces.get()
    if begun is None:
        await task
        raise AssertionError("the application answered nothing")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in begun.get("headers", ())}
    first = await pieces.get()
    if first is not None and first.get("more_body"):
        headers.pop("content-length", None)
        return Stream(begun["status"], headers, _pieces(first, pieces, task, gone))
    await task
    headers.pop("content-length", None)  # the server writes it
    return Answer(begun["status"], headers, bytes(first["body"]) if first else b"")


async def _pieces(
    first: Message, pieces: "asyncio.Queue[Message | None]", task: "asyncio.Task[None]", gone: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    message: Message | None = first
    try:
        while message is not None:
            if body := message.get("body"):
                yield bytes(body)
            if not message.get("more_body"):
                break
            message = await pieces.get()
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
