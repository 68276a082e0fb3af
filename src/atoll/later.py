"""Dataclasses whose methods are made when the first instance is: a start needs few of the hundreds that it imports.

`dataclass` writes the source of six methods for each class and has Python compile it, which was more than half of
what importing the daemon cost.  Most kinds of resources, facts and steps are in no World that has just begun.  What
a class becomes is what `dataclass` makes of it, only later; docs/performance.md has the figures.
"""

import dataclasses
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, get_origin

_KNOWN = {"frozen", "slots", "kw_only", "order"}  # any other option: made at once
_at_once = dataclasses.dataclass
_waiting: dict[type, Callable[[], None]] = {}
_lock = threading.RLock()  # a class makes its bases first


@contextmanager
def dataclasses_wait() -> Iterator[None]:
    """Have the dataclasses with slots of Atoll's own modules wait that are imported meanwhile."""
    dataclasses.dataclass = _dataclass
    try:
        yield
    finally:
        dataclasses.dataclass = _at_once


def _dataclass(cls: type | None = None, /, **options: Any) -> Any:
    def decorate(cls: type) -> type:
        return _later(cls, options) if _may_wait(cls, options) else _at_once(cls, **options)

    return decorate if cls is None else decorate(cls)


def _may_wait(cls: type, options: dict[str, Any]) -> bool:
    plain = all(_is_field(annotation) for annotation in inspect.get_annotations(cls).values())
    slotted = all("__slots__" in base.__dict__ or base.__module__ == "typing" for base in cls.__mro__[1:-1])
    known = options.get("slots") and options.keys() <= _KNOWN
    return bool(known and plain and slotted and cls.__module__.startswith("atoll.") and "__init__" not in vars(cls))


def _is_field(annotation: object) -> bool:
    if annotation is ClassVar or annotation is dataclasses.KW_ONLY or get_origin(annotation) is ClassVar:
        return False
    return not isinstance(annotation, str | dataclasses.InitVar)


def _later(plain: type, options: dict[str, Any]) -> type:
    """Return the class with its slots, as `dataclass` does; its methods wait in `plain` until they are asked for."""
    before = dict(vars(plain))
    names = tuple(inspect.get_annotations(plain))
    inherited = {slot for base in plain.__mro__[1:-1] for slot in base.__dict__.get("__slots__", ())}
    kept = {name: it for name, it in before.items() if name not in (*names, "__dict__", "__weakref__")}
    kept["__slots__"] = tuple(name for name in names if name not in inherited)
    cls: Any = type(plain)(plain.__name__, plain.__bases__, kept)
    cls.__qualname__ = plain.__qualname__

    def make() -> None:
        made = vars(_at_once(plain, **(options | {"slots": False})))
        new = {name: it for name, it in made.items() if before.get(name, ...) is not it and name not in names}
        begin = new.pop("__init__")
        for name, it in new.items():
            setattr(cls, name, it)
        cls.__init__ = begin  # last: another thread may be about to call it

    def begin(self: object, *args: Any, **kwargs: Any) -> None:
        _make(cls)
        cls.__init__(self, *args, **kwargs)

    cls.__init__ = begin
    for name in ("__dataclass_fields__", "__dataclass_params__", "__match_args__"):
        setattr(cls, name, _Made(cls, name))
    for method in (_getstate, _setstate) if options.get("frozen") else ():
        if (name := f"__{method.__name__[1:]}__") not in kept:
            setattr(cls, name, method)
    _waiting[cls] = make
    return cls  # type: ignore[no-any-return]


def _make(cls: type) -> None:
    with _lock:
        if make := _waiting.get(cls):
            make()
            _waiting.pop(cls, None)


class _Made:
    """What a class has once it is made; to look at it makes it."""

    def __init__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, kind: type) -> object:
        _make(self._owner)
        return self._owner.__dict__[self._name]


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, it.name) for it in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for it, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, it.name, value)  # it is frozen
