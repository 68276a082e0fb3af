"""Who may use a replication group: the parameters of CreateReplicationGroup and ModifyReplicationGroup about it.

An AUTH token is the password of the engine's user `default`.  ROTATE adds one, and the one before stays valid; SET
leaves one; DELETE goes together with a user group, which takes the token's place.
Source: ElastiCache User Guide, "Authenticating with the AUTH command" and "Role-Based Access Control".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.cache.families import numbers
from atoll.elasticache import user_group
from atoll.model import lifecycle
from atoll.model.access import TOKENS_MAX, Access, UserGroup
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.digest import Digest
from atoll.model.lifecycle import REPLICATION_GROUP
from atoll.model.world import Tx, World

TOKEN_CHARS_MIN, TOKEN_CHARS_MAX = 16, 128
STRATEGIES = ("SET", "ROTATE", "DELETE")
CHANGES = {"SET": "SETTING", "ROTATE": "ROTATING"}  # AWS's AuthTokenStatus
_TOKEN = re.compile(r"[A-Za-z0-9!&#$^<>-]*")

BAD_TOKEN = Err("InvalidParameterValue", "Invalid AuthToken provided. {why}")
TOKEN_NEEDS_TLS = Err(
    "InvalidParameterCombination", "Auth token is only supported when encryption-in-transit is enabled."
)
GROUP_NEEDS_TLS = Err(
    "InvalidParameterCombination",
    "User group based access control requires encryption-in-transit to be enabled on the replication group.",
)
TOKEN_OR_USERS = Err("InvalidParameterCombination", "AuthToken and user groups cannot be used together.")
ONE_GROUP = Err("InvalidParameterValue", "A replication group can be associated with at most one user group.")
OTHER_ENGINE = Err(
    "InvalidParameterCombination",
    "User group {name} of engine {engine} cannot be associated with a replication group of engine {other}.",
)
TOO_OLD = Err(
    "InvalidParameterCombination", "User group {name} requires engine version {needed} or later, but found {found}."
)
NOT_ASSOCIATED = Err("InvalidParameterValue", "User group {name} is not associated with replication group {group}.")
BAD_STRATEGY = Err(
    "InvalidParameterValue", "Invalid AuthTokenUpdateStrategy {got}. Must be one of SET, ROTATE, DELETE."
)
STRATEGY_ALONE = Err("InvalidParameterCombination", "AuthTokenUpdateStrategy must be used together with AuthToken.")
DELETE_WITH_TOKEN = Err(
    "InvalidParameterCombination", "AuthToken cannot be used with AuthTokenUpdateStrategy DELETE."
)
NO_TOKEN = Err("InvalidParameterValue", "Replication group {name} has no AUTH token.")
DELETE_ALONE = Err(
    "InvalidParameterCombination",
    "AuthTokenUpdateStrategy DELETE is only allowed when a user group is associated: UserGroupIdsToAdd.",
)
SET_OTHER = Err(
    "InvalidParameterValue",
    "AuthTokenUpdateStrategy SET is only allowed after ROTATE, with the AUTH token that was added.",
)
STAYS = Err(
    "InvalidParameterCombination",
    "Atoll does not support RetainPrimaryCluster for a replication group with users or an AUTH token: a cluster that "
    "stands alone has no access control.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """What ModifyReplicationGroup asks for about user groups."""

    add: Sequence[str]
    remove: Sequence[str]
    none: bool  # no user group is to stay


def restrict(tx: Tx, group: ReplicationGroup, token: str | None, user_group_ids: Sequence[str]) -> ReplicationGroup:
    """Give a new group the access control that it is asked for."""
    if token is not None and user_group_ids:
        raise TOKEN_OR_USERS()
    if token is not None:
        if not group.tls:
            raise TOKEN_NEEDS_TLS()
        return tx.put(group.but(access=Access(is_used=True, tokens=(_digest(token),), token_modified=tx.now)))
    if user_group_ids:
        users = _one(tx.world, group, user_group_ids)
        return tx.put(group.but(access=Access(is_used=True, user_group_id=users.id)))
    return group


def changed(tx: Tx, group: ReplicationGroup, groups: Groups, *, token: str | None, strategy: str | None) -> Access:
    """Return what a group's access control is to be, for a request to change it; the same object: nothing changes."""
    access = _with_groups(tx.world, group, groups)
    if strategy is not None and strategy not in STRATEGIES:
        raise BAD_STRATEGY(got=strategy)
    if strategy == "DELETE":
        return _without_token(group, access, token)
    if token is None:
        if strategy is not None:
            raise STRATEGY_ALONE()
        if access.user_group_id and access.tokens:
            raise TOKEN_OR_USERS()
        return access
    if not group.tls:
        raise TOKEN_NEEDS_TLS()
    if access.user_group_id:
        raise TOKEN_OR_USERS()
    return _with_token(access, _digest(token), strategy or "ROTATE", had=group.access, now=tx.now)


