"""What the plan of a VPC is made from: everything of it in the World, found again by identity."""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from atoll.model.acl import NetworkAcl
from atoll.model.address import ElasticIp
from atoll.model.balancer import Listener, LoadBalancer, TargetGroup
from atoll.model.endpoint import VpcEndpoint
from atoll.model.flow_log import FlowLog
from atoll.model.gateway import EgressOnlyGateway, InternetGateway
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.nat_gateway import NatGateway
from atoll.model.prefix_list import PrefixList
from atoll.model.resource import Resource
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.compile.circles import Circle, circles_of
from atoll.network.compile.faults import Cuts, cuts_of
from atoll.network.compile.peering import Peer, peers_of
from atoll.network.compile.wires import Wire

Bucket: TypeAlias = Mapping[str, Resource]


class Inputs(NamedTuple):
    """Everything that a VPC's facts are made from: equal inputs make an equal plan."""

    vpc: Vpc
    interfaces: Bucket
    subnets: Bucket
    tables: Bucket
    groups: Bucket
    acls: Bucket
    silent: Bucket  # instances that have ended: nothing runs behind their interfaces
    gateways: Bucket
    egress_only: Bucket
    nat_gateways: Bucket
    flow_logs: Bucket
    publics: tuple[ElasticIp, ...]
    circles: tuple[Circle, ...]
    peers: tuple[Peer, ...]
    prefix_lists: Bucket  # of the owner, in the region
    balancers: Bucket
    listeners: Bucket
    target_groups: Bucket
    endpoints: Bucket
    wires: Mapping[str, tuple[Wire, ...]]  # by interface
    cuts: Cuts

    @property
    def has_ipv6(self) -> bool:
        """Tell whether the VPC has IPv6."""
        return bool(self.vpc.ranges6)


def inputs_of(
    world: World,
    vpc: Vpc,
    publics: tuple[ElasticIp, ...],
    wires: Mapping[str, tuple[Wire, ...]],
    old: Inputs | None,
) -> Inputs:
    """Return the inputs of a VPC; `publics` are the Elastic IPs of its interfaces, `old` the last plan's inputs.

    `wires` are those of all VPCs.
    """

    def of(kind: type[Resource]) -> Bucket:
        return world.bucket(kind, "vpc_id", vpc.id)

    groups, interfaces = of(SecurityGroup), of(Interface)
    peers = peers_of(world, vpc, groups, old.groups if old else None, old.peers if old else ())
    return Inputs(
        vpc,
        interfaces=interfaces,
        subnets=of(Subnet),
        tables=of(RouteTable),
        groups=groups,
        acls=of(NetworkAcl),
        silent=world.bucket(Instance, "silent_in", vpc.id),
        gateways=of(InternetGateway),
        egress_only=of(EgressOnlyGateway),
        nat_gateways=of(NatGateway),
        flow_logs=of(FlowLog),
        publics=publics,
        circles=circles_of(world, vpc.id),
        peers=peers,
        prefix_lists=world.bucket(PrefixList, "owner", vpc.owner),
        balancers=of(LoadBalancer),
        listeners=of(Listener),
        target_groups=of(TargetGroup),
        endpoints=of(VpcEndpoint),
        wires={id: mine for id, mine in wires.items() if id in interfaces},
        cuts=cuts_of(world, interfaces, tuple((p.link.name, p.link.far_id) for p in peers)),
    )


def elastic_ips(world: World) -> dict[str, tuple[ElasticIp, ...]]:
    """Return the associated Elastic IPs by VPC."""
    found: dict[str, list[ElasticIp]] = {}
    for eip in world.all(ElasticIp):
        if eip.interface_id is not None:
            found.setdefault(world[Interface, eip.interface_id].vpc_id, []).append(eip)
    return {vpc_id: tuple(eips) for vpc_id, eips in found.items()}
