"""Lessons and labs: the list, and a lesson beside the map of its world.

A lesson's page has the address of its own account, so that every other page of that address shows the same world.  It
asks the judge again every few seconds, by a form: an act, for it may set a check mark.
"""

import base64
from typing import Any

from markupsafe import Markup, escape

from atoll.admin.lessons import NotNow, Unknown
from atoll.aws.errors import AwsError
from atoll.console import site
from atoll.console.ask import Answered, Ask, Go, View
from atoll.console.site import act, menu, page
from atoll.learn.marking import marked
from atoll.model.instance import Instance
from atoll.model.vpc import Vpc
from atoll.picture import words
from atoll.picture.draw import draw
from atoll.picture.read import read
from atoll.picture.svg import svg

TERMINAL = "/ec2/instances/{id}/terminal"

menu("tools", "/learn", "learn.lessons", order=60)


@page("/learn")
async def lessons(ask: Ask) -> Answered:
    """List the lessons and the labs, with how far one is."""
    ask.show(f"atoll learn --lang {ask.t.language}")
    found = ask.service.lessons.listed(ask.t.language)
    return ask.view("learn/list.html", lessons=found, address=_address)


@page("/learn/{name}")
async def lesson(ask: Ask) -> Answered:
    """Show a lesson, in its own account."""
    name, language = ask.parts["name"], ask.t.language
    try:
        found = await ask.service.lessons.peek(name, language)
    except Unknown:
        return ask.go("/learn")
    if ask.error is None and (found["account"], found["region"]) != (ask.account, ask.region):
        return Go(_address(found))
    ask.show(f"atoll learn {name} --lang {language}")
    ask.show(f'eval "$(atoll learn env {name})"')
    return _page(ask, found)


@act("/learn/{name}/open", back="/learn/{name}")
async def open_lesson(ask: Ask) -> Answered:
    """Build a lesson's world if it is not there."""
    return await _do(ask, "open")


@act("/learn/{name}/reset", back="/learn/{name}")
async def reset(ask: Ask) -> Answered:
    """Build a lesson's world anew."""
    return await _do(ask, "reset")


@act("/learn/{name}/hint", back="/learn/{name}")
async def hint(ask: Ask) -> Answered:
    """Reveal one more hint."""
    return await _do(ask, "hint")


@act("/learn/{name}/check", back="/learn/{name}")
async def check(ask: Ask) -> Answered:
    """Judge the step that is next, and show the lesson with what is said."""
    try:
        found = await ask.service.lessons.check(ask.parts["name"], ask.t.language)
    except Unknown:
        return ask.go("/learn")
    except NotNow as error:
        raise AwsError("NotNow", f"{error}") from None
    return _page(ask, found)


async def _do(ask: Ask, what: str) -> Answered:
    taught, name = ask.service.lessons, ask.parts["name"]
    acts = {"open": taught.open, "reset": taught.reset, "hint": taught.hint}
    try:
        found = await acts[what](name, ask.t.language)
    except Unknown:
        return ask.go("/learn")
    except NotNow as error:
        raise AwsError("NotNow", f"{error} ({error.next_step})") from None
    return Go(_address(found))


def _page(ask: Ask, found: dict[str, Any]) -> View:
    world = ask.service.world.seen_by(ask.caller)
    has_terminal = TERMINAL in site.PAGES
    machines = [
        (i.tags.get("Name", i.id), TERMINAL.format(id=i.id) if has_terminal else "", i.id)
        for i in world.all(Instance)
        if i.state == "running"
    ]
    maps = [_map(ask, vpc) for vpc in world.all(Vpc) if not vpc.is_default] if found["is_open"] else []
    return ask.view("learn/lesson.html", lesson=found, machines=machines, maps=maps, prose=_prose)


def _map(ask: Ask, vpc: Vpc) -> tuple[str, str]:
    """Return the map of a VPC, as the address of a picture, and in words."""
    scene = read(ask.service.world.seen_by(ask.caller), vpc.id)
    picture = base64.b64encode(svg(draw(scene)).encode()).decode()
    return f"data:image/svg+xml;base64,{picture}", " ".join(words.tell(scene))


def _prose(text: str) -> Markup:
    """Return a lesson's text as HTML: code between backticks, paragraphs between empty lines."""
    paragraphs = [
        Markup().join(
            Markup("<code>{}</code>").format(part) if is_code else escape(part) for part, is_code in marked(one)
        )
        for one in text.split("\n\n")
    ]
    return Markup().join(Markup("<p>{}</p>").format(one) for one in paragraphs)


def _address(lesson: dict[str, Any]) -> str:
    return f"/console/{lesson['account']}/{lesson['region']}/learn/{lesson['name']}"
