"""What must hold of a World after every step, whatever was asked and whatever failed."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

from atoll.model.acl import NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.balancer import LoadBalancer
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.endpoint import VpcEndpoint
from atoll.model.gateway import EgressOnlyGateway
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.kinds import KINDS
from atoll.model.nat_gateway import NatGateway
from atoll.model.resource import Resource
from atoll.model.route import RouteTable
from atoll.model.serverless import ServerlessCache
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World
from atoll.network.flow import TCP, Verdict
from atoll.network.layers.hop import APPLIANCES
from atoll.network.plan import Plan, compile
from atoll.network.trace import trace
from atoll.store.codec import encode
from atoll.store.sqlite import Store
from tests.network.compare import disagreements
from tests.network.worlds import OUTSIDE, OUTSIDE6, random_probes
from tests.simulation.test_machines import compare

Reference = tuple[type[Resource], str | None]
ENDED = ("deleted", "failed", "terminated", "rejected", "expired")  # what is still told of, and has nothing any more

# What a resource holds on to, and the store may therefore never let go of.  A route's target is not among them: when
# it goes the route is a blackhole, as in AWS; nor a rule that names the group of a peer.
HOLDS: dict[type[Resource], Callable[[Any], Iterator[Reference]]] = {
    Subnet: lambda it: iter(((Vpc, it.vpc_id), (NetworkAcl, it.acl_id))),
    NetworkAcl: lambda it: iter(((Vpc, it.vpc_id),)),
    SecurityGroup: lambda it: iter(((Vpc, it.vpc_id),)),
    EgressOnlyGateway: lambda it: iter(((Vpc, it.vpc_id),)),
    RouteTable: lambda it: iter(((Vpc, it.vpc_id), *((Subnet, one.subnet_id) for one in it.associations))),
    Interface: lambda it: iter((
        (Vpc, it.vpc_id), (Subnet, it.subnet_id), *((SecurityGroup, id) for id in it.group_ids),
        (Instance, it.attachment.instance_id if it.attachment else None))),
    Instance: lambda it: iter(((Vpc, it.vpc_id), (Subnet, it.subnet_id))),
    ElasticIp: lambda it: iter(((Interface, it.interface_id),)),
    NatGateway: lambda it: iter((  # one that goes has let its interface go first
        (Subnet, it.subnet_id), (Interface, it.interface_id if it.state != "deleting" else None))),
    CacheSubnetGroup: lambda it: iter(((Vpc, it.vpc_id), *((Subnet, id) for id in it.subnet_ids))),
    CacheCluster: lambda it: iter((
        (ReplicationGroup, it.group_id), *((Interface, one.interface_id) for one in it.nodes))),
    ReplicationGroup: lambda it: iter((CacheCluster, id) for id in it.member_ids),
    LoadBalancer: lambda it: iter((Interface, one.interface_id) for one in it.nodes),
    VpcEndpoint: lambda it: iter(((Vpc, it.vpc_id), *((Interface, one.interface_id) for one in it.feet))),
}  # fmt: skip


def broken_references(world: World) -> Iterator[str]:
    """Yield what a resource holds on to that is not there, and each service's interface that nobody holds."""
    held: set[str] = set()
    for kind, references in HOLDS.items():
        for it in world.all(kind):
            is_over = str(getattr(it, "state", getattr(it, "status", ""))) in ENDED
            for other, id in references(it):
                held.add(id or "")
                if id and not is_over and world.get(other, id) is None:
                    yield f"{kind.__name__} {it.id} holds {other.__name__} {id}, which is not there"
    for interface in world.all(Interface):
        if interface.requester_managed and interface.id not in held:
            yield f"nobody holds {interface.id}, {interface.kind}: {interface.description}"
    homes: dict[tuple[str, str], set[str]] = {}
    for interface in world.all(Interface):
        for ip in interface.private_ips:
            homes.setdefault((interface.vpc_id, str(ip)), set()).add(interface.id)
    yield from (f"{ip} of {vpc} is at {sorted(ids)}" for (vpc, ip), ids in homes.items() if len(ids) > 1)


def differs_on_disk(path: Path, world: World) -> list[str]:
    """Say how the file, opened by somebody else, differs from the World."""
    store = Store(path, KINDS)
    try:
        return compare(world, store.world)
    finally:
        store.close()


