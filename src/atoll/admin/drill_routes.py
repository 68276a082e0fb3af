"""The private API of `atoll drill`: what a group looks like, the fault, and its end."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, cast

from atoll.admin import drill
from atoll.admin.wire import Bad, answer, body, caller, query, text
from atoll.aws.http import Answer, Request
from atoll.host.contract import Harm, HostError
from atoll.model.cache import ReplicationGroup
from atoll.model.world import Caller, Tx, World
from atoll.store.sqlite import StoreError

Route = Callable[[Request], Awaitable[Answer]]


class Service(Protocol):
    """What the routes ask of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102
    def where(self) -> dict[str, Any]: ...  # noqa: D102
    def write(self, fn: Callable[[Tx], Any], what: str, caller: Caller | None = None) -> Any: ...  # noqa: D102
    async def harm(self, cluster_id: str, what: Harm) -> None: ...  # noqa: D102
    def failover_steps(self) -> list[dict[str, Any]]: ...  # noqa: D102


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the routes, by path and method."""

    async def look(request: Request) -> Answer:
        said = query(request)
        world = service.world.seen_by(caller(said))
        try:
            group = drill.group_of(world, said.get("group", ""))
        except drill.NoDrill as error:
            raise Bad(404, str(error)) from None
        steps = [step for step in service.failover_steps() if step["group"] == group.name]
        return answer(drill.described(world, group) | {"steps": steps})

    async def begin(request: Request) -> Answer:
        if service.where()["mode"] == "paper":
            raise Bad(409, "nothing runs on the paper host that could fail")
        said = body(request)
        world, fault = service.world.seen_by(caller(said)), text(said, "fault")
        try:
            group = drill.group_of(world, text(said, "group"))
            drill.check(group, fault)
            at = time.time()
            if fault == "planned":
                service.write(lambda tx: drill.ask_planned(tx, group), "drill")
            else:
                await service.harm(group.shard.primary_id, cast("Harm", fault))
        except drill.NoDrill as error:
            raise Bad(409, str(error)) from None
        except (HostError, StoreError) as error:
            raise Bad(503, str(error)) from None
        return answer(drill.described(world, group) | {"at": at})

    async def heal(request: Request) -> Answer:
        said = body(request)
        try:
            for id in drill.group_of(service.world.seen_by(caller(said)), text(said, "group")).member_ids:
                await service.harm(id, "heal")
        except drill.NoDrill as error:
            raise Bad(404, str(error)) from None
        except HostError as error:
            raise Bad(503, str(error)) from None
        return Answer(204, {}, b"")

    return {
        "/_atoll/drill": {"GET": look, "POST": begin},
        "/_atoll/drill/heal": {"POST": heal},
        "/_atoll/drill/reshard": {"POST": partial(_reshard, service)},
        "/_atoll/drill/change": {"POST": partial(_change, service)},
    }


async def _reshard(service: Service, request: Request) -> Answer:
    said = body(request)
    return _asked(service, said, lambda tx, group: drill.reshard(tx, group, int(said.get("shards") or 0)))


async def _change(service: Service, request: Request) -> Answer:
    said = body(request)
    wish = said.get("wish")
    if not isinstance(wish, dict):
        raise Bad(400, "wish must be an object")
    return _asked(service, said, lambda tx, group: drill.change(tx, group, wish))


def _asked(service: Service, said: dict[str, Any], ask: Callable[[Tx, ReplicationGroup], None]) -> Answer:
    """Ask for a change of a group, and answer with what the group is like."""
    whose = caller(said)
    try:
        group = drill.group_of(service.world.seen_by(whose), text(said, "group"))
        service.write(lambda tx: ask(tx, group), "drill", whose)
    except drill.NoDrill as error:
        raise Bad(409, str(error)) from None
    except StoreError as error:
        raise Bad(503, str(error)) from None
    return answer(drill.described(service.world.seen_by(whose), group))
