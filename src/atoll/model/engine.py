"""Engine builds: the cache engines that this machine can run.

The host finds them (it runs each program with `--version`) and the daemon puts them into the World when it starts, so
that verbs can say what is available without asking a machine.  They belong to no account: read them with
`world.bucket`.  Where they are on disk is the host's business.
"""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineBuild(Resource):
    """A program that can run here; its id is `redis/7.0.15`, its account and region are empty."""

    engine: str  # "memcached", "redis" or "valkey"
    version: str  # full: "7.0.15"
    tls: bool = False
    found: datetime | None = None  # when it was put into the World


def engine_build(engine: str, version: str, *, tls: bool = False) -> EngineBuild:
    """Make the resource for a program that the host found."""
    return EngineBuild(id=f"{engine}/{version}", account="", region="", engine=engine, version=version, tls=tls)
