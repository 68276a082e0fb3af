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
from ipaddress import IPv4Network

from atoll.model.interface import Interface
from atoll.network.compile.appliances import appliance
from atoll.network.compile.interfaces import Standing, forwarding
from atoll.network.compile.marks import chain
from atoll.network.compile.usage import IDLE, usage
from atoll.network.facts import Chain, Fact, Hook
from atoll.network.flow import ICMP, NAT_PORTS, TCP, UDP
from atoll.network.rules import (
    ACCEPT,
    RESET,
    Range,
    Tally,
    Translate,
    bits,
    equal,
    other,
    refuse,
    rule,
)

KIND = "nat_gateway"  # the kind of its interfaces
FRAGMENT = 0x3FFF  # of the field that says how a packet was cut: its offset, and "more follow"


def nat_gateway(it: Interface, standing: Standing, ranges: tuple[IPv4Network, ...]) -> Iterator[Fact]:
    """Yield the facts of a gateway's interface; `ranges` are those of its VPC."""
    yield from appliance(it, standing)
    yield from forwarding(it, standing.subnet, is_next_hop=False)
    yield from usage(it.id)
    yield from _rules(it, ranges)


def _rules(it: Interface, ranges: tuple[IPv4Network, ...]) -> Iterator[Chain]:
    own, unknown = it.private_ips, (equal("meta l4proto", TCP), equal("ct state", "invalid"))
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
        rule(*unknown, Tally(("meta l4proto",), IDLE)),
        rule(*unknown, RESET, comment="idle for too long"),
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
