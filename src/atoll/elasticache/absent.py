"""Listings of what does not exist here, so that tools which list everything work: true answers, all empty.

The calls that would create such things are not operations of Atoll and are refused by name.
"""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.elasticache import errors
from atoll.model.world import World

# ruff: noqa: ARG001 - a filter over nothing changes nothing




@operation("elasticache", "DescribeServerlessCacheSnapshots")
def describe_serverless_cache_snapshots(
    world: World,
    *,
    serverless_cache_name: str | None = None,
    serverless_cache_snapshot_name: str | None = None,
    snapshot_type: str | None = None,
    next_token: str | None = None,
    max_results: int | None = None,
) -> Shape:
    """List snapshots of serverless caches: there are none."""
    _absent(serverless_cache_name, errors.SERVERLESS_NOT_FOUND)
    _absent(serverless_cache_snapshot_name, errors.SERVERLESS_SNAPSHOT_NOT_FOUND)
    return {"ServerlessCacheSnapshots": []}


def _absent(name: str | None, error: Err) -> None:
    """Answer a request for a certain thing: it is not there."""
    if name:
        raise error(name=name)


def _no_marker(max_records: int | None, marker: str | None) -> str | None:
    """Check the paging parameters as if there were something to page through."""
    nothing: list[str] = []
    return page_query(nothing, str, max_records, marker)[1]
