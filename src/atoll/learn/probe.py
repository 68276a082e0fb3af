"""Probes: real packets that a judge wants sent, as values; `admin/lesson_probe.py` sends them."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Tcp:
    """Connect from an interface (its id) or an internet client (its address), say something, read the answer.

    The answer is "dropped", "refused", or "connected " and what was said.  It is read until it holds `expect`.
    """

    at: str
    address: str
    port: int
    say: str = ""
    expect: str = ""
    tls: bool = False
    is_wanted: bool = True  # else a refusal is expected, and no long wait


@dataclass(frozen=True, slots=True)
class Mirror:
    """Have several interfaces connect from one source port to a server on the internet, all at the same time.

    The answer is a line for each: the address and port that the server saw, or "dropped".
    """

    at: tuple[str, ...]
    server: str
    port: int
    source_port: int


Probe: TypeAlias = Tcp | Mirror
