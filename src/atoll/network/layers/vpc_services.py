"""The VPC's own services: metadata, resolver, time, the routers.  Nothing filters what is sent to them.

Source: VPC User Guide: security groups and network ACLs "do not filter traffic destined to and from" the resolver,
DHCP, instance metadata, the time service and the addresses reserved for the VPC router.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address

from atoll.model.ip import Ip
from atoll.model.vpc import Vpc
from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, refuse, subnet_at

LINK_LOCAL = IPv4Network("169.254.0.0/16")
RESOLVER = IPv4Address("169.254.169.253")
SERVICES: dict[Ip, str] = {
    IPv4Address("169.254.169.254"): "the instance metadata service",
    RESOLVER: "the resolver",
    IPv4Address("169.254.169.123"): "the time service",
    IPv6Address("fd00:ec2::254"): "the instance metadata service",
    IPv6Address("fd00:ec2::253"): "the resolver",
    IPv6Address("fd00:ec2::123"): "the time service",
}
ROUTER, RESOLVER_OFFSET = 1, 2
SUBNET_SIZE_MIN = 16  # a subnet begins at a multiple of it; so most addresses cannot be a router's, without a look


def judge(hop: Hop) -> Finding | None:
    """Deliver what is sent to a service of the sender's VPC."""
    if hop.sender is None or hop.subnet is None:
        return None
    destination = hop.packet.destination
    vpc = hop.world[Vpc, hop.sender.vpc_id]
    name = SERVICES.get(destination)
    if name is None and destination == vpc.cidr.network_address + RESOLVER_OFFSET:
        name = "the resolver"
    might_be = destination.version == 4 and int(destination) % SUBNET_SIZE_MIN == ROUTER
    if name is None and might_be and destination not in LINK_LOCAL:
        subnet = hop.subnet if hop.is_local else subnet_at(hop.world, vpc.id, destination)
        if subnet is not None and destination == subnet.cidr.network_address + ROUTER:
            name = "the router"
    if name is None:
        return None
    if name == "the resolver" and not vpc.dns_support:
        because = f"DNS support of {vpc.id} is off"
        return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, vpc.id, because)
    return Finding(vpc.id, f"{destination} is {name} of {vpc.id}: nothing filters it", receiver=vpc.id)
