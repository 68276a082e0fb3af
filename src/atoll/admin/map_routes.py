"""The private API of `atoll map`: the map of a VPC, as a picture or as values, with what passes there now."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from atoll.admin import wire
from atoll.admin.passing import Counters, passing
from atoll.admin.wire import Bad, caller, query
from atoll.aws.http import Answer, Request
from atoll.host.contract import HostError
from atoll.model.world import World
from atoll.picture import words
from atoll.picture.draw import draw
from atoll.picture.read import NoVpc, read, vpc_called
from atoll.picture.scene import Scene
from atoll.picture.svg import svg

Route = Callable[[Request], Awaitable[Answer]]
SVG_TYPE = "image/svg+xml; charset=utf-8"


class Service(Protocol):
    """What the route asks of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102
    @property
    def counters(self) -> Counters: ...  # noqa: D102
    def where(self) -> dict[str, Any]: ...  # noqa: D102


async def scene(service: Service, world: World, vpc_id: str, *, live: bool) -> Scene:
    """Return the map of a VPC; `live`: with what passes now, if anything runs here.  Raises HostError."""
    if not live or service.where()["mode"] == "paper":
        return read(world, vpc_id)
    seen = await passing(world, service.counters, vpc_id)
    return read(world, vpc_id, flows=seen.flows, translates=seen.translates, notes=seen.notes, is_live=True)


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the route, by path and method."""

    async def show(request: Request) -> Answer:
        said = query(request)
        world = service.world.seen_by(caller(said))
        live = said.get("live") == "1"
        if live and service.where()["mode"] == "paper":
            raise Bad(409, "nothing passes on the paper host: draw the map without --live")
        try:
            found = await scene(service, world, vpc_called(world, said.get("vpc")).id, live=live)
        except NoVpc as error:
            raise Bad(404, str(error), error.candidates) from None
        except HostError as error:
            raise Bad(503, f"the kernel's counters cannot be read: {error}") from None
        if said.get("format") == "json":
            return wire.answer(words.as_json(found))
        return Answer(200, {"content-type": SVG_TYPE}, svg(draw(found)).encode())

    return {"/_atoll/map": {"GET": show}}
