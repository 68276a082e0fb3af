"""The private API of `atoll ca`: the certificate that clients of HTTPS endpoints and caches with TLS must trust."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from atoll.admin.wire import Bad
from atoll.aws.http import Answer, Request
from atoll.host.authority import Authority
from atoll.host.contract import HostError

Route = Callable[[Request], Awaitable[Answer]]


class Service(Protocol):
    """What the route asks of the daemon."""

    def where(self) -> dict[str, Any]: ...  # noqa: D102


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the route, by path and method."""

    async def authority(_request: Request) -> Answer:
        try:
            path = await asyncio.to_thread(Authority(Path(service.where()["state_dir"])).certificate)
        except HostError as error:
            raise Bad(503, str(error)) from None
        return Answer(200, {"Content-Type": "application/x-pem-file"}, path.read_bytes())

    return {"/_atoll/ca": {"GET": authority}}
