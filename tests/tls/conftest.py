"""A daemon with an instance, and caches whose clients speak TLS."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.atoll import Atoll, own_mode, running, until

NODE = {"CacheNodeType": "cache.t3.micro"}


class Vault:
    """Caches with TLS, and a client of them."""

    def __init__(self, atoll: Atoll):
        self.atoll = atoll
        self.cache, ec2 = atoll.client("elasticache"), atoll.client("ec2")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        launched = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        self.instance: str = launched["Instances"][0]["InstanceId"]
        runs = [{"Name": "instance-state-name", "Values": ["running"]}]
        until(lambda: ec2.describe_instances(Filters=runs)["Reservations"], 30.0, "an instance")

    def needs(self, engine: str) -> None:
        """Skip a test where an engine is missing."""
        if not self.cache.describe_cache_engine_versions(Engine=engine)["CacheEngineVersions"]:
            pytest.skip(f"NOT TESTED: no {engine} on this machine")

    def group(self, name: str, engine: str, members: int | None = 1, **more: Any) -> None:
        """Make a group, and wait until it is available."""
        self.needs(engine)
        self.cache.create_replication_group(
            ReplicationGroupId=name,
            ReplicationGroupDescription="x",
            Engine=engine,
            **({} if members is None else {"NumCacheClusters": members}),
            **NODE | more,
        )
        self.available(name)

    def kept(self, name: str, engine: str, members: int = 1) -> str:
        """Return the primary endpoint of a group with TLS, which is made for the first who asks."""
        if name not in (
            g["ReplicationGroupId"] for g in self.cache.describe_replication_groups()["ReplicationGroups"]
        ):
            self.group(name, engine, members, TransitEncryptionEnabled=True, AutomaticFailoverEnabled=members > 1)
        return self.endpoint(name)

    def available(self, name: str, seconds: float = 30.0) -> None:
        until(lambda: self.described(name)["Status"] == "available", seconds, f"{name} available ({self.atoll.log})")

    def described(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][
            0
        ]
        return found

    def cluster(self, name: str) -> dict[str, Any]:
        """Wait until a cluster is available, and return it with its nodes."""

        def found() -> dict[str, Any] | None:
            shown = self.cache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)["CacheClusters"][
                0
            ]
            return shown if shown["CacheClusterStatus"] == "available" else None

        described: dict[str, Any] = until(found, 30.0, f"{name} available ({self.atoll.log})")
        return described

    def pid(self, node: str) -> int:
        """Return the process of a node's engine."""
        pid: int = self.atoll.get(f"/_atoll/machines/{node}")["pid"]
        return pid

    def terminator(self, node: str) -> int | None:
        """Return the process beside a node's engine that speaks TLS: it is in the same network."""
        try:
            network = os.readlink(f"/proc/{self.pid(node)}/ns/net")
        except OSError:
            return None
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (place / "comm").read_text() == "haproxy\n" and os.readlink(place / "ns/net") == network:
                    return int(place.name)
        return None

    def primary(self, name: str) -> str:
        members = self.described(name)["NodeGroups"][0]["NodeGroupMembers"]
        return next(str(m["CacheClusterId"]) for m in members if m["CurrentRole"] == "primary")

    def endpoint(self, name: str, kind: str = "PrimaryEndpoint") -> str:
        address: str = self.described(name)["NodeGroups"][0][kind]["Address"]
        return address

    def cli(self, host: str, *words: str, tls: bool = True) -> str:
        """Use redis-cli inside the instance, with nothing but what is there."""
        command = ["timeout", "5", "redis-cli", *(["--tls"] if tls else []), "-h", host, *words, "2>&1", "|| true"]
        return self.atoll.inside(self.instance, " ".join(command)).strip()

    def change(self, name: str, **asked: Any) -> None:
        """Modify a group, and wait until it is available again."""
        self.cache.modify_replication_group(ReplicationGroupId=name, ApplyImmediately=True, **asked)
        self.available(name)

    @contextmanager
    def talking(self, text: str) -> Iterator[Callable[[str], str]]:
        """Run a program of the user's in the instance's network, and say lines to it, which it answers."""
        command = [sys.executable, "-m", "atoll.cli", "run", "--in", self.instance, "--", sys.executable, "-c", text]
        pipe = subprocess.PIPE
        with self.atoll.start_process(command, stdin=pipe, stdout=pipe) as process:
            reading, writing = process.stdout, process.stdin
            assert reading
            assert writing

            def say(line: str) -> str:
                writing.write(f"{line}\n".encode())
                writing.flush()
                return reading.readline().decode().strip()

            try:
                yield say
            finally:
                process.kill()

    def kill_engine(self, place: str) -> None:
        """Kill the engine at an address."""
        os.kill(self.atoll.get(f"/_atoll/machines/{place}")["pid"], signal.SIGKILL)

    def python(self, text: str, *words: str) -> str:
        """Run a program of the user's, in the instance's network."""
        return self.atoll.cli("run", "--in", self.instance, "--", sys.executable, "-c", text, *words).strip()


@pytest.fixture(scope="module")
def vault() -> Iterator[Vault]:
    with running(own_mode()) as atoll:
        yield Vault(atoll)
