"""The simulated internet, its outside hosts, and the gateways through which a VPC meets it.

A gateway is a link between the VPC's router and the internet's namespace.  It translates public to private addresses
one to one, without state: behind the groups and ACLs on the way out, before them on the way in, so that these see
private addresses, and so that a moved address is moved for open connections, too.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from atoll.model.internet import OutsideHost
from atoll.model.ip import Ip
from atoll.model.names import digest
from atoll.network.compile.marks import (
    EVERYWHERE,
    FIRST_TABLE,
    FROM_INTERNET,
    GATEWAY_LINK,
    GUEST,
    GUEST_LINK,
    INTERNET_MTU,
    NEXT_HOP,
    PRIVATE,
    ROUTER,
    SUBNET_MASK,
    chain,
    element,
    far_mac,
    gateway_peer,
    mapping,
    plain_set,
)
from atoll.network.compile.router import LAST
from atoll.network.compile.subnets import RULE_PRIORITY, Way, way_facts
from atoll.network.facts import INTERNET, Address, Fact, Hook, Namespace, Neighbour, PolicyRule, Route, Veth
from atoll.network.rules import ACCEPT, SetBits, SetFrom, equal, goto, jump, refuse, rule, unknown

RESOLVER = IPv4Address("192.0.2.53")  # TEST-NET-1: the resolver of outside hosts
BEHIND_ALL = 300  # priority of the translation on the way out


def internet() -> Iterator[Fact]:
    """Yield the facts of the internet's namespace."""
    yield Namespace(INTERNET, ROUTER)
    yield Address(INTERNET, "lo", IPv4Interface(f"{RESOLVER}/32"))
    yield Route(INTERNET, EVERYWHERE, kind="blackhole", metric=LAST)


def outside_namespace(address: Ip) -> str:
    """Return the name of an outside host's namespace."""
    return f"out-{address}"


def outside(it: OutsideHost) -> Iterator[Fact]:
    """Yield the facts of an outside host: a program that runs in its namespace has its address."""
    name, link = outside_namespace(it.address), "o" + digest(it.id, 12)
    near, far = far_mac(link), far_mac(name)
    yield Namespace(name, GUEST, is_guest=True)
    yield Veth(INTERNET, link, near, name, GUEST_LINK, far, INTERNET_MTU)
    yield Route(INTERNET, IPv4Network((it.address, 32)), link=link)
    yield Neighbour(INTERNET, link, it.address, far)
    yield Address(name, GUEST_LINK, IPv4Interface((it.address, 32)))
    yield Neighbour(name, GUEST_LINK, NEXT_HOP, near)
    yield Route(name, EVERYWHERE, link=GUEST_LINK, via=NEXT_HOP)


def gateway(vpc_id: str, ways: tuple[Way, ...] | None) -> Iterator[Fact]:
    """Yield the facts of a VPC's internet gateway; `ways` are of the route table associated with it, if one is."""
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
        refuse("private source from the internet", equal("ip saddr", *PRIVATE)),
        rule(SetBits("meta mark", FROM_INTERNET)),
        rule(SetFrom("ip daddr", ("ip daddr",), "public_in"), ACCEPT),
        refuse("nobody has this public address"),
    )
    yield chain(
        vpc_id,
        "to_internet",
        rule(jump("acls")),
        refuse("private destination to the internet", equal("ip daddr", *PRIVATE), side="way"),
        refuse("no public address", unknown("publics", "ip saddr"), side="way"),
        rule(ACCEPT),
    )
    out = rule(equal("oifname", GATEWAY_LINK), SetFrom("ip saddr", ("ip saddr",), "public_out"))
    yield chain(vpc_id, "translate", out, hook=Hook("filter", "postrouting", BEHIND_ALL, accepts=True))
    yield element(vpc_id, "arrivals", GATEWAY_LINK, to=goto("from_internet"))
    yield element(vpc_id, "departures", GATEWAY_LINK, to=goto("to_internet"))
    yield element(vpc_id, "groups_out", GATEWAY_LINK, to=goto("track_sending"))
    yield element(vpc_id, "groups_in", GATEWAY_LINK, to=goto("track_receiving"))
    if ways is not None:
        table = FIRST_TABLE + FROM_INTERNET
        yield PolicyRule(vpc_id, RULE_PRIORITY, FROM_INTERNET, SUBNET_MASK, table)
        yield from way_facts(vpc_id, table, iter(ways))
