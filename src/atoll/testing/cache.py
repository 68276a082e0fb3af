"""A cache of a world: real engines behind the rules of its VPC."""

import contextlib
import time
from dataclasses import dataclass
from typing import Any

from atoll.testing.account import Account
from atoll.testing.daemon import AtollError
from atoll.testing.vpc import Vpc
from atoll.testing.waiting import until

ENGINES = {"valkey": 6379, "redis": 6379, "memcached": 11211}
NODE_TYPE = "cache.t3.micro"
FAULTS = ("test", "kill", "hang", "partition", "planned")


@dataclass(frozen=True, kw_only=True)
class Failover:
    """What a failover did."""

    group: str
    fault: str
    before: str  # the primary's cluster id
    after: str
    seconds: float  # from the fault until the group was available again
    steps: tuple[dict[str, Any], ...]  # what the failover loop did, with the time of each step


@dataclass(frozen=True)
class Cache:
    """A replication group, or of Memcached a cluster."""

    world: Account
    name: str
    engine: str
    group: str | None  # the security group that was made for it; None: others were given
    auth: str | None = None  # the AUTH token that it was made with

    def describe(self) -> dict[str, Any]:
        """Return what AWS's Describe says of it."""
        api = self.world.client("elasticache")
        if self.engine == "memcached":
            found = api.describe_cache_clusters(CacheClusterId=self.name, ShowCacheNodeInfo=True)["CacheClusters"]
        else:
            found = api.describe_replication_groups(ReplicationGroupId=self.name)["ReplicationGroups"]
        described: dict[str, Any] = found[0]
        return described

    def wait(self) -> "Cache":
        """Wait until it is available.  Raises AtollError if that does not come."""

        def look() -> dict[str, Any] | None:
            found = self.describe()
            status = found.get("Status") or found["CacheClusterStatus"]
            if status in ("create-failed", "incompatible-network", "restore-failed"):
                raise AtollError(f"{self.name} is {status}\nnext:  see describe_events, and `atoll status`")
            return found if status == "available" else None

        until(look, f"the cache {self.name}")
        return self

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where clients connect: the primary's endpoint, or the configuration endpoint of a cluster."""
        found = self.describe()
        at = found.get("ConfigurationEndpoint") or found["NodeGroups"][0]["PrimaryEndpoint"]
        return at["Address"], at["Port"]

    @property
    def host(self) -> str:
        """The DNS name of `endpoint`."""
        return self.endpoint[0]

    @property
    def port(self) -> int:
        """The port of `endpoint`."""
        return self.endpoint[1]

    @property
    def reader(self) -> tuple[str, int]:
        """Where clients read from replicas.  Raises AtollError if it has no such endpoint."""
        at = (self.describe().get("NodeGroups") or [{}])[0].get("ReaderEndpoint")
        if at is None:
            raise AtollError(f"{self.name} has no reader endpoint\nnext:  only groups without cluster mode have one")
        return at["Address"], at["Port"]

    @property
    def nodes(self) -> list[tuple[str, int]]:
        """Where each of its nodes is."""
        api = self.world.client("elasticache")
        if self.engine == "memcached":
            clusters = [self.describe()]
        else:
            members = self.describe()["MemberClusters"]
            clusters = [
                api.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)["CacheClusters"][0]
                for name in members
            ]
        ends = [node["Endpoint"] for cluster in clusters for node in cluster["CacheNodes"]]
        return [(end["Address"], end["Port"]) for end in ends]

    @property
    def url(self) -> str:
        """The URL that clients take: redis://, rediss:// with TLS; memcached:// of a Memcached cluster."""
        host, port = self.endpoint
        if self.engine == "memcached":
            return f"memcached://{host}:{port}"
        scheme = "rediss" if self.describe().get("TransitEncryptionEnabled") else "redis"
        return f"{scheme}://{f':{self.auth}@' if self.auth else ''}{host}:{port}"

    def allow(self, group: str) -> None:
        """Let the members of a security group in, at the cache's port."""
        if self.group is None:
            raise AtollError(f"{self.name} was given its security groups\nnext:  change those, with client('ec2')")
        _admit(self.world.client("ec2"), self.group, group, self.port)

    def failover(self, fault: str = "test") -> Failover:
        """Have a replica take over, wait until all is well again, and say what happened.

        `fault`: "test" asks as TestFailover does; "kill", "hang" and "partition" harm the primary for real; "planned"
        changes it without loss.  Raises AtollError.
        """
        if self.engine == "memcached":
            raise AtollError("Memcached has no replicas that could take over\nnext:  use valkey or redis")
        if fault not in FAULTS:
            raise AtollError(f"{fault!r} is not a fault\nnext:  give one of: {', '.join(FAULTS)}")
        if fault != "test" and not self.world.is_real:
            raise AtollError("nothing runs on paper that could fail\nnext:  use a real world, or fault='test'")
        before, begun = self._primary(), time.time()
        at = time.monotonic()
        if fault == "test":
            shard = self.describe()["NodeGroups"][0]["NodeGroupId"]
            self.world.client("elasticache").test_failover(ReplicationGroupId=self.name, NodeGroupId=shard)
        else:
            self.world.daemon.post("/_atoll/drill", {"group": self.name, "fault": fault, **self.world.whose})
        try:
            until(lambda: self._primary() != before or None, f"another primary of {self.name}")
        finally:
            if fault in ("hang", "partition"):
                self.world.daemon.post("/_atoll/drill/heal", {"group": self.name, **self.world.whose})
        self.wait()
        seconds = time.monotonic() - at
        said = self.world.daemon.get("/_atoll/drill", group=self.name, **self.world.whose)
        steps = tuple(step for step in said["steps"] if step["at"] >= begun - 0.001)
        return Failover(
            group=self.name, fault=fault, before=before, after=self._primary(), seconds=seconds, steps=steps
        )

    def _primary(self) -> str:
        return str(self.world.daemon.get("/_atoll/drill", group=self.name, **self.world.whose)["primary"])


