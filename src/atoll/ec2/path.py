"""Filter rows that read the answer: what a rendered structure has along a path of members."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from atoll.aws.operation import Shape
from atoll.model.world import World

T = TypeVar("T")


def shown(render: Callable[[World, T], Shape], path: str) -> Callable[[World, T], list[Any]]:
    """Return a filter's function: the values at a path, `NetworkInterfaces.Groups.GroupId`, of the rendered item.

    A list on the way contributes each of its elements; a time is written as AWS writes it.  Costs rendering the item.
    """
    members = path.split(".")
    return lambda world, item: [
        iso(value) if isinstance(value, datetime) else value for value in along(render(world, item), members)
    ]


def iso(moment: datetime) -> str:
    """Return a time as a filter's value has it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def second(moment: datetime) -> datetime:
    """Return a time as EC2 tells that of a launch or an attachment: in whole seconds, as in filters."""
    return moment.replace(microsecond=0)


def along(value: Any, members: list[str]) -> Iterator[Any]:
    """Yield what a structure has at a path; nothing where a member is absent."""
    if isinstance(value, list):
        for element in value:
            yield from along(element, members)
    elif not members:
        if value is not None:
            yield value
    elif members[0] in value:
        yield from along(value[members[0]], members[1:])
