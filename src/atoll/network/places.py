"""Places: what people call the ends of a flow, and where that is.

i-0a...   eni-0a...   app (a Name tag)   10.0.1.20   203.0.113.73   ip-10-0-1-20.ec2.internal
sessions-001 (a cache cluster)   sessions (a replication group: its primary)   mc:0002 (a node)
sessions-001.abc123.0001.use1.cache.amazonaws.com:6379   198.51.100.27, or "outside" (outside)
web (a load balancer)   vpce-0a... (an endpoint)   and their DNS names: see `places_service`
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from ipaddress import ip_address
from typing import cast

from atoll.model.classic import network_of
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.ip import Ip
from atoll.model.lookup import primary_interface, public_ip_of
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Caller, World
from atoll.network import places_cache
from atoll.network.flow import At
from atoll.network.layers.internet_gateway import behind, global_owner, is_private
from atoll.network.layers.vpc_services import LINK_LOCAL, RESOLVER_OFFSET, ROUTER
from atoll.network.places_service import named

CANDIDATES_MAX = 8  # as many as people read
OUTSIDE, TRUSTED_CLIENT = "outside", ip_address("198.51.100.27")  # the client of the documented scenario
EC2_NAME = re.compile(r"(?:ip|ec2)-(\d+)-(\d+)-(\d+)-(\d+)(?:\..+\.(?:internal|amazonaws\.com))$")


@dataclass(frozen=True, slots=True)
class Place:
    """An end of a flow."""

    at: At  # whence it sends: an interface, an address outside, or a VPC (its own services, which send nothing)
    address: Ip  # by which others send to it
    name: str  # what it is, for people: "i-0a (app)", "mc:0002", "198.51.100.27"


class PlaceError(LookupError):
    """The text names no place, or several; `candidates` are texts that would do."""

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        """Keep the candidates, and say them."""
        listed = f": {', '.join(candidates[:CANDIDATES_MAX])}" if candidates else ""
        more = len(candidates) - CANDIDATES_MAX
        super().__init__(f"{message}{listed}{f' and {more} more' if more > 0 else ''}")
        self.candidates = candidates


class UnknownPlace(PlaceError):
    """Nothing of the caller's is called so."""


class AmbiguousPlace(PlaceError):
    """Several things are called so."""


def endpoint(world: World, caller: Caller | None, text: str) -> Place:
    """Return the place that a person means.  Raises UnknownPlace or AmbiguousPlace.

    Only the caller's own resources have names; `None` sees everybody's.  Costs a pass over the caller's names, if
    the text is not an id or an address.
    """
    world = world.seen_by(caller)
    text = text.strip()
    found = _by_id(world, text) or _by_address(world, text) or _by_endpoint_name(world, text)
    found = found or _by_node(world, text) or list(_by_name(world, text))
    if text == OUTSIDE and not found:
        return Place(TRUSTED_CLIENT, TRUSTED_CLIENT, str(TRUSTED_CLIENT))
    if len(found) == 1:
        return found[0]
    if found:
        hints = tuple(p.name for p in found)
        if len(set(hints)) < len(hints):  # such as one address in two VPCs
            hints = tuple(str(p.at) for p in found)
        raise AmbiguousPlace(f"{text!r} may be any of these", hints)
    names = sorted({name for name, _ in _names(world)})
    near = get_close_matches(text, names, CANDIDATES_MAX) or names
    raise UnknownPlace(f"nothing is called {text!r}" + ("; there is" if near else ""), tuple(near))


def receiver(world: World, sender: Place, text: str) -> Place:
    """Return the place that a person means by what a sender speaks to; raises as `endpoint`.

    Who is outside speaks to a machine by its public address, if it has one, unless the text is another of its
    addresses.
    """
    place = endpoint(world, world.caller, text)
    interface = world.seen_by(None).get(Interface, place.at) if isinstance(place.at, str) else None
    if isinstance(sender.at, str) or interface is None or _by_address(world, text):
        return place
    public = interface.ipv6_address if sender.address.version == 6 else public_ip_of(world, interface)
    return replace(place, address=public) if public else place