def differs_in_rows(path: Path, world: World) -> list[str]:
    """Say the same by the text of the rows alone, which costs a tenth of it."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        there = {(kind, id): body for kind, id, body in db.execute("select kind, id, body from resource")}
    here = {(type(it).__name__, it.id): encode(it) for it in world}
    wrong = [key for key in there.keys() | here.keys() if there.get(key) != here.get(key)]
    return [f"the file has another {key}" for key in wrong[:3]]


def other_plan(world: World, plan: Plan) -> list[str]:
    """Say how the plan that was made step by step differs from one that is made at once."""
    fresh, old = set(compile(world).facts()), set(plan.facts())
    return [f"the plan has too much: {fact}" for fact in list(old - fresh)[:3]] + [
        f"the plan lacks: {fact}" for fact in list(fresh - old)[:3]
    ]


def wrong_verdicts(world: World, plan: Plan, dice: Random, probes: int) -> list[str]:
    """Say about which of some packets tracer and plan do not agree."""
    if not any(it.kind not in APPLIANCES for it in world.all(Interface)):
        return []
    return list(disagreements(world, random_probes(world, dice, probes), plan))[:3]


def apart(world: World) -> set[str]:
    """Return the names of clusters in groups some of whose members the network keeps from others: none need be well.

    A network ACL forbids whatever it forbids, also the members of a group to copy from each other.
    """
    found: set[str] = set()
    for group in world.all(ReplicationGroup):
        clusters = [cluster for id in group.member_ids if (cluster := world.get(CacheCluster, id))]
        homes = [world[Interface, node.interface_id] for cluster in clusters for node in cluster.nodes]
        pairs = ((a, b) for a in homes for b in homes if a is not b)
        if not all(trace(world, a.id, b.address, TCP, 6379).verdict is Verdict.DELIVERED for a, b in pairs):
            found |= {cluster.name for cluster in clusters}
    return found


# How the API tells of a kind: service, operation, where its answers are, and what of each is its name.
TOLD: tuple[tuple[str, str, str, str, type[Resource], str], ...] = (
    ("ec2", "DescribeVpcs", "Vpcs", "VpcId", Vpc, "id"),
    ("ec2", "DescribeSubnets", "Subnets", "SubnetId", Subnet, "id"),
    ("ec2", "DescribeSecurityGroups", "SecurityGroups", "GroupId", SecurityGroup, "id"),
    ("ec2", "DescribeNetworkAcls", "NetworkAcls", "NetworkAclId", NetworkAcl, "id"),
    ("ec2", "DescribeRouteTables", "RouteTables", "RouteTableId", RouteTable, "id"),
    ("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", "NetworkInterfaceId", Interface, "id"),
    ("ec2", "DescribeAddresses", "Addresses", "AllocationId", ElasticIp, "id"),
    ("ec2", "DescribeNatGateways", "NatGateways", "NatGatewayId", NatGateway, "id"),
    ("elasticache", "DescribeServerlessCaches", "ServerlessCaches", "ServerlessCacheName", ServerlessCache, "name"),
    (
        "elasticache",
        "DescribeCacheSubnetGroups",
        "CacheSubnetGroups",
        "CacheSubnetGroupName",
        CacheSubnetGroup,
        "name",
    ),
    ("elasticache", "DescribeReplicationGroups", "ReplicationGroups", "ReplicationGroupId", ReplicationGroup, "name"),
)


def told_otherwise(world: World, told: Any, row: tuple[str, str, str, str, type[Resource], str]) -> list[str]:
    """Say how a Describe differs from the World as its caller sees it."""
    _, operation, many, name, kind, field = row
    there = {str(getattr(it, field)) for it in world.all(kind)} | ({"default"} if kind is CacheSubnetGroup else set())
    if kind is ReplicationGroup:  # those behind serverless caches are nobody's to see
        hidden = {it.backing_id for it in world.all(ServerlessCache)}
        there = {it.name for it in world.all(ReplicationGroup) if it.id not in hidden}
    said = {str(it[name]) for it in told[many]}
    if said == there:
        return []
    return [f"{operation} says {sorted(said - there)} too much and lacks {sorted(there - said)}"]


def people_outside(tx: Tx) -> None:
    """Put somebody on the internet."""
    for address in (*OUTSIDE, *OUTSIDE6):
        tx.put(OutsideHost(id=address, account="", region="", address=ip_address(address)))
