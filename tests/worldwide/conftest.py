"""A group to migrate to, and an instance in which a user's own engine runs."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.daemon.atoll import own_mode, running, until
from tests.failover.conftest import Ward

# Debian's redis-check-rdb is the server when it is called redis-server.
SERVER = "cp $(command -v redis-server || command -v redis-check-rdb) /tmp/redis-server"


class Move(Ward):
    """A ward with a source outside."""

    def source(self, **more: Any) -> tuple[str, str]:
        """Launch an instance that can run engines; returns its id and address."""
        id = self.launch(**more)
        self.atoll.inside(id, SERVER)
        found = self._ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]
        return id, found["PrivateIpAddress"]

    def run_engine(self, instance: str, port: int = 6379, *more: str) -> None:
        """Run a user's own engine in an instance."""
        options = "--save '' --daemonize yes --protected-mode no --repl-diskless-sync-delay 0"
        told = f"--port {port} {options} {' '.join(more)}"
        self.atoll.inside(instance, f"setsid /tmp/redis-server {told} >/dev/null 2>&1 </dev/null")

    def event(self, *ends: str, name: str = "auto") -> str:
        """Wait until the newest event has one of these ends, and return it."""
        found: str = until(
            lambda: next((m for m in self.messages(name)[-1:] if m.endswith(ends)), None), 30.0, f"{ends}"
        )
        return found

    def empty(self, *names: str) -> None:
        """Make the group's data go."""
        for name in names or ("auto",):
            self.redis(self.endpoint(name), "FLUSHALL")


@pytest.fixture(scope="module")
def move() -> Iterator[Move]:
    with running(own_mode()) as atoll:
        builds = atoll.client("elasticache").describe_cache_engine_versions()["CacheEngineVersions"]
        if "valkey" not in {build["Engine"] for build in builds}:
            pytest.skip("NOT TESTED: no valkey on this machine")
        yield Move(atoll, "valkey")
