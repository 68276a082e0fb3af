"""Who calls: Signature Version 4, read from a request, verified, and turned into a caller.

A key that Atoll issued must sign correctly, always.  Any other key is refused in `strict` mode; in `local` mode it is
taken at its word, unverified, as the other local clouds do: a key of 12 digits is the account itself, every other key
belongs to the default account.  The region is that of the credential scope.

Source: "Signature Version 4 signing process", AWS General Reference.  Tests hold it to botocore's signers.
"""

import functools
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import parse_qsl, quote

from atoll.aws.dialect import INCOMPLETE_SIGNATURE, Dialect, clip
from atoll.aws.http import Request
from atoll.model.account import AccessKey
from atoll.model.names import ACCOUNT, DEFAULT_ACCOUNT, REGION
from atoll.model.world import Caller

Mode = Literal["local", "strict"]

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=15)
PRESIGNED_SECONDS_MAX = 604_800  # a week

_STAMP = re.compile("[0-9]{8}T[0-9]{6}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a request says of itself, before anything is verified."""

    key_id: str
    day: str  # yyyymmdd
    region: str
    service: str  # the signing name
    stamp: str  # yyyymmddThhmmssZ
    signed_headers: tuple[str, ...]
    signature: str
    session_token: str | None
    lives_seconds: int | None  # of a presigned request


def read_claim(request: Request) -> Claim | None:
    """Return what a request claims, from its header or its presigned query; `None` if it is not signed.

    Raises INCOMPLETE_SIGNATURE.
    """
    if header := request.headers.get("authorization"):
        return _from_header(request, header)
    if "X-Amz-Signature" in request.query or "X-Amz-Credential" in request.query:
        return _from_query(request)
    return None


def identify(
    request: Request,
    claim: Claim | None,
    words: Dialect,
    *,
    secret_of: Callable[[str], AccessKey | None],
    mode: Mode,
    now: datetime,
) -> Caller:
    """Return who calls; raises an error in the words of the service for whoever may not."""
    if claim is None:
        raise words.no_credentials()
    if not REGION.fullmatch(claim.region):
        raise INCOMPLETE_SIGNATURE(why=f"Credential should be scoped to a valid region, not '{clip(claim.region)}'.")
    key = secret_of(claim.key_id)
    if key is None and mode == "strict":
        raise words.unknown_key()
    if key is None:
        account = claim.key_id if ACCOUNT.fullmatch(claim.key_id) else DEFAULT_ACCOUNT
        arn = f"arn:aws:iam::{account}:root"
    else:
        _verify(request, claim, key, words, now)
        account, arn = key.account, key.arn
    return Caller(account=account, region=claim.region, arn=arn, access_key_id=claim.key_id)


def _verify(request: Request, claim: Claim, key: AccessKey, words: Dialect, now: datetime) -> None:
    if "host" not in claim.signed_headers or len({*claim.signed_headers}) < len(claim.signed_headers):
        raise words.bad_signature()  # one header named 10,000 times would be signed as often
    signing_key = _signing_key(key.secret, claim.day, claim.region, claim.service)
    expected = hmac.new(signing_key, _string_to_sign(request, claim), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise words.bad_signature()
    if key.session_token is not None and not hmac.compare_digest(
        key.session_token.encode(), (claim.session_token or "").encode()
    ):
        raise words.unknown_key()
    if key.expires is not None and now >= key.expires:
        raise words.expired_token()
    _check_time(claim, words, now)


def _check_time(claim: Claim, words: Dialect, now: datetime) -> None:
    signed = _moment(claim.stamp)
    last = signed + (SKEW if claim.lives_seconds is None else timedelta(seconds=claim.lives_seconds))
    if now > last:
        raise words.expired(
            why=f"Signature expired: {claim.stamp} is now earlier than {_stamp(now - (last - signed))}"
        )
    if signed > now + SKEW:
        raise words.expired(why=f"Signature not yet current: {claim.stamp} is still later than {_stamp(now + SKEW)}")


def _string_to_sign(request: Request, claim: Claim) -> bytes:
    headers = request.headers
    canonical = "\n".join((
        request.method,
        quote(request.path or "/", safe="/~"),
        _canonical_query(request.query),
        *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in claim.signed_headers),
        "",
        ";".join(claim.signed_headers),
        hashlib.sha256(request.body).hexdigest(),
    ))  # fmt: skip
    scope = f"{claim.day}/{claim.region}/{claim.service}/aws4_request"
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{claim.stamp}\n{scope}\n{digest}".encode()


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    # Decoded as `read_form` decodes it, so what is verified is what is then done.
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    encoded = sorted(
        (quote(name, safe="-_.~", errors="surrogateescape"), quote(value, safe="-_.~", errors="surrogateescape"))
        for name, value in pairs
        if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


@functools.lru_cache(maxsize=256)  # a key changes daily; this saves four of the five HMACs of a request
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _from_header(request: Request, header: str) -> Claim:
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise INCOMPLETE_SIGNATURE(why=f"Atoll verifies {ALGORITHM}, not '{clip(algorithm)}'.")
    said = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    stamp = request.headers.get("x-amz-date", "")
    lacks = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not said.get(name)
    ]
    if not stamp:
        lacks.append("Authorization header requires existence of a 'X-Amz-Date' header.")
    if lacks:
        raise INCOMPLETE_SIGNATURE(why=" ".join(lacks))
    return _claim(
        said["Credential"],
        stamp=stamp,
        signed_headers=said["SignedHeaders"],
        signature=said["Signature"],
        session_token=request.headers.get("x-amz-security-token"),
        lives=None,
    )


def _from_query(request: Request) -> Claim:
    said = dict(_signature_fields(request.query))
    if said.get("X-Amz-Algorithm") != ALGORITHM:
        raise INCOMPLETE_SIGNATURE(why=f"X-Amz-Algorithm must be {ALGORITHM}.")
    lacks = [
        f"AWS query-string parameters must include '{name}'."
        for name in ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")
        if not said.get(name)
    ]
    if lacks:
        raise INCOMPLETE_SIGNATURE(why=" ".join(lacks))
    return _claim(
        said["X-Amz-Credential"],
        stamp=said["X-Amz-Date"],
        signed_headers=said["X-Amz-SignedHeaders"],
        signature=said["X-Amz-Signature"],
        session_token=said.get("X-Amz-Security-Token"),
        lives=said["X-Amz-Expires"],
    )


def _signature_fields(query: str) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in parse_qsl(query, errors="replace") if name.startswith("X-Amz-"))


