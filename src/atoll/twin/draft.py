"""A World in the making: what has been rebuilt so far, what it may refer to, and what is to be told about it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from atoll.model.hardware import hosts_of
from atoll.model.names import digest
from atoll.model.resource import Resource
from atoll.model.world import World
from atoll.twin.recording import Recording
from atoll.twin.row import BadRecording, Row

R = TypeVar("R", bound=Resource)
STAND_IN = "atoll:stand-in"  # tag of a VPC that is only there for its peer, and of what belongs to it


@dataclass(frozen=True, slots=True)
class Note:
    """What is not as it was described, and what that means for who asks `why`.

    `kind`: "stand-in" (something is there in its place), "approximated" (it is there, but not quite) or "left out".
    """

    kind: str
    what: str  # its id or name
    why: str


@dataclass(frozen=True, slots=True)
class Twin:
    """What a recording says is there."""

    account: str
    region: str
    resources: tuple[Resource, ...]
    notes: tuple[Note, ...]


@dataclass(slots=True)
class Draft:
    """What is being rebuilt; used by one import, and then thrown away."""

    recording: Recording
    world: World  # that is here, without what gives way: its engines, and others' resources
    account: str
    region: str
    now: datetime
    made: dict[tuple[type[Resource], str], Resource] = field(default_factory=dict)
    notes: dict[Note, None] = field(default_factory=dict)  # in order, each once
    places: dict[tuple[type[Resource], str], str] = field(default_factory=dict)
    _numbers: Counter[tuple[type[Resource], str]] = field(default_factory=Counter)
    _hosts: Counter[str] = field(default_factory=Counter)

    def make(self, row: Row, kind: type[R], id: str, /, **fields: Any) -> R:
        """Put a new resource of the account.  Raises BadRecording if there is one of that id already."""
        account, region = fields.pop("account", self.account), fields.pop("region", self.region)
        made = kind(id=id, account=account, region=region, **fields)
        if (kind, id) in self.made:
            raise BadRecording(f"{row.place}: {id} is there twice; it is also {self.places[kind, id]}")
        self.places[kind, id] = row.place
        self.made[kind, id] = made
        return made

    def put(self, resource: R) -> R:
        """Replace a resource by a changed copy."""
        self.made[type(resource), resource.id] = resource
        return resource

    def get(self, kind: type[R], id: str | None) -> R | None:
        """Return what was made, or None."""
        return cast("R | None", self.made.get((kind, id or "")))

    def need(self, row: Row, member: str, kind: type[R], id: str) -> R:
        """Return what a member refers to.  Raises BadRecording if it was not described."""
        found = self.get(kind, id)
        if found is None:
            raise row.wrong(member, f"{id} is in no file: all files must be of one account, region and time")
        return found

    def all(self, kind: type[R]) -> Iterator[R]:
        """Yield what was made of a kind."""
        yield from cast("list[R]", [one for (what, _), one in self.made.items() if what is kind])

    def note(self, kind: str, what: str, why: str) -> None:
        """Tell something, once."""
        self.notes[Note(kind, what, why)] = None

    def number(self, kind: type[Resource], vpc_id: str) -> int:
        """Return the next number of a kind in a VPC, from 1."""
        self._numbers[kind, vpc_id] += 1
        return self._numbers[kind, vpc_id]

    def host(self, zone: str) -> str:
        """Return the next host of a zone: AWS tells nobody where things stand, so they are spread."""
        self._hosts[zone] += 1
        hosts = hosts_of(zone)
        return hosts[(self._hosts[zone] - 1) % len(hosts)]

    def new_id(self, prefix: str, text: str) -> str:
        """Return an id that depends on nothing but a text: AWS did not tell it."""
        return f"{prefix}-0{digest(f'{self.account} {self.region} {text}', 16)}"
