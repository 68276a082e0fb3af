"""Users and user groups: only AWS's own user `default` exists, which lets everybody in."""

from collections.abc import Sequence

from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.elasticache import errors
from atoll.model.names import arn
from atoll.model.resource import Resource
from atoll.model.world import World

DEFAULT = "default"


@operation("elasticache", "DescribeUsers")
def describe_users(
    world: World,
    *,
    engine: str | None = None,
    user_id: str | None = None,
    filters: Sequence[Shape] = (),
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List users."""
    if user_id:
        find(world, user_id)
    rows = [_default(world)]
    if engine:
        rows = [row for row in rows if row["Engine"] == engine.lower()]
    members = {"user-id": "UserId", "user-name": "UserName", "engine": "Engine"}
    for filter in filters:
        name = filter["Name"]
        if name not in members:
            raise errors.BAD_VALUE(got=name, name="Filters", why=f"Must be one of {', '.join(members)}.")
        rows = [row for row in rows if row[members[name]] in filter["Values"]]
    page, marker = page_query(rows, lambda row: str(row["UserId"]), max_records, marker)
    return {"Users": page, "Marker": marker}


@operation("elasticache", "DescribeUserGroups")
def describe_user_groups(
    world: World,  # noqa: ARG001 - the first parameter says that it reads
    *,
    user_group_id: str | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List user groups: there are none."""
    if user_group_id:
        raise errors.USER_GROUP_NOT_FOUND(name=user_group_id)
    none: list[Shape] = []
    page, marker = page_query(none, str, max_records, marker)
    return {"UserGroups": page, "Marker": marker}


def find(world: World, name: str) -> Resource | None:  # noqa: ARG001 - every finder takes a World
    """Return None for the user `default`, who is no resource.  Raises USER_NOT_FOUND for every other name."""
    if name.lower() != DEFAULT:
        raise errors.USER_NOT_FOUND(name=name)
    return None


def _default(world: World) -> Shape:
    """Return the user `default` as AWS shows it.  Source: ElastiCache User Guide, "Role-Based Access Control"."""
    assert world.caller, "an operation has a caller"
    return {
        "UserId": DEFAULT,
        "UserName": DEFAULT,
        "Status": "active",
        "Engine": "redis",
        "MinimumEngineVersion": "6.0",
        "AccessString": "on ~* +@all",
        "UserGroupIds": [],
        "Authentication": {"Type": "no-password"},
        "ARN": arn("elasticache", world.caller.region, world.caller.account, f"user:{DEFAULT}"),
    }
