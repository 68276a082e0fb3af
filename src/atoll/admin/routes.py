"""The private API: JSON in, JSON out; errors are {"error", "candidates"?}."""

import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import unquote

from atoll.admin import (
    activity_routes,
    ca_routes,
    calls_routes,
    chaos_routes,
    classic_routes,
    drill_routes,
    keys_routes,
    lesson_routes,
    map_routes,
    quotas,
    snapshot,
    twin_routes,
    usage,
    why,
    world_routes,
)
from atoll.admin import metrics as prometheus
from atoll.admin.activity import Activity
from atoll.admin.drops import counted, drops
from atoll.admin.flow_logs import Loop, described, page, standing
from atoll.admin.lessons import Lessons
from atoll.admin.machines import Machine, NotRunning, machine, outside, outside_address
from atoll.admin.status import status
from atoll.admin.wire import NEXT_MAX, Bad
from atoll.admin.wire import answer as _json
from atoll.admin.wire import body as _body
from atoll.admin.wire import caller as _caller
from atoll.admin.wire import query as _query
from atoll.admin.wire import text as _text
from atoll.aws.http import BODY_BYTES_MAX, Answer, Request
from atoll.host.contract import Connection, Harm, HostError, LinkCount, Seen, Tallied, Tracked
from atoll.model.digits import is_number
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.world import Caller, Tx, World
from atoll.network.explain import as_dict, explain
from atoll.network.facts import Container
from atoll.network.flow import Verdict
from atoll.network.places import Place, PlaceError, UnknownPlace, endpoint, receiver
from atoll.network.plan import Plan
from atoll.network.trace import trace
from atoll.store.sqlite import StoreError

_log = logging.getLogger(__name__)
_WHY_BYTES_MAX = BODY_BYTES_MAX  # with the firewalls of some machines
_HEALTH = ("/_atoll/health", "/_localstack/health", "/_ministack/health", "/health")
_RESETS = ("/_atoll/reset", "/_localstack/state/reset", "/_ministack/reset", "/moto-api/reset")
_MACHINES = "/_atoll/machines/"
_STAGES = ("", "/boot", "/start", "/ready", "/shutdown")
_INIT = [f"{path}{stage}" for path in ("/_atoll/init", "/_localstack/init") for stage in _STAGES]
Route = Callable[[Request], Awaitable[Answer]]


class Counters(Protocol):
    """What the kernel counts; reading raises HostError."""

    @property
    def plan(self) -> Plan: ...  # noqa: D102
    @property
    def flow_logs(self) -> Loop: ...  # noqa: D102
    async def tallies(self, containers: Sequence[Container]) -> Sequence[Tallied]: ...  # noqa: D102
    async def connections(  # noqa: D102
        self, names: Collection[str], most: int
    ) -> Mapping[str, Mapping[Connection, int]]: ...
    async def traffic(  # noqa: D102
        self, vpc_ids: Collection[str], gateways: Collection[str]
    ) -> tuple[Mapping[str, Mapping[str, LinkCount]], Mapping[str, Tracked]]: ...


class Sampler(Protocol):
    """What measures."""

    async def measure(self) -> Sequence[prometheus.Measured]: ...  # noqa: D102


class Hooks(Protocol):
    """The user's scripts."""

    def report(self) -> dict[str, Any]: ...  # noqa: D102


