"""Bring the daemon up, piece by piece behind its reception, which answers between two pieces."""

import asyncio
import importlib
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvloop

from atoll.control.hooks import Hooks
from atoll.control.pulse import did
from atoll.ground import host_of, log_to, raise_limit
from atoll.host.authority import Authority
from atoll.host.errors import HostError
from atoll.model.kinds import KINDS
from atoll.options import CannotStart, Options
from atoll.reception import Reception
from atoll.store.sqlite import Store, StoreError
from atoll.store.upgrade import TooNew

if TYPE_CHECKING:
    from atoll.host.linux.ignition import Ignition

SWITCH_SECONDS = 0.0005  # a request waits no longer for the network's thread; Python's own 5 ms are seen by callers
TURNS = 3  # of the loop, for one request: it connects, it comes, it is answered
# What the daemon is made of, in pieces of 2 to 20 ms.  That they are its own, tests/tidy/test_imports.py holds.
PIECES = (
    "atoll.cache.parameters",
    "atoll.network.facts",
    "atoll.network.plan",
    "atoll.host.contract",
    "atoll.cache.plan",
    "atoll.control.wanted",
    "atoll.control.record",
    "atoll.control.snapshots",
    "atoll.control.services",
    "atoll.control.worlds",
)


def run(
    options: Options,
    sock: socket.socket,
    begun: "Ignition | None",
    ready: Callable[[str, str, str], None],
    hooks: Hooks | None = None,
) -> None:
    """Serve on a socket that listens, with the keeper that was begun (None: there is none), until told to stop.

    `ready(url, mode, because)` is called when every request can be answered.  Raises CannotStart, Lost.
    """
    log_to(options.log_to, options.state_dir.absolute() / "atoll.log")
    raise_limit()
    if begun:  # a network is to be built: its library needs low numbers, which connections would take
        from atoll.host.linux import low_numbers

        low_numbers.reserve()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        store = _prepare(options)
    except CannotStart:
        if begun:
            begun.undo()
        raise
    store.noted = did
    uvloop.run(_serve(options, sock, store, begun, ready, hooks or Hooks(None, {})))


def _prepare(options: Options) -> Store:
    """Open the store, and have what the API needs where others reach it.  Raises CannotStart."""
    try:
        if options.is_abroad:
            Authority(options.state_dir).certificate()
        return Store(options.state_dir.absolute() / "atoll.db", KINDS)
    except HostError as error:
        raise CannotStart(f"nobody can be answered over TLS on {options.bind}: {error}") from None
    except (StoreError, TooNew) as error:
        raise CannotStart(f"{error}") from error


async def _serve(
    options: Options,
    sock: socket.socket,
    store: Store,
    begun: "Ignition | None",
    ready: Callable[[str, str, str], None],
    hooks: Hooks,
) -> None:
    reception = Reception(options, store)
    if not options.is_abroad:  # TLS takes threads, and with those no namespace can be entered
        await reception.open(sock)
        await _requests_go_first()
    for piece in PIECES:
        importlib.import_module(piece)
        await _requests_go_first()
    host = host_of(options, begun, lambda: store.world)
    await _requests_go_first()
    from atoll.daemon import Daemon

    await _requests_go_first()
    daemon = Daemon(options, host, store, hooks, reception)
    await daemon.serve(sock, ready)


async def _requests_go_first() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
