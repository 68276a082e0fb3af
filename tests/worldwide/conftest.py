"""A group to migrate to, and an instance in which a user's own engine runs."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.daemon.atoll import Atoll, own_mode, running, until
from tests.failover.conftest import Ward

# Debian's redis-check-rdb is the server when it is called redis-server.
SERVER = "cp $(command -v redis-server || command -v redis-check-rdb) /tmp/redis-server"


def inside(atoll: Atoll, region: str, instance: str, script: str, *, ok: bool = True) -> str:
    """Run a shell script in an instance of a region; as root at once, without the half second of a command line."""
    if own_mode() != "root":
        atoll.environment["AWS_DEFAULT_REGION"] = region
        try:
            return atoll.inside(instance, script, ok=ok).strip()
        finally:
            atoll.environment["AWS_DEFAULT_REGION"] = "us-east-1"
    pid = atoll.get(f"/_atoll/machines/{instance}?region={region}")["pid"]
    command = ("nsenter", "-t", str(pid), "-m", "-u", "-n", "-p", "-r", "-w", "sh", "-c", script)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not ok or ended.returncode == 0, f"{script} -> {ended.returncode}: {ended.stdout}{ended.stderr}"
    return (ended.stdout + ended.stderr).strip()


class Move(Ward):
    """A ward with a source outside."""

    def redis(self, endpoint: str, *words: str, at: str | None = None) -> str:
        """Use redis-cli in the instance."""
        return inside(self.atoll, "us-east-1", at or self.instance, f"redis-cli -h {endpoint} {' '.join(words)}")

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
