"""Which instances must run, and how they look from inside: a pure function of the World."""

import base64
from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Address, ip_address
from typing import NamedTuple

from atoll.host.contract import GuestPlan
from atoll.model.image import image
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import primary_interface
from atoll.model.names import internal_domain, private_dns
from atoll.model.vpc import DhcpOptions, Vpc
from atoll.model.world import Kind, World

RUNS = ("pending", "running")
SHARED: tuple[Kind, ...] = (Vpc, DhcpOptions)  # what many plans are made from
_MEMORY_BYTES = 1 << 30  # of a type that the catalogue no longer lists
_RESOLVER = IPv4Address("169.254.169.253")


class Guests:
    """Plans, and remembers each instance's plan until something that it is made from is another object."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._known: dict[str, _Known] = {}  # by instance
        self._homes: dict[str, str] = {}  # of their first interfaces: the instances
        self._plans: dict[str, GuestPlan] = {}  # by process name
        self._stamps: Mapping[Kind, object] = {}  # of what they were made of

    def guests(self, world: World) -> Mapping[str, GuestPlan]:
        """Return the instances that must run, by process name.

        Costs what has changed of instances and interfaces, or, if more has, each instance.
        """
        stamps = {kind: world.stamp(kind) for kind in (*SHARED, Instance, Interface)}
        stands = bool(self._stamps) and all(stamps[kind] is self._stamps[kind] for kind in SHARED)
        touched = self._touched(world) if stands else None
        known, homes, plans = {}, {}, {}
        if touched is not None:
            known, homes, plans = dict(self._known), dict(self._homes), dict(self._plans)
        for id in touched or ():  # all of them first: an interface may be another one's by now
            if before := known.pop(id, None):
                del plans[before.plan.process], homes[before.interface.id]
        for id in _running(world) if touched is None else touched:
            instance = world.get(Instance, id)
            if instance and instance.state in RUNS and (found := self._plan(world, instance, stands=stands)):
                known[id], homes[found.interface.id], plans[found.plan.process] = found, id, found.plan
        self._known, self._homes, self._plans, self._stamps = known, homes, plans, stamps
        return plans

    def _touched(self, world: World) -> Collection[str] | None:
        """Return the instances that have changed, or whose interfaces have; None: nobody knows."""
        ids, interfaces = (world.changed(kind, self._stamps[kind]) for kind in (Instance, Interface))
        if ids is None or interfaces is None:
            return None
        now = (one.instance_id for id in interfaces if (one := world.get(Interface, id)) and one.instance_id)
        return dict.fromkeys((*ids, *now, *(self._homes[id] for id in interfaces if id in self._homes)))

    def _plan(self, world: World, instance: Instance, *, stands: bool) -> "_Known | None":
        """Make a plan; one that says what it said before stays the same object.  `stands`: what all share does."""
        interface, before = primary_interface(world, instance.id), self._known.get(instance.id)
        if interface is None:
            return None
        if before and stands and before.instance is instance and before.interface is interface:
            return before
        vpc = world[Vpc, interface.vpc_id]
        dhcp = None if vpc.dhcp_options_id == "default" else world[DhcpOptions, vpc.dhcp_options_id]
        plan = guest(instance, interface, vpc, dhcp)
        return _Known(instance, interface, before.plan if before and before.plan == plan else plan)


class _Known(NamedTuple):
    """A plan, and the instance and the interface that it was made for."""

    instance: Instance
    interface: Interface
    plan: GuestPlan


def _running(world: World) -> Iterator[str]:
    for state in RUNS:
        yield from world.bucket(Instance, "state", state)


def guests(world: World) -> Mapping[str, GuestPlan]:
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
        user=booted_from.user if booted_from else "ec2-user",
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
