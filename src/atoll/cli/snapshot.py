"""`atoll snapshot save` and `load`: the whole World in one file, with the data of caches and disks."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from atoll.cli import private, show
from atoll.cli.failure import Failure

SECONDS_MAX = 3600.0  # gigabytes of data, on a disk that others use too
ERROR = 2


def save(file: Path, *, whole: bool, as_json: bool) -> None:
    """Save the World to a file, which only its owner may read; another of that name is replaced when all is there."""
    target = file.absolute()
    if not target.parent.is_dir():
        raise Failure(f"{target.parent} is not a directory", "name a file in one that exists", ERROR)
    if target.is_dir():
        raise Failure(f"{target} is a directory", "name a file", ERROR)
    with show.progress("Saving the world"):
        said = private.post("/_atoll/worlds/save", {"data": whole}, seconds=SECONDS_MAX)
        source = Path(said["file"])
        try:
            _move(source, target)
        finally:
            with suppress(OSError):
                source.unlink(missing_ok=True)
    said["file"] = str(target)
    if as_json:
        show.as_json(said)
        return
    show.line(f"Saved {target}: {_counted(said)}, {_size(said['bytes'])}. It holds secrets: only you may read it.")
    if whole and said["memcached"]:
        show.line(f"Memcached cannot give its data away: {', '.join(said['memcached'])} will begin empty.")


def load(file: Path, *, replace: bool, as_json: bool) -> None:
    """Replace the World by that of a file."""
    if not os.access(file, os.R_OK) or not file.is_file():
        raise Failure(f"{file} cannot be read", "name a file that `atoll snapshot save` wrote", ERROR)
    with show.progress("Loading the world"):
        place = Path(private.post("/_atoll/worlds/place")["file"])
        try:
            _copy(file, place)
            said = private.post("/_atoll/worlds/load", {"name": place.name, "replace": replace}, seconds=SECONDS_MAX)
        finally:
            with suppress(OSError):
                place.unlink(missing_ok=True)
    if as_json:
        show.as_json(said)
        return
    show.line(f"Loaded {file}: {_counted(said)}. Instances boot and caches load their data now: `atoll status`.")


def _move(source: Path, target: Path) -> None:
    """Give a file another name, or copy it where no name can be given; nobody ever sees a part of it."""
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        try:
            source.rename(target)
        except OSError:
            _copy(source, new)
            new.replace(target)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise _not_written(target, error) from None


def _copy(source: Path, target: Path) -> None:
    """Copy a file to a new one that only its owner may read, and to the disk.  Raises Failure."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as out, source.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        with suppress(OSError):
            target.unlink(missing_ok=True)
        raise _not_written(target, error) from None


def _not_written(target: Path, error: OSError) -> Failure:
    step = "free space, or name another file; if Atoll is another user's, run this as that user"
    return Failure(f"{target} cannot be written: {error.strerror or error}; nothing is left of it", step, ERROR)


def _counted(said: dict[str, Any]) -> str:
    parts = [(said["resources"], "resource"), (said["caches"], "cache primary"), (said["disks"], "disk")]
    return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in parts).replace("primarys", "primaries")


def _size(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB" if size >= 1 << 20 else f"{size / 1024:.0f} KiB"