def make_cache(
    world: Account, vpc: Vpc, engine: str, name: str, *, shards: int, replicas: int, wait: bool, aws: dict[str, Any]
) -> Cache:
    """Make a cache.  Raises AtollError for options that do not fit; AWS's own refusals come as they are."""
    if engine not in ENGINES:
        raise AtollError(f"{engine!r} is not an engine\nnext:  give one of: {', '.join(ENGINES)}")
    if engine == "memcached" and replicas:
        raise AtollError("Memcached has no replicas\nnext:  give shards=N for more nodes, or another engine")
    if shards < 1 or replicas < 0:
        raise AtollError(f"{shards} shards with {replicas} replicas\nnext:  give at least one shard")
    api, group = world.client("elasticache"), None
    ours: dict[str, Any] = {"Engine": engine, "CacheNodeType": NODE_TYPE}
    if "CacheSubnetGroupName" not in aws:
        ours["CacheSubnetGroupName"] = _subnet_group(api, vpc)
    if "SecurityGroupIds" not in aws:
        ec2 = world.client("ec2")
        group = ec2.create_security_group(GroupName=f"cache-{name}", Description=f"the cache {name}", VpcId=vpc.id)[
            "GroupId"
        ]
        _admit(ec2, group, vpc.app_group, aws.get("Port", ENGINES[engine]))
        ours["SecurityGroupIds"] = [group]
    if engine == "memcached":
        api.create_cache_cluster(**({"CacheClusterId": name, "NumCacheNodes": shards} | ours | aws))
    else:
        about = {"ReplicationGroupId": name, "ReplicationGroupDescription": name, **ours, **_layout(shards, replicas)}
        api.create_replication_group(**(about | aws))
    made = Cache(world, name, engine, group, aws.get("AuthToken"))
    return made.wait() if wait else made


def _layout(shards: int, replicas: int) -> dict[str, Any]:
    if shards == 1:
        return {"NumCacheClusters": 1 + replicas, "AutomaticFailoverEnabled": replicas > 0}
    return {
        "NumNodeGroups": shards, "ReplicasPerNodeGroup": replicas, "ClusterMode": "enabled",
        "AutomaticFailoverEnabled": True,
    }  # fmt: skip


def _subnet_group(api: Any, vpc: Vpc) -> str:
    """Return the name of the VPC's subnet group, which is made for its first cache."""
    name = f"private-{vpc.id}"
    with contextlib.suppress(api.exceptions.CacheSubnetGroupAlreadyExistsFault):
        api.create_cache_subnet_group(
            CacheSubnetGroupName=name, CacheSubnetGroupDescription="private subnets", SubnetIds=list(vpc.privates)
        )
    return name


def _admit(ec2: Any, group: str, other: str, port: int) -> None:
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": other}]}
        ],
    )
