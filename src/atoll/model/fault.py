"""Faults: hardware that somebody broke on purpose (`atoll chaos`), and what stands on it.

    kill-host, kill-rack, kill-zone      what stands there does not run, and nothing is put there
    partition-zone                       nothing passes between the zone and other zones
    partition-instance                   nothing passes to or from the instance

A fault belongs to no account, as hardware does.  Usually there is none, and then these questions cost nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from atoll.model.cache import CacheCluster
from atoll.model.hardware import hosts_of, rack_of, zone_of
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.resource import Resource
from atoll.model.world import World

KILLS = ("kill-host", "kill-rack", "kill-zone")
CUTS = ("partition-zone", "partition-instance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Resource):
    """One fault."""

    act: str
    target: str  # a host, a rack, a zone or an instance
    since: datetime
    until: datetime | None = None  # when it is reverted by itself; None: by somebody

    @property
    def says(self) -> str:
        """What is wrong, for people."""
        return f"{self.target} is {'down' if self.act in KILLS else 'cut off'}: {self.act}, {self.id}"

    def takes(self, host: str) -> bool:
        """Tell whether a host is down because of it."""
        return self.act in KILLS and self.target in (host, rack_of(host), zone_of(host))


def faults(world: World, *acts: str) -> list[Fault]:
    """Return the faults of these kinds, the oldest first.  Without any it costs one look-up: every packet asks."""
    known = world.bucket(Fault, "account", "")
    return [fault for fault in cast("Iterable[Fault]", known.values()) if fault.act in acts] if known else []


def down(world: World, host: str | None) -> Fault | None:
    """Return the fault because of which a host is down; `None` if it stands."""
    return next((f for f in faults(world, *KILLS) if f.takes(host)), None) if host else None


def standing_hosts(world: World, zone: str) -> Sequence[str]:
    """Return the hosts of a zone that are not down, in the order in which they fill."""
    kills, hosts = faults(world, *KILLS), hosts_of(zone)
    return [host for host in hosts if not any(f.takes(host) for f in kills)] if kills else hosts


def dead(world: World, interface: Interface) -> Fault | None:
    """Return the fault because of which nothing runs behind an interface; `None` if there is none.

    A service's interface, such as a NAT gateway's, dies with its zone.
    """
    kills = faults(world, *KILLS)
    if not kills:
        return None
    if whole := next((f for f in kills if f.act == "kill-zone" and f.target == interface.zone), None):
        return whole
    id = interface.instance_id
    host = world[Instance, id].host if id else interface.host
    return next((f for f in kills if host and f.takes(host)), None)


def cutting(world: World, interface: Interface) -> Fault | None:
    """Return the fault that cuts an interface's instance off; `None` if there is none."""
    cuts = faults(world, "partition-instance")
    return next((f for f in cuts if f.target == interface.instance_id), None)


def parting(world: World, one: str, other: str) -> Fault | None:
    """Return the fault that lies between two zones; `None` if there is none, or they are one."""
    if one == other:
        return None
    return next((f for f in faults(world, "partition-zone") if f.target in (one, other)), None)


def broken(world: World, zone: str) -> Fault | None:
    """Return the fault of a whole zone; `None` if there is none."""
    return next((f for f in faults(world, "kill-zone", "partition-zone") if f.target == zone), None)


@dataclass(frozen=True, slots=True)
class Victim:
    """What a fault hits."""

    name: str  # for people: an instance's id, or NAME:NODE of a cache node
    subject: str  # of its process


def hit(world: World, fault: Fault) -> Iterator[Victim]:
    """Yield the instances and cache nodes that a fault hits, of every account."""
    everyone = world.seen_by(None)
    for instance in everyone.all(Instance):
        if instance.host and (fault.takes(instance.host) or fault.target in (instance.id, instance.zone)):
            yield Victim(instance.id, instance.id)
    for cluster in everyone.all(CacheCluster):
        for node in cluster.nodes:
            host = everyone[Interface, node.interface_id].host
            if fault.target == node.zone or (host and fault.takes(host)):
                yield Victim(f"{cluster.name}:{node.id}", f"{cluster.id}:{node.id}")
