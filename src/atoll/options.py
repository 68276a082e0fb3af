"""How to run Atoll, and why it could not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


class CannotStart(Exception):
    """What is in the way, and the next step."""


class Lost(Exception):
    """What ran has ended with the keeper, and the daemon with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run."""

    state_dir: Path
    port: int = 4566  # 0: any free one
    bind: str = "127.0.0.1"
    host: Literal["auto", "root", "rootless", "flat", "paper"] = "auto"
    keys: Literal["local", "required"] = "local"
    metrics_seconds: float = 60.0  # between samples
    log_to: Path | None = None  # None: standard error
    init_dir: Path | None = None  # of scripts: see control/hooks.py
    leash: bool = False  # end when standard input does, and everything with it
