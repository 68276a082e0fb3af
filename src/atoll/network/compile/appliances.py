"""Appliances: interfaces behind which AWS's own machinery forwards packets, in a namespace that is not a guest's.

What NAT gateways, load balancers and endpoints have in common: the link to the router, and the connection tracking.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from atoll.model.interface import Interface
from atoll.model.names import link_name
from atoll.network.compile.groups import members
from atoll.network.compile.interfaces import Standing, frames, groups_of, public, rights
from atoll.network.compile.marks import (
    EVERYWHERE,
    GATEWAY_MAC,
    GUEST_LINK,
    INSIDE_MTU,
    ROUTER,
    TABLE,
    chain,
    element,
    far_mac,
)
from atoll.network.compile.refusals import refusals
from atoll.network.facts import IPV4, Address, Chain, Fact, Hook, Namespace, Neighbour, Route, Sysctl, Table, Veth
from atoll.network.flow import TCP
from atoll.network.rules import ACCEPT, RESET, Rule, equal, goto, refuse, rule

LOCAL = 32  # prefix length of a host
IDLE_SECONDS = 350
SETTINGS: Mapping[str, int] = {
    "nf_conntrack_tcp_loose": 0,  # what it has forgotten it does not take up again
    "nf_conntrack_tcp_be_liberal": 1,  # but a flow that it knows it does not judge by sequence numbers
    "nf_conntrack_tcp_timeout_established": IDLE_SECONDS,
    "nf_conntrack_udp_timeout": IDLE_SECONDS,
    "nf_conntrack_udp_timeout_stream": IDLE_SECONDS,
    "nf_conntrack_icmp_timeout": IDLE_SECONDS,
    "nf_conntrack_acct": 1,
}


def appliance(it: Interface, standing: Standing, settings: Mapping[str, int] = SETTINGS) -> Iterator[Fact]:
    """Yield what every appliance has: it is placed, reached and tracked, by its groups if it has any."""
    yield from wire(it, standing.subnet.cidr.network_address + 1)
    yield from frames(it)
    yield from rights(it, standing.subnet)
    link = link_name(it.id)
    yield element(it.vpc_id, "trackers", link)
    if it.group_ids:
        yield from groups_of(it)
    else:
        yield element(it.vpc_id, "groups_out", link, to=goto("track_sending"))
        yield element(it.vpc_id, "groups_in", link, to=goto("track_receiving"))
    for group_id in it.group_ids:
        for ip in it.private_ips:
            yield element(it.vpc_id, members(group_id), ip)
    for private, outside in standing.publics:
        yield from public(it, private, outside)
    yield Table(it.id, IPV4, TABLE)
    yield from refusals(it.id)
    for key, value in settings.items():
        yield Sysctl(it.id, f"net.netfilter.{key}", value)


def wire(it: Interface, router: IPv4Address) -> Iterator[Fact]:
    """Link it to the router, through which it sends everything: it asks nobody by ARP."""
    link = link_name(it.id)
    yield Namespace(it.id, ROUTER)
    yield Veth(it.vpc_id, link, far_mac(link), it.id, GUEST_LINK, it.mac, INSIDE_MTU)
    for ip in it.private_ips:
        yield Address(it.id, GUEST_LINK, IPv4Interface((ip, LOCAL)))
        yield Route(it.vpc_id, IPv4Network((ip, LOCAL)), link=link)
        yield Neighbour(it.vpc_id, link, ip, it.mac)
    yield Neighbour(it.id, GUEST_LINK, router, GATEWAY_MAC)
    yield Route(it.id, EVERYWHERE, link=GUEST_LINK, via=router)


def one_way(id: str, may_begin: Rule, *before: Rule) -> Chain:
    """Return the chain of an appliance that carries flows in one direction only: what may begin one, and answers."""
    return chain(
        id,
        "through",
        *before,
        rule(equal("ct state", "established", "related"), ACCEPT),
        rule(equal("meta l4proto", TCP), equal("ct state", "invalid"), RESET, comment="idle for too long"),
        refuse("no flow begins so", equal("ct state", "invalid")),
        may_begin,
        refuse("a provider opens nothing"),
        hook=Hook("filter", "forward", 0),
    )
