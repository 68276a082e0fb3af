"""`atoll learn solve`: run the commands of a step as a person would type them, and wait until it is done."""

import os
import subprocess
import sys
import time
from shutil import which

from atoll.cli import show
from atoll.cli.failure import REFUSED, Failure
from atoll.cli.learn import Json, ask, into, latest, spoken
from atoll.learn.texts import interface

COMMAND_SECONDS = 120.0  # one that makes a cache with replicas, on a busy machine
DONE_SECONDS = 90.0  # until what was asked for has happened: a resharding, a reboot
LOOK_EVERY_SECONDS = 0.3
READY_SECONDS = 20.0  # until what a command names is there


def solved(name: str | None, lang: str | None, *, whole: bool, as_json: bool) -> int:
    """Do the step that is next, or all that are left; returns 0 if they are done then."""
    chosen = name or latest()
    said = ask("check", chosen, lang)
    while said["now"] is not None:
        step = said["now"]
        _do(chosen, step, lang, quiet=as_json)
        said = _until_done(chosen, step, lang)
        now = next((one for one in said["steps"] if one["id"] == step), None)
        if now is None or now["state"] != "done":
            _report(said, now, lang, as_json=as_json)
            return REFUSED
        if not as_json:
            show.line(f"✓ {now['title']}", "green")
        if not whole:
            break
    if as_json:
        show.as_json(said)
    elif said["now"] is None:
        show.line(interface(spoken(lang))["all-done"], "bold green")
    return 0


def _do(name: str, step: str, lang: str | None, *, quiet: bool) -> None:
    """Run each command, with its placeholders as they are then: what one makes, the next may name."""
    number = 0
    while True:
        found = _whole(name, step, number, lang)
        if found is None:
            return
        lesson, command = found
        if not quiet:
            show.line(f"$ {command}", "cyan")
        said = _run(lesson, command)
        if not quiet and said:
            show.line(said)
        number += 1


def _whole(name: str, step: str, number: int, lang: str | None) -> tuple[Json, str] | None:
    """Return a command once everything that it names is there; `None`: there is none of this number."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        lesson = ask("solution", name, lang)
        commands = next(one["solution"] for one in lesson["steps"] if one["id"] == step)
        if number >= len(commands):
            return None
        if commands[number]["is_whole"]:
            return lesson, commands[number]["command"]
        if time.monotonic() > deadline:
            raise Failure(
                f"something is missing that this command names: {commands[number]['command']}",
                f"give it that name, or begin anew: atoll learn reset {name}",
            )
        time.sleep(LOOK_EVERY_SECONDS)


def _run(lesson: Json, command: str) -> str:
    """Run a command in the lesson's world; returns what it said.  Raises Failure if it failed."""
    own = os.path.dirname(sys.executable)
    environment = {**os.environ, **into(lesson), "AWS_PAGER": ""}
    environment["PATH"] = f"{own}{os.pathsep}{os.environ.get('PATH', '')}"
    if which(command.split()[0], path=environment["PATH"]) is None:
        next_step = "install the AWS CLI (pip install awscli), or make the call otherwise"
        raise Failure(f"there is no `{command.split()[0]}` on this machine", next_step)
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failure(f"it took longer than {COMMAND_SECONDS:.0f} s: {command}", "atoll status shows why") from None
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip()[-500:]
        raise Failure(f"{command} failed: {told}", f"begin anew with: atoll learn reset {lesson['name']}")
    return done.stdout.strip()


def _until_done(name: str, step: str, lang: str | None) -> Json:
    """Check until the step is done, or for long enough."""
    deadline = time.monotonic() + DONE_SECONDS
    while True:
        said = ask("check", name, lang)
        if said["now"] != step or time.monotonic() > deadline:
            return said
        time.sleep(LOOK_EVERY_SECONDS)


def _report(said: Json, now: Json | None, lang: str | None, *, as_json: bool) -> None:
    if as_json:
        show.as_json(said)
    elif now is not None:
        show.line(f"{interface(spoken(lang))['not-yet']}: {now.get('reason', '')}", "yellow")
