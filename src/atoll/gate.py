"""The gate: a request is either an AWS call or one of the private API.  And what the wire asks of the World."""

import asyncio
import functools
import json
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from ipaddress import ip_address
from typing import TypeVar

from atoll.admin.activity import Activity
from atoll.aws.answer import Call, answer
from atoll.aws.errors import Err
from atoll.aws.http import Answer, Request, Stream
from atoll.aws.sigv4 import Mode
from atoll.control.events import log
from atoll.ec2.defaults import open_territory
from atoll.model.account import AccessKey, Territory
from atoll.model.acl import NetworkAcl
from atoll.model.gateway import InternetGateway
from atoll.model.group import SecurityGroup
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import DhcpOptions, Vpc
from atoll.model.world import Caller, Stamps, Tx, World
from atoll.store.sqlite import Store, StoreError, utc_now

T = TypeVar("T")

_PRIVATE = ("/_", "/health", "/moto-api")
_CONSOLE = "/console"
HEALTH = ("/_atoll/health", "/_localstack/health", "/_ministack/health", "/health")
UNWRITABLE = Err("ServiceUnavailable", "Nothing was changed, because Atoll {why}. Free space, then try again.", 503)
# What stands as it was committed, whatever the host sees: loops look at it and change nothing of it.
SETTLED = frozenset((DhcpOptions, InternetGateway, NetworkAcl, RouteTable, SecurityGroup, Subnet, Territory, Vpc))
_LOOPBACK_NAMES = (".localhost", ".localhost.localstack.cloud")  # the latter is 127.0.0.1, by LocalStack's word


class Backend:
    """The World, as the wire asks for it."""

    def __init__(
        self,
        store: Store,
        in_force: Callable[[], Awaitable[bool]],
        *,
        strict: bool,
        whole: asyncio.Event | None = None,
    ) -> None:
        """Serve from `store`; `in_force` waits for the kernel, `whole` for the rest to come up (None: it has)."""
        self._store, self._in_force, self._whole = store, in_force, whole
        self._open: set[tuple[str, str]] = set()
        self.mode: Mode = "strict" if strict else "local"
        self.activity = Activity()

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
            self._write(open_territory, caller, "open")
            self._open.add(place)

    def forget(self) -> None:
        """Open every account anew: the World was reset."""
        self._open.clear()

    def write(self, op: Callable[[Tx], T], caller: Caller) -> T:
        """Run `op` in a transaction and commit it."""
        return self._write(op, caller, getattr(op, "__name__", ""))

    def _write(self, op: Callable[[Tx], T], caller: Caller, what: str) -> T:
        try:
            return self._store.write(op, caller=caller, what=what)
        except StoreError as error:
            log("not written", operation=what, because=str(error))
            raise UNWRITABLE(why=error) from error

    def world(self, caller: Caller) -> World:
        """Return the World as the caller sees it."""
        return self._store.world.seen_by(caller)

    def would_be(self, change: Callable[[Tx], None], caller: Caller) -> World:
        """Return the World after a change that is then forgotten."""
        tx = self._store.transaction(caller)
        change(tx)
        return tx.world.seen_by(None)

    def is_sure(self, looks: Stamps | None) -> bool:
        """Tell whether what was looked at can be told: before the rest has come up, only what no loop changes."""
        return self._whole is None or self._whole.is_set() or (looks is not None and SETTLED.issuperset(looks))

    async def whole(self) -> None:
        """Wait until the rest has come up: what does, and what looks at the machine."""
        if self._whole:
            await self._whole.wait()

    async def in_force(self) -> None:
        """Wait, for a bounded time, until the kernel obeys everything that is committed."""
        await self._in_force()

    def called(self, call: Call) -> None:
        """Take note of a call that was answered."""
        self.activity.note(call, self.now())


class Gate:
    """Sends each request where it belongs."""

    def __init__(
        self,
        backend: Backend,
        private: Callable[[Request], Awaitable[Answer]],
        console: Callable[[Request], Awaitable[Answer | Stream]] | None = None,
        *,
        bind: str = "127.0.0.1",
    ) -> None:
        """Send AWS calls to `backend`, the console's to `console` (if there is one), everything else to `private`.

        `bind` is the address that we listen on.
        """
        self._backend, self._private, self._console, self._bind = backend, private, console, bind

    async def answer(self, request: Request) -> Answer | Stream:
        """Answer one request."""
        is_console = self._console is not None and f"{request.path}/".startswith(f"{_CONSOLE}/")
        is_private = is_console or request.path.startswith(_PRIVATE)
        if because := self._refusal(request, is_private=is_private):
            log("request refused", because=because, peer=request.peer, path=request.path[:100])
            body = json.dumps({"error": because}).encode()
            return Answer(403, {"content-type": "application/json"}, body)
        if is_console and self._console:
            return await self._console(request)
        if is_private:
            return await self._private(request)
        return await answer(request, self._backend)

    def _refusal(self, request: Request, *, is_private: bool) -> str | None:
        """Say why a request is refused: a web page must not rule what its visitor runs.

        The page may send requests to us (it names itself in Origin), or have its own name lead to us ("DNS
        rebinding": it names itself in Host).  Calls with a key that we issued prove themselves.
        """
        origin, host = request.headers.get("origin"), request.headers.get("host", "")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return f"a web page of {origin[:100]} may not call this"
        needs_proof = is_private or self._backend.mode == "local"
        if needs_proof and not is_ours(host, self._bind):
            return f"{host[:100]} is not a name of this machine's loopback: use http://127.0.0.1 and the port"
        if is_private and request.path not in HEALTH and not _is_loopback(request.peer):
            return "this is answered to this machine only"
        return None


@functools.lru_cache(maxsize=16)  # a client says the same in each request; to parse an address takes 3 us
def is_ours(host: str, bind: str) -> bool:
    """Tell whether a Host header names us as only a client that means us does: no DNS server can say otherwise."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    name = name.strip("[]").rstrip(".").lower()
    if name in ("", bind) or f".{name}".endswith(_LOOPBACK_NAMES):  # without a name it is no browser
        return True
    try:
        return ip_address(name).is_loopback or ip_address(bind).is_unspecified
    except ValueError:
        return False


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False
