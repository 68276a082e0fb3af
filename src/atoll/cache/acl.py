"""Access rules of Redis and Valkey nodes, as the engine's configuration and its ACL SETUSER say them.

Commands that administer a node are forbidden to all but one administrator, whose password only the host knows.
"""

from collections.abc import Sequence

from atoll.cache.access_string import AccessString, Permissions, parse
from atoll.cache.node import NodeUser
from atoll.cache.restricted import restricted

ADMINISTRATOR = "atoll-admin"
EVERYTHING = parse("on ~* &* +@all")


def client_rules(engine: str, version: str) -> str:
    """Return what a client may do whom nothing else restricts: all keys, all channels, no administration."""
    return _rules(EVERYTHING.root, engine, version)


def rules(access: AccessString, engine: str, version: str) -> tuple[str, ...]:
    """Return a user's rules, but for the passwords, as an engine takes them: each is one argument of ACL SETUSER."""
    whole = _rules(access.root, engine, version).split()
    selectors = (f"({_rules(selector, engine, version)})" for selector in access.selectors)
    return ("on" if access.is_on else "off", *whole, *selectors)


def words(user: NodeUser) -> tuple[str, ...]:
    """Return all that an engine must be told of a user: it has this, and nothing that it had before."""
    secrets = ("nopass",) if user.is_open else tuple(f"#{password.hex}" for password in user.passwords)
    return ("reset", *secrets, "sanitize-payload", *user.rules)


def users(engine: str, version: str, password: str, known: Sequence[NodeUser] = ()) -> tuple[str, ...]:
    """Return the users of a node as lines of its configuration; without `known` ones it lets everybody in.

    `password` is the administrator's: at least 128 bits of dice, without blanks, shared by the nodes of a group
    because a replica presents it to its primary.
    """
    lines = [f"user {user.name} {' '.join(map(_quoted, words(user)))}" for user in known]
    if not any(user.name == "default" for user in known):
        lines.insert(0, f"user default on nopass sanitize-payload {client_rules(engine, version)}")
    return (*lines, f"user {ADMINISTRATOR} on >{password} ~* &* +@all")


def _quoted(word: str) -> str:
    """Write a word so that an engine's configuration reads it as it is: quotes have a meaning there."""
    if not set(word) & set("\"'\\"):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _rules(permissions: Permissions, engine: str, version: str) -> str:
    commands = restricted(permissions.commands, engine, version)
    return " ".join((*permissions.keys, *permissions.channels, *commands))
