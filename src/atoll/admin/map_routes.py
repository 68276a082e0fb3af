"""The private API of `atoll map`: the map of a VPC, as a picture or as values."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from atoll.admin import wire
from atoll.admin.wire import Bad, caller, query
from atoll.aws.http import Answer, Request
from atoll.model.world import World
from atoll.picture import words
from atoll.picture.draw import draw
from atoll.picture.read import NoVpc, read, vpc_called
from atoll.picture.svg import svg

Route = Callable[[Request], Awaitable[Answer]]
SVG_TYPE = "image/svg+xml; charset=utf-8"


class Service(Protocol):
    """What the route asks of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the route, by path and method."""

    async def show(request: Request) -> Answer:
        said = query(request)
        world = service.world.seen_by(caller(said))
        try:
            vpc = vpc_called(world, said.get("vpc"))
        except NoVpc as error:
            raise Bad(404, str(error), error.candidates) from None
        scene = read(world, vpc.id)
        if said.get("format") == "json":
            return wire.answer(words.as_json(scene))
        return Answer(200, {"content-type": SVG_TYPE}, svg(draw(scene)).encode())

    return {"/_atoll/map": {"GET": show}}
