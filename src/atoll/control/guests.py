"""Which instances must run, and how they look from inside: a pure function of the World."""

import base64
from ipaddress import IPv4Address, ip_address
from typing import cast

from atoll.host.contract import GuestPlan
from atoll.model.image import image
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import primary_interface
from atoll.model.names import internal_domain, private_dns
from atoll.model.vpc import DhcpOptions, Vpc
from atoll.model.world import World

RUNS = ("pending", "running")
_MEMORY_BYTES = 1 << 30  # of a type that the catalogue no longer lists
_RESOLVER = IPv4Address("169.254.169.253")


def guests(world: World) -> dict[str, GuestPlan]:
    """Return the instances that must run, by process name."""
    found = {}
    for state in RUNS:
        for instance in world.bucket(Instance, "state", state).values():
            instance = cast(Instance, instance)
            if interface := primary_interface(world, instance.id):
                plan = guest(world, instance, interface)
                found[plan.process] = plan
    return found


def guest(world: World, instance: Instance, interface: Interface) -> GuestPlan:
    """Return one instance's plan."""
    type_, booted_from = INSTANCE_TYPES.get(instance.type), image(instance.region, instance.image_id)
    vpc = world[Vpc, interface.vpc_id]
    options = dict(world[DhcpOptions, vpc.dhcp_options_id].options) if vpc.dhcp_options_id != "default" else {}
    domain = options.get("domain-name", (internal_domain(instance.region),))[0]
    return GuestPlan(
        instance_id=instance.id,
        boot=instance.boot,
        interface_id=interface.id,
        hostname=private_dns(interface.address, instance.region),
        resolvers=_resolvers(vpc, options.get("domain-name-servers", ("AmazonProvidedDNS",))),
        search=domain,
        authorized_keys=(instance.public_key,) if instance.public_key else (),
        user_data=base64.b64decode(instance.user_data) if instance.user_data else None,
        is_nat=booted_from is not None and booted_from.is_nat,
        vpc_cidr=str(vpc.cidr),
        memory_bytes=type_.memory_mib << 20 if type_ else _MEMORY_BYTES,
        disk=instance.disk,
    )


def _resolvers(vpc: Vpc, servers: tuple[str, ...]) -> tuple[Ip, ...]:
    """AmazonProvidedDNS is the VPC's own resolver, at base + 2, if the VPC has DNS support."""
    found: list[Ip] = []
    for server in servers:
        if server != "AmazonProvidedDNS":
            found.append(ip_address(server))
        elif vpc.dns_support:
            found += [vpc.cidr.network_address + 2, _RESOLVER]
    return tuple(found)
