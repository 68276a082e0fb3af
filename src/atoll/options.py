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

    @property
    def is_abroad(self) -> bool:
        """Tell whether other machines can reach the API: it then asks for keys, and speaks TLS to them."""
        return self.bind not in ("127.0.0.1", "::1", "localhost")

    def url(self, port: int) -> str:
        """Return where the API is, for others."""
        return f"{'https' if self.is_abroad else 'http'}://{self.bind}:{port}"
