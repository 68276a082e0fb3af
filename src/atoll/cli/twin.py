"""`atoll import`: a real account, described by the AWS CLI, rebuilt here; `--commands` prints the script for that."""

import base64
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atoll.cli import private, show
from atoll.cli.failure import Failure

SECONDS_MAX = 600.0  # tens of thousands of interfaces
BYTES_MAX = 256 << 20  # as the daemon refuses
WRONG = 2
NAMES_MAX = 5  # of those of which the same is said; --json has all
_HEADINGS = {
    "stand-in": "In the place of what Atoll has not",
    "approximated": "Not quite as it is there",
    "left out": "Not here: `why` cannot speak of it",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked for."""

    directory: Path
    account: str | None
    may_replace: bool
    is_trial: bool
    as_json: bool


def commands() -> None:
    """Print the script that describes an account into a directory."""
    from atoll.twin.commands import script

    sys.stdout.write(script())


def bring(asked: Asked) -> None:
    """Rebuild what the files of a directory describe."""
    if asked.account is not None and not (len(asked.account) == 12 and asked.account.isdecimal()):
        raise Failure(f"{asked.account!r} is not an account", "give its 12 digits", WRONG)
    packed = json.dumps({name: base64.b64encode(text).decode() for name, text in _read(asked.directory).items()})
    with show.progress("Importing"):
        place = Path(private.post("/_atoll/worlds/place")["file"])
        try:
            _write(place, packed)
            said = private.post(
                "/_atoll/import",
                {
                    "name": place.name, "account": asked.account, "replace": asked.may_replace,
                    "dry_run": asked.is_trial,
                },
                seconds=SECONDS_MAX,
            )  # fmt: skip
        finally:
            with suppress(OSError):
                place.unlink(missing_ok=True)
    if asked.as_json:
        show.as_json(said)
    else:
        _tell(said)


def _read(directory: Path) -> dict[str, bytes]:
    """Return the files of a recording.  Raises Failure."""
    step = "make one: atoll import --commands > describe.sh; sh describe.sh DIR"
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".json" and path.is_file())
        if sum(path.stat().st_size for path in paths) > BYTES_MAX:
            raise Failure(f"{directory} has more than {BYTES_MAX >> 20} MiB of JSON", "import one region", WRONG)
        found = {path.name: path.read_bytes() for path in paths}
    except OSError as error:
        raise Failure(f"{error.filename or directory} cannot be read: {error.strerror}", step, WRONG) from None
    if not found:
        raise Failure(f"{directory} has no file whose name ends with .json", step, WRONG)
    return found


def _write(place: Path, packed: str) -> None:
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as out:
            out.write(packed)
    except OSError as error:
        step = "free space; if Atoll is another user's, run this as that user"
        raise Failure(f"{place} cannot be written: {error.strerror}", step, WRONG) from None


def _tell(said: dict[str, Any]) -> None:
    whole = sum(said["resources"].values())
    what = "Would import" if said["dry_run"] else "Imported"
    gone = f", in the place of {said['replaced']}" if said["replaced"] else ""
    show.line(f"{what} {whole} resources into the account {said['account']}, {said['region']}{gone}:")
    show.line("  " + ", ".join(f"{count} {kind}" for kind, count in said["resources"].items()))
    for kind, heading in _HEADINGS.items():
        alike: dict[str, list[str]] = {}
        for note in said["notes"]:
            if note["kind"] == kind:
                alike.setdefault(note["why"], []).append(note["what"])
        if alike:
            show.line(f"{heading}:")
        for because, names in alike.items():
            more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
            show.line(f"  {_plain(', '.join(names[:NAMES_MAX]))}{more}: {_plain(because)}")
    if not said["dry_run"]:
        show.line("Engines and machines start now: `atoll status`. Speak for the account with")
        show.line(f"  export AWS_ACCESS_KEY_ID={said['account']} AWS_REGION={said['region']}")


def _plain(text: str) -> str:
    """Return a text of somebody's without what a terminal obeys."""
    return "".join(char if char.isprintable() else "?" for char in text)
