"""Who may use a node: compiled from the access control of its replication group.

What a node has been told is in the World (`CacheNode.access`), as a mark of the users that it has, and is always
compared with what its group says: nothing is remembered of a change.  A group that was never restricted has no mark,
and its nodes are told nothing.
"""

import hashlib

from atoll.cache.access_string import parse
from atoll.cache.acl import EVERYTHING, rules
from atoll.cache.node import Admission, NodeUser
from atoll.model.access import User, UserGroup
from atoll.model.cache import CacheCluster, CacheNode, ReplicationGroup
from atoll.model.names import key
from atoll.model.resource import Resource
from atoll.model.world import World

DEFAULT = "default"  # AWS's own user: its id, and its name
DEFAULT_ACCESS = "on ~* +@all"
BEING_TOLD = "?"  # a mark that no users have


def users_of(world: World, cluster: CacheCluster) -> tuple[NodeUser, ...]:
    """Return who may use a cluster's nodes; nobody is named where everybody always could."""
    if cluster.group_id is None:
        return ()
    access = world[ReplicationGroup, cluster.group_id].access
    if access.user_group_id:
        return _of_group(world, cluster, world[UserGroup, access.user_group_id])
    if not access.is_used:
        return ()
    everything = rules(EVERYTHING, cluster.engine, cluster.engine_version)
    is_open = access.is_open or not access.tokens
    return (NodeUser(name=DEFAULT, identity="", rules=everything, passwords=access.tokens, is_open=is_open),)


def sources(world: World, group: ReplicationGroup) -> tuple[Resource, ...]:
    """Return the resources, beside the group, that its nodes' users are made from."""
    if group.access.user_group_id is None:
        return ()
    user_group = world[UserGroup, group.access.user_group_id]
    return (user_group, *members(world, user_group))


def members(world: World, group: UserGroup) -> tuple[User, ...]:
    """Return the users of a user group, but for AWS's own `default`."""
    ids = (key(group.account, group.region, id) for id in group.user_ids if id != DEFAULT)
    return tuple(world[User, id] for id in ids)


def mark(users: tuple[NodeUser, ...]) -> str:
    """Return what tells one set of users from every other; empty: no users."""
    if not users:
        return ""
    said = [(u.name, u.identity, u.rules, [p.hex for p in u.passwords], u.is_open) for u in users]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def admission(node: CacheNode, users: tuple[NodeUser, ...]) -> Admission | None:
    """Return what a running node's engine must be told of its users; None: nothing."""
    wanted = mark(users)
    if node.status != "available" or node.access == wanted:
        return None
    now = {user.name: user.identity for user in users}
    cut = {name for name, identity in node.users if now.get(name, identity) != identity}
    return Admission(mark=wanted, cut=tuple(sorted(cut)))


def obey(world: World, group: ReplicationGroup) -> bool:
    """Tell whether all nodes of a group have the users that it says, and no others."""
    for id in group.member_ids:
        cluster = world[CacheCluster, id]
        wanted = mark(users_of(world, cluster))
        if not wanted or cluster.status == "deleting":
            continue
        if any(n.access != wanted or n.status != "available" for n in cluster.nodes if n.status != "deleting"):
            return False
    return True


def _of_group(world: World, cluster: CacheCluster, group: UserGroup) -> tuple[NodeUser, ...]:
    """Return the users of a group; `default` may not come in where none of them has that name."""
    engine, version = cluster.engine, cluster.engine_version
    found = [
        NodeUser(
            name=user.name,
            identity=user.id,
            rules=rules(parse(user.access), engine, version),
            passwords=user.passwords,
            is_open=user.authentication == "no-password",
            by_token=user.authentication == "iam",
        )
        for user in members(world, group)
    ]
    if not any(user.name == DEFAULT for user in found):
        is_member = DEFAULT in group.user_ids
        access = parse(DEFAULT_ACCESS if is_member else "off")
        default = NodeUser(
            name=DEFAULT, identity=DEFAULT, rules=rules(access, engine, version), passwords=(), is_open=is_member
        )
        found.insert(0, default)
    return tuple(found)
