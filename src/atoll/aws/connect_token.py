"""IAM authentication tokens of caches: presigned `connect` requests that a client gives as its password, verified.

    sessions/?Action=connect&User=app&X-Amz-Algorithm=AWS4-HMAC-SHA256&...

Source: ElastiCache User Guide, "Authenticating with IAM".  Whose key it is says `sigv4.py`, by the same rules as for
the API: a key that Atoll issued must have signed it; of others in `local` mode only the account is asked.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from atoll.aws.dialect import DIALECTS
from atoll.aws.errors import AwsError
from atoll.aws.http import Request
from atoll.aws.sigv4 import Mode, identify, read_claim
from atoll.model.account import AccessKey

LIFE_SECONDS_MAX = 900
TOKEN_BYTES_MAX = 8_192  # with a session token it has about 1,500


def looks_like_one(password: str) -> bool:
    """Tell whether a password is meant as a token."""
    return "X-Amz-Signature=" in password and len(password) <= TOKEN_BYTES_MAX


def seconds_left(token: str, now: datetime) -> float:
    """Return for how long a token that was not refused is valid."""
    said = dict(parse_qsl(token.partition("?")[2]))
    return int(said["X-Amz-Expires"]) - _age_seconds(said["X-Amz-Date"], now)


def refusal(
    token: str,
    *,
    user_id: str,
    cache: str,
    owner: tuple[str, str],
    secret_of: Callable[[str], AccessKey | None],
    mode: Mode,
    now: datetime,
) -> str | None:
    """Return why a token opens no connection of a user to a cache of an account in a region; None: it does."""
    place, question, query = token.partition("?")
    host, slash, path = place.partition("/")
    said = dict(parse_qsl(query))
    if not question or host.lower() != cache or not slash or path:
        return f"it is not for the cache {cache}"
    if said.get("Action") != "connect" or said.get("User", "").lower() != user_id:
        return f"it is not for the user {user_id}"
    request = Request("GET", "/", query, {"host": host}, b"")
    try:
        claim = read_claim(request)
        if claim is None or claim.service != "elasticache" or claim.lives_seconds is None:
            return "it is not signed as a presigned request to elasticache"
        if claim.lives_seconds > LIFE_SECONDS_MAX:
            return f"it is valid for more than {LIFE_SECONDS_MAX} seconds"
        caller = identify(request, claim, DIALECTS["elasticache"], secret_of=secret_of, mode=mode, now=now)
        age = _age_seconds(claim.stamp, now)
    except AwsError as error:
        return error.message
    if not -LIFE_SECONDS_MAX <= age <= claim.lives_seconds:  # `sigv4` looks at those of keys that it knows
        return "it has expired"
    return None if (caller.account, caller.region) == owner else "it is signed for another account or region"


def _age_seconds(stamp: str, now: datetime) -> float:
    return (now - datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)).total_seconds()
