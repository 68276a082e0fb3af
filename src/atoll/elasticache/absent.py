"""Listings of what does not exist here, so that tools which list everything work: true answers, all empty.

The calls that would create such things are not operations of Atoll and are refused by name.
"""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.elasticache import errors
from atoll.model.world import World

# ruff: noqa: ARG001 - a filter over nothing changes nothing




def _absent(name: str | None, error: Err) -> None:
    """Answer a request for a certain thing: it is not there."""
    if name:
        raise error(name=name)


def _no_marker(max_records: int | None, marker: str | None) -> str | None:
    """Check the paging parameters as if there were something to page through."""
    nothing: list[str] = []
    return page_query(nothing, str, max_records, marker)[1]
