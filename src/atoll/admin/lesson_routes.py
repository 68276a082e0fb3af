"""The private API of `atoll learn`: lessons, their worlds, and what the judges say."""

from collections.abc import Awaitable, Callable

from atoll.admin.lessons import Lessons, NotNow, Unknown
from atoll.admin.wire import Bad, answer, body, query, text
from atoll.aws.http import Answer, Request
from atoll.learn.catalogue import LESSONS
from atoll.learn.texts import language_of
from atoll.store.sqlite import StoreError

Route = Callable[[Request], Awaitable[Answer]]


def table(lessons: Callable[[], Lessons]) -> dict[str, dict[str, Route]]:
    """Return the routes, by path and method."""

    async def listed(request: Request) -> Answer:
        return answer({"lessons": lessons().listed(language_of(query(request).get("lang", "")))})

    async def act(request: Request) -> Answer:
        said = body(request)
        name, what = text(said, "lesson"), text(said, "act")
        language = language_of(str(said.get("lang", "")))
        taught = lessons()
        acts = {"open": taught.open, "check": taught.check, "reset": taught.reset, "hint": taught.hint}
        acts |= {"show": taught.peek, "solution": taught.solution}
        try:
            if what == "close":
                await taught.close(name)
                return Answer(204, {}, b"")
            if what not in acts:
                raise Bad(400, f"{what!r} is nothing that a lesson does: " + ", ".join([*acts, "close"]))
            return answer(await acts[what](name, language))
        except Unknown:
            raise Bad(404, f"there is no lesson {name!r}", tuple(LESSONS)) from None
        except NotNow as error:
            raise Bad(409, str(error), next_step=error.next_step) from None
        except StoreError as error:
            raise Bad(503, str(error)) from None

    return {"/_atoll/lessons": {"GET": listed, "POST": act}}
