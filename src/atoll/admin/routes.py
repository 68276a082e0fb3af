"""The routes of the private API, as Starlette routes.  JSON in, JSON out; errors are {"error", "candidates"?}."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from atoll.admin.machines import Machine, NotRunning, machine, outside, outside_address
from atoll.admin.status import status
from atoll.host.contract import Seen
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.names import DEFAULT_ACCOUNT
from atoll.model.world import Caller, Tx, World
from atoll.network.explain import as_dict, explain
from atoll.network.flow import Verdict
from atoll.network.places import Place, PlaceError, UnknownPlace, endpoint
from atoll.network.trace import trace

_BODY_BYTES_MAX = 64 << 10
DEFAULT_REGION = "us-east-1"


class Service(Protocol):
    """What the routes ask of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102
    def health(self) -> dict[str, Any]: ...  # noqa: D102
    def loops(self) -> dict[str, Any]: ...  # noqa: D102
    def seen(self) -> Mapping[str, Seen]: ...  # noqa: D102
    def where(self) -> dict[str, Any]: ...  # noqa: D102
    def write(self, fn: Callable[[Tx], Any], what: str) -> None: ...  # noqa: D102
    async def in_force(self) -> bool: ...  # noqa: D102
    async def reset(self) -> None: ...  # noqa: D102
    def stop(self, *, purge: bool) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Bad(Exception):
    """A request that cannot be answered."""

    status: int
    error: str
    candidates: tuple[str, ...] = ()


def routes(service: Service) -> list[Route]:
    """Return the private API of a daemon."""
    api = _Api(service)
    health = [
        Route(path, api.health) for path in ("/_atoll/health", "/_localstack/health", "/_ministack/health", "/health")
    ]
    resets = [
        Route(path, api.reset, methods=["POST"])
        for path in ("/_atoll/reset", "/_localstack/state/reset", "/_ministack/reset", "/moto-api/reset")
    ]
    return [
        *health,
        *resets,
        Route("/_localstack/init", api.init),
        Route("/_localstack/info", api.health),
        Route("/_atoll/status", api.status),
        Route("/_atoll/history", api.history),
        Route("/_atoll/trace", api.trace, methods=["POST"]),
        Route("/_atoll/machines/{place:path}", api.machine),
        Route("/_atoll/outside", api.outside, methods=["POST"]),
        Route("/_atoll/stop", api.stop, methods=["POST"]),
    ]


def _answering(
    route: Callable[["_Api", Request], Awaitable[Response]],
) -> Callable[["_Api", Request], Awaitable[Response]]:
    """Turn the refusals of a route into JSON."""

    async def answer(self: "_Api", request: Request) -> Response:
        try:
            return await route(self, request)
        except Bad as bad:
            body: dict[str, Any] = {"error": bad.error}
            if bad.candidates:
                body["candidates"] = list(bad.candidates)
            return JSONResponse(body, bad.status)

    return answer


class _Api:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, request: Request) -> Response:
        return JSONResponse(self._service.health())

    async def init(self, request: Request) -> Response:
        done = dict.fromkeys(("BOOT", "START", "READY"), True) | {"SHUTDOWN": False}
        return JSONResponse({"completed": done, "scripts": []})

    @_answering
    async def reset(self, request: Request) -> Response:
        await self._service.reset()
        return Response(status_code=204)

    @_answering
    async def status(self, request: Request) -> Response:
        world = self._service.world.seen_by(_caller(request.query_params))
        body = self._service.where() | status(world) | {"loop": self._service.loops()}
        return JSONResponse(body)

    @_answering
    async def history(self, request: Request) -> Response:
        return JSONResponse(self._service.loops()["history"])

    @_answering
    async def trace(self, request: Request) -> Response:
        body = await _body(request)
        world = self._service.world.seen_by(_caller(body))
        source, target = self._place(world, _text(body, "from")), self._place(world, _text(body, "to"))
        port = body.get("port", 0)
        if not isinstance(port, int) or not 0 <= port <= 65535:
            raise Bad(400, f"{port!r} is not a port: give a number from 0 to 65535")
        try:
            found = trace(world, source.at, target.address, str(body.get("protocol", "tcp")), port, thorough=True)
        except ValueError:
            raise Bad(400, f"{body['protocol']!r} is not a protocol: give tcp, udp, icmp or a number") from None
        said = as_dict(world, found)
        delivered = found.verdict is Verdict.DELIVERED
        return JSONResponse(said | {"delivered": delivered, "lines": explain(world, found)})

    @_answering
    async def machine(self, request: Request) -> Response:
        self._real()
        world = self._service.world.seen_by(_caller(request.query_params))
        place = self._place(world, request.path_params["place"])
        if host := self._service.world.get(OutsideHost, str(place.at)):
            return self._machine(outside(host))
        interface = world.get(Interface, str(place.at))
        if interface is None:
            raise Bad(404, f"{place.name} is not a machine")
        try:
            return self._machine(machine(world, interface, self._service.seen()))
        except NotRunning as because:
            raise Bad(409, str(because)) from None

    @_answering
    async def outside(self, request: Request) -> Response:
        self._real()
        try:
            address = outside_address(_text(await _body(request), "address"))
        except ValueError as error:
            raise Bad(400, str(error)) from None
        host = OutsideHost(id=str(address), account="", region="", address=address)
        if self._service.world.get(OutsideHost, host.id) is None:
            self._service.write(lambda tx: tx.put(host), "outside")
        if not await self._service.in_force():
            raise Bad(503, f"the network of {address} could not be made in time; see: atoll status")
        return self._machine(outside(host))

    async def stop(self, request: Request) -> Response:
        body = await _body(request)
        self._service.stop(purge=bool(body.get("purge")))
        return Response(status_code=202)

    def _real(self) -> None:
        if self._service.where()["mode"] == "paper":
            raise Bad(
                409,
                "nothing runs on the paper host: restart Atoll where namespaces are allowed "
                "(atoll doctor says what is missing), or ask the tracer: atoll trace FROM TO:PORT",
            )

    def _machine(self, found: Machine) -> Response:
        return JSONResponse(self._service.where() | found.to_json())

    def _place(self, world: World, text: str) -> Place:
        try:
            return endpoint(world, world.caller, text)
        except PlaceError as error:
            status = 404 if isinstance(error, UnknownPlace) else 400
            raise Bad(status, str(error), error.candidates) from None


async def _body(request: Request) -> dict[str, Any]:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_BYTES_MAX:
            raise Bad(413, f"the request is larger than {_BODY_BYTES_MAX} bytes")
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        raise Bad(400, "the request is not JSON") from None
    if not isinstance(body, dict):
        raise Bad(400, "the request is not a JSON object")
    return body


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Bad(400, f"{name} is missing")
    return value


def _caller(said: Mapping[str, Any]) -> Caller:
    account = str(said.get("account") or DEFAULT_ACCOUNT)
    region = str(said.get("region") or DEFAULT_REGION)
    return Caller(account=account, region=region, arn=f"arn:aws:iam::{account}:root")
