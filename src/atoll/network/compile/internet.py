"""The simulated internet, its outside hosts, and the gateways through which a VPC meets it.

A gateway is a link between the VPC's router and the internet's namespace.  It translates public to private addresses
one to one, without state: behind the groups and ACLs on the way out, before them on the way in, so that these see
private addresses, and so that a moved address is moved for open connections, too.  IPv6 addresses are global and pass
as they are; an egress-only gateway is a link of its own for them, with the state to know an answer.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, IPv6Network, ip_interface, ip_network

from atoll.model.internet import OutsideHost
from atoll.model.ip import Ip
from atoll.model.names import digest
from atoll.network.compile.marks import (
    DUAL_ROUTER,
    EGRESS_ONLY_LINK,
    FIRST_TABLE,
    FROM_EGRESS_ONLY,
    FROM_INTERNET,
    GATEWAY_LINK,
    GUEST,
    GUEST_LINK,
    INTERNET_MTU,
    NEXT_HOP,
    SUBNET_MASK,
    chain,
    egress_only_peer,
    element,
    far_mac,
    gateway_peer,
    mapping,
    plain_set,
)
from atoll.network.compile.router import LAST
from atoll.network.compile.subnets import RULE_PRIORITY, Way, way_facts
from atoll.network.compile.version import BOTH, V4, V6, Version, versions
from atoll.network.facts import (
    INTERNET,
    Address,
    DualStack,
    Fact,
    Hook,
    Namespace,
    Neighbour,
    PolicyRule,
    Route,
    Veth,
)
from atoll.network.rules import ACCEPT, SetBits, SetFrom, equal, goto, jump, known, other, refuse, rule, unknown

RESOLVER = IPv4Address("192.0.2.53")  # TEST-NET-1: the resolver of outside hosts
RESOLVER6 = IPv6Address("2001:db8:0:53::53")
BEHIND_ALL = 300  # priority of the translation on the way out
BEFORE_ALL = -30  # in the forward hook: behind conntrack, before the boundary


def internet() -> Iterator[Fact]:
    """Yield the facts of the internet's namespace."""
    yield Namespace(INTERNET, DUAL_ROUTER)
    yield DualStack(INTERNET, "lo")
    yield Address(INTERNET, "lo", IPv4Interface(f"{RESOLVER}/32"))
    yield Address(INTERNET, "lo", IPv6Interface((RESOLVER6, V6.bits)))
    for of in BOTH:
        yield Route(INTERNET, of.everywhere, kind="blackhole", metric=LAST)


def outside_namespace(address: Ip) -> str:
    """Return the name of an outside host's namespace."""
    return f"out-{address}"


def outside(it: OutsideHost) -> Iterator[Fact]:
    """Yield the facts of an outside host: a program that runs in its namespace has its address."""
    name, link = outside_namespace(it.address), "o" + digest(it.id, 12)
    near, far = far_mac(link), far_mac(name)
    yield Namespace(name, GUEST, is_guest=True)
    yield Veth(INTERNET, link, near, name, GUEST_LINK, far, INTERNET_MTU)
    of = V4 if it.address.version == V4.number else V6
    if of is V6:
        yield DualStack(INTERNET, link)
        yield DualStack(name, "lo")
        yield DualStack(name, GUEST_LINK)
    yield Route(INTERNET, ip_network(it.address), link=link)
    yield Neighbour(INTERNET, link, it.address, far)
    yield Address(name, GUEST_LINK, ip_interface(it.address))
    yield Neighbour(name, GUEST_LINK, of.next_hop, near)
    yield Route(name, of.everywhere, link=GUEST_LINK, via=of.next_hop)