class Service(Protocol):
    """What the routes ask of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102
    @property
    def counters(self) -> Counters: ...  # noqa: D102
    @property
    def activity(self) -> Activity: ...  # noqa: D102
    @property
    def backend(self) -> Any: ...  # noqa: D102
    @property
    def sampler(self) -> Sampler: ...  # noqa: D102
    @property
    def lessons(self) -> Lessons: ...  # noqa: D102
    @property
    def hooks(self) -> Hooks: ...  # noqa: D102
    @property
    def worlds(self) -> world_routes.Worlds: ...  # noqa: D102
    def health(self) -> dict[str, Any]: ...  # noqa: D102
    def loops(self) -> dict[str, Any]: ...  # noqa: D102
    def seen(self) -> Mapping[str, Seen]: ...  # noqa: D102
    def where(self) -> dict[str, Any]: ...  # noqa: D102
    def write(self, fn: Callable[[Tx], Any], what: str, caller: Caller | None = None) -> Any: ...  # noqa: D102
    async def in_force(self) -> bool: ...  # noqa: D102
    async def reset(self, accounts: Collection[str] = ()) -> None: ...  # noqa: D102
    def stop(self, *, purge: bool) -> None: ...  # noqa: D102
    def owner_shows(self) -> dict[str, str]: ...  # noqa: D102
    def is_owner(self, words: Sequence[str], ticket: str) -> bool: ...  # noqa: D102
    async def harm(self, cluster_id: str, what: Harm) -> None: ...  # noqa: D102
    def failover_steps(self) -> list[dict[str, Any]]: ...  # noqa: D102


def private_api(service: Service) -> Callable[[Request], Awaitable[Answer]]:
    """Return the private API of a daemon: a function that answers a request, and never raises."""
    api = _Api(service)
    table: dict[str, dict[str, Route]] = {
        **{path: {"GET": api.health} for path in _HEALTH},
        **{path: {"POST": api.reset} for path in _RESETS},
        **{path: {"GET": api.init} for path in _INIT},
        "/_localstack/info": {"GET": api.health},
        "/_atoll/status": {"GET": api.status},
        "/_atoll/history": {"GET": api.history},
        "/_atoll/trace": {"POST": api.trace},
        "/_atoll/why": {"POST": api.why},
        "/_atoll/drops": {"GET": api.drops},
        "/_atoll/usage": {"GET": api.usage},
        "/_atoll/metrics": {"GET": api.metrics},
        "/_atoll/flow-logs": {"GET": api.flow_logs},
        "/_atoll/flow-logs/flush": {"POST": api.flush_flow_logs},
        "/_atoll/world": {"GET": api.whole},
        "/_atoll/outside": {"POST": api.outside},
        **_elsewhere(service),
        "/_atoll/quotas": {"GET": api.quotas, "POST": api.set_quotas},
        "/_atoll/stop": {"POST": api.stop},
    }

    async def answer(request: Request) -> Answer:
        path = unquote(request.path)
        methods = {"GET": api.machine} if path.startswith(_MACHINES) else table.get(path)
        try:
            if methods is None:
                raise Bad(404, f"there is nothing at {path}")
            route = methods.get("GET" if request.method == "HEAD" else request.method)
            if route is None:
                raise Bad(405, f"{path} is for {' and '.join(methods)}")
            return await route(request)
        except Bad as bad:
            body: dict[str, Any] = {"error": bad.error}
            if bad.candidates:
                body["candidates"] = list(bad.candidates)
            if bad.next_step:
                body["next"] = bad.next_step
            return _json(body, bad.status)
        except Exception as mistake:  # of ours: the caller gets an answer, we get a trace
            _log.exception("private request failed", extra={"fields": {"path": path}})
            return _json({"error": f"{type(mistake).__name__}: {mistake}"}, 500)

    return answer


def _elsewhere(service: Service) -> dict[str, dict[str, Route]]:
    """Return the routes that have modules of their own."""
    return {
        **activity_routes.table(service),
        **ca_routes.table(service),
        **calls_routes.table(service),
        **world_routes.table(service),
        **twin_routes.table(service),
        **chaos_routes.table(service),
        **classic_routes.table(service),
        **keys_routes.table(service),
        **drill_routes.table(service),
        **map_routes.table(service),
        **lesson_routes.table(lambda: service.lessons),
    }


class _Api:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, request: Request) -> Answer:
        return _json(self._service.health())

    async def init(self, request: Request) -> Answer:
        report = self._service.hooks.report()
        stage = request.path.rpartition("/")[2]
        if stage == "init":
            return _json(report)
        scripts = [script for script in report["scripts"] if script["stage"] == stage.upper()]
        return _json({"completed": report["completed"][stage.upper()], "scripts": scripts})

    async def reset(self, request: Request) -> Answer:
        said = _body(request)
        accounts = said.get("accounts", ())
        are_accounts = isinstance(accounts, list) and accounts and all(map(_is_account, accounts))
        if "accounts" in said and not are_accounts:
            raise Bad(400, "accounts is a list of account numbers, which have 12 digits; without it, all are reset")
        try:
            await self._service.reset(accounts)
        except StoreError as error:
            raise Bad(503, f"{error}; nothing was removed") from None
        except HostError as error:
            raise Bad(503, f"not everything could be removed: {error}") from None
        except TimeoutError:
            raise Bad(503, "something did not end in time; it is being ended still, see: atoll status") from None
        return Answer(204, {}, b"")

    async def status(self, request: Request) -> Answer:
        world = self._service.world.seen_by(_caller(_query(request)))
        told = {"loop": self._service.loops(), "init": self._service.hooks.report()}
        return _json(self._service.where() | status(world) | told)

    async def history(self, request: Request) -> Answer:
        return _json(self._service.loops()["history"])

    async def trace(self, request: Request) -> Answer:
        body = _body(request)
        world = self._service.world.seen_by(_caller(body))
        source = self._place(world, _text(body, "from"))
        target = self._place(world, _text(body, "to"), source)
        port = body.get("port", 0)
        if not isinstance(port, int) or not 0 <= port <= 65535:
            raise Bad(400, f"{port!r} is not a port: give a number from 0 to 65535")
        try:
            found = trace(world, source.at, target.address, str(body.get("protocol", "tcp")), port, thorough=True)
        except ValueError:
            raise Bad(400, f"{body['protocol']!r} is not a protocol: give tcp, udp, icmp or a number") from None
        said = as_dict(world, found)
        delivered = found.verdict is Verdict.DELIVERED
        return _json(said | {"delivered": delivered, "lines": explain(world, found)})

    async def why(self, request: Request) -> Answer:
        body = _body(request, _WHY_BYTES_MAX)
        world = self._service.world.seen_by(_caller(body))
        real = self._service.where()["mode"] not in ("flat", "paper")  # there are machines to look into
        try:
            found = why.answer(world, body, self._service.seen(), real=real)
        except PlaceError as error:
            raise _unknown(error) from None
        except why.Unclear as error:
            raise Bad(400, str(error)) from None
        if real and not found["reachable"]:
            plan = self._service.counters.plan
            with contextlib.suppress(HostError):  # the answer stands without evidence
                why.evidence(found, drops(world, plan, await self._service.counters.tallies(counted(plan))))
        return _json(found | {"where": self._service.where()})

    async def drops(self, request: Request) -> Answer:
        self._counted()
        world = self._service.world.seen_by(_caller(_query(request)))
        plan = self._service.counters.plan
        try:
            found = drops(world, plan, await self._service.counters.tallies(counted(plan)))
        except HostError as error:
            raise Bad(503, f"the kernel's counters cannot be read: {error}") from None
        if place := _query(request).get("place"):
            at = str(self._place(world, place).at)
            found = [drop for drop in found if at in (drop.source, drop.target, drop.gateway)]
        return _json({"drops": [drop.to_json() for drop in found]})

    async def usage(self, request: Request) -> Answer:
        self._counted()
        world = self._service.world.seen_by(_caller(_query(request)))
        spaces = usage.gateways(world).keys()
        try:
            tallies = await self._service.counters.tallies(usage.counting(self._service.counters.plan, spaces))
            links, tracked = await self._service.counters.traffic(usage.vpc_ids(world), spaces)
        except HostError as error:
            raise Bad(503, f"the kernel's counters cannot be read: {error}") from None
        return _json(usage.usage(world, datetime.now(UTC), tallies, tracked, links))

    async def metrics(self, request: Request) -> Answer:
        self._real()
        text = prometheus.exposition(await self._service.sampler.measure())
        return Answer(200, {"content-type": prometheus.CONTENT_TYPE}, text.encode())

    async def flow_logs(self, request: Request) -> Answer:
        query = _query(request)
        world = self._service.world.seen_by(_caller(query))
        logs = [log for log in standing(world) if query.get("id", log.id) in (log.id, log.resource_id)]
        if "id" in query and not logs:
            raise Bad(404, f"{query['id']} is no flow log, and nothing that has one")
        if not is_number(after := query.get("after", "0"), NEXT_MAX):
            raise Bad(400, f"{after!r} is not the `next` of an answer")
        loop = self._service.counters.flow_logs
        records = page(loop.records([log.id for log in logs], int(after)), int(after))
        places = {log.id: loop.files.place(log) for log in standing(world)}
        return _json({"logs": described(world, places)} | records)

    async def flush_flow_logs(self, request: Request) -> Answer:
        self._counted()
        try:
            return _json({"records": await self._service.counters.flow_logs.look(flush=True)})
        except HostError as error:
            raise Bad(503, f"the kernel's counters cannot be read: {error}") from None

    async def whole(self, request: Request) -> Answer:
        return Answer(200, {"content-type": "application/json"}, snapshot.write(self._service.world))

    async def machine(self, request: Request) -> Answer:
        self._real()
        world = self._service.world.seen_by(_caller(_query(request)))
        place = self._place(world, unquote(request.path).removeprefix(_MACHINES))
        if host := self._service.world.get(OutsideHost, str(place.at)):
            return self._machine(outside(host))
        interface = world.seen_by(None).get(Interface, str(place.at))  # the place was among the caller's
        if interface is None:
            raise Bad(404, f"{place.name} is not a machine")
        try:
            return self._machine(machine(world, interface, self._service.seen()))
        except NotRunning as because:
            raise Bad(409, str(because)) from None

    async def outside(self, request: Request) -> Answer:
        self._real()
        try:
            address = outside_address(_text(_body(request), "address"))
        except ValueError as error:
            raise Bad(400, str(error)) from None
        host = OutsideHost(id=str(address), account="", region="", address=address)
        try:
            if self._service.world.get(OutsideHost, host.id) is None:
                self._service.write(lambda tx: tx.put(host), "outside")
        except StoreError as error:
            raise Bad(503, str(error)) from None
        if not await self._service.in_force():
            raise Bad(503, f"the network of {address} could not be made in time; see: atoll status")
        return self._machine(outside(host))

    async def quotas(self, request: Request) -> Answer:
        return _json({"quotas": quotas.described(self._service.world, _caller(_query(request)))})

    async def set_quotas(self, request: Request) -> Answer:
        body = _body(request)
        caller = _caller(body)
        try:
            values = quotas.wanted(body)
            self._service.write(lambda tx: quotas.put(tx, caller, values), "quotas")
        except quotas.Unclear as error:
            raise Bad(400, str(error)) from None
        except StoreError as error:
            raise Bad(503, str(error)) from None
        codes = {limit.code for limit in values}
        return _json({"quotas": [q for q in quotas.described(self._service.world, caller) if q["code"] in codes]})

    async def stop(self, request: Request) -> Answer:
        body = _body(request)
        self._service.stop(purge=bool(body.get("purge")))
        return Answer(202, {}, b"")

    def _real(self) -> None:
        if self._service.where()["mode"] == "paper":
            raise Bad(
                409,
                "nothing runs on the paper host: restart Atoll where namespaces are allowed "
                "(atoll doctor says what is missing), or ask the tracer: atoll trace FROM TO:PORT",
            )

    def _counted(self) -> None:
        self._real()
        if self._service.where()["mode"] == "flat":
            raise Bad(409, "nothing counts packets on the flat host (docs/flat.md); ask the tracer: atoll trace")

    def _machine(self, found: Machine) -> Answer:
        return _json(self._service.where() | found.to_json())

    def _place(self, world: World, text: str, sender: Place | None = None) -> Place:
        try:
            return receiver(world, sender, text) if sender else endpoint(world, world.caller, text)
        except PlaceError as error:
            raise _unknown(error) from None


def _is_account(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9]{12}", value) is not None


def _unknown(error: PlaceError) -> Bad:
    return Bad(404 if isinstance(error, UnknownPlace) else 400, str(error), error.candidates)
