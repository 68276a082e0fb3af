"""Pages of a listing, in the words of Service Quotas."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from atoll.aws.errors import AwsError, Err
from atoll.aws.page import page_ec2

T = TypeVar("T")
RESULTS_MAX = 100
BAD_SIZE = Err("IllegalArgumentException", "MaxResults must be between 1 and 100, not {got}.")
BAD_TOKEN = Err("InvalidPaginationTokenException", "Invalid token was provided.")


def page(
    items: Sequence[T], key: Callable[[T], str], max_results: int | None, next_token: str | None
) -> tuple[list[T], str | None]:
    """Return a page and the next token; raises BAD_SIZE, BAD_TOKEN."""
    if max_results is not None and not 1 <= max_results <= RESULTS_MAX:
        raise BAD_SIZE(got=max_results)
    try:
        return page_ec2(items, key, max_results, next_token, low=1, high=RESULTS_MAX)
    except AwsError:
        raise BAD_TOKEN() from None