def nodes_called(world: World, text: str) -> list[Place]:
    """Return the nodes of the cache with this name: of a group its primaries; none if others have it too."""
    found = [place for name, place in _names(world) if name in (text, text.lower())]
    nodes = [_interface(*node) for name, node in places_cache.named(world) if name == text.lower()]
    return nodes if len(found) == len(nodes) else []


def _by_id(world: World, text: str) -> list[Place]:
    if (interface := world.get(Interface, text)) is not None:
        return [_interface(interface)]
    instance = world.get(Instance, text)
    if instance is None:
        return []
    interface = primary_interface(world, instance.id)
    if interface is None:
        raise UnknownPlace(f"{instance.id} is {instance.state}: it has no network interface any more")
    return [_interface(interface, _titled(instance))]


def _by_address(world: World, text: str) -> list[Place]:
    if (name := EC2_NAME.match(text)) is not None:
        text = ".".join(name.groups())
    try:
        address = ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return []
    found = [i for i in _interfaces(world) if address in i.ips]
    if found:
        return [Place(i.id, address, f"{address} ({i.id} in {i.vpc_id})") for i in found]
    everyone = world.seen_by(None)
    public = behind(everyone, address) or global_owner(everyone, address)
    if public is not None and _is_mine(world, public[0]):
        return [Place(public[0].id, address, f"{address} ({public[0].id})")]
    services = [Place(vpc.id, address, f"{address} (a service of {vpc.id})") for vpc in _serving(world, address)]
    if services or not is_private(address):
        return services or [Place(address, address, str(address))]
    raise UnknownPlace(f"no interface has the {'private ' if is_private(address) else ''}address {address}")


def _interfaces(world: World) -> Iterator[Interface]:
    """Yield the caller's interfaces, and those of his instances in EC2-Classic, which belong to the network."""
    yield from world.all(Interface)
    network = network_of(world) if world.caller else None
    for found in world.bucket(Interface, "vpc_id", network.id).values() if network else ():
        yield cast(Interface, found)


def _is_mine(world: World, interface: Interface) -> bool:
    if world.get(Interface, interface.id):
        return True
    return interface.instance_id is not None and world.get(Instance, interface.instance_id) is not None


def _serving(world: World, address: Ip) -> Iterator[Vpc]:
    """Yield the VPCs whose router or resolver has an address."""
    if address in LINK_LOCAL:
        return
    routed = {s.vpc_id for s in world.all(Subnet) if address == s.cidr.network_address + ROUTER}
    for vpc in world.all(Vpc):
        if vpc.id in routed or address == vpc.cidr.network_address + RESOLVER_OFFSET:
            yield vpc


def _by_endpoint_name(world: World, text: str) -> list[Place]:
    """Read the names of cache endpoints."""
    host = text.lower().rstrip(".").partition(":")[0]
    if not host.endswith(places_cache.DOMAIN):
        return []
    found = [_interface(*node) for node in places_cache.by_endpoint(world, host)]
    if not found:
        raise UnknownPlace(f"no cache has the endpoint {host}")
    return found


def _by_node(world: World, text: str) -> list[Place]:
    name, colon, node = text.lower().partition(":")
    if not colon:
        return []
    whole = f"{name}:{node}"
    nodes = (_interface(*found) for found in places_cache.clusters(world, name))
    return [p for p in nodes if p.name == whole or (p.name == name and node == "0001")]


def _by_name(world: World, text: str) -> Iterator[Place]:
    for name, place in _names(world):
        if name in (text, text.lower()):
            yield place


def _names(world: World) -> Iterator[tuple[str, Place]]:
    """Yield every name of the caller's, with its place: Name tags, caches, balancers, endpoints, outside hosts."""
    for instance in world.all(Instance):
        interface = primary_interface(world, instance.id)
        if interface is not None and (name := instance.tags.get("Name")):
            yield name, _interface(interface, _titled(instance))
    for name, node in places_cache.named(world):
        yield name, _interface(*node)
    for name, interface, what in named(world):
        yield name, _interface(interface, what)
    for host in world.seen_by(None).all(OutsideHost):
        yield str(host.address), Place(host.address, host.address, str(host.address))


def _interface(interface: Interface, name: str | None = None) -> Place:
    return Place(interface.id, interface.address, name or interface.id)


def _titled(instance: Instance) -> str:
    name = instance.tags.get("Name")
    return f"{instance.id} ({name})" if name else instance.id
