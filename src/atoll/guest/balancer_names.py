"""Names of load balancers and endpoints: what they mean, as a pure function of the World.

    web-0123456789abcdef.elb.us-east-1.amazonaws.com                its nodes
    us-east-1a.web-0123456789abcdef.elb.us-east-1.amazonaws.com     its node in a zone
    vpce-0a-1b2c3d4e.vpce-svc-0f.us-east-1.vpce.amazonaws.com       an endpoint, everywhere
    vpce-0a-1b2c3d4e-us-east-1a.ec2.us-east-1.vpce.amazonaws.com    an endpoint in a zone
    ec2.us-east-1.amazonaws.com                                     an endpoint with private DNS, in its VPC
    bucket.s3.us-east-1.amazonaws.com                               the store of objects behind gateway endpoints

Sources: User Guide for Network Load Balancers, "DNS name"; AWS PrivateLink guide, "DNS hostnames".
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import cast

from atoll.model.balancer import Listener, LoadBalancer, Node, TargetGroup
from atoll.model.balancer_lookup import nodes_for
from atoll.model.endpoint import S3_ADDRESS, VpcEndpoint
from atoll.model.endpoint_lookup import private_names
from atoll.model.interface import Interface
from atoll.model.lookup import public_ip_of
from atoll.model.vpc import Vpc
from atoll.model.world import World

_STORE = re.compile(r"(?:[a-z0-9.-]+\.)?s3(?:\.[a-z0-9-]+)?\.amazonaws\.com")
_BALANCER = re.compile(r"(?:([a-z0-9-]+)\.)?[a-z0-9-]+-([0-9a-f]{16})\.elb\.[a-z0-9-]+\.amazonaws\.com")


def addresses(world: World, vpc_id: str | None, name: str) -> tuple[IPv4Address, ...] | None:
    """Return a name's addresses; `None` if it is no balancer's and no endpoint's."""
    everyone = world.seen_by(None)
    if match := _BALANCER.fullmatch(name):
        for balancer in everyone.all(LoadBalancer, digits=match[2]):
            if name in (own := balancer.dns_name.lower(), f"{match[1]}.{own}"):
                return tuple(_balanced(everyone, balancer, match[1]))
    elif name.endswith(".vpce.amazonaws.com"):
        for endpoint in everyone.all(VpcEndpoint):
            if name in endpoint.dns_names:
                return _feet(everyone, endpoint, endpoint.dns_names[name])
    elif _STORE.fullmatch(name):
        return (S3_ADDRESS,)  # everywhere; but only a gateway endpoint leads there
    elif vpc_id is not None and world[Vpc, vpc_id].dns_hostnames:
        for endpoint in cast("Iterator[VpcEndpoint]", everyone.bucket(VpcEndpoint, "vpc_id", vpc_id).values()):
            if endpoint.private_dns and endpoint.state == "available" and name in private_names(everyone, endpoint):
                return _feet(everyone, endpoint, None)
    return None


def _feet(world: World, endpoint: VpcEndpoint, zone: str | None) -> tuple[IPv4Address, ...]:
    return tuple(world[Interface, f.interface_id].address for f in endpoint.feet if zone in (None, f.zone))


def _balanced(world: World, balancer: LoadBalancer, zone: str | None) -> Iterator[IPv4Address]:
    """Yield the addresses of the nodes: without those that have no healthy target, unless none has one."""
    nodes = [node for node in balancer.nodes if zone in (None, node.zone)]
    for node in [node for node in nodes if _is_well(world, balancer, node)] or nodes:
        interface = world[Interface, node.interface_id]
        public = public_ip_of(world, interface) if balancer.scheme == "internet-facing" else None
        yield public or interface.address


def _is_well(world: World, balancer: LoadBalancer, node: Node) -> bool:
    groups = {one.group_id for one in world.all(Listener, balancer_id=balancer.id)}
    return all(
        any(t.state == "healthy" and node in nodes_for(balancer, t) for t in world[TargetGroup, id].targets)
        for id in groups
        if world[TargetGroup, id].targets
    )
