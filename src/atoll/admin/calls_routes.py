"""The private API's way to make many AWS calls in one request: a script's round trips are then one.

Each call is made as the wire makes it, one after the other: checked, in a transaction of its own, and noted.  Only
for the network they wait together, at the end.  A parameter may be what an earlier call answered:

    {"calls": [{"service": "ec2", "action": "CreateVpc", "parameters": {"CidrBlock": "10.0.0.0/16"}},
               {"service": "ec2", "action": "CreateSubnet",
                "parameters": {"VpcId": {"call": 0, "path": ["Vpc", "VpcId"]}, "CidrBlock": "10.0.0.0/24"}}]}

The answer has all results, in the same order.  The first call that AWS would refuse ends it; what was done stays.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from atoll.admin.wire import Bad, answer, body, caller
from atoll.aws import inside
from atoll.aws.dialect import DIALECTS
from atoll.aws.errors import AwsError
from atoll.aws.http import Answer, Request

Route = Callable[[Request], Awaitable[Answer]]

CALLS_MAX = 200  # of one request: others wait meanwhile


class Service(Protocol):
    """What the routes ask of the daemon."""

    @property
    def backend(self) -> Any: ...  # noqa: D102
    async def in_force(self) -> bool: ...  # noqa: D102


class _Together:
    """The backend, of which no call waits for the network by itself."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    async def in_force(self) -> None:
        """Wait for nothing: `make` waits once, for all."""


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the routes, by path and method."""

    async def make(request: Request) -> Answer:
        said = body(request)
        calls = said.get("calls")
        if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            raise Bad(400, "calls is not a list of calls")
        if len(calls) > CALLS_MAX:
            raise Bad(400, f"these are {len(calls)} calls: make {CALLS_MAX} at most in a request")
        if service.backend.mode == "strict":
            raise Bad(403, "calls without a signature are not made where keys are required", (), "use an AWS client")
        whose, backend, results = caller(said), _Together(service.backend), list[dict[str, Any]]()
        try:
            for number, call in enumerate(calls):
                given = _filled(call.get("parameters") or {}, results)
                name, action = str(call.get("service")), str(call.get("action"))
                if name not in DIALECTS:
                    raise Bad(400, f"call {number}: there is no service {name!r}")
                if not isinstance(given, dict):
                    raise Bad(400, f"call {number}: parameters is not an object")
                if "ClientToken" in given:
                    raise Bad(400, f"call {number}: a ClientToken is for a client that repeats a call")
                await asyncio.sleep(0)  # others wait for one call only
                try:
                    results.append(await inside.call(name, action, given, backend, whose))
                except AwsError as error:
                    raise Bad(409, f"call {number}, {action}: {error.code}: {error.message}") from None
        finally:
            await service.in_force()
        return answer({"results": [_written(result) for result in results]})

    return {"/_atoll/calls": {"POST": make}}


def _filled(value: Any, results: Sequence[Any]) -> Any:
    """Return parameters with what earlier calls answered in them.  Raises Bad."""
    if isinstance(value, list):
        return [_filled(one, results) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {"call", "path"}:
        return {name: _filled(one, results) for name, one in value.items()}
    found: Any = results
    try:
        for step in (value["call"], *value["path"]):
            found = found[step]
    except (LookupError, TypeError):
        raise Bad(400, f"call {value['call']!r} has not answered {value['path']!r}") from None
    return found


def _written(value: Any) -> Any:
    """Return a result as JSON has it: times as text."""
    if isinstance(value, dict):
        return {name: _written(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_written(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value
