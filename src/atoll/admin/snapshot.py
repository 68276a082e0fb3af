"""The World as a file: what `atoll reach --save` keeps, and what a change is tried on.  Without anybody's secrets."""

from collections.abc import Iterable
from typing import Any

import msgspec

from atoll.model.account import AccessKey
from atoll.model.event import Event
from atoll.model.kinds import KINDS
from atoll.model.resource import Resource
from atoll.model.signing import SigningKey
from atoll.model.token import ClientToken
from atoll.model.world import World
from atoll.store.codec import decode, encode

FORMAT = "atoll-world-1"
LEFT_OUT = (AccessKey, ClientToken, Event, SigningKey)  # secrets, and what decides about no packet


class NotAWorld(ValueError):
    """The text is no World that this Atoll can read; the message says why."""


def write(world: World) -> bytes:
    """Return a World as JSON."""
    found = [[type(r).__name__, msgspec.Raw(encode(r).encode())] for r in _kept(world.seen_by(None))]
    return msgspec.json.encode({"format": FORMAT, "revision": world.revision, "resources": found})


def _kept(world: World) -> Iterable[Resource]:
    return (resource for resource in world if not isinstance(resource, LEFT_OUT))


def read(text: bytes) -> World:
    """Return the World that `write` wrote.  Raises NotAWorld."""
    kinds = {kind.__name__: kind for kind in KINDS}
    try:
        told = msgspec.json.decode(text, type=_File)
        if told.format != FORMAT:
            raise NotAWorld(f"its format is {told.format!r}, not {FORMAT!r}")
        tables: dict[Any, dict[str, Resource]] = {}
        for name, body in told.resources:
            kind = kinds[name]
            resource = decode(kind, bytes(body).decode())
            tables.setdefault(kind, {})[resource.id] = resource
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAWorld(f"{type(error).__name__}: {error}") from None
    return World(tables, told.revision)


class _File(msgspec.Struct):
    format: str
    revision: int
    resources: list[tuple[str, msgspec.Raw]]
