"""The private API of `atoll activity`: the newest calls of AWS's API."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from atoll.admin import wire
from atoll.admin.activity import Activity
from atoll.admin.wire import NEXT_MAX, Bad, caller, query
from atoll.aws.http import Answer, Request
from atoll.model.digits import is_number

Route = Callable[[Request], Awaitable[Answer]]


class Service(Protocol):
    """What the route asks of the daemon."""

    @property
    def activity(self) -> Activity: ...  # noqa: D102


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the route, by path and method."""

    async def show(request: Request) -> Answer:
        said = query(request)
        if not is_number(after := said.get("after", "0"), NEXT_MAX):
            raise Bad(400, f"{after!r} is not the `next` of an answer")
        return wire.answer(service.activity.page(caller(said), int(after)))

    return {"/_atoll/activity": {"GET": show}}
