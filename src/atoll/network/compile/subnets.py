"""Subnets: the gateway's address, the mark that selects the route table, the routes, and the network ACL."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.ip import Ip, Net, lies_in
from atoll.model.subnet import Subnet
from atoll.network.compile.marks import (
    ARP_TABLE,
    EVERYWHERE,
    FIRST_TABLE,
    GATEWAY_MAC,
    SUBNET_MASK,
    VIA,
    chain,
    element,
)
from atoll.network.compile.matching import layer_four
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


def subnet(it: Subnet) -> Iterator[Fact]:
    """Yield the facts of a subnet that depend on nothing else."""
    vpc, gateway = it.vpc_id, it.cidr.network_address + 1
    yield Address(vpc, "lo", IPv4Interface(f"{gateway}/32"))
    yield Element(vpc, NETDEV, ARP_TABLE, "macs", (gateway,), GATEWAY_MAC)
    yield element(vpc, "own_services", gateway)
    yield PolicyRule(vpc, RULE_PRIORITY, it.number, SUBNET_MASK, FIRST_TABLE + it.number)
    outgoing = jump(name_of(it.acl_id, "out"))
    yield element(vpc, "acl_out", it.number, to=outgoing)
    yield element(vpc, "acl_out", it.number | VIA, to=outgoing)


def routes(it: Subnet, ways: tuple[Way, ...]) -> Iterator[Fact]:
    """Yield a subnet's kernel table.

    The subnet itself comes first: traffic inside it never asks the route table, whatever a route says.
    """
    table = FIRST_TABLE + it.number
    yield Route(it.vpc_id, it.cidr, table, "throw")
    yield from way_facts(it.vpc_id, table, (w for w in ways if not lies_in(w.network, it.cidr)))
    if all(w.network != EVERYWHERE for w in ways):
        yield Route(it.vpc_id, EVERYWHERE, table, "blackhole")


def way_facts(vpc_id: str, table: int, ways: Iterator[Way]) -> Iterator[Route]:
    """Yield the kernel's routes for resolved ones."""
    for way in ways:
        yield Route(vpc_id, way.network, table, way.kind, way.link, way.via)


def acl(it: NetworkAcl) -> Iterator[Chain]:
    """Yield a network ACL's two chains: its numbered rules in order, the first that matches decides."""
    entries = sorted(it.entries, key=lambda e: e.number)
    for egress, direction, address in ((True, "out", "ip daddr"), (False, "in", "ip saddr")):
        rules = [_entry(it, e, address) for e in entries if e.egress is egress]
        yield chain(it.vpc_id, name_of(it.id, direction), *rules, refuse(f"rule * of {it.id}", side=direction))


def _entry(it: NetworkAcl, entry: AclEntry, address: str) -> Rule:
    matches = layer_four(entry.protocol, entry.from_port, entry.to_port)
    if entry.cidr != EVERYWHERE:
        matches = (*matches, equal(address, entry.cidr))
    comment = f"rule {entry.number} of {it.id}"
    if entry.allow:
        return rule(*matches, RETURN, comment=comment)
    return refuse(comment, *matches, side="out" if entry.egress else "in")