def _claim(
    credential: str, *, stamp: str, signed_headers: str, signature: str, session_token: str | None, lives: str | None
) -> Claim:
    scope = credential.rsplit("/", 4)
    if len(scope) != 5 or scope[4] != "aws4_request":
        raise INCOMPLETE_SIGNATURE(
            why="Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{clip(credential)}'"
        )
    key_id, day, region, service, _ = scope
    if not _STAMP.fullmatch(stamp) or not _is_moment(stamp):
        raise INCOMPLETE_SIGNATURE(why=f"Date must be in ISO-8601 'basic format'. Got '{clip(stamp)}'.")
    if stamp[:8] != day:
        raise INCOMPLETE_SIGNATURE(
            why="Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{clip(day)}' != '{stamp[:8]}', from '{stamp}'."
        )
    if lives is not None and not (lives.isascii() and lives.isdecimal() and len(lives) <= 6):
        raise INCOMPLETE_SIGNATURE(why="X-Amz-Expires must be a non-negative number of seconds.")
    if lives is not None and int(lives) > PRESIGNED_SECONDS_MAX:
        raise INCOMPLETE_SIGNATURE(why=f"X-Amz-Expires must be less than a week ({PRESIGNED_SECONDS_MAX} seconds).")
    return Claim(
        key_id=key_id,
        day=day,
        region=region,
        service=service,
        stamp=stamp,
        signed_headers=tuple(signed_headers.lower().split(";")),
        signature=signature,
        session_token=session_token,
        lives_seconds=None if lives is None else int(lives),
    )


def _is_moment(stamp: str) -> bool:
    try:
        return _moment(stamp) is not None
    except ValueError:
        return False


@functools.lru_cache(1_024)  # a client stamps many requests with one second; reading it takes 15 microseconds
def _moment(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")
