"""The private API of `atoll classic`: whether an account has EC2-Classic, and a change of that."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from atoll.admin import classic
from atoll.admin.wire import Bad, answer, body, caller, query
from atoll.aws.http import Answer, Request
from atoll.model.world import Tx, World
from atoll.store.sqlite import StoreError

Route = Callable[[Request], Awaitable[Answer]]


class Service(Protocol):
    """What the routes ask of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102
    def write(self, fn: Callable[[Tx], Any], what: str) -> Any: ...  # noqa: D102


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the routes, by path and method."""

    async def look(request: Request) -> Answer:
        return answer(classic.shown(service.world.seen_by(caller(query(request)))))

    async def change(request: Request) -> Answer:
        said = body(request)
        whose, enabled = caller(said), said.get("enabled") is True
        try:
            service.write(lambda tx: classic.change(tx, whose, enabled=enabled), "classic")
        except classic.InUse as because:
            raise Bad(409, f"{because}: it must be empty") from None
        except StoreError as error:
            raise Bad(503, str(error)) from None
        return answer(classic.shown(service.world.seen_by(whose)))

    return {"/_atoll/classic": {"GET": look, "POST": change}}
