"""The gate: HTTP comes in, and is either an AWS call or the private API.  And what the wire asks of the World.

AWS calls take the short way, past Starlette: they are most of the traffic, and each millisecond of them counts.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from atoll.aws.answer import Call, answer
from atoll.aws.http import BODY_BYTES_MAX, Request
from atoll.aws.sigv4 import Mode
from atoll.ec2.defaults import open_territory
from atoll.model.account import AccessKey
from atoll.model.world import Caller, Tx, World
from atoll.store.sqlite import Store, utc_now

T = TypeVar("T")

_PRIVATE = ("/_", "/health", "/moto-api")
CALLS_MAX = 1_000  # the newest calls, for the status page


class Backend:
    """The World, as the wire asks for it."""

    def __init__(self, store: Store, in_force: Callable[[], Awaitable[bool]], *, strict: bool) -> None:
        """Serve from `store`; `in_force` waits for the kernel."""
        self._store, self._in_force = store, in_force
        self._open: set[tuple[str, str]] = set()
        self.mode: Mode = "strict" if strict else "local"
        self.calls: deque[Call] = deque(maxlen=CALLS_MAX)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return utc_now()

    def secret_of(self, key_id: str) -> AccessKey | None:
        """Return an access key that Atoll issued."""
        return self._store.world.get(AccessKey, key_id)

    def opening(self, caller: Caller) -> None:
        """Make what a caller's account has in its region before its first call."""
        place = caller.account, caller.region
        if place not in self._open:
            self._store.write(open_territory, caller=caller, what="open")
            self._open.add(place)

    def forget(self) -> None:
        """Open every account anew: the World was reset."""
        self._open.clear()

    def write(self, op: Callable[[Tx], T], caller: Caller) -> T:
        """Run `op` in a transaction and commit it."""
        return self._store.write(op, caller=caller, what=getattr(op, "__name__", ""))

    def world(self, caller: Caller) -> World:
        """Return the World as the caller sees it."""
        return self._store.world.seen_by(caller)

    async def in_force(self) -> None:
        """Wait, for a bounded time, until the kernel obeys everything that is committed."""
        await self._in_force()

    def called(self, call: Call) -> None:
        """Take note of a call that was answered."""
        self.calls.append(call)


class Gate:
    """The ASGI application."""

    def __init__(self, backend: Backend, private: Starlette) -> None:
        """Send AWS calls to `backend`, everything else to `private`."""
        self._backend, self._private = backend, private

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].startswith(_PRIVATE):
            await self._private(scope, receive, send)
            return
        request = Request(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=_headers(scope),
            body=await _body(receive),
        )
        out = await answer(request, self._backend)
        headers = [(k.lower().encode(), v.encode()) for k, v in out.headers.items()]
        headers.append((b"content-length", str(len(out.body)).encode()))
        if len(request.body) > BODY_BYTES_MAX:
            headers.append((b"connection", b"close"))  # the rest of the body is not worth reading
        await send({"type": "http.response.start", "status": out.status, "headers": headers})
        body = b"" if request.method == "HEAD" else out.body
        await send({"type": "http.response.body", "body": body})


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found


async def _body(receive: Receive) -> bytes:
    """Read a body, and no more than one byte beyond what is allowed."""
    chunks, size, more = [], 0, True
    while more and size <= BODY_BYTES_MAX:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
    return b"".join(chunks)[: BODY_BYTES_MAX + 1]
