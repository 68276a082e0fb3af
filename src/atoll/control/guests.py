"""Which instances must run, and how they look from inside: a pure function of the World."""

import base64
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_address
from typing import NamedTuple, cast

from atoll.host.contract import GuestPlan
from atoll.model.image import image
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import primary_interface
from atoll.model.names import internal_domain, private_dns
from atoll.model.resource import unlike
from atoll.model.vpc import DhcpOptions, Vpc
from atoll.model.world import Kind, Table, World

RUNS = ("pending", "running")
SHARED: tuple[Kind, ...] = (Vpc, DhcpOptions)  # what many plans are made from
_MEMORY_BYTES = 1 << 30  # of a type that the catalogue no longer lists
_RESOLVER = IPv4Address("169.254.169.253")


class Guests:
    """Plans, and remembers each instance's plan until something that it is made from is another object."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._plans: dict[str, _Known] = {}
        self._interfaces: Table = {}  # when they were made; and what all of them share
        self._shared: Mapping[Kind, object] = {}

    def guests(self, world: World) -> dict[str, GuestPlan]:
        """Return the instances that must run, by process name; costs 0.2 us for each that is known."""
        interfaces = world.table(Interface)
        shared: Mapping[Kind, object] = {kind: world.stamp(kind) for kind in SHARED}
        known = self._plans if shared == self._shared else {}
        touched = {cast(Interface, one).instance_id for one in unlike(self._interfaces, interfaces)}
        fresh, plans = {}, {}
        for state in RUNS:
            for id, instance in world.bucket(Instance, "state", state).items():
                found = known.get(id)
                if found is None or found.instance is not instance or id in touched:
                    found = self._plan(world, cast(Instance, instance))
                if found:
                    fresh[id] = found
                    plans[found.process] = found.plan
        self._plans, self._interfaces, self._shared = fresh, interfaces, shared
        return plans

    def _plan(self, world: World, instance: Instance) -> "_Known | None":
        """Make a plan; one that says what it said before stays the same object."""
        interface = primary_interface(world, instance.id)
        if interface is None:
            return None
        vpc = world[Vpc, interface.vpc_id]
        dhcp = None if vpc.dhcp_options_id == "default" else world[DhcpOptions, vpc.dhcp_options_id]
        before, plan = self._plans.get(instance.id), guest(instance, interface, vpc, dhcp)
        return _Known(instance, plan.process, before.plan if before and before.plan == plan else plan)


class _Known(NamedTuple):
    """A plan, and the instance that it was made for."""

    instance: Instance
    process: str
    plan: GuestPlan


def guests(world: World) -> dict[str, GuestPlan]:
    """Return the instances that must run, by process name.  `Guests` does it incrementally."""
    return Guests().guests(world)


def guest(instance: Instance, interface: Interface, vpc: Vpc, dhcp: DhcpOptions | None) -> GuestPlan:
    """Return one instance's plan; `dhcp` None: the VPC has the default options."""
    type_, booted_from = INSTANCE_TYPES.get(instance.type), image(instance.region, instance.image_id)
    options = dict(dhcp.options) if dhcp else {}
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
