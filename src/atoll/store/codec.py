"""Resources to JSON and back.

Encoding is msgspec's.  Decoding follows the type hints of the dataclass: a closure for each type, made once.  A field
that the text lacks takes its default, and one that the dataclass no longer has is dropped, so that a store written by
an older version opens; what is more than that is `upgrade.py`'s.
"""

import functools
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from atoll.model.digest import Digest
from atoll.model.resource import Resource

Decoder = Callable[[Any], Any]

_ADDRESSES: dict[object, Decoder] = {
    IPv4Address: IPv4Address,
    IPv6Address: IPv6Address,
    IPv4Network: IPv4Network,
    IPv6Network: IPv6Network,
    Digest: Digest,
}


def _text(value: object) -> str:
    return value.hex if isinstance(value, Digest) else str(value)


def _hidden(value: object) -> str:
    return "" if isinstance(value, Digest) else str(value)


_encoder = msgspec.json.Encoder(enc_hook=_text)
_hider = msgspec.json.Encoder(enc_hook=_hidden)


def encode(resource: Resource) -> str:
    """Return a resource as JSON text."""
    return _encoder.encode(resource).decode()


def for_journal(resource: Resource, text: str) -> str:
    """Return what the journal keeps of a resource, whose JSON is `text`: all but what is secret."""
    return _hider.encode(resource).decode() if _has_secrets(cast(Any, type(resource))) else text


@functools.cache
def _has_secrets(hint: Any) -> bool:
    if isinstance(hint, type) and is_dataclass(hint):
        return any(_has_secrets(member) for member in get_type_hints(hint).values())
    return hint is Digest or any(_has_secrets(argument) for argument in get_args(hint))


def decode(kind: type[Resource], text: str) -> Resource:
    """Return the resource that `encode` wrote."""
    resource = decoder(cast(Any, kind))(msgspec.json.decode(text))
    assert isinstance(resource, kind), "a decoder returns its own type"
    return resource


@functools.cache
def decoder(hint: Any) -> Decoder:
    """Return the function that turns JSON values into values of a type."""
    if hint in _ADDRESSES:
        return _ADDRESSES[hint]
    if hint is datetime:
        return datetime.fromisoformat
    if hint is bytes:
        return lambda v: msgspec.convert(v, bytes)
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(tuple(a for a in args if a is not type(None)))
    if origin is tuple:
        return _tuple(args)
    if origin is not None and issubclass(origin, Mapping):
        value = decoder(args[1])
        return lambda v: {k: value(x) for k, x in v.items()}
    return lambda v: v


def _dataclass(kind: type) -> Decoder:
    hints = get_type_hints(kind)
    members = {f.name: decoder(hints[f.name]) for f in fields(kind)}
    return lambda v: kind(**{k: members[k](x) for k, x in v.items() if k in members})


def _tuple(args: tuple[Any, ...]) -> Decoder:
    if len(args) == 2 and args[1] is Ellipsis:
        item = decoder(args[0])
        return lambda v: tuple(item(x) for x in v)
    items = [decoder(a) for a in args]
    return lambda v: tuple(item(x) for item, x in zip(items, v, strict=True))


def _union(options: tuple[Any, ...]) -> Decoder:
    if len(options) == 1:
        only = decoder(options[0])
        return lambda v: None if v is None else only(v)
    if set(options) == {IPv4Network, IPv6Network}:
        return lambda v: None if v is None else ip_network(v)
    if set(options) == {IPv4Address, IPv6Address}:
        return lambda v: None if v is None else ip_address(v)
    if all(o in (str, int, bool, float) for o in options):
        return lambda v: v
    raise TypeError(f"the store cannot tell {options} apart")