def begin(tx: Tx, group: ReplicationGroup, access: Access) -> ReplicationGroup:
    """Put a group with another access control: it is `modifying` until all nodes obey."""
    if access is group.access:
        return group
    status = group.status if group.status == "modifying" else REPLICATION_GROUP.after(group.status, "modify")
    return tx.put(group.but(access=access, status=status))


def check_retainable(group: ReplicationGroup) -> None:
    """Refuse to let a primary out of a group that restricts access: it would let everybody in."""
    if group.access.user_group_id or group.access.tokens:
        raise STAYS()


def render(world: World, group: ReplicationGroup) -> Shape:
    """Return the members about access of AWS's ReplicationGroup."""
    access = group.access
    shown = access.removing if access.adding or access.removing else access.user_group_id
    shape: Shape = {
        "AuthTokenEnabled": bool(access.tokens),
        "UserGroupIds": _names(world, shown),
    }
    if access.token_modified:
        shape["AuthTokenLastModifiedDate"] = access.token_modified
    return shape


def has_token(world: World, cluster: CacheCluster) -> bool:
    """Tell whether a cluster's clients give an AUTH token."""
    return bool(cluster.group_id and world[ReplicationGroup, cluster.group_id].access.tokens)


def pending(world: World, group: ReplicationGroup) -> Shape:
    """Return the members about access of AWS's ReplicationGroupPendingModifiedValues."""
    access = group.access
    shape: Shape = {}
    if access.token_change:
        shape["AuthTokenStatus"] = access.token_change
    if access.adding or access.removing:
        shape["UserGroups"] = {
            "UserGroupIdsToAdd": _names(world, access.adding),
            "UserGroupIdsToRemove": _names(world, access.removing),
        }
    return shape


def _with_groups(world: World, group: ReplicationGroup, asked: Groups) -> Access:
    """Return the access control with the user group that is asked for, or without one."""
    had = group.access.user_group_id
    removing = [user_group.find(world, name) for name in asked.remove]
    for gone in removing:
        if gone.id != had:
            raise NOT_ASSOCIATED(name=gone.name, group=group.name)
    kept = None if removing or asked.none else had
    if asked.add:
        new = _one(world, group, asked.add)
        if kept and kept != new.id:
            raise ONE_GROUP()
        kept = new.id
    if kept == had:
        return group.access
    return replace(group.access, is_used=True, user_group_id=kept, adding=kept, removing=had)


def _one(world: World, cache: ReplicationGroup, names: Sequence[str]) -> UserGroup:
    """Return the user group that a request names, if it may be given to a replication group."""
    if len({name.lower() for name in names}) > 1:
        raise ONE_GROUP()
    group = user_group.find(world, names[0])
    if not lifecycle.USER_GROUP.allows(group.status, "modify"):
        raise user_group.BUSY(name=group.name)
    if not cache.tls:
        raise GROUP_NEEDS_TLS()
    if cache.engine == "redis" and group.engine != "redis":
        raise OTHER_ENGINE(name=group.name, engine=group.engine, other=cache.engine)
    version, needed = world[CacheCluster, cache.member_ids[0]].engine_version, user_group.oldest_engine(world, group)
    if cache.engine == group.engine and numbers(version)[:2] < numbers(needed):
        raise TOO_OLD(name=group.name, needed=needed, found=version)
    return group


def _without_token(group: ReplicationGroup, access: Access, token: str | None) -> Access:
    if token is not None:
        raise DELETE_WITH_TOKEN()
    if not access.tokens:
        raise NO_TOKEN(name=group.name)
    if not access.user_group_id:
        raise DELETE_ALONE()
    return replace(access, tokens=(), is_open=False, token_modified=None)


def _with_token(access: Access, token: Digest, strategy: str, *, had: Access, now: datetime) -> Access:
    tokens: tuple[Digest, ...]
    if strategy == "SET":
        if access.tokens and token not in access.tokens:
            raise SET_OTHER()
        tokens, is_open = (token,), False
    else:
        tokens = (*(old for old in access.tokens if old != token), token)[-TOKENS_MAX:]
        is_open = not had.user_group_id and (access.is_open or not access.tokens)
    change = CHANGES[strategy]
    return replace(access, is_used=True, tokens=tokens, is_open=is_open, token_modified=now, token_change=change)


def _digest(token: str) -> Digest:
    """Return the digest of a token that follows the rules; a message never repeats it."""
    if not TOKEN_CHARS_MIN <= len(token) <= TOKEN_CHARS_MAX:
        why = f"It must have {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} characters."
        raise BAD_TOKEN(why=why)
    if not _TOKEN.fullmatch(token):
        raise BAD_TOKEN(why="It must have letters, digits and ! & # $ ^ < > - only.")
    return Digest.of(token)


def _names(world: World, id: str | None) -> list[str]:
    found = world.get(UserGroup, id) if id else None
    return [found.name] if found else []
