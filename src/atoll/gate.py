"""The gate: a request is either an AWS call or one of the private API.  And what the wire asks of the World."""

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from atoll.aws.answer import Call, answer
from atoll.aws.http import Answer, Request
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
    """Sends each request where it belongs."""

    def __init__(self, backend: Backend, private: Callable[[Request], Awaitable[Answer]]) -> None:
        """Send AWS calls to `backend`, everything else to `private`."""
        self._backend, self._private = backend, private

    async def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path.startswith(_PRIVATE):
            return await self._private(request)
        return await answer(request, self._backend)
