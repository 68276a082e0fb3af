"""Shell completion: `atoll completion bash` prints the script, which asks `atoll __complete WORD ...` at each Tab.

A Tab must be answered at once, so the library that reads command lines (a quarter of a second) is asked once for each
version of the commands, and its answer kept in a file.  Names of instances and caches come from the daemon, which
has a moment to answer; without it there are just no names.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

NAMES_SECONDS = 0.1  # for the daemon; a Tab that waits longer feels broken
ANSWER_BYTES_MAX = 8_000_000
# What a parameter names, by its own name.
INSTANCES = ("instance", "inside", "source")
PLACES = ("place", "target", "targets")
CACHES = ("group", "replication_group", "cluster", "cache")

Tree = dict[str, Any]  # of a command: "options", "values" (option -> parameter), "arguments", "commands"


def complete(words: list[str]) -> int:
    """Print what the last word may become."""
    *before, word = words or [""]
    found = sorted(set(_candidates(_tree(), before, word)))
    with suppress(BrokenPipeError):  # the shell has seen enough
        os.write(1, "".join(f"{one}\n" for one in found if one.startswith(word) and one.isprintable()).encode())
    return 0


def _candidates(tree: Tree, before: list[str], word: str) -> Iterator[str]:
    """Walk the words that are there, and yield what may come next."""
    arguments = 0
    wanted: str | None = None  # the parameter whose value is due
    for one in before:
        if wanted is not None:
            wanted = None
        elif one in tree["commands"]:
            tree, arguments = tree["commands"][one], 0
        elif one == "--":
            return  # what follows is somebody else's command
        elif one.startswith("-"):
            wanted = tree["values"].get(one)
        else:
            arguments += 1
    if wanted is not None:
        yield from _values(wanted)
    elif word.startswith("-"):
        yield from tree["options"]
    else:
        yield from tree["commands"]
        known = tree["arguments"]
        if known:
            yield from _values(known[min(arguments, len(known) - 1)])


def _values(parameter: str) -> Iterator[str]:
    if parameter in (*INSTANCES, *PLACES):
        yield from _names("instances")
    if parameter in (*CACHES, *PLACES):
        yield from _names("caches")


def _names(kind: str) -> Iterator[str]:
    for one in _status().get(kind, []):
        yield from (str(one[key]) for key in ("name", "id", "group") if one.get(key))


_asked: list[dict[str, Any]] = []


def _status() -> dict[str, Any]:
    """Ask the daemon, once, and for a moment only; a library of HTTP would cost more than the answer."""
    if not _asked:
        try:
            _asked.append(_ask())
        except (OSError, ValueError):
            _asked.append({})
    return _asked[0]


def _ask() -> dict[str, Any]:
    from atoll.cli import private

    scheme, _, place = private.endpoint().partition("://")
    host, _, port = place.partition("/")[0].rpartition(":")
    if scheme != "http" or not port.isdigit():
        return {}
    who = private.whose(NAMES_SECONDS)
    with socket.create_connection((host.strip("[]"), int(port)), NAMES_SECONDS) as link:
        path = f"/_atoll/status?account={who['account']}&region={who['region']}"
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        said = b""
        while len(said) < ANSWER_BYTES_MAX and (part := link.recv(65536)):
            said += part
    found = json.loads(said.partition(b"\r\n\r\n")[2])
    return found if isinstance(found, dict) else {}


def _tree() -> Tree:
    """Return the commands, from the file that keeps them if it is as new as they are."""
    here = Path(__file__).parent
    newest = max(entry.stat().st_mtime_ns for entry in os.scandir(here) if entry.name.endswith(".py"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atoll" / "commands.json"
    try:
        kept = json.loads(cache.read_bytes())
        if kept["of"] == [str(here), newest]:
            tree: Tree = kept["tree"]
            return tree
    except (OSError, ValueError, KeyError, TypeError):
        pass
    tree = _read_commands()
    _keep(cache, {"of": [str(here), newest], "tree": tree})
    return tree


def _keep(path: Path, value: dict[str, Any]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(value))
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)  # the next Tab takes as long


def _read_commands() -> Tree:
    from typer.main import get_command

    from atoll.cli.main import app

    return _described(get_command(app))


def _described(command: Any) -> Tree:
    options = [param for param in command.params if param.param_type_name == "option"]
    return {
        "options": [text for param in options for text in (*param.opts, *param.secondary_opts)] + ["--help"],
        "values": {text: param.name for param in options if not param.is_flag for text in param.opts},
        "arguments": [param.name for param in command.params if param.param_type_name == "argument"],
        "commands": {name: _described(one) for name, one in getattr(command, "commands", {}).items()},
    }
