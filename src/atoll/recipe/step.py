"""One step of making a world: an AWS call whose parameters may name what other steps make.

What a step makes is known by its id in the world that was looked at, or by a key of the reader's own; wherever that
text stands in the parameters of another step, what was really made takes its place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Parameters = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Something that a step makes, or finds."""

    id: str  # what the other steps call it
    path: str  # where it is in the answer, as `aws --query` says it: "Vpc.VpcId"
    name: str  # for variables and resources: "main"
    kind: str  # "vpc"
    terraform: str = "id"  # the attribute of the resource that has it
    of: str | None = None  # whose attribute it is; None: of the resource that the step makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What must be true before the next step."""

    service: str
    waiter: str
    parameters: Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A call, or a question whose answer later calls need."""

    service: str
    operation: str
    parameters: Parameters
    made: tuple[Made, ...] = ()
    named: tuple[tuple[str, str], ...] = ()  # member and value: parameters that mean by a name what it makes
    attribute: str = "name"  # of Terraform, that has this name
    changes: str | None = None  # the id of what it changes, if it makes nothing
    waits: tuple[Wait, ...] = ()
    finds: bool = False  # it only asks; left out when nobody needs the answer
    source: tuple[str, tuple[tuple[str, Any], ...]] | None = None  # what asks in Terraform: a data source
    imports: str | None = None  # what `terraform import` calls it, if not by its id


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that no call makes again, and why."""

    id: str
    why: str


def replaced(value: Any, instead: Callable[[str], Any]) -> Any:
    """Return a value with each text in it replaced; `instead` returns the text itself where it is to stay."""
    match value:
        case str():
            return instead(value)
        case Mapping():
            return {key: replaced(item, instead) for key, item in value.items()}
        case list() | tuple():
            return [replaced(item, instead) for item in value]
        case _:
            return value


def mentioned(value: Any) -> set[str]:
    """Return all texts in a value."""
    found: set[str] = set()

    def note(text: str) -> str:
        found.add(text)
        return text

    replaced(value, note)
    return found


def needed(steps: Sequence[Step]) -> list[Step]:
    """Leave out questions whose answers nobody needs."""
    kept: list[Step] = []
    wanted: set[str] = set()
    for step in reversed(steps):
        if step.finds and not any(made.id in wanted for made in step.made):
            continue
        kept.append(step)
        wanted |= mentioned(step.parameters) | ({step.changes} if step.changes else set())
        wanted |= {made.of for made in step.made if made.of}
    return kept[::-1]
