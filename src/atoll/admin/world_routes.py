"""The private API of whole Worlds in files: save one, say where to bring one, load it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from atoll.admin.wire import Bad, answer, body, text
from atoll.aws.http import Answer, Request
from atoll.host.errors import HostError
from atoll.store.sqlite import StoreError

Route = Callable[[Request], Awaitable[Answer]]


class Worlds(Protocol):
    """What saves and loads; both raise what they cannot do."""

    @property
    def refusal(self) -> type[Exception]: ...  # noqa: D102
    @property
    def directory(self) -> Path: ...  # noqa: D102
    def place(self) -> Path: ...  # noqa: D102
    async def save(self, *, whole: bool) -> dict[str, Any]: ...  # noqa: D102
    async def load(self, name: str, *, replace: bool) -> dict[str, Any]: ...  # noqa: D102


class Service(Protocol):
    """What the routes ask of the daemon."""

    @property
    def worlds(self) -> Worlds: ...  # noqa: D102


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the routes, by path and method."""

    async def save(request: Request) -> Answer:
        return await _done(service, service.worlds.save(whole=body(request).get("data") is not False))

    async def load(request: Request) -> Answer:
        said = body(request)
        name = text(said, "name")
        if Path(name).name != name or not name.endswith(".atoll"):
            raise Bad(400, f"{name[:100]} is not a name that was given out")
        return await _done(service, service.worlds.load(name, replace=said.get("replace") is True))

    async def place(_request: Request) -> Answer:
        try:
            return answer({"file": str(service.worlds.place())})
        except OSError as error:
            raise Bad(503, f"nothing can be written: {error}") from None

    return {
        "/_atoll/worlds/save": {"POST": save},
        "/_atoll/worlds/place": {"POST": place},
        "/_atoll/worlds/load": {"POST": load},
    }


async def _done(service: Service, work: Awaitable[dict[str, Any]]) -> Answer:
    try:
        return answer(await work)
    except service.worlds.refusal as refusal:
        raise Bad(409, str(refusal)) from None
    except FileNotFoundError as error:
        raise Bad(404, f"{error.filename} is not there") from None
    except (HostError, StoreError, OSError) as error:
        raise Bad(503, f"{error}; nothing was changed") from None
