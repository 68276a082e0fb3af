"""`atoll learn`: lessons on the terminal.  The daemon builds their worlds and judges; here it is shown and asked."""

import os
import time
from collections.abc import Mapping
from typing import Any

from atoll.cli import private, show
from atoll.cli.environment import exports, variables
from atoll.cli.failure import REFUSED, Failure
from atoll.learn.texts import interface, language_of

LOOK_EVERY_SECONDS = 0.7  # of --watch: a check of a step that is not done costs the daemon a few milliseconds
Json = dict[str, Any]


def spoken(lang: str | None) -> str:
    """Return the language that is asked for, else the terminal's."""
    if lang is not None and language_of(lang, default="") == "":
        raise Failure(f"there are no texts in {lang!r}", "use --lang en, ko or zh", 2)
    environment = os.environ
    return language_of(
        lang or environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG", "")
    )


def ask(act: str, name: str | None, lang: str | None) -> Json:
    """Have the daemon do something with a lesson, and return how it is then."""
    said = {"act": act, "lesson": name or latest(), "lang": spoken(lang)}
    found: Json = private.post("/_atoll/lessons", said)
    return found


def latest() -> str:
    """Return the lesson that the environment is in, else the one that was opened last.  Raises Failure."""
    lessons = [one for one in private.get("/_atoll/lessons")["lessons"] if one["is_open"]]
    account = private.whose()["account"]
    here = [one for one in lessons if one["account"] == account]
    found = here or sorted(lessons, key=lambda one: str(one["opened"]))
    if not found:
        raise Failure("no lesson is open", "`atoll learn` lists them; open one with: atoll learn NAME")
    name: str = found[-1]["name"]
    return name


def listed(lang: str | None, *, as_json: bool) -> None:
    """List every lesson."""
    language = spoken(lang)
    lessons = private.get("/_atoll/lessons", lang=language)["lessons"]
    if as_json:
        show.as_json(lessons)
        return
    say = interface(language)
    for is_lab, title in ((False, say["lessons"]), (True, say["labs"])):
        rows = [
            (_mark(one), one["name"], one["title"], f"{one['done']}/{one['count']}")
            for one in lessons
            if one["is_lab"] == is_lab
        ]
        show.table(title, ("", say["name"], say["title"], say["done"]), rows)
        show.line()
    show.line(say["how"])


def opened(name: str, lang: str | None, *, as_json: bool) -> None:
    """Open a lesson, and show where one is."""
    with show.progress(f"{name}"):
        found = ask("open", name, lang)
    _show(found, spoken(lang), as_json=as_json, whole=True)


def restarted(name: str | None, lang: str | None, *, as_json: bool) -> None:
    """Begin a lesson anew."""
    with show.progress(name or latest()):
        found = ask("reset", name, lang)
    _show(found, spoken(lang), as_json=as_json, whole=True)


def checked(name: str | None, lang: str | None, *, as_json: bool) -> int:
    """Check the step that is next; returns 0 if one is done by that, or all are."""
    found = ask("check", name, lang)
    _show(found, spoken(lang), as_json=as_json)
    return 0 if found["passed"] or found["now"] is None else REFUSED


def watched(name: str | None, lang: str | None, *, as_json: bool) -> int:
    """Check until the lesson is done, showing each step that becomes so; with --json a line for each."""
    chosen, language, before = name or latest(), spoken(lang), ""
    while True:
        found = ask("check", chosen, lang)
        now = next((step for step in found["steps"] if step["id"] == found["now"]), None)
        reason = f"{found['now']} {now['reason'] if now else ''}"
        if reason != before:
            before = reason
            _show(found, language, as_json=as_json, line=True)
        if now is None:
            return 0
        time.sleep(LOOK_EVERY_SECONDS)


def hinted(name: str | None, lang: str | None, *, as_json: bool) -> None:
    """Show one more hint."""
    found = ask("hint", name, lang)
    if as_json:
        show.as_json(found)
        return
    say = interface(spoken(lang))
    step = next((step for step in found["steps"] if step["id"] == found["now"]), None)
    if step is None:
        show.line(say["all-done"], "bold green")
        return
    for number, hint in enumerate(step["hints"], 1):
        show.line(f"{number}. {hint}")
    show.line(
        say["hints-left"].replace("{count}", str(step["hints_left"])) if step["hints_left"] else say["no-hints"]
    )


def closed(name: str | None) -> None:
    """Remove a lesson's world."""
    chosen = name or latest()
    private.post("/_atoll/lessons", {"act": "close", "lesson": chosen})
    show.line(f"{chosen}: closed.")


def environment(name: str | None, shell: str) -> None:
    """Print what leads tools into a lesson's world."""
    print(exports(shell, into(ask("show", name, "en"))))


def into(lesson: Json) -> dict[str, str]:
    """Return the variables that lead tools into a lesson's world."""
    place = {"AWS_REGION": lesson["region"], "AWS_DEFAULT_REGION": lesson["region"]}
    return {**variables(), **place, "AWS_ACCESS_KEY_ID": lesson["account"], "ATOLL_ENDPOINT": private.endpoint()}


def _show(found: Json, language: str, *, as_json: bool, whole: bool = False, line: bool = False) -> None:
    if as_json:
        if line:
            import json

            print(json.dumps(found, ensure_ascii=False), flush=True)
        else:
            show.as_json(found)
        return
    say = interface(language)
    if whole:
        show.line(found["title"], "bold")
        show.line(found["about"])
        show.line()
        show.line(say["enter"].replace("{command}", f'eval "$(atoll learn env {found["name"]})"'))
        show.line()
    for number, step in enumerate(found["steps"], 1):
        show.line(f"{_SIGNS[step['state']]} {number}. {step['title']}", _STYLES[step["state"]])
        if step["state"] == "now":
            _step(step, say)
    if found["now"] is None:
        show.line(say["all-done"], "bold green")


def _step(step: Json, say: Mapping[str, str]) -> None:
    show.line()
    for paragraph in step["text"].splitlines():
        show.line(f"  {paragraph}")
    if step["commands"]:
        show.line()
        for command in step["commands"]:
            show.line(f"    {command}", "cyan")
    for hint in step["hints"]:
        show.line(f"  {say['hint']}: {hint}", "italic")
    if reason := step.get("reason"):
        show.line()
        show.line(f"  {say['not-yet']}: {reason}", "yellow")
    show.line()


def _mark(one: Json) -> str:
    return "✓" if one["done"] == one["count"] else "·" if one["is_open"] else ""


_SIGNS = {"done": "✓", "now": "→", "later": " "}
_STYLES = {"done": "green", "now": "bold", "later": None}
