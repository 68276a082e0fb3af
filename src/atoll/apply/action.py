"""What an apply does to one thing, and how things are found in the world by their names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from atoll.apply.document import Trouble, Wrong
from atoll.apply.wish import OWNER, Wish
from atoll.model.resource import Resource
from atoll.model.world import World
from atoll.recipe.step import Made, Parameters, Step

R = TypeVar("R", bound=Resource)
CREATE, CHANGE, DELETE = "create", "change", "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that is made, changed or taken away, by some calls."""

    verb: str
    kind: str  # "subnet"
    name: str
    what: str = ""  # what of it: "ingress from app 6379"
    steps: tuple[Step, ...]


@dataclass(slots=True)
class Planner:
    """A plan as it is made: what there is, what is wished for, and the ids of both."""

    world: World
    wish: Wish
    actions: list[Action] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)  # "subnet:private" -> its id, if it is there
    kept: set[str] = field(default_factory=set)  # ids and names that the file still wishes for

    def add(self, verb: str, kind: str, name: str, *steps: Step, what: str = "") -> None:
        """Note an action."""
        self.actions.append(Action(verb=verb, kind=kind, name=name, what=what, steps=steps))

    def there(self, key: str, kind: type[R], name: str, among: Iterable[R] | None = None, **fields: Any) -> R | None:
        """Find a thing by its name, and remember its id; one that this file made comes before others."""
        candidates = self.world.all(kind, **fields) if among is None else among
        found = [one for one in candidates if one.tags.get("Name") == name]
        mine = [one for one in found if one.tags.get(OWNER) == self.wish.name]
        chosen = mine or found
        if len(chosen) > 1:
            listed = ", ".join(one.id for one in chosen)
            raise Wrong([Trouble(1, 1, f"there are several called {name}: {listed}; give all but one another Name")])
        if not chosen:
            return None
        self.found(key, chosen[0].id)
        return chosen[0]

    def found(self, key: str, id: str) -> None:
        """Remember what a key means."""
        self.ids[key] = id
        self.kept.add(id)

    def id(self, key: str) -> str:
        """Return the id of a thing that is there, or the key, which is replaced once it is made."""
        return self.ids.get(key, key)

    def is_new(self, key: str) -> bool:
        """Tell whether a thing is still to be made."""
        return key not in self.ids

    def tags(self, name: str, more: Mapping[str, str] | None = None) -> list[dict[str, str]]:
        """Return the tags of something that this file makes."""
        said = {"Name": name, **(more or {}), OWNER: self.wish.name}
        return [{"Key": key, "Value": value} for key, value in said.items()]

    def specified(self, resource_type: str, name: str, more: Mapping[str, str] | None = None) -> Parameters:
        """Return its tags as EC2 takes them."""
        return {"TagSpecifications": [{"ResourceType": resource_type, "Tags": self.tags(name, more)}]}


def call(service: str, operation: str, made: Made | None = None, **parameters: Any) -> Step:
    """Return a step; parameters in AWS's member names."""
    return Step(service=service, operation=operation, parameters=parameters, made=(made,) if made else ())


def made(key: str, path: str) -> Made:
    """Return what a step makes: its key, and where its id is in the answer."""
    kind, _, name = key.partition(":")
    return Made(id=key, path=path, name=name, kind=kind)


def refused(kind: str, name: str, what: str, now: object, wanted: object) -> Wrong:
    """Return the refusal of a change that AWS does not know."""
    told = f"{kind} {name}: its {what} is {now} and cannot become {wanted}; give it another name, or delete it first"
    return Wrong([Trouble(1, 1, told)])
