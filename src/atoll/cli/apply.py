"""`atoll apply FILE.yaml`: make the world what a file says, and do nothing when it is that already."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atoll.apply.action import Action
from atoll.apply.document import NoYaml, Wrong, read
from atoll.apply.plan import plan
from atoll.apply.schema import SCHEMA
from atoll.apply.wish import Wish, wish
from atoll.cli import private, show, worlds
from atoll.cli.aws_calls import Calls
from atoll.cli.failure import REFUSED, Failure
from atoll.model.names import DEFAULT_ACCOUNT

WRONG, INTERRUPTED = 2, 130
SIGNS = {"create": "+", "change": "~", "delete": "-"}
STYLES = {"create": "green", "change": "yellow", "delete": "red"}
INPUT = "-"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line says."""

    file: str
    dry_run: bool
    prunes: bool
    as_json: bool
    verbose: bool
    yes: bool


def schema() -> None:
    """Print the JSON schema, for editors."""
    print(json.dumps(SCHEMA, indent=2))


def apply(asked: Asked) -> int:
    """Show the plan and carry it out; returns the exit code."""
    wished = _read(asked.file)
    who = private.whose()
    account, region = who["account"] or DEFAULT_ACCOUNT, wished.region or who["region"]
    world = worlds.open_world(worlds.LIVE)
    try:
        actions = plan(wished, world, account=account, region=region, prunes=asked.prunes)
    except Wrong as wrong:
        message = "; ".join(trouble.message for trouble in wrong.troubles)
        raise Failure(message, "nothing was changed", REFUSED) from None
    calls = Calls(region)
    if not asked.as_json:
        _show(actions, calls, asked, region)
    if actions and not asked.dry_run:
        _confirm(actions, asked)
        _carry_out(actions, calls, asked)
    if asked.as_json:
        show.as_json({"region": region, "dry_run": asked.dry_run, "actions": [_told(a, calls) for a in actions]})
    return 0


def _read(file: str) -> Wish:
    """Read and check a file.  Raises Failure that names each line that is wrong."""
    path = Path(file)
    try:
        text = sys.stdin.read() if file == INPUT else path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Failure(f"{file} is not text in UTF-8", "`atoll apply --schema` says what it may be", WRONG) from None
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", "name a file, or - for the input", WRONG) from None
    name = "input" if file == INPUT else path.stem
    try:
        return wish(read(text), name=name)
    except NoYaml:
        message = "PyYAML, which reads such files, is not installed"
        raise Failure(message, "pip install 'atoll[apply]'", WRONG) from None
    except Wrong as wrong:
        told = "\n".join(f"{file}:{t.line}:{t.column}: {t.message}" for t in wrong.troubles)
        many = "one thing is" if len(wrong.troubles) == 1 else f"{len(wrong.troubles)} things are"
        print(told, file=sys.stderr)
        raise Failure(f"{many} wrong in {file}", "correct it; nothing was changed", WRONG) from None


def _show(actions: Sequence[Action], calls: Calls, asked: Asked, region: str) -> None:
    if not actions:
        show.line(f"Nothing to do: {region} is as {asked.file} says.")
        return
    for action in actions:
        what = f": {action.what}" if action.what else ""
        show.line(f"{SIGNS[action.verb]} {action.kind} {action.name}{what}", STYLES[action.verb])
        for step in action.steps if asked.verbose else ():
            show.line(f"    {calls.spelled(step)}")
    counts = Counter(action.verb for action in actions)
    show.line(", ".join(f"{counts[verb]} to {verb}" for verb in SIGNS if counts[verb]) + ".")


def _confirm(actions: Sequence[Action], asked: Asked) -> None:
    """Ask before something is taken away, unless told not to."""
    gone = [action for action in actions if action.verb == "delete"]
    if not gone or asked.yes:
        return
    if not sys.stdin.isatty():
        raise Failure(f"{len(gone)} things would be deleted, and nobody can be asked", "give --yes", REFUSED)
    print(f"Delete {len(gone)}? [y/N] ", file=sys.stderr, end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Failure("nothing was changed", "leave out --prune to keep them", REFUSED)


def _carry_out(actions: Sequence[Action], calls: Calls, asked: Asked) -> None:
    done = 0
    for action in actions:
        try:
            if asked.as_json:
                _make(action, calls)
            else:
                with show.progress(f"{SIGNS[action.verb]} {action.kind} {action.name}"):
                    _make(action, calls)
        except Failure as failure:
            rest = f"{done} of {len(actions)} were done"
            raise Failure(
                f"{action.kind} {action.name}: {failure.message}",
                f"{rest}; apply it again after the cause is mended, and it goes on from there",
            ) from None
        except KeyboardInterrupt:
            told = f"interrupted: {done} of {len(actions)} were done"
            raise Failure(told, "apply it again to go on", INTERRUPTED) from None
        done += 1
    if not asked.as_json:
        show.line(f"Done: {done} of {len(actions)}.")


def _make(action: Action, calls: Calls) -> None:
    for step in action.steps:
        calls.make(step)


def _told(action: Action, calls: Calls) -> dict[str, Any]:
    return {"verb": action.verb, "kind": action.kind, "name": action.name, "what": action.what,
        "commands": [calls.spelled(step) for step in action.steps]}  # fmt: skip
