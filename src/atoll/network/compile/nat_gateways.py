"""NAT gateways: a namespace each, which puts its own address in the place of its senders'.

To the router a gateway is an interface in its subnet: what is sent through it crosses that subnet's network ACL and
is routed by that subnet's table, on the way in and on the way out.  It has no groups, and always tracks.

    prerouting  -450  whole      fragments, before the kernel joins them: only those of UDP are carried
    prerouting   -90  asked      answers have their receiver's address by now; what is for the gateway itself is not
                                 an answer: nobody asked
    forward        0  through    from the VPC, of a protocol that it translates; a TCP flow that it has forgotten ends
    postrouting  100  translate  once for each flow, as long as one of its 55,000 ports is free

Source: VPC User Guide, "NAT gateways", "NAT gateway basics" and "NAT gateway considerations".
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from atoll.model.interface import Interface
from atoll.model.names import link_name
from atoll.network.compile.interfaces import Standing, forwarding, frames, public, rights
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
from atoll.network.flow import ICMP, NAT_PORTS, TCP, UDP
from atoll.network.rules import (
    ACCEPT,
    RESET,
    Range,
    Translate,
    bits,
    equal,
    goto,
    other,
    refuse,
    rule,
)

KIND = "nat_gateway"  # the kind of its interfaces
IDLE_SECONDS = 350
FRAGMENT = 0x3FFF  # of the field that says how a packet was cut: its offset, and "more follow"
LOCAL = 32  # prefix length of a host
SETTINGS = (
    ("nf_conntrack_tcp_loose", 0),  # what it has forgotten it does not take up again
    ("nf_conntrack_tcp_be_liberal", 1),  # but a flow that it knows it does not judge by sequence numbers
    ("nf_conntrack_tcp_timeout_established", IDLE_SECONDS),
    ("nf_conntrack_udp_timeout", IDLE_SECONDS),
    ("nf_conntrack_udp_timeout_stream", IDLE_SECONDS),
    ("nf_conntrack_icmp_timeout", IDLE_SECONDS),
    ("nf_conntrack_acct", 1),
)


def nat_gateway(it: Interface, standing: Standing, ranges: tuple[IPv4Network, ...]) -> Iterator[Fact]:
    """Yield the facts of a gateway's interface; `ranges` are those of its VPC."""
    yield from _wire(it, standing.subnet.cidr.network_address + 1)
    yield from frames(it)
    yield from rights(it, standing.subnet)
    yield from forwarding(it, standing.subnet, is_next_hop=False)
    link = link_name(it.id)
    yield element(it.vpc_id, "trackers", link)
    yield element(it.vpc_id, "groups_out", link, to=goto("track_sending"))
    yield element(it.vpc_id, "groups_in", link, to=goto("track_receiving"))
    for private, outside in standing.publics:
        yield from public(it, private, outside)
    yield Table(it.id, IPV4, TABLE)
    yield from refusals(it.id)
    yield from _rules(it, ranges)
    for key, value in SETTINGS:
        yield Sysctl(it.id, f"net.netfilter.{key}", value)


def _wire(it: Interface, router: IPv4Address) -> Iterator[Fact]:
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


def _rules(it: Interface, ranges: tuple[IPv4Network, ...]) -> Iterator[Chain]:
    own = it.private_ips
    yield chain(
        it.id,
        "whole",
        refuse("fragment", equal("meta l4proto", TCP, ICMP), bits("ip frag-off", FRAGMENT, 0, negated=True)),
        hook=Hook("filter", "prerouting", -450, accepts=True),
    )
    yield chain(
        it.id,
        "asked",
        rule(equal("iifname", "lo"), ACCEPT),
        refuse("nobody asked for it", equal("ip daddr", *own)),
        refuse("it was here before", equal("ip saddr", *own)),
        hook=Hook("filter", "prerouting", -90, accepts=True),
    )
    yield chain(
        it.id,
        "through",
        rule(equal("ct state", "established", "related"), ACCEPT),
        rule(equal("meta l4proto", TCP), equal("ct state", "invalid"), RESET, comment="idle for too long"),
        refuse("no flow begins so", equal("ct state", "invalid")),
        refuse("its source is not in the VPC", other("ip saddr", *ranges)),
        rule(equal("meta l4proto", TCP, UDP, ICMP), ACCEPT),
        refuse("neither TCP nor UDP nor ICMP"),
        hook=Hook("filter", "forward", 0),
    )
    ports = Range(NAT_PORTS.start, NAT_PORTS.stop - 1)
    yield chain(
        it.id,
        "translate",
        rule(equal("meta l4proto", TCP, UDP), other("ip saddr", *own), Translate(own, ports)),
        rule(equal("meta l4proto", ICMP), other("ip saddr", *own), Translate(own)),
        hook=Hook("nat", "postrouting", 100, accepts=True),
    )
