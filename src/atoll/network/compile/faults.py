"""Faults: links that carry nothing, and interfaces behind which nothing runs (`atoll chaos`).

    forward  -25  cuts   before everything else that is asked of a forwarded packet, so that open flows end, too

The chain is there only while a fault touches the VPC: without one it costs nothing.  What goes to a peer is judged by
its sender's router, which knows in which zone the peer's subnets are.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from atoll.model.fault import Fault, cutting, dead, faults
from atoll.model.interface import Interface
from atoll.model.ip import Net
from atoll.model.names import link_name
from atoll.model.resource import Resource
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.compile.marks import chain, element, plain_set
from atoll.network.compile.version import Version, versions
from atoll.network.facts import Fact, Hook
from atoll.network.rules import Rule, equal, known, other, refuse
from atoll.network.rules import chain_name as name_of


class ZoneCut(NamedTuple):
    """A zone that is cut off, as a VPC sees it."""

    id: str  # of the fault
    inside: tuple[str, ...]  # links of the interfaces in the zone
    outside: tuple[str, ...]  # of all others
    beyond: tuple[tuple[str, tuple[Net, ...]], ...]  # links to peers, with their ranges in the zone


class Cuts(NamedTuple):
    """What of a VPC is broken; usually nothing."""

    dead: frozenset[str] = frozenset()  # interfaces behind which nothing runs
    severed: tuple[tuple[str, str], ...] = ()  # (fault, link) of instances that are cut off
    zones: tuple[ZoneCut, ...] = ()


NOTHING = Cuts()


def cuts_of(world: World, interfaces: Mapping[str, Resource], peers: tuple[tuple[str, str], ...]) -> Cuts:
    """Return what is broken of a VPC with these interfaces; `peers` are its links and the VPCs behind them."""
    everything = cast("Mapping[str, Interface]", interfaces).values()
    if not any(True for _ in world.all(Fault)):
        return NOTHING
    severed = ((fault.id, link_name(one.id)) for one in everything if (fault := cutting(world, one)))
    zones = (_zone(world, fault, tuple(everything), peers) for fault in faults(world, "partition-zone"))
    return Cuts(
        dead=frozenset(one.id for one in everything if dead(world, one)),
        severed=tuple(sorted(severed)),
        zones=tuple(zone for zone in zones if zone.inside or any(ranges for _, ranges in zone.beyond)),
    )


def _zone(
    world: World, fault: Fault, interfaces: tuple[Interface, ...], peers: tuple[tuple[str, str], ...]
) -> ZoneCut:
    def ranges(vpc_id: str) -> tuple[Net, ...]:
        subnets = cast("Mapping[str, Subnet]", world.bucket(Subnet, "vpc_id", vpc_id)).values()
        there = [subnet for subnet in subnets if subnet.zone == fault.target]
        sixes = sorted(subnet.cidr6 for subnet in there if subnet.cidr6)
        return (*sorted(subnet.cidr for subnet in there), *sixes)

    return ZoneCut(
        fault.id,
        inside=tuple(sorted(link_name(one.id) for one in interfaces if one.zone == fault.target)),
        outside=tuple(sorted(link_name(one.id) for one in interfaces if one.zone != fault.target)),
        beyond=tuple((link, ranges(vpc_id)) for link, vpc_id in peers),
    )


def cuts(vpc_id: str, it: Cuts, has_ipv6: bool) -> Iterator[Fact]:
    """Yield the facts of what carries nothing."""
    for of in versions(has_ipv6):
        if it.severed:
            yield plain_set(vpc_id, "severed", "ifname", of=of)
            for id, link in it.severed:
                yield element(vpc_id, "severed", link, comment=id, of=of)
        for zone in it.zones:
            for name, links in (("inside", zone.inside), ("outside", zone.outside)):
                yield plain_set(vpc_id, name_of(zone.id, name), "ifname", of=of)
                for link in links:
                    yield element(vpc_id, name_of(zone.id, name), link, of=of)
        hook = Hook("filter", "forward", -25, accepts=True)
        yield chain(vpc_id, "cuts", *_rules(it, of), hook=hook, of=of)


def _rules(it: Cuts, of: Version) -> Iterator[Rule]:
    for side in ("iifname", "oifname") if it.severed else ():
        yield refuse("an instance is cut off", known("severed", side), side="way")
    for zone in it.zones:
        inside, outside = name_of(zone.id, "inside"), name_of(zone.id, "outside")
        for one, another in ((inside, outside), (outside, inside)):
            yield refuse(zone.id, known(one, "iifname"), known(another, "oifname"), side="way")
        for link, mixed in zone.beyond:
            ranges = of.of(mixed)
            away = (other(of.destination, *ranges),) if ranges else ()
            yield refuse(zone.id, known(inside, "iifname"), equal("oifname", link), *away, side="way")
            if ranges:
                there = equal(of.destination, *ranges)
                yield refuse(zone.id, known(outside, "iifname"), equal("oifname", link), there, side="way")
