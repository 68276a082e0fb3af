"""Pages of a listing: `Marker` as ElastiCache and ELB use it, `NextToken` as EC2 does.

A page is cut from the listing *sorted by its key*, and a token is the last key of the page before.  So a token
needs no memory in the server, and things created or deleted between two pages neither repeat a row nor hide
one, not even when the caller deletes everything on each page before asking for the next.

A token carries a checksum, which catches a mangled or invented one.  It is no secret: it holds only a key that
the caller has just been shown.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import crc32
from collections.abc import Callable, Sequence
from typing import TypeVar

from atoll.aws.errors import Err

T = TypeVar("T")

TOKEN_CHARS_MAX = 2048  # far above the longest key, an ARN of some 300 characters

BAD_MAX_RECORDS = Err("InvalidParameterValue", "Invalid value {got} for MaxRecords. Must be between {low} and {high}")
BAD_MARKER = Err("InvalidParameterValue", "Invalid marker: {got}")
BELOW_MAX_RESULTS = Err(
    "InvalidParameterValue",
    "Value ( {got} ) for parameter maxResults is invalid. Expecting a value greater than {low}.",
)
ABOVE_MAX_RESULTS = Err(
    "InvalidParameterValue",
    "Value ( {got} ) for parameter maxResults is invalid. Expecting a value smaller than {high}.",
)
BAD_QUERY_MAX_RESULTS = Err(
    "InvalidParameterValue", "Invalid value {got} for MaxResults. Must be between 1 and {high}"
)
BAD_QUERY_TOKEN = Err("InvalidParameterValue", "Invalid NextToken: {got}")
BAD_NEXT_TOKEN = Err("InvalidNextToken", "The specified NextToken is not valid: {got}")


def page_query(
    items: Sequence[T],
    key: Callable[[T], str],
    max_records: int | None,
    marker: str | None,
    *,
    low: int = 20,
    high: int = 100,
    default: int = 100,
) -> tuple[list[T], str | None]:
    """Return a page of a query service's listing, sorted by `key`, and the next marker; `None` on the last page.

    `key` must be unique in the listing; its order is the order of the answer.
    Raises BAD_MAX_RECORDS, BAD_MARKER.
    """
    size = default if max_records is None else max_records
    if not low <= size <= high:
        raise BAD_MAX_RECORDS(got=size, low=low, high=high)
    return _cut(items, key, size, _last_key(marker, BAD_MARKER))


def page_ec2(
    items: Sequence[T],
    key: Callable[[T], str],
    max_results: int | None,
    next_token: str | None,
    *,
    low: int = 5,
    high: int = 1000,
) -> tuple[list[T], str | None]:
    """Return a page of an EC2 listing and the next token; `None` on the last page.

    Without `max_results` everything (after the token, if there is one) is returned, in the order given.
    Raises BELOW_MAX_RESULTS, ABOVE_MAX_RESULTS, BAD_NEXT_TOKEN.
    """
    if max_results is not None and max_results < low:
        raise BELOW_MAX_RESULTS(got=max_results, low=low)
    if max_results is not None and max_results > high:
        raise ABOVE_MAX_RESULTS(got=max_results, high=high)
    after = _last_key(next_token, BAD_NEXT_TOKEN)
    if max_results is None and after is None:
        return list(items), None
    return _cut(items, key, len(items) if max_results is None else max_results, after)


def page_tokens(
    items: Sequence[T], key: Callable[[T], str], max_results: int | None, next_token: str | None, *, high: int
) -> tuple[list[T], str | None]:
    """Return a page of a query service's listing with `MaxResults` and `NextToken`; see `page_query`."""
    size = high if max_results is None else max_results
    if not 1 <= size <= high:
        raise BAD_QUERY_MAX_RESULTS(got=size, high=high)
    return _cut(items, key, size, _last_key(next_token, BAD_QUERY_TOKEN))


def _cut(items: Sequence[T], key: Callable[[T], str], size: int, after: str | None) -> tuple[list[T], str | None]:
    rest = sorted(items if after is None else (item for item in items if key(item) > after), key=key)
    if len(rest) <= size:
        return rest, None
    return rest[:size], _token(key(rest[size - 1]))


def _token(key: str) -> str:
    raw = key.encode()
    return urlsafe_b64encode(crc32(raw).to_bytes(4, "big") + raw).decode()


def _last_key(token: str | None, error: Err) -> str | None:
    """Read a token; an empty one means the first page, as SDKs send it."""
    if not token:
        return None
    try:
        raw = urlsafe_b64decode(token[:TOKEN_CHARS_MAX].encode("ascii"))
        key = raw[4:].decode()
    except ValueError:  # also binascii.Error and Unicode errors
        raise error(got=token[:64]) from None
    if raw[:4] != crc32(raw[4:]).to_bytes(4, "big") or _token(key) != token:
        raise error(got=token[:64])
    return key
