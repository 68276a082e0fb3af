"""Where a flow of the map leads on a page: the question why it is refused, and what mends it."""

from dataclasses import dataclass, replace
from typing import Any

from atoll.aws.errors import AwsError
from atoll.console import private
from atoll.console.ask import Ask
from atoll.console.mending import call_of
from atoll.console.texts import Speaker
from atoll.picture import words
from atoll.picture.scene import Flow, Scene

MENDED_MAX = 40  # refused flows of a page for which it is found out what mends them: a trace of each, every 3 s


@dataclass(frozen=True, slots=True)
class Mend:
    """One thing to do."""

    says: str
    command: str | None
    is_call: bool  # a button can do it


@dataclass(frozen=True, slots=True)
class Told:
    """A flow on a page."""

    number: int
    text: str
    flow: Flow
    why: dict[str, str]  # the question; empty: it cannot be asked
    mends: tuple[Mend, ...] | None = None  # None: nobody looked, there are so many


async def told(ask: Ask, scene: Scene) -> list[Told]:
    """Return the flows of a map with what can be done about those that are refused."""
    found = unmended(scene, ask.t)
    asked = [one for one in found if one.why][:MENDED_MAX]
    mends = {one.number: await _mends(ask, one.why) for one in asked}
    return [replace(one, mends=mends.get(one.number) if one.why else ()) for one in found]


def unmended(scene: Scene, t: Speaker) -> list[Told]:
    """Return the flows of a map in somebody's language, before anybody looked what mends them."""
    return [
        Told(number, _text(t, scene, flow), flow, _question(scene, flow) if flow.blocked else {})
        for number, flow in enumerate(scene.flows, 1)
    ]


def _text(t: Speaker, scene: Scene, flow: Flow) -> str:
    between = words.between(scene, flow)
    if not flow.blocked:
        return t("map.flow_open", flow=between, count=flow.count)
    told = {"flow": between, "count": flow.count, "because": t.phrase(flow.because), "by": flow.by or "\u2013"}
    if flow.seconds_ago is None:
        return t("map.flow_refused", **told)
    return t("map.flow_refused_ago", seconds=f"{flow.seconds_ago:.0f}", **told)


def _question(scene: Scene, flow: Flow) -> dict[str, str]:
    inside = flow.source.startswith("eni-")
    public = next((i.public for i in scene.items if i.interface_id == flow.target), "")
    to = flow.target_address if inside else public
    if not to or flow.port is None or flow.source.startswith("pcx-"):
        return {}
    return {"from": flow.source, "to": to, "port": str(flow.port), "protocol": flow.protocol}


async def _mends(ask: Ask, why: dict[str, str]) -> tuple[Mend, ...]:
    try:
        answer = await private.post(ask, "/_atoll/why", **{**why, "to": f"{why['to']}:{why['port']}"})
    except AwsError:
        return ()  # what it was about has gone meanwhile
    return mends_of(answer)


def mends_of(answer: dict[str, Any]) -> tuple[Mend, ...]:
    """Return what mends what an answer of `why` tells, each once."""
    found = [Mend(m["says"], m["command"], bool(m["command"] and call_of(m["command"])))
             for blocker in answer["blockers"] for m in blocker["mend"]]  # fmt: skip
    return tuple(dict.fromkeys(found))


async def apply(ask: Ask, command: str) -> None:
    """Make the call that a command says, as the user.  Raises AwsError."""
    call = call_of(command)
    if call is None:
        raise AwsError("InvalidCommand", ask.t("why.not_a_call", command=command))
    service, action, parameters = call
    await ask.aws(service, action, **parameters)
