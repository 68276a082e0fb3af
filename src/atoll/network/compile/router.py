"""A VPC's router: its namespace, the addresses of its services, and the base chains, which are the order of things.

    prerouting -310  source     who sent it?  source check; the mark names the subnet and selects the route table
    forward     -20  boundary   destination check, gateways' refusals, network ACLs: every packet, no conntrack
    forward       0  sending    groups of the interface that sends it      } a tracked flow passes; behind the ACLs,
    forward      10  receiving  groups of the interface that receives it   } so that these stay stateless
    input         0  services   DNS, metadata, time: neither groups nor ACLs apply to them

Each base chain is a decision of its own and drops what no rule accepts.  Nothing in this file depends on what the
VPC contains: that is in the elements of the maps and sets, which the other files fill.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, IPv6Network

from atoll.model.vpc import Vpc
from atoll.network.compile.marks import (
    ARP_TABLE,
    BY_RECEIVER,
    BY_SENDER,
    DUAL_ROUTER,
    GATEWAY_MAC,
    HOP,
    ROUTER,
    TABLE,
    TO_VIA,
    VIA,
    chain,
    element,
    mapping,
    plain_set,
)
from atoll.network.compile.refusals import refusals
from atoll.network.compile.version import V4, V6, Version, versions
from atoll.network.facts import (
    NETDEV,
    Address,
    Chain,
    Container,
    DualStack,
    Element,
    Fact,
    Hook,
    Namespace,
    Route,
    Sysctl,
    Table,
)
from atoll.network.rules import (
    ACCEPT,
    DROP,
    RETURN,
    Dispatch,
    Exceeds,
    Rule,
    SetBits,
    SetFrom,
    bits,
    equal,
    goto,
    jump,
    known,
    other,
    refuse,
    rule,
    texts,
    unknown,
)

METADATA, RESOLVER, CLOCK = map(IPv4Address, ("169.254.169.254", "169.254.169.253", "169.254.169.123"))
METADATA6, RESOLVER6, CLOCK6 = map(IPv6Address, ("fd00:ec2::254", "fd00:ec2::253", "fd00:ec2::123"))
UDP_STREAM_SECONDS = 180  # VPC User Guide, "Idle connection tracking timeout"
TO_THE_LINK = IPv6Network("ff02::/16")  # what machines say to their link: it goes no further, and is no refusal
# "1024 packets per second per network interface" to all of them (VPC User Guide, "DNS quotas").  How much may come
# at once is not documented: a second's worth.
SERVICES_A_SECOND = SERVICES_BURST = 1024
PACED_MAX, PACED_SECONDS = 8192, 60  # interfaces whose pace is known, each until it was silent for so long
LAST = 1 << 30  # the metric of the last route

ADDRESS = "an address of the version"  # a field whose type depends on it

# name -> (value or None, key fields)
CONTAINERS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "senders": ("mark", ("ifname", ADDRESS)),  # the addresses that an interface owns -> its subnet
    "owners": (None, ("ifname", ADDRESS)),  # the same, as a set
    "unchecked": ("mark", ("ifname",)),  # interfaces without source/destination check -> subnet and VIA
    "forwarders": (None, ("ifname",)),  # the same, as a set
    "arrivals": ("verdict", ("ifname",)),  # edges, incoming
    "departures": ("verdict", ("ifname",)),  # edges, outgoing
    "own_services": (None, (ADDRESS,)),  # the router's addresses in the VPC: not for peers
    "neighbours": (None, ("mark", "ifname", ADDRESS)),  # subnet, and the interfaces in it with their addresses
    "same_subnet": (None, ("mark", "ifname")),
    "machines": (None, ("ether_addr", ADDRESS)),
    "hops": ("mark", ("mark", "ether_addr")),  # interfaces that may be a next hop in their subnet
    "acl_out": ("verdict", ("mark",)),
    "acl_in": ("verdict", ("ifname",)),
    "groups_out": ("verdict", ("ifname",)),
    "groups_in": ("verdict", ("ifname",)),
    "trackers": (None, ("ifname",)),  # appliances: what passes through them is tracked, whatever the groups say
    "companions": (None, ("ifname", "ifname")),  # links whose owners need no group's leave: nodes of one cache
    "legs_out": ("verdict", ("ifname",)),  # forwarders: what passes because they tracked it
    "legs_in": ("verdict", ("ifname",)),
    "track_out": ("verdict", ("ifname",)),  # forwarders: how they track
    "track_in": ("verdict", ("ifname",)),
}


def router(vpc: Vpc) -> Iterator[Fact]:
    """Yield the facts of a VPC's router that depend on nothing but the VPC."""
    id = vpc.id
    yield Namespace(id, DUAL_ROUTER if vpc.cidrs6 else ROUTER)
    resolvers = (RESOLVER, vpc.cidr.network_address + 2) if vpc.dns_support else ()
    for address in (METADATA, CLOCK, *resolvers):
        yield Address(id, "lo", IPv4Interface(f"{address}/32"))
    for of in versions(bool(vpc.cidrs6)):
        yield from _rules(id, of)
    if vpc.dns_support:
        yield element(id, "own_services", vpc.cidr.network_address + 2)
    if vpc.cidrs6:
        yield from _ipv6(vpc)
    yield from _arp(vpc)
    yield Sysctl(id, "net.netfilter.nf_conntrack_udp_timeout_stream", UDP_STREAM_SECONDS)
    yield Sysctl(id, "net.netfilter.nf_conntrack_tcp_be_liberal", 1)  # replies may take another way
    yield Sysctl(id, "net.netfilter.nf_conntrack_acct", 1)


