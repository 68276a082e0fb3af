"""What a DNS name means: the VPC resolver's answers, as a pure function of the World.

    reverse names -> cache endpoints -> load balancers and endpoints -> instance names -> nothing

There is no other DNS in the simulated internet, so a name that none of these knows does not exist.
Sources: VPC User Guide, "DNS attributes for your VPC"; EC2 User Guide, "EC2 instance hostnames".
"""

import re
from ipaddress import AddressValueError, IPv4Address
from typing import cast

from atoll.cache.endpoint import resolve as cache_addresses
from atoll.guest.balancer_names import addresses as service_addresses
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import primary_interface, public_ip_of
from atoll.model.names import internal_domain, private_dns, public_dns
from atoll.model.peering import peering_between
from atoll.model.vpc import Vpc
from atoll.model.world import World

_PRIVATE = re.compile(r"ip-(\d+)-(\d+)-(\d+)-(\d+)\.(ec2\.internal|[a-z0-9-]+\.compute\.internal)")
_PUBLIC = re.compile(r"ec2-(\d+)-(\d+)-(\d+)-(\d+)\.(compute-1|[a-z0-9-]+\.compute)\.amazonaws\.com")
_RESOURCE = re.compile(r"(i-[0-9a-f]{8,17})\.(ec2\.internal|[a-z0-9-]+\.compute\.internal)")
_REVERSE = re.compile(r"(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa")

TTL_SECONDS = 5  # cache names follow a failover; AWS uses 5 to 15 s


def addresses(world: World, vpc_id: str | None, name: str) -> tuple[Ip, ...] | None:
    """Return a name's addresses as seen from a VPC, or from the internet (`None`).

    An empty tuple means that the name exists without an address; `None` that it does not exist.
    """
    name = name.rstrip(".").lower()
    if (found := cache_addresses(world, name)) is not None:
        return found
    if (found := service_addresses(world, vpc_id, name)) is not None:
        return found
    if match := _PRIVATE.fullmatch(name):
        return _private(world, vpc_id, match, name)
    if match := _PUBLIC.fullmatch(name):
        return _public(world, vpc_id, match, name)
    if match := _RESOURCE.fullmatch(name):
        return _resource(world, vpc_id, match)
    return None


def reverse(world: World, vpc_id: str | None, name: str) -> str | None:
    """Return the name of an address that `name` asks for in the form `1.0.0.10.in-addr.arpa`."""
    match = _REVERSE.fullmatch(name.rstrip(".").lower())
    if not match:
        return None
    address = _address(tuple(reversed(match.groups())))
    if address is None:
        return None
    if vpc_id is not None:
        vpc = world[Vpc, vpc_id]
        return private_dns(address, vpc.region) if any(address in cidr for cidr in vpc.cidrs) else None
    interface = _holder(world, address)
    return public_dns(address, interface.region) if interface else None


def _private(world: World, vpc_id: str | None, match: re.Match[str], name: str) -> tuple[IPv4Address, ...] | None:
    """Names of private addresses exist in their own VPC only."""
    address = _address(match.groups()[:4])
    if vpc_id is None or address is None:
        return None
    vpc = world[Vpc, vpc_id]
    ours = any(address in cidr for cidr in vpc.cidrs) and name == private_dns(address, vpc.region)
    return (address,) if ours else None


def _resource(world: World, vpc_id: str | None, match: re.Match[str]) -> tuple[Ip, ...] | None:
    """Names of instances exist in their own VPC, with the records that are switched on.

    Source: EC2 User Guide, "Amazon EC2 instance hostname types".
    """
    instance = world.seen_by(None).get(Instance, match[1])
    if instance is None or instance.vpc_id != vpc_id or match[2] != internal_domain(instance.region):
        return None
    first = primary_interface(world, instance.id)
    if first is None or not (instance.resource_name_a_record or instance.resource_name_aaaa_record):
        return None
    found: list[Ip] = [first.address] if instance.resource_name_a_record else []
    if instance.resource_name_aaaa_record and first.ipv6_address:
        found.append(first.ipv6_address)
    return tuple(found)


def _public(world: World, vpc_id: str | None, match: re.Match[str], name: str) -> tuple[IPv4Address, ...] | None:
    """Names of public addresses mean the private address inside the instance's own VPC, the public one elsewhere.

    They mean the private one, too, in a peered VPC whose questions the instance's VPC answers so.
    """
    address = _address(match.groups()[:4])
    interface = _holder(world, address) if address else None
    if address is None or interface is None or name != public_dns(address, interface.region):
        return None
    is_near = interface.vpc_id == vpc_id or (vpc_id is not None and _is_answered(world, vpc_id, interface.vpc_id))
    return (interface.address,) if is_near else (address,)


def _is_answered(world: World, asking_id: str, vpc_id: str) -> bool:
    """Tell whether a VPC shows its private addresses to a peer: it says so, and both use DNS and host names.

    Source: VPC Peering Guide, "Enable DNS resolution for a VPC peering connection".
    """
    peering = peering_between(world, asking_id, vpc_id)
    if peering is None or peering.status != "active" or not peering.end_of(vpc_id).allow_dns:
        return False
    return all(world[Vpc, id].gives_names for id in (asking_id, vpc_id))


def _address(parts: tuple[str, ...]) -> IPv4Address | None:
    try:
        return IPv4Address(".".join(parts))
    except AddressValueError:
        return None


def _holder(world: World, public: IPv4Address) -> Interface | None:
    """Return the interface that has a public address, in a VPC with DNS host names.  Costs a pass over the VPCs'
    interfaces with public addresses."""
    for vpc in world.seen_by(None).all(Vpc, dns_hostnames=True):
        for interface in world.bucket(Interface, "vpc_id", vpc.id).values():
            interface = cast(Interface, interface)
            if public_ip_of(world, interface) == public:
                return interface
    return None
