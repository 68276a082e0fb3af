"""Users as DescribeUsers shows them; AWS's own user `default` lets everybody in, and is there without being made."""

from collections.abc import Sequence

from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache.access_string import parse
from atoll.cache.users import DEFAULT, DEFAULT_ACCESS
from atoll.elasticache import errors
from atoll.elasticache.find import owner_key
from atoll.model.access import User, UserGroup
from atoll.model.names import arn
from atoll.model.world import World

OLDEST = {"redis": "6.0", "valkey": "7.2"}
OLDEST_WITH_IAM = {"redis": "7.0", "valkey": "7.2"}


@operation("elasticache", "DescribeUsers", pure=True)
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
    rows = [_default(world), *(render(world, user) for user in world.all(User))]
    if user_id:
        find(world, user_id)
        rows = [row for row in rows if row["UserId"] == user_id.lower()]
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


def find(world: World, name: str) -> User | None:
    """Return a user; None for the user `default`, who is no resource.  Raises USER_NOT_FOUND."""
    if name.lower() == DEFAULT:
        return None
    user = world.get(User, owner_key(world, name))
    if user is None:
        raise errors.USER_NOT_FOUND(name=name)
    return user


def render(world: World, user: User) -> Shape:
    """Return a user as AWS's User."""
    authentication: Shape = {"Type": user.authentication}
    if user.authentication == "password":
        authentication["PasswordCount"] = len(user.passwords)
    return {
        "UserId": user.user_id,
        "UserName": user.name,
        "Status": user.status,
        "Engine": user.engine,
        "MinimumEngineVersion": oldest_engine(user),
        "AccessString": user.access,
        "UserGroupIds": groups_of(world, user.user_id),
        "Authentication": authentication,
        "ARN": _arn(world, user.user_id),
    }


def groups_of(world: World, user_id: str) -> list[str]:
    """Return the ids of the groups that a user belongs to."""
    return [group.name for group in world.all(UserGroup) if user_id in group.user_ids]


def oldest_engine(user: User) -> str:
    """Return the first engine version that understands a user: AWS's MinimumEngineVersion."""
    if user.authentication == "iam":
        return OLDEST_WITH_IAM[user.engine]
    return "7.0" if user.engine == "redis" and parse(user.access).needs_version_7 else OLDEST[user.engine]


def _default(world: World) -> Shape:
    """Return the user `default` as AWS shows it.  Source: ElastiCache User Guide, "Role-Based Access Control"."""
    return {
        "UserId": DEFAULT,
        "UserName": DEFAULT,
        "Status": "active",
        "Engine": "redis",
        "MinimumEngineVersion": OLDEST["redis"],
        "AccessString": DEFAULT_ACCESS,
        "UserGroupIds": groups_of(world, DEFAULT),
        "Authentication": {"Type": "no-password"},
        "ARN": _arn(world, DEFAULT),
    }


def _arn(world: World, user_id: str) -> str:
    assert world.caller, "an operation has a caller"
    return arn("elasticache", world.caller.region, world.caller.account, f"user:{user_id}")
