"""Where a flow of the map leads on a page: the question why it is refused, and what mends it."""

from dataclasses import dataclass
from typing import Any

from atoll.aws.errors import AwsError
from atoll.console import private
from atoll.console.ask import Ask
from atoll.console.mending import call_of
from atoll.picture import words
from atoll.picture.scene import Flow, Scene

MENDED_MAX = 8  # refused flows of a page for which it is found out what mends them


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
    mends: tuple[Mend, ...] = ()


async def told(ask: Ask, scene: Scene) -> list[Told]:
    """Return the flows of a map with what can be done about those that are refused."""
    found: list[Told] = []
    for number, flow in enumerate(scene.flows, 1):
        why = _question(scene, flow) if flow.blocked else {}
        mends = await _mends(ask, why) if why and len(found) < MENDED_MAX else ()
        found.append(Told(number, words.flow(scene, flow), flow, why, mends))
    return found


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
