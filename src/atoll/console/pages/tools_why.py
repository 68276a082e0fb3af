"""Why one place does not reach another: the path as a picture, every step, and a button for what mends it."""

import shlex
from typing import Any

from markupsafe import Markup

from atoll.aws.errors import AwsError
from atoll.console import flows, private
from atoll.console.ask import Answered, Ask, name_of
from atoll.console.site import act, menu, page
from atoll.picture.path import Stop, draw_path
from atoll.picture.svg import svg

AT = "/tools/why"
PROTOCOLS = ("tcp", "udp", "icmp")

menu("tools", AT, "why.title", order=20)


@page(AT)
async def show(ask: Ask) -> Answered:
    """Ask, and answer."""
    source, target, port, protocol = (_given(ask, name) for name in ("from", "to", "port", "protocol"))
    answer: dict[str, Any] | None = None
    if source and target:
        to = f"{target}:{port}" if port and protocol != "icmp" else target
        how = ["--protocol", protocol] if protocol not in ("", "tcp") else []
        ask.show(shlex.join(["atoll", "why", source, to, *how]))
        question = {"from": source, "to": to, "protocol": protocol or "tcp"}
        try:
            answer = await private.post(ask, "/_atoll/why", **question)
        except AwsError as error:
            ask.error = ask.error or error
    return ask.view(
        "tools/why.html",
        places=await _places(ask),
        protocols=[(one, one.upper()) for one in PROTOCOLS],
        asked={"from": source, "to": target, "port": port, "protocol": protocol or "tcp"},
        answer=answer,
        mends=flows.mends_of(answer) if answer else (),
        picture=_picture(ask, answer, target) if answer else "",
    )


def _picture(ask: Ask, answer: dict[str, Any], target: str) -> Markup:
    title = ask.t.phrase(answer["headline"])
    return Markup(svg(draw_path(_stops(ask, answer, target), title, refused=str(ask.t("why.refused"))), inline=True))


def _given(ask: Ask, name: str) -> str:
    return ask.form.get(name) or ask.query.get(name)


def _stops(ask: Ask, answer: dict[str, Any], target: str) -> list[Stop]:
    """Return what a flow met, and its answer, if that is what is refused."""
    say, steps = ask.t.phrase, answer["steps"]
    names = [{**n, "layer": "name", "at": n["name"], "allowed": not n["code"]} for n in answer["names"]]
    inside = [{**o, "layer": "inside", "allowed": not o["code"]} for o in answer["inside"]]
    refused_back = any(not s["allowed"] for s in answer["back"]) and all(s["allowed"] for s in steps)
    back = answer["back"] if refused_back else []

    def stop(met: dict[str, Any]) -> Stop:
        way = f"{ask.t('why.answer')}: " if any(met is one for one in back) else ""
        because, layer = say(met["because"]), way + say(met["layer"])
        return Stop(layer=layer, at=met["at"], because=because, allowed=met["allowed"], code=met["code"] or "")

    ends = (answer["sender"], ""), (target, answer["target"] or "")
    first, last = (Stop(layer=name, at=at, because="", is_end=True) for name, at in ends)
    return [first, *map(stop, (*names, *steps, *back, *inside)), last]


async def _places(ask: Ask) -> list[tuple[str, str]]:
    """Return what can be chosen as an end: instances, caches and clients on the internet."""
    found = [i for r in await ask.aws_all("ec2", "DescribeInstances", "Reservations") for i in r["Instances"]]
    places = [(i["InstanceId"], name_of(i) or i.get("PrivateIpAddress", "")) for i in found]
    clusters = await ask.aws_all("elasticache", "DescribeCacheClusters", "CacheClusters")
    places += [(c["CacheClusterId"], c["Engine"]) for c in clusters]
    status = await private.get(ask, "/_atoll/status")
    return [*places, *((address, ask.t("why.client")) for address in status["outside"])]


@act(f"{AT}/apply", back=AT)
async def apply(ask: Ask) -> Answered:
    """Make the call that mends it, and ask again."""
    await flows.apply(ask, ask.form.get("command"))
    asked = {name: _given(ask, name) for name in ("from", "to", "port", "protocol")}
    return ask.go(AT, "why.done_applied", id=ask.form.get("command"), **asked)
