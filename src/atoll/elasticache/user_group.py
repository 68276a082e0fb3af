"""User groups: who may use the replication groups that a group is given to.

Source: ElastiCache User Guide, "Role-Based Access Control".
"""

from collections.abc import Iterable, Sequence

from atoll.aws.errors import Err
from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_query
from atoll.cache.serverless import in_front_of
from atoll.cache.users import DEFAULT
from atoll.elasticache import errors, user
from atoll.elasticache.find import arn_of, owner_key
from atoll.elasticache.naming import other_name
from atoll.elasticache.tags import tags_of
from atoll.model import lifecycle
from atoll.model.access import User, UserGroup
from atoll.model.cache import ReplicationGroup
from atoll.model.world import Tx, World

GROUPS_MAX = 100  # of an account in a region
MEMBERS_MAX = 100
ENGINES = ("redis", "valkey")

EXISTS = Err("UserGroupAlreadyExists", "User group {name} already exists.")
QUOTA = Err("UserGroupQuotaExceeded", f"You can have at most {GROUPS_MAX} user groups in this region.")
BUSY = Err("InvalidUserGroupState", "User group {name} is not in active state.")
IN_USE = Err("InvalidUserGroupState", "User group {name} is associated with replication group {group}.")
DEFAULT_REQUIRED = Err("DefaultUserRequired", "User group needs to contain a user with the user name default.")
DUPLICATE = Err("DuplicateUserName", "User group cannot contain two users with the user name {name}.")
BAD_ENGINE = Err("InvalidParameterValue", "Engine {engine} is not supported. Must be one of redis, valkey.")
OTHER_ENGINE = Err(
    "InvalidParameterValue", "User {name} of engine {engine} cannot be in a user group of engine {group_engine}."
)
OPEN_MEMBER = Err(
    "InvalidParameterValue",
    "User {name} cannot be in a user group of engine valkey: it must authenticate with a password or IAM.",
)
USER_BUSY = Err("InvalidParameterValue", "User {name} is being deleted.")
NOT_A_MEMBER = Err("InvalidParameterValue", "User {name} is not in user group {group}.")
A_MEMBER = Err("InvalidParameterValue", "User {name} is already in user group {group}.")
TOO_MANY = Err("InvalidParameterValue", f"A user group can have at most {MEMBERS_MAX} users.")
NOTHING = Err("InvalidParameterCombination", "Either UserIdsToAdd, UserIdsToRemove or Engine must be provided.")


@operation("elasticache", "CreateUserGroup")
def create_user_group(
    tx: Tx, *, user_group_id: str, engine: str, user_ids: Sequence[str] = (), tags: Sequence[Shape] = ()
) -> Shape:
    """Make a user group."""
    name = other_name(user_group_id, "UserGroupId")
    if tx.get(UserGroup, owner_key(tx.world, name)):
        raise EXISTS(name=name)
    if tx.world.count(UserGroup) >= GROUPS_MAX:
        raise QUOTA()
    members = tuple(dict.fromkeys(id.lower() for id in user_ids))
    _check(tx.world, _engine(engine), members, new=members)
    group = tx.make(
        UserGroup,
        owner_key(tx.world, name),
        name=name,
        engine=_engine(engine),
        status=lifecycle.USER_GROUP.initial,
        user_ids=members,
        tags=tags_of(tags),
    )
    return render(tx.world, group)


@operation("elasticache", "ModifyUserGroup")
def modify_user_group(
    tx: Tx,
    *,
    user_group_id: str,
    user_ids_to_add: Sequence[str] = (),
    user_ids_to_remove: Sequence[str] = (),
    engine: str | None = None,
) -> Shape:
    """Change who is in a group; the connections of those who leave, and of a `default` that is replaced, end."""
    group = find(tx.world, user_group_id)
    if not lifecycle.USER_GROUP.allows(group.status, "modify"):
        raise BUSY(name=group.name)
    if not (user_ids_to_add or user_ids_to_remove or engine):
        raise NOTHING()
    adding = tuple(dict.fromkeys(id.lower() for id in user_ids_to_add))
    removing = tuple(dict.fromkeys(id.lower() for id in user_ids_to_remove))
    for id in removing:
        user.find(tx.world, id)
        if id not in group.user_ids:
            raise NOT_A_MEMBER(name=id, group=group.name)
    for id in adding:
        if id in group.user_ids and id not in removing:
            raise A_MEMBER(name=id, group=group.name)
    if engine:
        _check_caches(tx.world, group, _engine(engine))
        group = group.but(engine=_engine(engine))
    changed = change(tx, group, adding=adding, removing=removing)
    _check(tx.world, changed.engine, changed.user_ids, new=adding)
    return render(tx.world, changed)