def gateway(vpc_id: str, ranges6: tuple[IPv6Network, ...], ways: tuple[Way, ...] | None) -> Iterator[Fact]:
    """Yield the facts of a VPC's internet gateway.

    `ranges6` are the IPv6 ranges of the VPC, and `ways` those of the route table associated with it, if one is.
    """
    peer = gateway_peer(vpc_id)
    near, far = far_mac(f"{GATEWAY_LINK} {vpc_id}"), far_mac(peer)
    yield Veth(vpc_id, GATEWAY_LINK, near, INTERNET, peer, far, INTERNET_MTU)
    yield Neighbour(vpc_id, GATEWAY_LINK, NEXT_HOP, far)
    yield Neighbour(INTERNET, peer, NEXT_HOP, near)
    for name in ("public_in", "public_out"):
        yield mapping(vpc_id, name, "ipv4_addr", "ipv4_addr")
    yield plain_set(vpc_id, "publics", "ipv4_addr")
    yield chain(
        vpc_id,
        "from_internet",
        refuse("private source from the internet", equal(V4.source, *V4.private)),
        rule(SetBits("meta mark", FROM_INTERNET)),
        rule(SetFrom("ip daddr", ("ip daddr",), "public_in"), ACCEPT),
        refuse("nobody has this public address"),
    )
    yield chain(
        vpc_id,
        "to_internet",
        rule(jump("acls")),
        refuse("private destination to the internet", equal(V4.destination, *V4.private), side="way"),
        refuse("no public address", unknown("publics", "ip saddr"), side="way"),
        rule(ACCEPT),
    )
    out = rule(equal("oifname", GATEWAY_LINK), SetFrom("ip saddr", ("ip saddr",), "public_out"))
    yield chain(vpc_id, "translate", out, hook=Hook("filter", "postrouting", BEHIND_ALL, accepts=True))
    for of in versions(bool(ranges6)):
        yield from _gates(vpc_id, GATEWAY_LINK, "internet", of)
        if ways is not None:
            table = FIRST_TABLE + FROM_INTERNET
            yield PolicyRule(vpc_id, RULE_PRIORITY, FROM_INTERNET, SUBNET_MASK, table, of.number)
            yield from way_facts(vpc_id, table, (w for w in ways if w.network.version == of.number))
    if ranges6:
        yield from _unnumbered(vpc_id, GATEWAY_LINK, near, peer, far)
        yield from _untranslated(vpc_id, "internet", FROM_INTERNET)
        yield from _led(ranges6, peer)


def egress_only_gateway(vpc_id: str, ranges6: tuple[IPv6Network, ...], is_only: bool) -> Iterator[Fact]:
    """Yield the facts of a VPC's egress-only gateway; `is_only`: the VPC has no other gateway.

    The internet knows one way to an address: with an internet gateway beside it, answers come in through that one.
    """
    link, peer = EGRESS_ONLY_LINK, egress_only_peer(vpc_id)
    near, far = far_mac(f"{link} {vpc_id}"), far_mac(peer)
    yield Veth(vpc_id, link, near, INTERNET, peer, far, INTERNET_MTU)
    yield from _unnumbered(vpc_id, link, near, peer, far)
    yield from _untranslated(vpc_id, "outside", FROM_EGRESS_ONLY)
    yield from _gates(vpc_id, link, "outside", V6)
    yield element(vpc_id, "trackers", link, of=V6)
    yield chain(
        vpc_id,
        "egress_only",
        refuse("no answer to what began inside", equal("iifname", link), other("ct direction", "reply")),
        refuse(
            "an answer to what began outside", equal("oifname", link), other("ct direction", "original"), side="way"
        ),
        hook=Hook("filter", "forward", BEFORE_ALL, accepts=True),
        of=V6,
    )
    if is_only:
        yield from _led(ranges6, peer)


def _gates(vpc_id: str, link: str, name: str, of: Version) -> Iterator[Fact]:
    """Lead what comes and goes by a link to its chains; it has no groups, and what passes it is tracked."""
    yield element(vpc_id, "arrivals", link, to=goto(f"from_{name}"), of=of)
    yield element(vpc_id, "departures", link, to=goto(f"to_{name}"), of=of)
    yield element(vpc_id, "groups_out", link, to=goto("track_sending"), of=of)
    yield element(vpc_id, "groups_in", link, to=goto("track_receiving"), of=of)


def _unnumbered(vpc_id: str, link: str, near: str, peer: str, far: str) -> Iterator[Fact]:
    yield DualStack(vpc_id, link)
    yield DualStack(INTERNET, peer)
    yield Neighbour(vpc_id, link, V6.next_hop, far)
    yield Neighbour(INTERNET, peer, V6.next_hop, near)


def _untranslated(vpc_id: str, name: str, mark: int) -> Iterator[Fact]:
    """Carry global addresses as they are, in and out."""
    yield chain(
        vpc_id,
        f"from_{name}",
        refuse("private source from the internet", equal(V6.source, *V6.private)),
        rule(SetBits("meta mark", mark)),
        rule(known("globals", V6.destination), ACCEPT),
        refuse("nobody has this address"),
        of=V6,
    )
    yield chain(
        vpc_id,
        f"to_{name}",
        rule(jump("acls")),
        refuse("private destination to the internet", equal(V6.destination, *V6.private), side="way"),
        refuse("not an address of the VPC", unknown("globals", V6.source), side="way"),
        rule(ACCEPT),
        of=V6,
    )


def _led(ranges6: tuple[IPv6Network, ...], peer: str) -> Iterator[Route]:
    for cidr in ranges6:
        yield Route(INTERNET, cidr, link=peer, via=V6.next_hop)
