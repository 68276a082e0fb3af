"""Talk to the daemon's private API, `/_atoll/`, over HTTP on this machine.

Only the standard library: a command that asks one question must not pay for an HTTP framework.
"""

import functools
import json
import os
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from atoll.cli import whereabouts
from atoll.cli.failure import NOT_RUNNING, Failure

DEFAULT_ENDPOINT = "http://127.0.0.1:4566"
HEALTH_SECONDS_MAX = 10.0  # a daemon on a busy machine says within one that it lives
ANSWER_SECONDS_MAX = 60.0  # a reset or a stop of many machines; everything else answers within a second
ISSUED = ("AKIA", "ASIA")  # how keys begin that Atoll, or AWS, has issued
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def endpoint() -> str:
    """Return the daemon's URL: ATOLL_ENDPOINT, else AWS_ENDPOINT_URL if it is this machine, else what the state says.

    Where no daemon keeps the state (ATOLL_STATE, or the usual place) it is port 4566.
    """
    if chosen := os.environ.get("ATOLL_ENDPOINT"):
        return chosen.rstrip("/")
    aws = os.environ.get("AWS_ENDPOINT_URL", "")
    if urlsplit(aws).hostname in LOOPBACK:
        return aws.rstrip("/")
    noted = whereabouts.noted(whereabouts.default_state()) or ""
    return noted if urlsplit(noted).hostname in LOOPBACK else DEFAULT_ENDPOINT


def whose(seconds: float = HEALTH_SECONDS_MAX) -> dict[str, str]:
    """Return the account and region that the environment's AWS settings mean: design.md, "Identity".

    The daemon knows whose a key is that it has issued; it has so many `seconds` to say it.
    """
    key = os.environ.get("AWS_ACCESS_KEY_ID", "")
    account = key if len(key) == 12 and key.isdigit() else "000000000000"
    if key.startswith(ISSUED):
        account = _account_of(key, endpoint(), seconds) or account
    return {"account": account, "region": region()}


def region() -> str:
    """Return the region that the environment means."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


@functools.cache
def _account_of(key: str, at: str, seconds: float) -> str | None:
    """Return the account of a key, as the daemon at an endpoint knows it; None: nobody answers, or no daemon."""
    try:
        found: str = get_within(seconds, "/_atoll/keys", at=at, id=key)["account"]
    except (Failure, KeyError, TypeError, ValueError):
        return None
    return found


def get(path: str, *, at: str | None = None, **query: str) -> Any:
    """Ask a question; returns the decoded answer.  `at`: another endpoint than the environment's."""
    return get_within(ANSWER_SECONDS_MAX, path, at=at, **query)


def get_within(seconds: float, path: str, *, at: str | None = None, **query: str) -> Any:
    """Ask a question whose answer is worth so many seconds, and no more."""
    return _call("GET", path + ("?" + urlencode(query) if query else ""), None, at=at, seconds=seconds)


def post(
    path: str, body: dict[str, Any] | None = None, *, at: str | None = None, seconds: float = ANSWER_SECONDS_MAX
) -> Any:
    """Ask for an act; returns the decoded answer, or None when there is none."""
    return _call("POST", path, body or {}, at=at, seconds=seconds)


def raw(path: str, **query: str) -> bytes:
    """Ask a question whose answer is not for us to decode."""
    found: bytes = _call("GET", path + ("?" + urlencode(query) if query else ""), None, decode=False)
    return found


def machine(place: str) -> dict[str, Any]:
    """Return how to enter an instance, a cache node or an outside host, by id, name or address."""
    found: dict[str, Any] = get(f"/_atoll/machines/{quote(place, safe='')}", **whose())
    return found


def outside(address: str) -> dict[str, Any]:
    """Return how to enter the internet client with this address; makes it if there is none."""
    made: dict[str, Any] = post("/_atoll/outside", {"address": address})
    return made


def is_running(at: str | None = None) -> bool:
    """Tell whether a daemon answers at the endpoint, or at another."""
    try:
        _call("GET", "/_atoll/health", None, at=at, seconds=HEALTH_SECONDS_MAX)
    except Failure:
        return False
    return True


def _call(
    method: str,
    path: str,
    body: dict[str, Any] | None,
    *,
    decode: bool = True,
    at: str | None = None,
    seconds: float = ANSWER_SECONDS_MAX,
) -> Any:
    import urllib.error  # here: `atoll up` asks nothing, and need not wait 20 ms for them
    import urllib.request

    request = urllib.request.Request(
        (at or endpoint()) + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    # Requests to this machine never go through a proxy that the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=seconds) as response:
            answer = response.read()
    except urllib.error.HTTPError as error:
        raise _refusal(at or endpoint(), error.code, error.read()) from None
    except (OSError, ValueError) as error:  # refused, reset, timed out; or not a URL
        raise Failure(
            f"Atoll is not running at {at or endpoint()} ({getattr(error, 'reason', error)})",
            "start it with `atoll up`",
            NOT_RUNNING,
        ) from None
    if not decode:
        return answer
    return json.loads(answer) if answer else None


def _refusal(where: str, status: int, answer: bytes) -> Failure:
    try:
        told = json.loads(answer)
        message = told["error"]
    except (ValueError, KeyError, TypeError):
        text = answer.decode(errors="replace").strip()[:200]
        return Failure(f"{where} answered HTTP {status}: {text}", "is it Atoll that listens there? `atoll doctor`")
    if candidates := told.get("candidates"):
        return Failure(message, "name one of: " + ", ".join(map(str, candidates)))
    next_step = (
        "`atoll status` lists what there is" if status == 404 else told.get("next", "`atoll status` shows why")
    )
    return Failure(message, next_step)
