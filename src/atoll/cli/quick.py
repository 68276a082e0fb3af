"""`atoll up` in the foreground, without the library that reads command lines: a sixth of a start is spent on it.

Reads only what `Start.arguments` writes, each option in full with its value.  Anything else is left to `main`, which
knows abbreviations, errors and help.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def _seconds(text: str) -> float:
    if not (found := float(text)) >= 1:  # nor is it a number of seconds if it is not a number
        raise ValueError(text)
    return found


OPTIONS: dict[str, Callable[[str], Any]] = {
    "--port": int, "--bind": str, "--state": Path, "--host": str, "--mode": str, "--keys": str,
    "--metrics-seconds": _seconds, "--engine-dir": Path, "--init": Path,
}  # fmt: skip
ALSO = {"--mode": "--host"}  # two names of one option
DEFAULTS: dict[str, Any] = {
    "port": 4566, "bind": "127.0.0.1", "state": None, "host": "auto", "keys": "local", "metrics_seconds": 60.0,
    "engine_dir": None, "init": None,
}  # fmt: skip


def read(words: Sequence[str]) -> dict[str, Any] | None:
    """Return the options of a plain `up`; None if it is not one, or not plain."""
    leash = "--leash" in words
    words = [word for word in words if word != "--leash"]
    if words[:1] != ["up"] or len(words) % 2 == 0:
        return None
    options = DEFAULTS | {"leash": leash}
    for name, value in zip(words[1::2], words[2::2], strict=True):
        if name not in OPTIONS or value.startswith("-"):
            return None
        try:
            options[ALSO.get(name, name).removeprefix("--").replace("-", "_")] = OPTIONS[name](value)
        except ValueError:
            return None
    return options