@operation("elasticache", "DeleteUserGroup")
def delete_user_group(tx: Tx, *, user_group_id: str) -> Shape:
    """Delete a group that no replication group uses."""
    group = find(tx.world, user_group_id)
    if not lifecycle.USER_GROUP.allows(group.status, "delete"):
        raise BUSY(name=group.name)
    if used := caches_of(tx.world, group):
        raise IN_USE(name=group.name, group=used[0].name)
    return render(tx.world, tx.put(group.but(status=lifecycle.USER_GROUP.after(group.status, "delete"))))


@operation("elasticache", "DescribeUserGroups", pure=True)
def describe_user_groups(
    world: World, *, user_group_id: str | None = None, max_records: int | None = None, marker: str | None = None
) -> Shape:
    """List user groups."""
    found = [find(world, user_group_id)] if user_group_id else list(world.all(UserGroup))
    page, marker = page_query(found, lambda group: group.name, max_records, marker)
    return {"UserGroups": [told(world, render, group) for group in page], "Marker": marker}


def find(world: World, name: str) -> UserGroup:
    """Return a user group.  Raises USER_GROUP_NOT_FOUND."""
    group = world.get(UserGroup, owner_key(world, name))
    if group is None:
        raise errors.USER_GROUP_NOT_FOUND(name=name)
    return group


def render(world: World, group: UserGroup) -> Shape:
    """Return a group as AWS's UserGroup: what is changing is shown as pending."""
    shown = [id for id in group.user_ids if id not in group.adding]
    caches = caches_of(world, group)
    pending: Shape = {}
    if group.adding or group.removing:
        pending = {"UserIdsToAdd": list(group.adding), "UserIdsToRemove": list(group.removing)}
    return {
        "UserGroupId": group.name,
        "Status": group.status,
        "Engine": group.engine,
        "UserIds": [*shown, *(id for id in group.removing if id not in shown)],
        "MinimumEngineVersion": oldest_engine(world, group),
        "PendingChanges": pending,
        "ReplicationGroups": [cache.name for cache in caches if cache.account == group.account],
        "ServerlessCaches": [front.name for cache in caches if (front := in_front_of(world, cache))],
        "ARN": arn_of(group, "usergroup", group.name),
    }


def oldest_engine(world: World, group: UserGroup) -> str:
    """Return the first engine version that understands all users of a group."""
    members = (user.find(world, id) for id in group.user_ids)
    versions = [user.oldest_engine(member) for member in members if member]
    return max([user.OLDEST[group.engine], *versions], key=lambda text: tuple(map(int, text.split("."))))


def caches_of(world: World, group: UserGroup) -> list[ReplicationGroup]:
    """Return the replication groups that a user group may use, also those behind serverless caches."""
    everything = world.seen_by(None)
    return [cache for cache in everything.all(ReplicationGroup) if cache.access.user_group_id == group.id]


def change(tx: Tx, group: UserGroup, *, adding: tuple[str, ...] = (), removing: tuple[str, ...] = ()) -> UserGroup:
    """Put a group with other members; it is `modifying` until all nodes obey."""
    ids = tuple(id for id in group.user_ids if id not in removing)
    status = lifecycle.USER_GROUP.after(group.status, "modify")
    return tx.put(group.but(user_ids=(*ids, *adding), adding=adding, removing=removing, status=status))


def check_member(group_engine: str, member: User) -> None:
    """Refuse a user whom a group of this engine cannot have."""
    if group_engine == "redis" and member.engine != "redis":
        raise OTHER_ENGINE(name=member.user_id, engine=member.engine, group_engine=group_engine)
    if group_engine == "valkey" and member.authentication == "no-password":
        raise OPEN_MEMBER(name=member.user_id)


def _check(world: World, engine: str, ids: Sequence[str], *, new: Iterable[str]) -> None:
    """Refuse members who do not go together."""
    found = {id: user.find(world, id) for id in ids}
    for id in new:
        member = found[id]
        if member and member.status == "deleting":
            raise USER_BUSY(name=id)
    for id, member in found.items():
        if member:
            check_member(engine, member)
        elif engine == "valkey":
            raise OPEN_MEMBER(name=id)
    names = [member.name if member else DEFAULT for member in found.values()]
    for name in names:
        if names.count(name) > 1:
            raise DUPLICATE(name=name)
    if engine == "redis" and DEFAULT not in names:
        raise DEFAULT_REQUIRED()
    if len(ids) > MEMBERS_MAX:
        raise TOO_MANY()


def _check_caches(world: World, group: UserGroup, engine: str) -> None:
    """Refuse an engine that a replication group which uses a group cannot have."""
    for cache in caches_of(world, group):
        if cache.engine == "redis" and engine != "redis":
            raise IN_USE(name=group.name, group=cache.name)


def _engine(text: str) -> str:
    if text.lower() not in ENGINES:
        raise BAD_ENGINE(engine=text)
    return text.lower()
