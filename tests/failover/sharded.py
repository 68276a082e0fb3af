"""A group in cluster mode, and what its nodes and a cluster client say."""

import json
import textwrap
from typing import Any

from atoll.cache.shards import key_in, parse_slots
from tests.failover.conftest import NODE, Ward

CLIENT = """
import sys
from redis.cluster import RedisCluster
client = RedisCluster(host=sys.argv[1], port=6379)
"""


class Sharded:
    """The group `shards`."""

    def __init__(self, ward: Ward, shards: int = 3, replicas: int = 2):
        self.ward, self.atoll = ward, ward.atoll
        ward.cache.create_replication_group(
            ReplicationGroupId="shards",
            ReplicationGroupDescription="x",
            Engine=ward.engine,
            NumNodeGroups=shards,
            ReplicasPerNodeGroup=replicas,
            AutomaticFailoverEnabled=True,
            ClusterMode="enabled",
            **NODE,
        )
        ward.available("shards")

    @property
    def endpoint(self) -> str:
        address: str = self.ward.described("shards")["ConfigurationEndpoint"]["Address"]
        return address

    def shards(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ward.described("shards")["NodeGroups"]
        return found

    def key(self, shard_id: str) -> str:
        """Return a key that lives in a shard."""
        (slots,) = [shard["Slots"] for shard in self.shards() if shard["NodeGroupId"] == shard_id]
        return key_in(parse_slots(slots))

    def members(self) -> list[str]:
        return [member["CacheClusterId"] for shard in self.shards() for member in shard["NodeGroupMembers"]]

    def addresses(self) -> dict[str, str]:
        """Return the address of each member, by name."""
        found = self.atoll.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
        at = {interface["Description"]: interface["PrivateIpAddress"] for interface in found}
        return {name: at[f"ElastiCache {name}"] for name in self.members()}

    def primaries(self) -> dict[str, str]:
        """Return the primary of each shard, as the World has it, which follows the engines."""
        groups = [body for kind, body in self.atoll.get("/_atoll/world")["resources"] if kind == "ReplicationGroup"]
        (group,) = [group for group in groups if group["name"] == "shards"]
        return {shard["id"]: shard["primary_id"].rpartition("/")[2] for shard in group["node_groups"]}

    def redis(self, name: str, *words: str) -> str:
        """Use redis-cli in the instance, with one node."""
        return self.ward.redis(self._node(name), *words)

    def everybody(self, *words: str) -> str:
        """Use redis-cli in the instance, with every node, by its address."""
        asked = "; ".join(f"redis-cli -h {address} {' '.join(words)}" for address in self.addresses().values())
        return self.atoll.inside(self.ward.instance, asked)

    def run(self, program: str, endpoint: str | None = None) -> str:
        """Run Python in the instance, with `client`, a cluster client that was given the configuration endpoint."""
        return self.ward.python(CLIENT + textwrap.dedent(program), endpoint or self.endpoint).strip()

    def drill(self, fault: str, clients: int = 1) -> dict[str, Any]:
        """Rehearse with the first shard; returns what the command says, and waits until all is well again."""
        options = ("--clients", str(clients), "--seconds", "2", "--json")
        out = self.atoll.cli("drill", "failover", "shards", "--fault", fault, *options)
        self.ward.available("shards")
        found: dict[str, Any] = json.loads(out[out.index("{") :])
        return found

    def steps(self, shard_id: str) -> list[dict[str, Any]]:
        """Return what the failover did in a shard."""
        found = self.atoll.get("/_atoll/drill?group=shards")["steps"]
        return [step for step in found if step["shard"] == shard_id]

    def _node(self, name: str) -> str:
        shown = self.ward.cache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)
        address: str = shown["CacheClusters"][0]["CacheNodes"][0]["Endpoint"]["Address"]
        return address
