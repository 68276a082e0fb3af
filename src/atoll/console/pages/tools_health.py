"""Health: whether the kernel obeys the newest World, what the loops did last and why, and what went wrong."""

from datetime import datetime
from typing import Any

from atoll.console import private
from atoll.console.ask import Answered, Ask
from atoll.console.site import menu, page
from atoll.control.recent import RECENT

AT = "/tools/health"
EVENTS_MAX = 100

menu("tools", AT, "health.title", order=60)


@page(AT)
async def show(ask: Ask) -> Answered:
    """Tell how it is."""
    status: dict[str, Any] = await private.get(ask, "/_atoll/status")
    ask.show("atoll status")
    loop = status["loop"]
    events = [event for event in reversed(RECENT.events()) if event["event"] != "request failed"][:EVENTS_MAX]
    return ask.view(
        "tools/health.html",
        loop=loop,
        each=[one | {name: _moment(one[name]) for name in ("at", "next")} for one in loop["each"]],
        where=status,
        newest=ask.service.world.revision,
        obeys=loop["revision"] >= ask.service.world.revision and not loop["failures"],
        events=events,
        history=loop["history"][:EVENTS_MAX],
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
