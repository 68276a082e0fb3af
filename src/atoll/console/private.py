"""Ask the daemon what is no AWS call: the private API, as `atoll` asks it, with its checks and its errors."""

import json
from typing import Any, cast
from urllib.parse import urlencode

from atoll.aws.errors import AwsError
from atoll.aws.http import Request
from atoll.console.ask import Ask

CODES = {400: "InvalidRequest", 404: "NotFound", 409: "NotNow", 503: "NotAvailable"}


async def get(ask: Ask, path: str, **query: str) -> Any:
    """Ask a question.  Raises AwsError."""
    whose = {"account": ask.account, "region": ask.region}
    return await _call(ask, Request("GET", path, urlencode({**whose, **query}), {}, b"", "127.0.0.1"))


async def post(ask: Ask, path: str, **said: Any) -> Any:
    """Ask for an act.  Raises AwsError."""
    body = {"account": ask.account, "region": ask.region, **said}
    return await _call(ask, Request("POST", path, "", {}, json.dumps(body).encode(), "127.0.0.1"))


async def _call(ask: Ask, request: Request) -> Any:
    from atoll.admin.routes import Service, private_api

    answer = await private_api(cast(Service, ask.service))(request)
    told: Any = json.loads(answer.body) if answer.body else None
    if answer.status >= 400:
        raise AwsError(CODES.get(answer.status, "Failed"), str(told["error"]), answer.status)
    return told
