"""Filter rows that read the answer: what a rendered structure has along a path of members."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from atoll.aws.operation import Shape
from atoll.model.world import World

T = TypeVar("T")


def shown(render: Callable[[World, T], Shape], path: str) -> Callable[[World, T], list[Any]]:
    """Return a filter's function: the values at a path, `NetworkInterfaces.Groups.GroupId`, of the rendered item.

    A list on the way contributes each of its elements.  Costs rendering the item.
    """
    members = path.split(".")
    return lambda world, item: list(along(render(world, item), members))


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
