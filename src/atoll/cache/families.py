"""Engines, their versions and their parameter group families, and the default group of each.

Source: ElastiCache User Guide, "Engine versions and upgrading" and "Parameter management".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, cast

from atoll.model.engine import EngineBuild
from atoll.model.world import Table, World

ENGINES = ("memcached", "redis", "valkey")

# What AWS offers; listed only where no host has said what it can run (the paper host runs nothing).
AWS_VERSIONS = {
    "memcached": ("1.5.10", "1.5.16", "1.6.6", "1.6.12", "1.6.17", "1.6.22"),
    "redis": ("5.0.6", "6.0.5", "6.2.6", "7.0.7", "7.1.0"),
    "valkey": ("7.2.6", "8.0.1", "8.1.0", "8.2.0", "9.0.0", "9.1.0"),
}
# Older engines have no access control lists: the commands that AWS forbids could not be forbidden.
OLDEST = {"memcached": (1, 5), "redis": (6, 2), "valkey": (7, 2)}

_NUMBER = re.compile("[0-9]{1,9}")  # of a version; whatever else a caller says is none

DESCRIPTIONS = {"memcached": "memcached", "redis": "Redis", "valkey": "Valkey"}


@dataclass(frozen=True, slots=True)
class Build:
    """An engine in a version that a cluster may ask for."""

    engine: str
    version: str  # full: "7.0.15"
    tls: bool = False

    @property
    def label(self) -> str:
        """The version as AWS lists it and takes it: `7.0` for Redis from 6 on and Valkey, else the full one."""
        return short_version(self.version) if names_minor_only(self.engine, self.version) else self.version

    @property
    def family(self) -> str:
        """The family of its parameter groups."""
        return family(self.engine, self.version)


@lru_cache(1_024)
def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, for comparing; a part that is no number counts as 0."""
    return tuple(int(part) if _NUMBER.fullmatch(part) else 0 for part in version.split("."))


def short_version(version: str) -> str:
    """Return `7.0` of `7.0.15`."""
    return ".".join(version.split(".")[:2])


def names_minor_only(engine: str, version: str) -> bool:
    """Tell whether AWS lets users choose only the minor version, and the patch itself."""
    return engine == "valkey" or (engine == "redis" and numbers(version) >= (6,))


def family(engine: str, version: str) -> str:
    """Return the parameter group family of an engine's version: `redis7`, `redis6.x`, `memcached1.6`."""
    major = numbers(version)[0]
    if engine == "valkey" or (engine == "redis" and major >= 7):
        return f"{engine}{major}"
    if engine == "redis" and major == 6:
        return "redis6.x"
    return f"{engine}{short_version(version)}"


def engine_of(family: str) -> str:
    """Return the engine of a family."""
    return next(engine for engine in ENGINES if family.startswith(engine))


def builds(world: World, engine: str | None = None) -> tuple[Build, ...]:
    """Return what can be asked for, oldest first: what the host runs, or AWS's list where no host has spoken."""
    every = _offered(world).builds
    return every if engine is None else tuple(b for b in every if b.engine == engine)


def choose(world: World, engine: str, requested: str | None) -> Build | None:
    """Return the newest build that serves the requested version, or None.  Without a request: the newest of all."""
    fitting = [
        b
        for b in builds(world, engine)
        if requested in (None, b.label) or (requested == "6.x" and b.family == "redis6.x")
    ]
    return fitting[-1] if fitting else None


def families(world: World) -> tuple[str, ...]:
    """Return the families for which there are default parameter groups: AWS's, and those of the builds here."""
    return _offered(world).families


class _Offer(NamedTuple):
    """What can be asked for beside the builds of a table."""

    table: Table
    builds: tuple[Build, ...]
    families: tuple[str, ...]


_last: _Offer | None = None  # builds come when a daemon starts, and each cache that is made asks three times


def _offered(world: World) -> _Offer:
    global _last
    table, offer = world.table(EngineBuild), _last  # another thread may ask about another World
    if offer is None or offer.table is not table:
        found = [Build(b.engine, b.version, b.tls) for b in cast("Iterable[EngineBuild]", table.values())]
        if found:
            found = [b for b in found if numbers(b.version) >= OLDEST[b.engine]]
        else:
            found = [Build(e, version, tls=True) for e, versions in AWS_VERSIONS.items() for version in versions]
        found.sort(key=lambda b: (b.engine, numbers(b.version)))
        of_aws = {family(e, version) for e, versions in AWS_VERSIONS.items() for version in versions}
        _last = offer = _Offer(table, tuple(found), tuple(sorted(of_aws | {b.family for b in found})))
    return offer


@dataclass(frozen=True, slots=True)
class DefaultGroup:
    """A default parameter group: exists in every account and region, and cannot be changed."""

    name: str
    family: str
    description: str
    cluster_on: bool


def default_groups(world: World) -> tuple[DefaultGroup, ...]:
    """Return the default parameter groups, by name."""
    return _default_groups_of(families(world))


@lru_cache(maxsize=8)
def _default_groups_of(names: tuple[str, ...]) -> tuple[DefaultGroup, ...]:
    found = []
    for name in names:
        found.append(DefaultGroup(f"default.{name}", name, f"Default parameter group for {name}", cluster_on=False))
        if engine_of(name) != "memcached":
            text = f"Customized default parameter group for {name} with cluster mode on"
            found.append(DefaultGroup(f"default.{name}.cluster.on", name, text, cluster_on=True))
    return tuple(sorted(found, key=lambda group: group.name))
