"""The private API of `atoll chaos`: what is broken, one more fault, and its end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from atoll.admin import chaos
from atoll.admin.wire import NEXT_MAX, Bad, answer, body, caller, text
from atoll.aws.http import Answer, Request
from atoll.host.contract import Seen
from atoll.model.fault import KILLS, Fault, hit
from atoll.model.world import Tx, World
from atoll.store.sqlite import StoreError

KILL_SECONDS, LOOK_SECONDS = 10.0, 0.01  # a machine that is killed has ended within milliseconds
Route = Callable[[Request], Awaitable[Answer]]


class Service(Protocol):
    """What the routes ask of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102
    def seen(self) -> Mapping[str, Seen]: ...  # noqa: D102
    def write(self, fn: Callable[[Tx], Any], what: str) -> Any: ...  # noqa: D102
    async def in_force(self) -> bool: ...  # noqa: D102


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the routes, by path and method."""

    async def look(_request: Request) -> Answer:
        return answer(chaos.listed(service.world))

    async def begin(request: Request) -> Answer:
        said = body(request)
        act, seconds = text(said, "act"), said.get("seconds")
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float)):
            raise Bad(400, f"{seconds!r} is not a number of seconds")
        if seconds is not None and not abs(seconds) < NEXT_MAX:
            raise Bad(400, "seconds is too large")
        try:
            target = chaos.target_of(service.world.seen_by(caller(said)), act, text(said, "target"))
            fault = service.write(lambda tx: chaos.begin(tx, act, target, seconds), "chaos")
        except chaos.NoTarget as error:
            raise Bad(404, str(error), error.candidates) from None
        except chaos.Refused as error:
            raise Bad(409, str(error)) from None
        except StoreError as error:
            raise Bad(503, str(error)) from None
        if not await service.in_force():
            raise Bad(503, f"{fault.id} is not in force yet; see: atoll status")
        if fault.act in KILLS:
            await _ended(service, fault)
        return answer(chaos.as_json(service.world, fault))

    async def revert(request: Request) -> Answer:
        said = body(request)
        id = None if said.get("all") is True else text(said, "id")
        try:
            over = service.write(lambda tx: chaos.end(tx, id), "chaos")
        except chaos.NoTarget as error:
            raise Bad(404, str(error), error.candidates) from None
        except StoreError as error:
            raise Bad(503, str(error)) from None
        if not await service.in_force():
            raise Bad(503, "the network is not as it was yet; see: atoll status")
        return answer([chaos.as_json(service.world, fault) for fault in over])

    return {"/_atoll/chaos": {"GET": look, "POST": begin}, "/_atoll/chaos/revert": {"POST": revert}}


async def _ended(service: Service, fault: Fault) -> None:
    """Wait until nothing that a fault hits runs any more.  Raises Bad."""
    subjects = {victim.subject for victim in hit(service.world, fault)}
    for _ in range(int(KILL_SECONDS / LOOK_SECONDS)):
        alive = (name for name, process in service.seen().items() if process.alive)
        if not any(name.rpartition("#")[0] in subjects for name in alive):
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise Bad(503, f"{fault.id}: not everything has ended in time; see: atoll status")