def _rules(id: str, of: Version) -> Iterator[Fact]:
    yield Route(id, of.everywhere, kind="blackhole", metric=LAST)  # an unknown address dies in silence
    yield Table(id, of.family, TABLE)
    yield from refusals(id, of.family)
    for name, (value, fields) in CONTAINERS.items():
        key = (of.address if field == ADDRESS else field for field in fields)
        yield mapping(id, name, value, *key, of=of) if value else plain_set(id, name, *key, of=of)
    yield from _source(id, of)
    yield from _boundary(id, of)
    yield _errors(id, of)
    yield from _groups(id, of)
    yield from _services(id, of)


def _ipv6(vpc: Vpc) -> Iterator[Fact]:
    yield DualStack(vpc.id, "lo")
    for address in (METADATA6, CLOCK6, *((RESOLVER6,) if vpc.dns_support else ())):
        yield Address(vpc.id, "lo", IPv6Interface((address, V6.bits)))
    yield plain_set(vpc.id, "globals", V6.address, of=V6)  # addresses that a gateway carries


def _source(id: str, of: Version) -> Iterator[Chain]:
    yield chain(
        id,
        "source",
        rule(SetFrom("meta mark", ("iifname", of.source), "senders")),
        rule(other("meta mark", 0), equal("ether daddr", GATEWAY_MAC), ACCEPT),
        rule(goto("other_source")),
        hook=Hook("filter", "prerouting", -310),
        of=of,
    )
    yield chain(
        id,
        "other_source",
        rule(equal("iifname", "lo"), ACCEPT),
        *([rule(equal(of.destination, TO_THE_LINK), DROP)] if of is V6 else []),
        rule(Dispatch(("iifname",), "arrivals")),
        rule(equal("meta mark", 0), SetFrom("meta mark", ("iifname",), "unchecked")),
        refuse("source check", equal("meta mark", 0)),
        rule(SetFrom("meta mark", ("meta mark", "ether daddr"), "hops")),
        refuse(
            "frame for another interface",
            bits("meta mark", HOP, 0),
            other("ether daddr", GATEWAY_MAC),
            unknown("machines", "ether daddr", of.destination),
        ),
        rule(ACCEPT),
        of=of,
    )


def _boundary(id: str, of: Version) -> Iterator[Chain]:
    yield chain(
        id,
        "acls",
        rule(known("same_subnet", "meta mark", "oifname"), RETURN),
        rule(Dispatch(("meta mark",), "acl_out")),
        rule(Dispatch(("oifname",), "acl_in")),
        of=of,
    )
    yield chain(id, "to_owner", rule(jump("acls")), rule(ACCEPT), of=of)
    yield chain(id, "to_forwarder", rule(jump("acls")), rule(SetBits("meta mark", TO_VIA)), rule(ACCEPT), of=of)
    yield chain(
        id,
        "to_other",
        rule(Dispatch(("oifname",), "departures")),
        rule(known("forwarders", "oifname"), goto("to_forwarder")),
        refuse("destination check", side="way"),
        of=of,
    )
    yield chain(
        id,
        "boundary",
        rule(known("neighbours", "meta mark", "oifname", of.destination), ACCEPT),
        rule(known("owners", "oifname", of.destination), goto("to_owner")),
        rule(goto("to_other")),
        hook=Hook("filter", "forward", -20),
        of=of,
    )


