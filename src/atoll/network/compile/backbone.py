"""AWS's backbone, as far as replication between regions goes: a namespace of its own between two cache nodes.

    node --- wan --- [ backbone ] --- wan --- node

Each node knows the other by an address that no VPC has, and the namespace translates both ways, so that the VPCs may
have the same ranges.  Nothing else gets through, no VPC's rules are asked, and nobody's machine has a link to it.

    prerouting  -150  from_where  what comes from one node goes to the other, whatever its addresses
    prerouting  -100  arrive      the other node's own address
    forward        0  through     connections to the engine, and their answers
    postrouting  100  leave       the sender's address on the backbone
"""

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network

from atoll.model.global_group import End, Link
from atoll.model.names import digest
from atoll.network.compile.fragment import Part, Wanted, part
from atoll.network.compile.marks import (
    EVERYWHERE,
    FIRST_TABLE,
    INTERNET_MTU,
    NEXT_HOP,
    ROUTER,
    TABLE,
    chain,
    far_mac,
)
from atoll.network.compile.refusals import refusals
from atoll.network.facts import IPV4, Address, Chain, Fact, Hook, Namespace, Neighbour, PolicyRule, Route, Table, Veth
from atoll.network.rules import ACCEPT, Forward, SetBits, Translate, equal, refuse, rule

KIND = "backbone"
PRIORITY, MASK = 50, 0xFF
LOCAL = 32  # prefix length of a host
LINKS = ("one", "other")  # in the namespace


def backbone_part(links: tuple[Link, ...], old: Part | None) -> Part:
    """Return the part of all links of the backbone."""

    def wanted() -> Wanted:
        for link in links:
            yield name_of(link), (link,), lambda link=link: backbone(link)  # type: ignore[misc]

    return part("", KIND, old, links, wanted)


def name_of(link: Link) -> str:
    """Return the name of a link's namespace."""
    return "bb-" + digest(f"{link.one.interface_id} {link.other.interface_id}", 16)


def backbone(it: Link) -> Iterator[Fact]:
    """Yield the facts of a link between two nodes."""
    name = name_of(it)
    yield Namespace(name, ROUTER)
    yield Table(name, IPV4, TABLE)
    yield from refusals(name)
    for number, (near, far) in enumerate(((it.one, it.other), (it.other, it.one))):
        yield from _end(name, number, near, far)
    yield from _rules(name, it)


def _end(name: str, number: int, near: End, far: End) -> Iterator[Fact]:
    """Plug in one node: it reaches the other's name by this link, and what it sends goes there."""
    link, away = LINKS[number], LINKS[1 - number]
    wan, ours, theirs = "w" + digest(name, 12), far_mac(f"{name} {link}"), far_mac(f"{name} {link} node")
    yield Veth(name, link, ours, near.interface_id, wan, theirs, INTERNET_MTU)
    yield Address(near.interface_id, wan, IPv4Interface((near.known_as, LOCAL)))
    yield Neighbour(near.interface_id, wan, far.known_as, ours)
    yield Route(near.interface_id, IPv4Network((far.known_as, LOCAL)), link=wan)
    yield Neighbour(name, link, NEXT_HOP, theirs)
    yield PolicyRule(name, PRIORITY, number + 1, MASK, FIRST_TABLE + number)
    yield Route(name, EVERYWHERE, FIRST_TABLE + number, link=away, via=NEXT_HOP)


def _rules(name: str, it: Link) -> Iterator[Chain]:
    ways = ((LINKS[0], LINKS[1], it.one, it.other), (LINKS[1], LINKS[0], it.other, it.one))
    yield chain(
        name,
        "from_where",
        *(rule(equal("iifname", link), SetBits("meta mark", n)) for n, link in enumerate(LINKS, 1)),
        hook=Hook("filter", "prerouting", -150, accepts=True),
    )
    yield chain(
        name,
        "arrive",
        *(
            rule(
                equal("iifname", link),
                equal("ip daddr", far.known_as),
                equal("tcp dport", far.port),
                Forward(((far.address, None),)),
            )
            for link, _, _, far in ways
        ),
        hook=Hook("nat", "prerouting", -100, accepts=True),
    )
    begins = (
        rule(
            equal("iifname", link),
            equal("oifname", away),
            equal("ip daddr", far.address),
            equal("tcp dport", far.port),
            ACCEPT,
        )
        for link, away, _, far in ways
    )
    yield chain(
        name,
        "through",
        rule(equal("ct state", "established", "related"), ACCEPT),
        *begins,
        refuse("only replication passes"),
        hook=Hook("filter", "forward", 0),
    )
    yield chain(
        name,
        "leave",
        *(rule(equal("oifname", away), Translate((near.known_as,))) for _, away, near, _ in ways),
        hook=Hook("nat", "postrouting", 100, accepts=True),
    )
