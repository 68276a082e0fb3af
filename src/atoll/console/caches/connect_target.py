"""What a client must know of a cache, and how its words are quoted in each language.  A value."""

import json
import shlex
from dataclasses import dataclass
from typing import Literal

Auth = Literal["none", "token", "user"]
PASSWORD = "CACHE_PASSWORD"  # the environment variable that has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A cache as its clients see it."""

    engine: str  # "valkey", "redis" or "memcached"
    host: str  # the primary's endpoint, the configuration endpoint or, of a single cluster, its node's
    port: int
    tls: bool = False
    auth: Auth = "none"
    user: str = ""  # of a user group: who comes in
    is_cluster: bool = False  # cluster mode: a client must know which shard has which slot
    reader: str = ""  # the reader endpoint, where there is one
    nodes: tuple[tuple[str, int], ...] = ()  # of Memcached: each node's endpoint
    has_discovery: bool = False  # of Memcached: the nodes tell of each other


def python(value: str) -> str:
    """Return a text as Python writes it."""
    return json.dumps(value)


def javascript(value: str) -> str:
    """Return a text as JavaScript writes it."""
    return json.dumps(value)


def php(value: str) -> str:
    """Return a text as PHP writes it, in single quotes: nothing in it has a meaning."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def shell(value: str) -> str:
    """Return a text as a shell takes it for one word."""
    return shlex.quote(value)
