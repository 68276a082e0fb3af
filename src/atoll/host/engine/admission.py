"""Users of a running engine: told by the administrator, one ACL SETUSER for each, which is in force as a whole."""

from collections.abc import Collection

from atoll.cache.acl import ADMINISTRATOR, words
from atoll.cache.node import NodePlan
from atoll.host.engine.resp import Connection, EngineError
from atoll.model.digest import Digest

_OPEN = "default"  # exists in every engine


async def lend(engine: Connection, user: str, password: Digest, *, valid: bool) -> None:
    """Make something a password of a user, or no longer.  Raises EngineError, without it."""
    try:
        await engine.ask("ACL", "SETUSER", user, f"{'#' if valid else '!'}{password.hex}")
    except EngineError as error:
        raise EngineError(f"user {user}: {str(error).rpartition(': ')[2]}") from None


async def admit(engine: Connection, node: NodePlan, cut: Collection[str]) -> None:
    """Give an engine the users of a plan; who was there and is not in it goes, with his connections.

    Raises EngineError, without the rule that was refused: it may be about a password.
    """
    there = await engine.ask("ACL", "USERS")
    assert isinstance(there, list), "ACL USERS is a list"
    for user in node.users:
        try:
            await engine.ask("ACL", "SETUSER", user.name, *words(user))
        except EngineError as error:
            raise EngineError(f"user {user.name}: {str(error).rpartition(': ')[2]}") from None
    kept = {ADMINISTRATOR, _OPEN, *(user.name for user in node.users)}
    gone = [name for name in there if isinstance(name, str) and name not in kept]
    if gone:
        await engine.ask("ACL", "DELUSER", *gone)
    for name in cut:
        if name in kept:
            await engine.ask("CLIENT", "KILL", "USER", name)
