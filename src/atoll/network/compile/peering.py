"""VPC peering: one link between two routers, each of which checks both ends of a packet.

    out      the destination is in a range of the peer's, and the source in one of ours
    in       the source is in a range of the peer's, and the destination in one of ours, and is none of our services

So nothing passes on its way from or to anywhere else: not to a third VPC, nor to the peer's gateways.  What comes in
is routed by the main table, which knows the VPC's own interfaces only.  Both routers track the flow, and so each side
judges by its own groups.  A rule that names a group of the peer's matches the addresses of its members at the link.

A connection is in the kernel while both VPCs are, that is, while both have an interface.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, cast

from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.ip import Ip, Net
from atoll.model.names import digest
from atoll.model.peering import Peering, peerings_of
from atoll.model.resource import Resource
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.compile.groups import members
from atoll.network.compile.marks import (
    FROM_PEER,
    INSIDE_MTU,
    INTERNET_MTU,
    chain,
    element,
    far_mac,
    plain_set,
)
from atoll.network.compile.version import V6, Version, versions
from atoll.network.facts import DualStack, Element, Fact, Neighbour, Veth
from atoll.network.rules import ACCEPT, SetBits, goto, jump, known, other, refuse, rule
from atoll.network.rules import chain_name as name_of

Bucket: TypeAlias = Mapping[str, Resource]
NOTHING: Bucket = MappingProxyType({})


class Link(NamedTuple):
    """A connection, as one of its VPCs has it."""

    id: str
    vpc_id: str
    far_id: str
    near: tuple[Net, ...]
    far: tuple[Net, ...]
    is_maker: bool  # one of the two sides holds the fact of the link itself
    is_regional: bool  # else the MTU is smaller, and no rule may name the peer's groups

    @property
    def name(self) -> str:
        """The name of the link in both routers: at most 15 characters, as Linux asks.

        A link that is made otherwise has another name, so that what rests on it is made anew with it.
        """
        return "p" + digest(f"{self.id} {self.mtu}", 12)

    @property
    def versions(self) -> tuple[Version, ...]:
        """The versions that both sides have."""
        return versions(all(V6.of(side) for side in (self.near, self.far)))

    @property
    def mtu(self) -> int:
        """The size of its packets."""
        return INSIDE_MTU if self.is_regional else INTERNET_MTU


class Peer(NamedTuple):
    """What one side of a connection is made from."""

    link: Link
    named: frozenset[str]  # groups of the peer's that our rules name
    interfaces: Bucket  # of the peer's, in which the members are; none, if no rule names a group
    members: tuple[tuple[str, tuple[Ip, ...]], ...]


def peers_of(
    world: World, vpc: Vpc, groups: Bucket, old_groups: Bucket | None, old: tuple[Peer, ...]
) -> tuple[Peer, ...]:
    """Return the peers of a VPC that are in the kernel.

    `old` are those of the last plan, and `old_groups` the groups from which they were made: what did not change is
    not looked for again.
    """
    before = {peer.link.id: peer for peer in old}
    found = []
    for peering in peerings_of(world, vpc.id):
        if not peering.is_open:
            continue
        far_id = peering.beyond(vpc.id).vpc_id
        interfaces = world.bucket(Interface, "vpc_id", far_id)
        if interfaces:
            link = _link(peering, vpc, world[Vpc, far_id])
            was = before.get(link.id)
            named = was.named if was and old_groups is groups else _named(groups, far_id)
            found.append(_peer(link, named if link.is_regional else frozenset(), interfaces, was))
    return tuple(found)


def _link(peering: Peering, vpc: Vpc, far: Vpc) -> Link:
    near_ranges: tuple[Net, ...] = (*vpc.cidrs, *vpc.cidrs6)
    far_ranges: tuple[Net, ...] = (*far.cidrs, *far.cidrs6)
    return Link(peering.id, vpc.id, far.id, near_ranges, far_ranges, vpc.id < far.id, vpc.region == far.region)


def _named(groups: Bucket, far_id: str) -> frozenset[str]:
    rules = (rule for group in groups.values() for rule in cast(SecurityGroup, group).rules)
    return frozenset(rule.group_id for rule in rules if rule.group_id and rule.group_vpc_id == far_id)


def _peer(link: Link, named: frozenset[str], interfaces: Bucket, was: Peer | None) -> Peer:
    if not named:
        return Peer(link, named, NOTHING, ())
    if was and was.named == named and was.interfaces is interfaces:
        return was._replace(link=link)
    found: dict[str, list[Ip]] = {id: [] for id in sorted(named)}
    for interface in cast("Mapping[str, Interface]", interfaces).values():
        for id in named.intersection(interface.group_ids):
            found[id] += interface.ips
    return Peer(link, named, interfaces, tuple((id, tuple(ips)) for id, ips in found.items()))


def peering(it: Link, groups: tuple[tuple[str, tuple[Ip, ...]], ...]) -> Iterator[Fact]:
    """Yield the facts of one side of a connection; `groups` are the peer's that our rules name, and their members."""
    vpc, name, far = it.vpc_id, it.name, far_mac(f"{it.id} {it.far_id}")
    if it.is_maker:
        yield Veth(vpc, name, far_mac(f"{it.id} {vpc}"), it.far_id, name, far, it.mtu)
    for of in it.versions:
        if of is V6:
            yield DualStack(vpc, name)
        yield Neighbour(vpc, name, of.next_hop, far)
        yield from _checks(it, of)
    for group_id, ips in groups:
        container = members(group_id)
        for of in versions(bool(V6.of(it.near))):  # our rules of both versions name it, whatever the peer has
            yield plain_set(vpc, container, of.address, of=of)
            for ip in of.of(ips):
                yield _member(vpc, container, ip, of)


def _checks(it: Link, of: Version) -> Iterator[Fact]:
    """Check both ends of a packet, on its way out and in; no group of ours is asked at the link."""
    vpc, name = it.vpc_id, it.name
    coming, going = name_of(it.id, "in"), name_of(it.id, "out")
    near, far = of.of(it.near), of.of(it.far)
    yield chain(
        vpc,
        coming,
        refuse("source outside the peer", other(of.source, *far)),
        refuse("destination outside the VPC", other(of.destination, *near)),
        refuse("a service of the VPC", known("own_services", of.destination)),
        rule(SetBits("meta mark", FROM_PEER)),
        rule(ACCEPT),
        of=of,
    )
    yield chain(
        vpc,
        going,
        rule(jump("acls")),
        refuse("destination outside the peer", other(of.destination, *far), side="way"),
        refuse("source outside the VPC", other(of.source, *near), side="way"),
        rule(ACCEPT),
        of=of,
    )
    yield element(vpc, "arrivals", name, to=goto(coming), of=of)
    yield element(vpc, "departures", name, to=goto(going), of=of)
    yield element(vpc, "groups_out", name, to=goto("track_sending"), of=of)
    yield element(vpc, "groups_in", name, to=goto("track_receiving"), of=of)


@lru_cache(maxsize=1 << 16)  # so that one more member among thousands makes one new element, and finds the others
def _member(vpc_id: str, container: str, ip: Ip, of: Version) -> Element:
    return element(vpc_id, container, ip, of=of)
