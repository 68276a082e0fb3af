"""Requests and answers of the private API: JSON in, JSON out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from atoll.aws.http import Answer, Request
from atoll.model.names import ACCOUNT, DEFAULT_ACCOUNT, REGION
from atoll.model.world import Caller

BODY_BYTES_MAX = 64 << 10
DEFAULT_REGION = "us-east-1"
NEXT_MAX = 1 << 53  # of what has a number: the `next` of a page


@dataclass(frozen=True)
class Bad(Exception):
    """A request that cannot be answered."""

    status: int
    error: str
    candidates: tuple[str, ...] = ()
    next_step: str = ""


def answer(said: Any, status: int = 200) -> Answer:
    """Return an answer in JSON."""
    text = json.dumps(said, ensure_ascii=False)
    return Answer(status, {"content-type": "application/json"}, text.encode("utf-8", "replace"))  # half a pair: `?`


def query(request: Request) -> dict[str, str]:
    """Return the parameters of a URL."""
    return dict(parse_qsl(request.query, keep_blank_values=True))


def body(request: Request, bytes_max: int = BODY_BYTES_MAX) -> dict[str, Any]:
    """Return a request's JSON object.  Raises Bad."""
    if len(request.body) > bytes_max:
        raise Bad(413, f"the request is larger than {bytes_max} bytes")
    try:
        said = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        raise Bad(400, "the request is not JSON") from None
    if not isinstance(said, dict):
        raise Bad(400, "the request is not a JSON object")
    return said


def text(said: Mapping[str, Any], name: str) -> str:
    """Return a member that must be there, and be text.  Raises Bad."""
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise Bad(400, f"{name} is missing")
    return value


def caller(said: Mapping[str, Any]) -> Caller:
    """Return whom a request speaks for: the account and the region it names, else the usual ones.  Raises Bad."""
    account = str(said.get("account") or DEFAULT_ACCOUNT)
    region = str(said.get("region") or DEFAULT_REGION)
    if not ACCOUNT.fullmatch(account):
        raise Bad(400, "account is no number of twelve digits")
    if not REGION.fullmatch(region):
        raise Bad(400, "region is no name of a region", (), f"name one as {DEFAULT_REGION}")
    return Caller(account=account, region=region, arn=f"arn:aws:iam::{account}:root")
