"""Subnets: the gateway's address, the mark that selects the route table, the routes, and the network ACL."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.ip import Ip, Net, lies_in
from atoll.model.subnet import Subnet
from atoll.network.compile.marks import (
    ARP_TABLE,
    FIRST_TABLE,
    GATEWAY_MAC,
    SUBNET_MASK,
    VIA,
    chain,
    element,
)
from atoll.network.compile.matching import layer_four
from atoll.network.compile.version import V4, V6, versions
from atoll.network.facts import NETDEV, Address, Chain, Element, Fact, PolicyRule, Route
from atoll.network.rules import RETURN, Rule, equal, jump, refuse, rule
from atoll.network.rules import chain_name as name_of

RULE_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Way:
    """A route of a route table, resolved to what the kernel can do with it."""

    network: Net
    kind: str  # as of facts.Route: "throw" leads into the VPC
    link: str | None = None
    via: Ip | None = None


def subnet(it: Subnet, has_ipv6: bool) -> Iterator[Fact]:
    """Yield the facts of a subnet that depend on nothing else."""
    vpc, gateway = it.vpc_id, it.cidr.network_address + 1
    yield Address(vpc, "lo", IPv4Interface(f"{gateway}/32"))
    yield Element(vpc, NETDEV, ARP_TABLE, "macs", (gateway,), GATEWAY_MAC)
    yield element(vpc, "own_services", gateway)
    outgoing = jump(name_of(it.acl_id, "out"))
    for of in versions(has_ipv6):
        yield PolicyRule(vpc, RULE_PRIORITY, it.number, SUBNET_MASK, FIRST_TABLE + it.number, of.number)
        yield element(vpc, "acl_out", it.number, to=outgoing, of=of)
        yield element(vpc, "acl_out", it.number | VIA, to=outgoing, of=of)


def routes(it: Subnet, ways: tuple[Way, ...], has_ipv6: bool) -> Iterator[Fact]:
    """Yield a subnet's kernel table.

    The subnet itself comes first: traffic inside it never asks the route table, whatever a route says.
    """
    table = FIRST_TABLE + it.number
    for own, of in ((it.cidr, V4), *(((it.cidr6, V6),) if has_ipv6 else ())):
        if own is not None:
            yield Route(it.vpc_id, own, table, "throw")
        mine = [w for w in ways if w.network.version == of.number]
        yield from way_facts(it.vpc_id, table, (w for w in mine if own is None or not lies_in(w.network, own)))
        if all(w.network != of.everywhere for w in mine):
            yield Route(it.vpc_id, of.everywhere, table, "blackhole")


def way_facts(vpc_id: str, table: int, ways: Iterator[Way]) -> Iterator[Route]:
    """Yield the kernel's routes for resolved ones."""
    for way in ways:
        yield Route(vpc_id, way.network, table, way.kind, way.link, way.via)


def acl(it: NetworkAcl, has_ipv6: bool) -> Iterator[Chain]:
    """Yield a network ACL's two chains: its numbered rules in order, the first that matches decides."""
    for of in versions(has_ipv6):
        entries = sorted((e for e in it.entries if e.cidr.version == of.number), key=lambda e: e.number)
        for egress, direction, address in ((True, "out", of.destination), (False, "in", of.source)):
            rules = [_entry(it, e, address) for e in entries if e.egress is egress]
            rules.append(refuse(f"rule * of {it.id}", side=direction))
            yield chain(it.vpc_id, name_of(it.id, direction), *rules, of=of)


def _entry(it: NetworkAcl, entry: AclEntry, address: str) -> Rule:
    matches = layer_four(entry.protocol, entry.from_port, entry.to_port)
    if entry.cidr.prefixlen:
        matches = (*matches, equal(address, entry.cidr))
    comment = f"rule {entry.number} of {it.id}"
    if entry.allow:
        return rule(*matches, RETURN, comment=comment)
    return refuse(comment, *matches, side="out" if entry.egress else "in")
