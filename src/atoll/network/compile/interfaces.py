"""Network interfaces: a namespace, a link to the router, and the elements that say what may pass it.

An interface behind which nothing runs (detached, or its instance stopped) keeps its namespace and link; without its
elements it neither sends nor receives, and nobody answers for its addresses.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_network
from typing import NamedTuple

from atoll.model.interface import Interface
from atoll.model.ip import Ip, Net
from atoll.model.names import link_name
from atoll.model.subnet import Subnet
from atoll.network.compile.groups import EGRESS, INGRESS, members, profile_name
from atoll.network.compile.marks import (
    ARP_TABLE,
    EVERYWHERE,
    FIRST_TABLE,
    GATEWAY_MAC,
    GUEST,
    HOP,
    INSIDE_MTU,
    VIA,
    chain,
    element,
    far_mac,
    gateway_peer,
    leg_bits,
)
from atoll.network.compile.marks import NEXT_HOP as FAR_END
from atoll.network.compile.version import V4, V6, Version, versions
from atoll.network.facts import (
    INTERNET,
    NETDEV,
    Address,
    Chain,
    DualStack,
    Element,
    Fact,
    Hook,
    Namespace,
    Neighbour,
    PolicyRule,
    Route,
    Veth,
)
from atoll.network.rules import ACCEPT, SetBits, bits, equal, goto, jump, rule
from atoll.network.rules import chain_name as name_of

ARP_PRIORITY = -500
HOP_PRIORITY = 50  # before the subnets' rules: the mark of a next hop has their bits, too
HOP_MASK = HOP | 0x3FFF
LOCAL = 32  # prefix length of a host
FIRST_SEAT_TABLE = 10_000  # + the number of a further interface: its table in its machine, and its rules' priority


class Seat(NamedTuple):
    """Where the end of an interface is that its machine uses: a further one is in the namespace of the first."""

    namespace: str
    number: int = 0  # of its link there
    is_first6: bool = True  # of the machine's interfaces that have IPv6

    @property
    def link(self) -> str:
        """The name of its link there."""
        return f"eth{self.number}"


class Standing(NamedTuple):
    """What else decides about an interface, beside itself: a fragment is a function of the two."""

    subnet: Subnet
    is_live: bool  # something runs behind it
    publics: tuple[tuple[IPv4Address, IPv4Address], ...]  # (private, public), in force
    seat: Seat


def interface(it: Interface, standing: Standing) -> Iterator[Fact]:
    """Yield the facts of an interface."""
    yield from _wire(it, standing.subnet, standing.seat)
    if standing.is_live:
        yield from frames(it)
        for of in versions(bool(it.ipv6_addresses)):
            yield from rights(it, standing.subnet, of)
            yield from groups_of(it, of)
            if not it.source_dest_check:  # no next hop of version 6: neighbours reach each other by the router
                yield from forwarding(it, standing.subnet, is_next_hop=of is V4, of=of)
    for group_id in it.group_ids:
        for ip in it.private_ips:
            yield element(it.vpc_id, members(group_id), ip)
        for ip6 in it.ipv6_addresses:
            yield element(it.vpc_id, members(group_id), ip6, of=V6)
    for private, outside in standing.publics:
        yield from public(it, private, outside)


def _wire(it: Interface, subnet: Subnet, seat: Seat) -> Iterator[Fact]:
    link, gateway, is_first = link_name(it.id), subnet.cidr.network_address + 1, seat.number == 0
    if is_first:
        yield Namespace(it.id, GUEST, is_guest=True)
    yield Veth(it.vpc_id, link, far_mac(link), seat.namespace, seat.link, it.mac, INSIDE_MTU)
    for ip in it.private_ips:
        yield Address(seat.namespace, seat.link, IPv4Interface((ip, subnet.cidr.prefixlen)), is_first)
        yield Route(it.vpc_id, IPv4Network((ip, LOCAL)), link=link)
        yield Neighbour(it.vpc_id, link, ip, it.mac)
    yield Neighbour(seat.namespace, seat.link, gateway, GATEWAY_MAC)
    yield from _ways_out(seat, subnet.cidr, it.private_ips, gateway)
    if it.ipv6_addresses:
        yield from _wire6(it, link, seat)


def _ways_out(seat: Seat, near: Net | None, own: tuple[Ip, ...], gateway: Ip) -> Iterator[Fact]:
    """Lead out of a machine: by its first interface, but by another one what is sent from that one's addresses.

    As Amazon Linux does it (amazon-ec2-net-utils): a table for each further interface, and a rule for each address.
    """
    of = V4 if gateway.version == V4.number else V6
    name, link = seat.namespace, seat.link
    if seat.number == 0:
        yield Route(name, of.everywhere, link=link, via=gateway)
        return
    table = FIRST_SEAT_TABLE + seat.number
    if near is not None:
        yield Route(name, near, table, link=link)
    yield Route(name, of.everywhere, table, link=link, via=gateway)
    for ip in own:
        yield PolicyRule(name, table, 0, 0, table, of.number, ip_network(ip))


def _wire6(it: Interface, link: str, seat: Seat) -> Iterator[Fact]:
    """Give it single addresses and a link-local gateway, as EC2 does: nobody asks for a neighbour."""
    yield DualStack(it.vpc_id, link)
    if seat.is_first6:
        yield DualStack(seat.namespace, "lo")
    yield DualStack(seat.namespace, seat.link)
    for ip in it.ipv6_addresses:
        yield Address(seat.namespace, seat.link, IPv6Interface((ip, V6.bits)))
        yield Route(it.vpc_id, IPv6Network((ip, V6.bits)), link=link)
        yield Neighbour(it.vpc_id, link, ip, it.mac)
        yield element(it.vpc_id, "globals", ip, of=V6)
    yield Neighbour(it.vpc_id, link, V6.next_hop, it.mac)  # as the target of a route
    yield Neighbour(seat.namespace, seat.link, V6.next_hop, GATEWAY_MAC)
    yield from _ways_out(seat, None, it.ipv6_addresses, V6.next_hop)


def frames(it: Interface) -> Iterator[Fact]:
    """Answer its ARP questions, and others' about it.

    A chain of its own, because only recent kernels add a device to a chain that is there.
    """
    vpc, link = it.vpc_id, link_name(it.id)
    for ip in it.private_ips:
        yield Element(vpc, NETDEV, ARP_TABLE, "macs", (ip,), it.mac)
    yield Element(vpc, NETDEV, ARP_TABLE, "askers", (link,), it.address)
    hook = Hook("filter", "ingress", ARP_PRIORITY, accepts=True, device=link)
    yield Chain(vpc, NETDEV, ARP_TABLE, name_of(it.id), (rule(goto("frames")),), hook)


def rights(it: Interface, subnet: Subnet, of: Version = V4) -> Iterator[Element]:
    """Let it send and receive with its own addresses."""
    vpc, link, number = it.vpc_id, link_name(it.id), subnet.number
    own: tuple[Ip, ...] = it.private_ips if of is V4 else it.ipv6_addresses
    for ip in own:
        yield element(vpc, "senders", link, ip, to=number, of=of)
        yield element(vpc, "owners", link, ip, of=of)
        yield element(vpc, "neighbours", number, link, ip, of=of)
        yield element(vpc, "machines", it.mac, ip, of=of)
    for mark in (number, number | VIA):
        yield element(vpc, "same_subnet", mark, link, of=of)
    yield element(vpc, "acl_in", link, to=jump(name_of(subnet.acl_id, "in")), of=of)


def groups_of(it: Interface, of: Version = V4) -> Iterator[Element]:
    """Have its groups judge what it sends and receives."""
    vpc, link = it.vpc_id, link_name(it.id)
    for direction in (EGRESS, INGRESS):
        name = f"{profile_name(it.group_ids)}_{direction.suffix}"
        yield element(vpc, direction.dispatch, link, to=goto(name), of=of)


def forwarding(it: Interface, subnet: Subnet, *, is_next_hop: bool, of: Version = V4) -> Iterator[Fact]:
    """Let it send what is not from it and receive what is not for it, perhaps also as a next hop in its subnet."""
    vpc, link, number, hop = it.vpc_id, link_name(it.id), subnet.number, HOP | it.number
    yield element(vpc, "unchecked", link, to=number | VIA, of=of)
    yield element(vpc, "forwarders", link, of=of)
    yield from _legs(it, link, of)
    if not is_next_hop:
        return
    for via in (0, VIA):
        yield element(vpc, "hops", number | via, it.mac, to=hop | via)
        yield element(vpc, "same_subnet", hop | via, link)
    yield PolicyRule(vpc, HOP_PRIORITY, hop, HOP_MASK, FIRST_TABLE + hop)
    yield Route(vpc, EVERYWHERE, FIRST_TABLE + hop, link=link, via=it.address)


def _legs(it: Interface, link: str, of: Version) -> Iterator[Fact]:
    """Give it flow bits of its own: a flow that it forwards may be tracked by its groups, too, on both legs."""
    coming_in, going_out = leg_bits(it.number)
    request, answer = equal("ct direction", "original"), equal("ct direction", "reply")
    for way, mine, opposite in (("out", going_out, coming_in), ("in", coming_in, going_out)):
        known, track = name_of(it.id, f"leg_{way}"), name_of(it.id, f"track_{way}")
        going = (equal("ct state", "established", "related"), request, bits("ct mark", mine))
        yield chain(it.vpc_id, known, rule(*going, ACCEPT), rule(answer, bits("ct mark", opposite), ACCEPT), of=of)
        yield chain(it.vpc_id, track, rule(request, SetBits("ct mark", mine)), rule(ACCEPT), of=of)
        yield element(it.vpc_id, f"legs_{way}", link, to=jump(known), of=of)
        yield element(it.vpc_id, f"track_{way}", link, to=goto(track), of=of)


def public(it: Interface, private: IPv4Address, outside: IPv4Address) -> Iterator[Fact]:
    """Lead a public address to one of its own."""
    yield element(it.vpc_id, "public_out", private, to=outside)
    yield element(it.vpc_id, "public_in", outside, to=private)
    yield element(it.vpc_id, "publics", private)
    yield Route(INTERNET, IPv4Network((outside, LOCAL)), link=gateway_peer(it.vpc_id), via=FAR_END)
