"""Who may use the nodes of a replication group: users by a user group, an AUTH token, or everybody."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.digest import Digest
from atoll.model.resource import Resource

TOKENS_MAX = 2  # AUTH tokens that are valid at once: the newest, and the one before


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Access control of a replication group.

    What is said here is what the nodes are to obey; `CacheNode.access` says what each obeys already.
    """

    is_used: bool = False  # it was restricted once: its nodes are told, also that everybody may come in
    user_group_id: str | None = None  # World id of its UserGroup
    tokens: tuple[Digest, ...] = ()  # oldest first, TOKENS_MAX at most
    is_open: bool = False  # beside its tokens: who gives none may come in, too
    token_modified: datetime | None = None
    token_change: str | None = None  # "SETTING" or "ROTATING", until all nodes obey
    adding: str | None = None  # World id of the UserGroup, until all nodes obey
    removing: str | None = None  # that of the former one, likewise


EVERYBODY = Access()


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Resource):
    """Somebody who may use caches; its World id is `names.key(account, region, user_id)`.

    AWS's own user `default` is no resource: `cache/users.py` knows it.
    """

    user_id: str  # lower case
    name: str  # as engines know it; several users may have one name, but not in one group
    engine: str  # "redis" or "valkey"
    status: str
    access: str  # the access string, normalised
    authentication: str  # "password", "no-password" or "iam"
    passwords: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup(Resource):
    """Users who may use the same caches; its World id is `names.key(account, region, name)`."""

    name: str  # UserGroupId, lower case
    engine: str
    status: str
    user_ids: tuple[str, ...]  # UserIds, as they are to be
    adding: tuple[str, ...] = ()  # of these, those that not all nodes know yet
    removing: tuple[str, ...] = ()  # those that not all nodes have forgotten yet
