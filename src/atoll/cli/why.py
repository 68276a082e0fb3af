"""`atoll why FROM TO:PORT`: everything that is in the way, AWS's and the machines' own, and what would mend it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from atoll.cli import private, show
from atoll.cli.environment import variables
from atoll.cli.failure import REFUSED, Failure
from atoll.cli.look import look

ERROR = 2
LOOKS_MAX = 4  # rounds: a machine that forwards may lead to others, and these to others
ROUNDS_MAX = 6  # of mending and asking again; a way has no more kinds of obstacles
MEND_SECONDS = 60.0
OPEN_WORDS = ("INSTANCE", "ADDRESS:PORT")  # what only a person can fill in


def why(question: Mapping[str, Any], *, as_json: bool, apply: bool, yes: bool) -> int:
    """Answer a question; returns 0 if reachable, 1 if not.  Any failure has code 2."""
    try:
        found = ask(question)
        if apply:
            found = _mend(question, found, yes=yes, quiet=as_json)
    except Failure as failure:
        raise Failure(failure.message, failure.next_step, ERROR) from None
    if as_json:
        show.as_json({key: value for key, value in found.items() if key not in ("lines", "machines", "where")})
    else:
        _print(found)
    return 0 if found["reachable"] else REFUSED


def ask(question: Mapping[str, Any], *, at: str | None = None) -> dict[str, Any]:
    """Ask the daemon (`at` an endpoint), look into the machines that it names, and ask again with what was seen."""
    inside: dict[str, Any] = {}
    for _ in range(LOOKS_MAX):
        found: dict[str, Any] = private.post("/_atoll/why", {**private.whose(), **question, "inside": inside}, at=at)
        new = [machine for machine in found["machines"] if machine["interface"] not in inside]
        if not new:
            break
        inside |= {machine["interface"]: look(machine, found["where"]) for machine in new}
    return found


def _print(found: Mapping[str, Any]) -> None:
    for line in found["lines"]:
        show.line(line)


def _mend(question: Mapping[str, Any], found: dict[str, Any], *, yes: bool, quiet: bool) -> dict[str, Any]:
    """Run what mends, and ask again, until nothing is in the way or nothing more can be done."""
    tried: set[str] = set()
    for _ in range(ROUNDS_MAX):
        todo = [command for command in _commands(found) if command not in tried]
        if found["reachable"] or not todo:
            break
        if not quiet:
            _print(found)
        for command in dict.fromkeys(todo):
            tried.add(command)
            if yes or _confirmed(command):
                _run(command)  # one that fails is told, and the next may still help
        found = ask(question)
    return found


def _commands(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield, for each thing in the way, the first command that can be run as it is."""
    for blocker in found["blockers"]:
        commands = (mend["command"] for mend in blocker["mend"] if mend["command"])
        runnable = (c for c in commands if not any(word in c for word in OPEN_WORDS))
        if (command := next(runnable, None)) is not None and command.startswith(("aws ", "atoll ")):
            yield command


def _confirmed(command: str) -> bool:
    print(show.plain(f"run: {command}\n[y/N] "), file=sys.stderr, end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _run(command: str) -> None:
    """Run a mend as a person would type it.  Raises Failure if there is no such program here."""
    own = os.path.dirname(sys.executable)
    environment = {**variables(), **os.environ, "AWS_ENDPOINT_URL": private.endpoint()}
    environment["PATH"] = f"{own}{os.pathsep}{os.environ.get('PATH', '')}"
    if shutil.which(command.split()[0], path=environment["PATH"]) is None:
        raise Failure(f"there is no `{command.split()[0]}` on this machine", f"run it where there is one: {command}")
    print(show.plain(f"+ {command}"), file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, timeout=MEND_SECONDS,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        print(f"it took longer than {MEND_SECONDS:.0f} s, and was ended", file=sys.stderr, flush=True)
        return
    if done.returncode != 0:
        print(show.plain(f"it failed: {done.stderr.strip()[-500:]}"), file=sys.stderr, flush=True)
