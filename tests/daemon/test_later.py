"""Dataclasses that wait become what `dataclass` makes of them, whatever touches them first."""

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest

from atoll.later import dataclasses_wait

SOURCE = '''
import dataclasses

@dataclasses.dataclass(frozen=True, slots=True)
class Base:
    """A base."""

    id: str
    at: int = 7

@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Base):
    """With each sort of member."""

    tags: dict = dataclasses.field(default_factory=dict, hash=False)
    quiet: str = dataclasses.field(default="q", repr=False, compare=False)

@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Place:
    """With an order, and what it makes of itself."""

    x: int
    y: int = 2

    def __post_init__(self):
        object.__setattr__(self, "x", self.x * 10)

@dataclasses.dataclass(slots=True)
class Loose:
    """One that changes."""

    n: int = 0

class Heir(Base):
    """No dataclass itself."""
'''


def module(name, *, waiting):
    found = type(sys)(name)
    sys.modules[name] = found
    if waiting:
        with dataclasses_wait():
            exec(SOURCE, found.__dict__)
    else:
        exec(SOURCE, found.__dict__)
    return found


@pytest.fixture
def both():
    """The same classes twice: made at once, and waiting."""
    names = ("atoll.made_at_once", "atoll.made_later")
    yield [module(name, waiting="later" in name) for name in names]
    for name in names:
        del sys.modules[name]


def told(error, act):
    with pytest.raises(error) as raised:
        act()
    return str(raised.value)


TOUCHES = {
    "repr": lambda m: [repr(m.Kind(id="a", tags={1: 2})), repr(m.Place(1)), repr(m.Loose()), repr(m.Heir("h"))],
    "equality": lambda m: [m.Kind(id="a", quiet="x") == m.Kind(id="a"), m.Base("a") == m.Base("b")],
    "order": lambda m: [m.Place(1) < m.Place(2), sorted([m.Place(2), m.Place(1)])[0].x],
    "hash": lambda m: [hash(m.Kind(id="a")), hash(m.Place(1)), m.Loose.__hash__ if m.Loose() else 0],
    "fields": lambda m: [[(f.name, f.type) for f in dataclasses.fields(it)] for it in (m.Kind, m.Loose, m.Heir)],
    "replace": lambda m: [repr(dataclasses.replace(m.Kind(id="a"), at=3)), dataclasses.asdict(m.Base("b"))],
    "frozen": lambda m: told(dataclasses.FrozenInstanceError, lambda: setattr(m.Kind(id="a"), "id", "b")),
    "slots": lambda m: [m.Kind.__slots__, m.Base.__slots__, hasattr(m.Base("a"), "__dict__")],
    "pattern": lambda m: [m.Place.__match_args__, m.Kind.__match_args__],
    "pickle": lambda m: repr(pickle.loads(pickle.dumps(m.Place(1)))),
    "copy": lambda m: repr(copy.deepcopy(m.Kind(id="a", tags={"t": [1]}))),
    "missing": lambda m: told(TypeError, lambda: m.Kind()),
    "is it": lambda m: [dataclasses.is_dataclass(it) for it in (m.Base, m.Kind, m.Heir)],
    "names": lambda m: [m.Kind.__qualname__, m.Kind.__doc__, m.Base.__dataclass_params__.frozen],
    "change": lambda m: [repr(it) for it in [m.Loose()] if setattr(it, "n", 5) is None],
}  # fmt: skip


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_a_class_that_waits_is_what_it_would_be_at_once(both, touch):
    at_once, later = both

    assert touch(later) == touch(at_once)


def test_they_wait_until_they_are_needed(both):
    _, later = both

    assert "__eq__" not in vars(later.Base)
    assert later.Kind(id="a")
    assert "__eq__" in vars(later.Base), "a base is made with what derives from it"
    assert "__eq__" not in vars(later.Place)


def test_elsewhere_dataclass_is_untouched():
    before = dataclasses.dataclass
    with dataclasses_wait():

        @dataclasses.dataclass(frozen=True, slots=True)
        class Foreign:
            n: int

    assert dataclasses.dataclass is before
    assert "__eq__" in vars(Foreign)


def test_a_daemon_makes_few_of_those_it_imports():
    told = (
        "from atoll import later\n"
        "with later.dataclasses_wait():\n    import atoll.daemon\n"
        "print(len(later._waiting) > 100)"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"
