"""A daemon with caches of one engine, whose data are put and looked at through an instance."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.daemon.atoll import Atoll, own_mode, running, until

NODE = {"CacheNodeType": "cache.t3.micro"}


class Vault:
    """Caches, and their snapshots."""

    def __init__(self, atoll: Atoll, engine: str):
        self.atoll, self.engine = atoll, engine
        self.cache, ec2 = atoll.client("elasticache"), atoll.client("ec2")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        launched = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        self.instance: str = launched["Instances"][0]["InstanceId"]
        until(lambda: self._state(ec2) == "running", 30.0, "an instance")

    def _state(self, ec2: Any) -> str:
        found = ec2.describe_instances(InstanceIds=[self.instance])
        state: str = found["Reservations"][0]["Instances"][0]["State"]["Name"]
        return state

    def group(self, name: str, members: int | None = 1, *, wait: bool = True, **more: Any) -> None:
        """Make a group, and wait until it is available."""
        asked = {"Engine": self.engine, "NumCacheClusters": members, **NODE, **more}
        self.cache.create_replication_group(
            ReplicationGroupId=name,
            ReplicationGroupDescription="x",
            **{k: v for k, v in asked.items() if v is not None},
        )
        if wait:
            self.becomes(name)

    def status(self, name: str) -> str:
        status: str = self.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0][
            "Status"
        ]
        return status

    def becomes(self, name: str, status: str = "available") -> None:
        until(lambda: self.status(name) == status, 30.0, f"{name} {status}")

    def endpoint(self, name: str, kind: str = "PrimaryEndpoint") -> str:
        group = self.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
        address: str = group["NodeGroups"][0][kind]["Address"]
        return address

    def redis(self, name: str, *words: str, kind: str = "PrimaryEndpoint") -> str:
        """Use redis-cli in the instance."""
        said: str = self.atoll.inside(self.instance, f"redis-cli -h {self.endpoint(name, kind)} {' '.join(words)}")
        return said.strip()

    def say(self, name: str, *commands: str) -> list[str]:
        """Give commands to a group, one after another; returns the answers."""
        said = self.shell(f"printf '%s\\n' {shlex.join(commands)} | redis-cli -h {self.endpoint(name)}")
        return said.splitlines()

    def shell(self, script: str) -> str:
        """Run a script in the instance."""
        said: str = self.atoll.inside(self.instance, script)
        return said.strip()

    def configuration(self, group: str) -> str:
        """Return the configuration endpoint of a group with cluster mode."""
        found = self.cache.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"][0]
        address: str = found["ConfigurationEndpoint"]["Address"]
        return address

    def node(self, cluster: str) -> str:
        """Return the address of a cluster's only node."""
        found = self.cache.describe_cache_clusters(CacheClusterId=cluster, ShowCacheNodeInfo=True)
        address: str = found["CacheClusters"][0]["CacheNodes"][0]["Endpoint"]["Address"]
        return address

    def snapshot(self, name: str, group: str, *, wait: bool = True) -> dict[str, Any]:
        """Take a snapshot of a group."""
        self.cache.create_snapshot(SnapshotName=name, ReplicationGroupId=group)
        return self.taken(name) if wait else {}

    def taken(self, name: str, status: str = "available") -> dict[str, Any]:
        """Wait until a snapshot has a status."""
        until(lambda: self.shown(name)["SnapshotStatus"] == status, 30.0, f"snapshot {name} {status}")
        return self.shown(name)

    def shown(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cache.describe_snapshots(SnapshotName=name)["Snapshots"][0]
        return found

    def messages(self, source: str, type: str = "replication-group") -> list[str]:
        found = self.cache.describe_events(SourceIdentifier=source, SourceType=type)["Events"]
        return [event["Message"] for event in found]

    def wait_for(self, true: Callable[[], bool], what: str) -> None:
        until(true, 30.0, what)

    @property
    def groups(self) -> list[str]:
        """The names of all replication groups."""
        found = self.cache.describe_replication_groups()["ReplicationGroups"]
        return [group["ReplicationGroupId"] for group in found]

    @property
    def names(self) -> list[str]:
        """The names of all snapshots."""
        return [s["SnapshotName"] for s in self.cache.describe_snapshots()["Snapshots"]]

    def bucket(self, name: str) -> Path:
        """Make a bucket; returns its directory."""
        path = self.atoll.state / "objects" / name
        path.mkdir(parents=True)
        return path

    def delete(self, group: str) -> bool:
        """Delete a group, as soon as that may be done; tell whether it is gone."""
        try:
            if self.status(group) != "deleting":
                self.cache.delete_replication_group(ReplicationGroupId=group)
        except ClientError as error:
            return error.response["Error"]["Code"] == "ReplicationGroupNotFoundFault"
        return False

    @property
    def files(self) -> list[str]:
        """The names of the files that snapshots have."""
        return sorted(path.name for path in (self.atoll.state / "snapshots").glob("*"))


@pytest.fixture(scope="module", params=["valkey", "redis"])
def vault(request: pytest.FixtureRequest) -> Iterator[Vault]:
    with running(own_mode()) as atoll:
        engines = {
            v["Engine"] for v in atoll.client("elasticache").describe_cache_engine_versions()["CacheEngineVersions"]
        }
        if request.param not in engines:
            pytest.skip(f"NOT TESTED: no {request.param} on this machine")
        yield Vault(atoll, request.param)


@pytest.fixture
def own_vault() -> Iterator[Callable[[str], Vault]]:
    """Return what makes a vault of its own, to be killed and broken."""
    with running(own_mode()) as atoll:
        yield lambda engine: Vault(atoll, engine)
