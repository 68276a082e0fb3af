"""Small worlds with caches in them, without an API: facts put side by side."""

from datetime import UTC, datetime
from ipaddress import IPv4Address

from atoll.model.cache import CacheCluster, CacheNode, NodeGroup, ReplicationGroup
from atoll.model.interface import Interface
from atoll.model.parameter import CacheParameterGroup
from atoll.model.world import Tx, World

ACCOUNT, REGION = "000000000000", "us-east-1"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Life:
    """A World and its revisions; transactions have no caller, as the control loop's."""

    def __init__(self):
        self.world, self.now, self.dice = World(), NOW, 0

    def write(self, fn, *arguments):
        tx = Tx(self.world, caller=None, now=self.now, new_hex=self._hex)
        fn(tx, *arguments)
        self.world = self.world.after(tx.changes)

    def put(self, *resources):
        self.write(lambda tx: [tx.put(resource) for resource in resources])

    def _hex(self, digits):
        self.dice += 1
        return f"{self.dice:0{digits}x}"[-digits:]


def interface(id, address):
    return Interface(
        id=id, account=ACCOUNT, region=REGION, vpc_id="vpc-1", subnet_id="subnet-1", zone="us-east-1a", number=1,
        mac="02:00:00:00:00:01", private_ips=(IPv4Address(address),),
    )  # fmt: skip


def parameters(*values, family="redis7"):
    return CacheParameterGroup(
        id=f"{ACCOUNT}/{REGION}/custom", account=ACCOUNT, region=REGION, name="custom", family=family,
        description="", values=tuple(sorted(values)),
    )  # fmt: skip


def node(interface_id, *, id="0001", status="creating", **more):
    return CacheNode(id=id, interface_id=interface_id, zone="us-east-1a", status=status, created=NOW, **more)


def cluster(name, *nodes, engine="redis", version="7.0.15", status="creating", **more):
    values = {
        "node_type": "cache.t3.micro", "port": 11211 if engine == "memcached" else 6379, "vpc_id": "vpc-1",
        "subnet_group": "default", "parameter_group": "default.redis7", "created": NOW,
        "maintenance_window": "sun:05:00-sun:06:00",
    } | more  # fmt: skip
    return CacheCluster(
        id=f"{ACCOUNT}/{REGION}/{name}", account=ACCOUNT, region=REGION, name=name, engine=engine,
        engine_version=version, status=status, nodes=nodes, **values,
    )  # fmt: skip


def group(name, *members, status="creating", **more):
    shard = NodeGroup(id="0001", member_ids=tuple(m.id for m in members), primary_id=members[0].id)
    return ReplicationGroup(
        id=f"{ACCOUNT}/{REGION}/{name}", account=ACCOUNT, region=REGION, name=name, description="", status=status,
        engine="redis", node_type="cache.t3.micro", node_groups=(shard,), created=NOW, port=6379, **more,
    )  # fmt: skip
