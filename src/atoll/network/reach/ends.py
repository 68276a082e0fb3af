"""The ends of a matrix: interfaces in classes, and whom the rules name on the internet.

Two interfaces are of one class if nothing that decides about packets can tell them apart: the same subnet, groups,
kind, state and checks, and addresses in the same of all the ranges that any rule, ACL or route names.  What is a
route's target, has others beside it in its machine, or belongs to a service with rules of its own (NAT gateways,
endpoints, balancers), is a class of one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from atoll.model.acl import NetworkAcl
from atoll.model.cache import CacheCluster
from atoll.model.fault import cutting, dead
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Ip, Net, lies_in
from atoll.model.lookup import companions, public_ip_of
from atoll.model.prefix_list import PrefixList, rule_ranges
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.layers.internet_gateway import is_private

# On the internet, whom no rule names by himself (RFC 5737, RFC 3849).
ANYBODY: tuple[Ip, ...] = (IPv4Address("192.0.2.1"), IPv6Address("2001:db8:ffff::1"))
INTERNET = "the internet"
Signature: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class End:
    """A class of interfaces; or, without any, somebody outside."""

    name: str  # "i-0a (app)", "12 of sg-app in subnet-1", "198.51.100.27/32", "the internet"
    members: tuple[Interface, ...] = ()
    outside: tuple[Ip, ...] = ()  # at most one address of each version of IP

    @property
    def keys(self) -> tuple[str, ...]:
        """What is the same in another World: the interfaces' ids, or the range outside."""
        return tuple(i.id for i in self.members) or (self.name,)


def ends(world: World, interfaces: Iterable[Interface], outside: Iterable[Net]) -> list[End]:
    """Return the classes of these interfaces, and an end for each range outside and for everybody else there."""
    classes: dict[Signature, list[Interface]] = {}
    sign = _Signer(world)
    for interface in interfaces:
        classes.setdefault(sign.of(interface), []).append(interface)
    names = _Names(world)
    found = [End(names.of(tuple(members)), tuple(members)) for members in classes.values()]
    return [*found, *_outside(outside)]


def networks(world: World) -> set[Net]:
    """Return every range that a rule, an ACL, a route or a prefix list names."""
    found: set[Net] = set()
    for group in world.all(SecurityGroup):
        for rule in group.rules:
            found |= set(rule_ranges(world, group.region, rule))
    for acl in world.all(NetworkAcl):
        found |= {entry.cidr for entry in acl.entries}
    for table in world.all(RouteTable):
        found |= {route.destination for route in table.routes if route.destination is not None}
    for listed in world.all(PrefixList):
        found |= set(listed.networks)
    return found


def public_networks(world: World) -> list[Net]:
    """Return the ranges of the internet that are named, but not all of it, and none of a VPC's own."""
    own: list[Net] = []
    for vpc in world.seen_by(None).all(Vpc):
        own += [*vpc.cidrs, *vpc.cidrs6]
    named = (n for n in networks(world) if n.prefixlen and not n.is_link_local and not is_private(n.network_address))
    return sorted((n for n in named if not any(lies_in(n, cidr) for cidr in own)), key=str)


def _outside(named: Iterable[Net]) -> Iterator[End]:
    """Yield an end for each range: somebody in it who is in no narrower one."""
    ranges = sorted(set(named), key=lambda n: (-n.prefixlen, str(n)))
    for network in ranges:
        inner = [n for n in ranges if n != network and lies_in(n, network)]
        second = network.network_address + (network.num_addresses > 2)
        tried = (second, network.broadcast_address, network.network_address)
        free = (a for a in tried if not any(a in n for n in inner))
        if (address := next(free, None)) is not None:
            yield End(str(network), outside=(address,))
    yield End(INTERNET, outside=ANYBODY)


class _Signer:
    """Says what decides about an interface's packets."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._named: dict[tuple[int, int], set[int]] = {}  # version, bits of the host -> the bits before them
        for network in networks(world):
            bits = network.max_prefixlen - network.prefixlen
            self._named.setdefault((network.version, bits), set()).add(int(network.network_address) >> bits)
        self._targets = {route.target for table in world.all(RouteTable) for route in table.routes}
        self._circles = dict(_circles(world))

    def of(self, interface: Interface) -> Signature:
        """Return the signature of an interface."""
        if interface.kind != "interface" or interface.id in self._targets or len(interface.private_ips) > 1:
            return (interface.id,)
        if len(interface.ipv6_addresses) > 1 or len(companions(self._world, interface)) > 1:
            return (interface.id,)
        public = public_ip_of(self._world, interface)
        instance = self._world.get(Instance, interface.instance_id) if interface.instance_id else None
        return (
            interface.subnet_id,
            interface.group_ids,
            interface.source_dest_check,
            interface.attachment is None,
            (instance.state, instance.image_id) if instance else None,
            self._circles.get(interface.id),
            *(fault and fault.id for fault in (dead(self._world, interface), cutting(self._world, interface))),
            *(self._ranges(a) if a else None for a in (interface.address, public, interface.ipv6_address)),
        )

    def _ranges(self, address: Ip) -> tuple[tuple[int, int], ...]:
        """Return the named ranges that hold an address."""
        number, version = int(address), address.version
        found = ((bits, number >> bits, heads) for (of, bits), heads in self._named.items() if of == version)
        return tuple((bits, head) for bits, head, heads in found if head in heads)


def _circles(world: World) -> Iterator[tuple[str, str]]:
    """Yield the interfaces of cache nodes that talk to each other without rules, with their replication group."""
    for cluster in world.all(CacheCluster):
        for node in cluster.nodes:
            yield node.interface_id, cluster.group_id or cluster.id


class _Names:
    """Says what people call a class."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._nodes = {
            node.interface_id: f"{c.name}:{node.id}" if c.is_memcached else c.name
            for c in world.all(CacheCluster)
            for node in c.nodes
        }

    def of(self, members: tuple[Interface, ...]) -> str:
        """Return the name of a class: its only member's, or how many of what it has."""
        if len(members) == 1:
            return self._one(members[0])
        first = members[0]
        groups = ", ".join(self._titled(SecurityGroup, id) for id in first.group_ids) or first.kind
        return f"{len(members)} of {groups} in {self._titled(Subnet, first.subnet_id)}"

    def _one(self, interface: Interface) -> str:
        if interface.id in self._nodes:
            return self._nodes[interface.id]
        instance = self._world.get(Instance, interface.instance_id) if interface.instance_id else None
        if instance is None:
            return interface.id
        tag = instance.tags.get("Name")
        name = f"{instance.id} ({tag})" if tag else instance.id
        is_further = interface.attachment and interface.attachment.device_index
        return f"{name} by {interface.id}" if is_further else name

    def _titled(self, kind: type[SecurityGroup] | type[Subnet], id: str) -> str:
        found = self._world[kind, id]
        name = found.tags.get("Name") or (found.name if isinstance(found, SecurityGroup) else None)
        return f"{id} ({name})" if name else id
