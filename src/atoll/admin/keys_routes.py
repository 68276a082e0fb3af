"""The private API of `atoll keys`.

Other users of the machine reach it too.  So who makes a key or deletes one shows that he can read the state directory
(`Service.is_owner`), as for the console: he signs what he asks for.  The list has no secrets.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from atoll.admin import keys
from atoll.admin.wire import Bad, answer, body, caller, query, text
from atoll.aws.http import Answer, Request
from atoll.model.world import Caller, Tx, World
from atoll.store.sqlite import StoreError

Route = Callable[[Request], Awaitable[Answer]]
T = TypeVar("T")


class Service(Protocol):
    """What the routes ask of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102
    def where(self) -> dict[str, Any]: ...  # noqa: D102
    def owner_shows(self) -> dict[str, str]: ...  # noqa: D102
    def is_owner(self, words: Sequence[str], ticket: str) -> bool: ...  # noqa: D102
    def write(self, fn: Callable[[Tx], Any], what: str, caller: Caller | None = None) -> Any: ...  # noqa: D102


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the routes, by path and method."""

    def written(said: dict[str, Any], words: Sequence[str], change: Callable[[Tx], T]) -> T:
        ticket = text(said, "ticket")
        if not _kept(lambda: service.is_owner(words, ticket)):
            raise Bad(403, "only who started Atoll may do this", (), "run it as that user (with sudo, if root)")
        try:
            made: T = service.write(change, "access key")
        except keys.Unclear as because:
            raise Bad(400, str(because), (), "`atoll keys list` shows those that there are") from None
        except StoreError as error:
            raise Bad(503, str(error)) from None
        return made

    async def look(request: Request) -> Answer:
        world = service.world
        if id := query(request).get("id"):
            return answer({"account": keys.account_of(world, id)})
        return answer({"required": service.where()["keys"] == "required", "keys": keys.shown(world)})

    async def create(request: Request) -> Answer:
        said = body(request)
        whose, user = caller(said), str(said.get("user") or "")
        words = ("create", whose.account, whose.region, user)
        return answer(written(said, words, lambda tx: keys.create(tx, whose, user)))

    async def delete(request: Request) -> Answer:
        said = body(request)
        id = text(said, "id")
        written(said, ("delete", id), lambda tx: keys.delete(tx, id))
        return answer({"deleted": id})

    async def owner(_: Request) -> Answer:
        return answer(_kept(service.owner_shows))

    return {
        "/_atoll/owner": {"GET": owner},
        "/_atoll/keys": {"GET": look, "POST": create},
        "/_atoll/keys/delete": {"POST": delete},
    }


def _kept(fn: Callable[[], T]) -> T:
    """Do what needs the key of the installation.  Raises Bad."""
    try:
        return fn()
    except OSError as error:
        raise Bad(503, f"the key of the installation cannot be kept: {error.strerror}") from None
