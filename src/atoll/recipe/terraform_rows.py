"""How a table says which argument of Terraform a parameter of AWS is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name

from atoll.recipe.hcl import Block, Comment, Item

Parameters = Mapping[str, Any]
Target = str | Callable[[Any], list[Item]] | None  # an argument's name; what makes items; None: Terraform has none


@dataclass(frozen=True, slots=True)
class Row:
    """A call that makes one resource."""

    type: str
    members: Mapping[str, Target]
    named: str | None = None  # the parameter by which people know it
    fixed: tuple[Item, ...] = field(default=())  # what the call says by being made
    gather: tuple[str, frozenset[str]] | None = None  # members that are one block there, and what `members` calls it

    def items(self, parameters: Parameters) -> Iterator[Item]:
        """Yield arguments, then blocks, then the tags; last what Terraform cannot say."""
        found = [*_items(self.members, gathered(parameters, self.gather)), *self.fixed]
        yield from (i for i in found if isinstance(i, tuple) and i[0] != "tags")
        yield from (i for i in found if isinstance(i, Block))
        yield from (i for i in found if isinstance(i, tuple) and i[0] == "tags")
        yield from (i for i in found if isinstance(i, Comment))

    def tags(self, parameters: Parameters) -> Mapping[str, str]:
        """Return the tags that the call gives."""
        return dict(next((i[1] for i in self.items(parameters) if isinstance(i, tuple) and i[0] == "tags"), {}))


@dataclass(frozen=True, slots=True)
class Many:
    """A call that makes several resources of one kind; `parts` says them one by one."""

    row: Row
    parts: Callable[[Parameters], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Change:
    """A call that changes what another resource's arguments say."""

    type: str
    subject: str  # the parameter that names what is changed
    members: Mapping[str, Target]
    gather: tuple[str, frozenset[str]] | None = None

    def items(self, parameters: Parameters) -> Iterator[Item]:
        """Yield the arguments that change."""
        rest = {k: v for k, v in parameters.items() if k != self.subject}
        yield from _items(self.members, gathered(rest, self.gather))


Table = Mapping[tuple[str, str], Row | Many | Change]


def table(service: str, rows: Mapping[str, Row | Many | Change]) -> Table:
    """Return rows by service and operation."""
    return {(service, operation): row for operation, row in rows.items()}


def gathered(parameters: Parameters, gather: tuple[str, frozenset[str]] | None) -> Parameters:
    """Return parameters of which some are put into a structure of their own."""
    if gather is None:
        return parameters
    name, members = gather
    inside = {k: v for k, v in parameters.items() if k in members}
    outside = {k: v for k, v in parameters.items() if k not in members}
    return {**outside, name: inside} if inside else outside


def same(members: str) -> dict[str, Target]:
    """Return targets that are called as the CLI calls them."""
    return {member: xform_name(member) for member in members.split()}


def absent(members: str) -> dict[str, Target]:
    """Return members that Terraform has no argument for."""
    return dict.fromkeys(members.split())


def attribute(name: str) -> Callable[[Any], list[Item]]:
    """Return what reads `{"Value": true}`."""
    return lambda value: [(name, value["Value"] if isinstance(value, Mapping) and "Value" in value else value)]


def block(name: str, members: Mapping[str, Target]) -> Callable[[Any], list[Item]]:
    """Return what makes a block of a structure, and several of a list of them."""

    def made(value: Any) -> list[Item]:
        each = value if isinstance(value, list | tuple) else [value]
        return [Block(name, (), tuple(_items(members, one))) for one in each]

    return made


def flat(members: Mapping[str, Target]) -> Callable[[Any], list[Item]]:
    """Return what takes arguments out of a structure."""
    return lambda value: list(_items(members, value))


def pairs(tags: Any) -> list[Item]:
    """Return the tags of `[{"Key": ..., "Value": ...}]`."""
    return [("tags", {tag.get("Key", ""): tag.get("Value", "") for tag in tags})] if tags else []


def specified(specifications: Any) -> list[Item]:
    """Return the tags of TagSpecifications; those of volumes and the like are told."""
    first, *others = specifications or [{}]
    found = pairs(first.get("Tags", []))
    return [*found, *(Comment(f"not here: tags of {other.get('ResourceType')}") for other in others)]


TAGGED: dict[str, Target] = {"TagSpecifications": specified, "ClientToken": lambda _: [], "DryRun": lambda _: []}
TAGS: dict[str, Target] = {"Tags": pairs}


def _items(members: Mapping[str, Target], parameters: Parameters) -> Iterator[Item]:
    for member, value in parameters.items():
        if member not in members or (target := members[member]) is None:
            yield Comment(f"not here: Terraform has no argument for {member}")
        elif isinstance(target, str):
            yield (target, value)
        else:
            yield from target(value)
