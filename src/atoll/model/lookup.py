"""Questions about the World that several services and the network ask: joins, in one place."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import cast

from atoll.model.address import ElasticIp
from atoll.model.cache import CacheCluster, CacheNode
from atoll.model.endpoint import VpcEndpoint
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import Peering
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World

HALTED = ("stopped", "terminated")  # states of an instance behind whose interfaces nothing runs


def interfaces_of(world: World, instance_id: str) -> list[Interface]:
    """Return an instance's interfaces by device index."""
    found = cast("list[Interface]", list(world.bucket(Interface, "instance_id", instance_id).values()))
    return sorted(found, key=lambda i: i.attachment.device_index if i.attachment else 0)


def primary_interface(world: World, instance_id: str) -> Interface | None:
    """Return an instance's first interface; `None` once it is terminated."""
    found = interfaces_of(world, instance_id)
    return found[0] if found else None


def companions(world: World, interface: Interface) -> list[Interface]:
    """Return all interfaces of the machine behind one, the first of them first."""
    return interfaces_of(world, interface.instance_id) if interface.instance_id else [interface]


def sends_by(world: World, interface: Interface, source: Ip) -> Interface:
    """Return the interface by which the machine behind one sends what has a source: the source's, or else its first.

    That is what the routes in an instance say (`network/compile/interfaces.py`).
    """
    mine = companions(world, interface)
    return next((one for one in mine if source in one.ips), mine[0])


def elastic_ip_of(world: World, interface_id: str, address: Ip | None = None) -> ElasticIp | None:
    """Return the Elastic IP associated with an interface (with one of its addresses, if given)."""
    for eip in world.bucket(ElasticIp, "interface_id", interface_id).values():
        eip = cast(ElasticIp, eip)
        if address is None or eip.private_ip == address:
            return eip
    return None


def public_ip_of(world: World, interface: Interface) -> IPv4Address | None:
    """Return the public address of an interface's primary address: its Elastic IP, else its automatic one."""
    eip = elastic_ip_of(world, interface.id, interface.address)
    return eip.public_ip if eip else interface.public_ip


def internet_gateway_of(world: World, vpc_id: str) -> InternetGateway | None:
    """Return the internet gateway attached to a VPC."""
    for igw in world.bucket(InternetGateway, "vpc_id", vpc_id).values():
        return cast(InternetGateway, igw)
    return None


def egress_only_gateway_of(world: World, vpc_id: str) -> EgressOnlyGateway | None:
    """Return the egress-only gateway of a VPC: it has at most one."""
    for gateway in world.bucket(EgressOnlyGateway, "vpc_id", vpc_id).values():
        return cast(EgressOnlyGateway, gateway)
    return None


def main_route_table(world: World, vpc_id: str) -> RouteTable:
    """Return a VPC's main route table."""
    tables = cast("Iterator[RouteTable]", world.bucket(RouteTable, "vpc_id", vpc_id).values())
    return next(t for t in tables if t.is_main)


def route_table_of(world: World, subnet: Subnet) -> RouteTable:
    """Return the table that routes a subnet: its own, else its VPC's main one."""
    main = None
    for table in world.bucket(RouteTable, "vpc_id", subnet.vpc_id).values():
        table = cast(RouteTable, table)
        if any(a.subnet_id == subnet.id for a in table.associations):
            return table
        if table.is_main:
            main = table
    assert main, "every VPC has a main route table"
    return main


def gateway_route_table(world: World, gateway: InternetGateway) -> RouteTable | None:
    """Return the table that routes what comes in through a gateway; `None`: every packet goes to its destination."""
    for table in world.bucket(RouteTable, "vpc_id", gateway.vpc_id).values():
        if any(a.gateway_id == gateway.id for a in cast(RouteTable, table).associations):
            return cast(RouteTable, table)
    return None


def is_public(world: World, subnet: Subnet) -> bool:
    """Tell whether a subnet's route table leads to an internet gateway."""
    return any(r.target.startswith("igw-") for r in route_table_of(world, subnet).routes)


def route_state(world: World, vpc_id: str, target: str) -> str:
    """Return a route's state: `blackhole` when its target has gone, is detached or stopped, else `active`."""
    if target == "local":
        return "active"
    if target.startswith("igw-"):
        igw = world.seen_by(None).get(InternetGateway, target)
        return "active" if igw and igw.vpc_id == vpc_id else "blackhole"
    if target.startswith("eigw-"):
        egress_only = world.seen_by(None).get(EgressOnlyGateway, target)
        return "active" if egress_only and egress_only.vpc_id == vpc_id else "blackhole"
    if target.startswith("eni-"):
        interface = world.seen_by(None).get(Interface, target)
        if interface is None or interface.attachment is None:
            return "blackhole"
        id = interface.instance_id
        instance = world.seen_by(None).get(Instance, id) if id else None
        return "active" if instance is None or instance.state not in HALTED else "blackhole"
    if target.startswith("pcx-"):
        peering = world.seen_by(None).get(Peering, target)
        return "active" if peering and peering.is_open and peering.has(vpc_id) else "blackhole"
    if target.startswith("vpce-"):
        endpoint = world.seen_by(None).get(VpcEndpoint, target)
        return "active" if endpoint and endpoint.stands and endpoint.vpc_id == vpc_id else "blackhole"
    if target.startswith("nat-"):
        return "active" if nat_interface(world, target) else "blackhole"
    return "blackhole"


def nat_interface(world: World, nat_gateway_id: str) -> Interface | None:
    """Return the interface of a NAT gateway; `None` if the gateway has gone, or failed."""
    gateway = world.seen_by(None).get(NatGateway, nat_gateway_id)
    return world[Interface, gateway.interface_id] if gateway and gateway.stands and gateway.interface_id else None


@dataclass(frozen=True, slots=True)
class NodeAt:
    """A cache node and the cluster it belongs to."""

    cluster: CacheCluster
    node: CacheNode


def cache_node_of(world: World, interface: Interface) -> NodeAt | None:
    """Return the cache node that owns an interface, if one does.  Costs a pass over its VPC's clusters."""
    for cluster in world.bucket(CacheCluster, "vpc_id", interface.vpc_id).values():
        cluster = cast(CacheCluster, cluster)
        for node in cluster.nodes:
            if node.interface_id == interface.id:
                return NodeAt(cluster, node)
    return None


def vpc_of(world: World, interface: Interface) -> Vpc:
    """Return the VPC of an interface."""
    return world[Vpc, interface.vpc_id]


def same_cache(world: World, one: Interface, another: Interface) -> bool:
    """Tell whether two interfaces belong to nodes of one replication group."""
    if not (one.requester_managed and another.requester_managed) or one.vpc_id != another.vpc_id:
        return False
    at, there = cache_node_of(world, one), cache_node_of(world, another)
    return bool(at and there and at.cluster.group_id and at.cluster.group_id == there.cluster.group_id)
