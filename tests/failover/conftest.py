"""A daemon with an instance that writes, and a replication group whose primary is lost, again and again."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.daemon.atoll import Atoll, own_mode, running, until

NODE = {"CacheNodeType": "cache.t3.micro"}


class Ward:
    """A group, and what is done to it."""

    def __init__(self, atoll: Atoll, engine: str, *, group: bool = True):
        self.atoll, self.engine = atoll, engine
        self.cache, ec2 = atoll.client("elasticache"), atoll.client("ec2")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        self._launch = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        self._ec2 = ec2
        self.instance = self.launch()
        if group:
            self.group("auto", failover=True)

    def launch(self, **more: Any) -> str:
        """Launch an instance, and wait until commands can be run in it."""
        instance: str = self._ec2.run_instances(**self._launch, **more)["Instances"][0]["InstanceId"]
        states = self._ec2.describe_instances
        until(
            lambda: states(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running",
            20.0,
            "an instance",
        )
        return instance

    def group(self, name: str, *, failover: bool, members: int = 3, **more: Any) -> None:
        """Make a group, and wait until it is available."""
        self.cache.create_replication_group(
            ReplicationGroupId=name,
            ReplicationGroupDescription="x",
            Engine=self.engine,
            NumCacheClusters=members,
            AutomaticFailoverEnabled=failover,
            **NODE,
            **more,
        )
        self.available(name)

    def available(self, name: str = "auto", seconds: float = 30.0) -> None:
        until(
            lambda: self.described(name)["Status"] == "available", seconds, f"an available group ({self.atoll.log})"
        )

    def described(self, name: str = "auto") -> dict[str, Any]:
        found: dict[str, Any] = self.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][
            0
        ]
        return found

    def roles(self, name: str = "auto") -> dict[str, str]:
        members = self.described(name)["NodeGroups"][0]["NodeGroupMembers"]
        return {member["CacheClusterId"]: member["CurrentRole"] for member in members}

    def primary(self, name: str = "auto") -> str:
        return next(cluster for cluster, role in self.roles(name).items() if role == "primary")

    def endpoint(self, name: str = "auto", kind: str = "PrimaryEndpoint") -> str:
        address: str = self.described(name)["NodeGroups"][0][kind]["Address"]
        return address

    def pid(self, node: str) -> int:
        pid: int = self.atoll.get(f"/_atoll/machines/{node}")["pid"]
        return pid

    def redis(self, endpoint: str, *words: str, at: str | None = None) -> str:
        """Use redis-cli in the instance, or in another one."""
        said: str = self.atoll.inside(at or self.instance, f"redis-cli -h {endpoint} {' '.join(words)}")
        return said.strip()

    def python(self, program: str, *arguments: str) -> str:
        """Run a program in the instance's network, with the packages of the tests."""
        return self.atoll.cli("run", "--in", self.instance, "--", sys.executable, "-c", program, *arguments)

    def drill(self, fault: str, *more: str) -> dict[str, Any]:
        """Rehearse; returns what the command says, and waits until all is well again."""
        out = self.atoll.cli("drill", "failover", "auto", "--fault", fault, "--json", *more)
        self.available()
        found: dict[str, Any] = json.loads(out[out.index("{") :])
        return found

    def messages(self, source: str, type: str = "replication-group") -> list[str]:
        found = self.cache.describe_events(SourceIdentifier=source, SourceType=type)["Events"]
        return [event["Message"] for event in found]


@pytest.fixture(scope="module", params=["valkey", "redis"])
def ward(request: pytest.FixtureRequest) -> Iterator[Ward]:
    with running(own_mode()) as atoll:
        engines = {
            v["Engine"] for v in atoll.client("elasticache").describe_cache_engine_versions()["CacheEngineVersions"]
        }
        if request.param not in engines:
            pytest.skip(f"NOT TESTED: no {request.param} on this machine")
        yield Ward(atoll, request.param)
