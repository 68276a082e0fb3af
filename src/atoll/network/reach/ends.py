"""The ends of a matrix: interfaces in classes, and whom the rules name on the internet.

Two interfaces are of one class if nothing that decides about packets can tell them apart: the same subnet, groups,
kind, state and checks, and addresses in the same of all the ranges that any rule, ACL or route names.  What is a
route's target, or belongs to a service with rules of its own (NAT gateways, endpoints, balancers), is a class of one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TypeAlias

from atoll.model.acl import NetworkAcl
from atoll.model.cache import CacheCluster
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Net
from atoll.model.lookup import public_ip_of
from atoll.model.prefix_list import PrefixList, rule_ranges
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.layers.internet_gateway import is_private

ANYONE = IPv4Address("192.0.2.1")  # on the internet, whom no rule names by himself (RFC 5737)
INTERNET = "the internet"
Signature: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class End:
    """A class of interfaces; or, without any, somebody outside."""

    name: str  # "i-0a (app)", "12 of sg-app in subnet-1", "198.51.100.27/32", "the internet"
    members: tuple[Interface, ...] = ()
    outside: IPv4Address | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What is the same in another World: the interfaces' ids, or the range outside."""
        return tuple(i.id for i in self.members) or (self.name,)


def ends(world: World, interfaces: Iterable[Interface], outside: Iterable[IPv4Network]) -> list[End]:
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


def public_networks(world: World) -> list[IPv4Network]:
    """Return the ranges of the internet that are named, but not all of it."""
    named = (n for n in networks(world) if isinstance(n, IPv4Network) and n.prefixlen)
    return sorted(n for n in named if not is_private(n.network_address) and not n.is_link_local)


def _outside(named: Iterable[IPv4Network]) -> Iterator[End]:
    """Yield an end for each range: somebody in it who is in no narrower one."""
    ranges = sorted(set(named), key=lambda n: (-n.prefixlen, n))
    for network in ranges:
        inner = [n for n in ranges if n != network and n.subnet_of(network)]
        tried = (
            network.network_address + (network.prefixlen < 31),
            network.broadcast_address,
            network.network_address,
        )
        free = (a for a in tried if not any(a in n for n in inner))
        if (address := next(free, None)) is not None:
            yield End(str(network), outside=address)
    yield End(INTERNET, outside=ANYONE)


class _Signer:
    """Says what decides about an interface's packets."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._named: dict[int, set[int]] = {}
        for network in networks(world):
            if isinstance(network, IPv4Network):
                low = int(network.network_address) >> (32 - network.prefixlen)
                self._named.setdefault(network.prefixlen, set()).add(low)
        self._targets = {route.target for table in world.all(RouteTable) for route in table.routes}
        self._circles = dict(_circles(world))

    def of(self, interface: Interface) -> Signature:
        """Return the signature of an interface."""
        if interface.kind != "interface" or interface.id in self._targets or len(interface.private_ips) > 1:
            return (interface.id,)
        subnet = self._world[Subnet, interface.subnet_id]
        public = public_ip_of(self._world, interface)
        instance = self._world.get(Instance, interface.instance_id) if interface.instance_id else None
        return (
            interface.subnet_id,
            interface.group_ids,
            interface.source_dest_check,
            interface.attachment is None,
            (instance.state, instance.image_id) if instance else None,
            self._circles.get(interface.id),
            self._ranges(interface.address, above=subnet.cidr.prefixlen),
            self._ranges(public, above=0) if public else None,
        )

    def _ranges(self, address: IPv4Address, *, above: int) -> tuple[tuple[int, int], ...]:
        """Return the named ranges, narrower than a subnet, that hold an address."""
        number = int(address)
        held = ((length, number >> (32 - length)) for length in self._named if length > above)
        return tuple(sorted((length, low) for length, low in held if low in self._named[length]))


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
        name = instance.tags.get("Name")
        return f"{instance.id} ({name})" if name else instance.id

    def _titled(self, kind: type[SecurityGroup] | type[Subnet], id: str) -> str:
        found = self._world[kind, id]
        name = found.tags.get("Name") or (found.name if isinstance(found, SecurityGroup) else None)
        return f"{id} ({name})" if name else id
