"""A daemon that has an older Redis OSS, an instance whose clients write, and caches that change meanwhile."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from atoll.cli import drill_clients
from atoll.host.engine import programs
from tests.daemon.atoll import Atoll, own_mode, running, until

NODE = {"CacheNodeType": "cache.t3.micro"}
OLDER = Path(sys.prefix) / "older-engines"  # made by bin/setup


class Yard:
    """Caches, and what is done to them."""

    def __init__(self, atoll: Atoll):
        self.atoll = atoll
        self.up()
        self.cache, ec2 = atoll.client("elasticache"), atoll.client("ec2")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        launched = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        self.instance: str = launched["Instances"][0]["InstanceId"]
        runs = [{"Name": "instance-state-name", "Values": ["running"]}]
        until(lambda: ec2.describe_instances(Filters=runs)["Reservations"], 30.0, "an instance")
        self._runs = 0

    def up(self) -> None:
        """Start the daemon."""
        self.atoll.up("--engine-dir", str(self.atoll.place / "engines"))

    def install_redis(self, version: str) -> None:
        """Let the machine have another patch of Redis OSS: the program that is there, calling itself that."""
        found = programs.available(self.atoll.place / "probe")
        real = next(e for e in found if e.name == "redis" and e.version.startswith(version[:3]))
        assert len(real.version) == len(version), "no byte of the program moves"
        program = self.atoll.place / "engines" / version / "redis-server"
        program.parent.mkdir()
        program.write_bytes(real.path.read_bytes().replace(f"{real.version}\0".encode(), f"{version}\0".encode()))
        program.chmod(0o755)

    def needs(self, engine: str, version: str) -> None:
        """Skip a test where an engine is missing."""
        found = self.cache.describe_cache_engine_versions(Engine=engine, EngineVersion=version)
        if not found["CacheEngineVersions"]:
            pytest.skip(f"NOT TESTED: no {engine} {version} on this machine")

    def group(self, name: str, engine: str, version: str, members: int, **more: Any) -> None:
        self.cache.create_replication_group(
            ReplicationGroupId=name,
            ReplicationGroupDescription="x",
            Engine=engine,
            EngineVersion=version,
            NumCacheClusters=members,
            AutomaticFailoverEnabled=members > 1,
            **NODE | more,
        )
        self.available(name)

    def change(self, name: str, **asked: Any) -> dict[str, Any]:
        """Ask for a change at once."""
        found = self.cache.modify_replication_group(ReplicationGroupId=name, ApplyImmediately=True, **asked)
        shown: dict[str, Any] = found["ReplicationGroup"]
        return shown

    def available(self, name: str, seconds: float = 60.0) -> None:
        until(lambda: self.described(name)["Status"] == "available", seconds, f"{name} available ({self.atoll.log})")

    def described(self, name: str) -> dict[str, Any]:
        found = self.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
        shown: dict[str, Any] = found[0]
        return shown

    def cluster(self, name: str) -> dict[str, Any]:
        found = self.cache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)
        shown: dict[str, Any] = found["CacheClusters"][0]
        return shown

    def cluster_available(self, name: str, seconds: float = 60.0) -> None:
        until(lambda: self.cluster(name)["CacheClusterStatus"] == "available", seconds, f"{name} available")

    def primary(self, name: str) -> str:
        members = self.described(name)["NodeGroups"][0]["NodeGroupMembers"]
        return next(str(m["CacheClusterId"]) for m in members if m["CurrentRole"] == "primary")

    def endpoint(self, name: str) -> str:
        return str(self.described(name)["NodeGroups"][0]["PrimaryEndpoint"]["Address"])

    def redis(self, endpoint: str, *words: str) -> str:
        return self.atoll.inside(self.instance, f"redis-cli -h {endpoint} {' '.join(words)}").strip()

    def pid(self, cluster: str) -> int:
        return int(self.atoll.machine(cluster)["pid"])

    def told(self, source: str, kind: str) -> list[str]:
        found = self.cache.describe_events(SourceIdentifier=source, SourceType=kind)["Events"]
        return [str(event["Message"]) for event in found]

    @contextmanager
    def writing(self, endpoint: str, *, clients: int = 2, wait: int = 0) -> Iterator[dict[str, Any]]:
        """Have clients write numbered records meanwhile; afterwards it says what they saw."""
        self._runs += 1
        said: dict[str, Any] = {}
        words = [endpoint, "6379", str(clients), str(wait), f"{{run{self._runs}}}"]  # one slot, in cluster mode
        command = drill_clients.command(self.instance, "drill_writer", *words)
        writer = self.atoll.start_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert writer.stdin, "it is a pipe"
        assert writer.stdout, "it is a pipe"
        try:
            first = writer.stdout.readline().strip()
            assert first == b"ready", first
            yield said
            writer.stdin.write(b"\n")
            writer.stdin.flush()
            said.update(json.loads(writer.stdout.readline()))
        finally:
            writer.kill()
            writer.wait()


@pytest.fixture(scope="package")
def yard() -> Iterator[Yard]:
    with running(own_mode(), started=False) as atoll:
        own = atoll.place / "engines"
        own.mkdir()
        if OLDER.is_dir():
            shutil.copy(next(OLDER.rglob("redis-server")), own)
        yield Yard(atoll)
