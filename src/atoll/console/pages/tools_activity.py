"""Activity: every call of the API, who made it and what came of it; and the button that makes it again."""

from datetime import datetime
from typing import Any, Protocol, cast

from atoll.admin.activity import Activity
from atoll.admin.wire import NEXT_MAX
from atoll.aws.errors import AwsError
from atoll.console import tables
from atoll.console.ask import Answered, Ask
from atoll.console.site import act, menu, page
from atoll.model.digits import is_number

AT = "/tools/activity"

menu("tools", AT, "activity.title", order=50)


class Recalling(Protocol):
    """What remembers calls."""

    @property
    def activity(self) -> Activity: ...  # noqa: D102


def _activity(ask: Ask) -> Activity:
    return cast(Recalling, ask.service).activity  # the daemon, which does more than pages ask of it


@page(AT)
async def show(ask: Ask) -> Answered:
    """List them, the newest first."""
    only = ask.query.get("only", "writes")
    found = [noted.to_json() for noted in reversed(_activity(ask).of(ask.caller))]
    if only == "writes":
        found = [call for call in found if call["writes"]]
    elif only == "failed":
        found = [call for call in found if call["error"]]
    rows: list[dict[str, Any]] = [
        {**call, "What": f"{call['service']} {call['action']}", "When": datetime.fromisoformat(call["at"])}
        for call in found
    ]
    ask.show("atoll activity" + {"writes": " --writes", "failed": " --failed"}.get(only, ""))
    table = tables.table(
        ask,
        rows,
        tables.column("at", "activity.at", "at"),
        tables.column("call", "activity.call", "What"),
        tables.column("result", "activity.result", "error"),
        tables.column("ms", "activity.ms", "milliseconds", is_number=True),
        tables.column("again", "activity.again", "number"),
    )
    tabs = [(name, ask.t(f"activity.only_{name}"), ask.url(AT, only=name)) for name in ("writes", "failed", "all")]
    return ask.view("tools/activity.html", table=table, tabs=tabs, only=only)


@page(f"{AT}/{{number}}")
async def one(ask: Ask) -> Answered:
    """Show one call."""
    return ask.view("tools/call.html", call=_noted(ask))


def _noted(ask: Ask) -> dict[str, Any]:
    number = ask.parts["number"]
    noted = _activity(ask).get(int(number)) if is_number(number, NEXT_MAX) else None
    mine = noted is not None and noted in _activity(ask).of(ask.caller)
    if noted is None or not mine:
        raise AwsError("NotFound", ask.t("activity.gone"), 404)
    return noted.to_json()


@act(f"{AT}/{{number}}/again", back=f"{AT}/{{number}}")
async def again(ask: Ask) -> Answered:
    """Make a call again, as a new one."""
    call = _noted(ask)
    if call["secrets"] or not call["command"]:
        raise AwsError("NotNow", ask.t("activity.cannot"), 409)
    await ask.aws(call["service"], call["action"], **call["parameters"])
    return ask.go(AT, "activity.done_again", id=f"{call['service']} {call['action']}")