def _groups(id: str, of: Version) -> Iterator[Chain]:
    """Judge by groups, once for the interface that sends and once for the one that receives.

    The two chains are mirror images.  A leg is the part of a flow's way that begins or ends at a machine which only
    forwards it: such a machine brings chains of its own, with its own bits in the flow's mark.
    """
    going, open_flow = equal("ct state", "established", "related"), bits("ct mark", BY_SENDER | BY_RECEIVER)
    error, ends = equal("ct state", "related"), bits("meta mark", VIA | TO_VIA, 0)
    request, answer = equal("ct direction", "original"), equal("ct direction", "reply")
    sides = (
        ("sending", 0, "iifname", "out", VIA, BY_SENDER, BY_RECEIVER),
        ("receiving", 10, "oifname", "in", TO_VIA, BY_RECEIVER, BY_SENDER),
    )
    for name, priority, link, way, leg, mine, others in sides:
        groups = rule(Dispatch((link,), f"groups_{way}"))
        yield chain(
            id,
            f"track_{name}",
            rule(bits("meta mark", leg), Dispatch((link,), f"track_{way}")),
            rule(request, SetBits("ct mark", mine)),
            rule(ACCEPT),
            of=of,
        )
        by_forwarder = rule(Dispatch((link,), f"legs_{way}"))
        yield chain(id, f"{name}_leg", by_forwarder, groups, refuse("no groups", side=way), of=of)
        first: tuple[Rule, ...] = (rule(ends, going, open_flow, ACCEPT),)
        if name == "sending":
            told = (rule(error, jump("errors")), rule(ends, error, open_flow, ACCEPT))
            first = (rule(ends, equal("ct state", "established"), open_flow, ACCEPT), *told)
        yield chain(
            id,
            name,
            *first,
            rule(bits("meta mark", leg), goto(f"{name}_leg")),
            rule(going, request, bits("ct mark", mine), ACCEPT),
            rule(answer, bits("ct mark", others), ACCEPT),
            rule(known("companions", "iifname", "oifname"), ACCEPT),
            groups,
            hook=Hook("filter", "forward", priority),
            of=of,
        )


def _errors(id: str, of: Version) -> Chain:
    """An ICMP error passes with the flow that it quotes: from its ends, and from who forwards."""
    return chain(
        id,
        "errors",
        rule(unknown("owners", "iifname", of.source), RETURN),  # from an edge, or forwarded
        rule(known("forwarders", "iifname"), RETURN),
        rule(known("owners", "iifname", f"ct original {of.source}"), RETURN),
        rule(known("owners", "iifname", f"ct original {of.destination}"), RETURN),
        refuse("an error about others' flow", side="way"),
        of=of,
    )


def _services(id: str, of: Version) -> Iterator[Fact]:
    """Let in what the services answer, at a pace that each interface has for all of them together."""
    size, seconds = PACED_MAX, PACED_SECONDS
    yield Container(
        id, of.family, TABLE, "paces", ("ifname",), entries_max=size, forget_seconds=seconds, counts=False
    )
    too_fast = Exceeds(("iifname",), "paces", SERVICES_A_SECOND, SERVICES_BURST)
    because = f"more than {SERVICES_A_SECOND} packets a second to the VPC's services"
    yield chain(id, "paced", refuse(because, too_fast), rule(ACCEPT), of=of)
    paced = goto("paced")
    yield chain(
        id,
        "services",
        rule(equal("iifname", "lo"), ACCEPT),
        rule(equal("udp dport", 53, 123), paced),
        rule(equal("tcp dport", 53), paced),
        rule(equal(of.destination, METADATA if of is V4 else METADATA6), equal("tcp dport", 80), paced),
        rule(equal("ct state", "established"), paced),
        hook=Hook("filter", "input", 0),
        of=of,
    )


def _arp(vpc: Vpc) -> Iterator[Fact]:
    """Answer ARP with the MAC addresses of the VPC's interfaces; nobody answers for an address that nobody has.

    `proxy_arp` would wait up to 0.8 s, answer for every address, and know one MAC only.  A map without the address
    ends the rule, and the next one drops the question.
    """
    id = vpc.id
    yield Table(id, NETDEV, ARP_TABLE)
    yield Container(id, NETDEV, ARP_TABLE, "macs", ("ipv4_addr",), "ether_addr")
    yield Container(id, NETDEV, ARP_TABLE, "askers", ("ifname",), "ipv4_addr")
    if vpc.dns_support:
        yield Element(id, NETDEV, ARP_TABLE, "macs", (vpc.cidr.network_address + 2,), GATEWAY_MAC)
    answer = texts(
        "ether daddr set ether saddr",
        "ether saddr set arp saddr ether",
        "arp saddr ip set arp daddr ip",
        "arp daddr ip set iifname map @askers",
        "arp operation set reply",
        "fwd to iif",
    )
    ask = texts(
        "arp operation != request drop",
        "arp daddr ether set arp saddr ether",
        "arp saddr ether set arp daddr ip map @macs goto answer",
        "drop",
    )
    # Linux takes off the tag of VLAN 0 itself, behind this: what hides behind one would be answered by its own ARP.
    frames = texts(
        "ether type arp goto ask",
        "ether type 8021q drop",
        "ether type 8021ad drop",
        "meta pkttype other meta pkttype set unicast",
    )
    for name, rules in (("answer", answer), ("ask", ask), ("frames", frames)):
        yield Chain(id, NETDEV, ARP_TABLE, name, tuple(rules))
