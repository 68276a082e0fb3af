"""Live pages: an event for each kind of resource that changed, as server-sent events.

A part of a page names the kinds that it shows; when one of them changes, htmx fetches the part anew.
"""

import asyncio
from collections.abc import AsyncGenerator

from atoll.console.ask import Service
from atoll.model.kinds import KINDS
from atoll.model.world import Caller, Kind, Table, World

TOGETHER_SECONDS = 0.3  # changes that come together are told together
ALIVE_SECONDS = 20.0  # a comment, so that whoever has gone is noticed


async def events(service: Service, caller: Caller, since: str) -> AsyncGenerator[bytes, None]:
    """Yield what changed of the caller's, until closed; a page of an older revision is told of every kind."""
    changed = asyncio.Event()
    seen = service.world
    for kind in KINDS:  # from here on, the index of owners is carried from World to World
        _of(seen, kind, caller)
    forget = service.watch(lambda _: changed.set())
    try:
        yield b"retry: 1000\n\n" + _event("hello", str(seen.revision))
        if since and since != str(seen.revision):
            for name in (*(kind.__name__ for kind in KINDS), "World"):
                yield _event(name, str(seen.revision))
        while True:
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    await changed.wait()
            except TimeoutError:
                yield b": alive\n\n"
                continue
            await asyncio.sleep(TOGETHER_SECONDS)
            changed.clear()
            before, seen = seen, service.world
            for name in _changed(before, seen, caller):
                yield _event(name, str(seen.revision))
    finally:
        forget()


def _changed(before: World, after: World, caller: Caller) -> list[str]:
    """Return the kinds of which the caller's resources changed, and "World" for any."""
    names = [kind.__name__ for kind in KINDS if _of(before, kind, caller) is not _of(after, kind, caller)]
    return [*names, "World"] if names else []


def _of(world: World, kind: Kind, caller: Caller) -> Table:
    return world.bucket(kind, "owner", (caller.account, caller.region))


def _event(name: str, text: str) -> bytes:
    return f"event: {name}\ndata: {text}\n\n".encode()
