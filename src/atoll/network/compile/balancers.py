"""Network Load Balancers: a namespace for each node, which gives flows a target, and its own address as the source.

    prerouting -100  listeners  a new flow to a port that somebody listens on gets one of the targets
    prerouting  -90  asked      what is still for the node itself is an answer (to a health check), or nobody's
    forward       0  through    flows that it began to carry; those of an unhealthy target end
    postrouting 100  translate  targets see the node's own address

To the router a node is an interface in its subnet like any other: it sends only from its own address, and its
subnet's ACL, its route table and its groups (if it has any) judge both legs.  Wires of PrivateLink come in beside.

Source: User Guide for Network Load Balancers, "Network Load Balancers", "Target groups".
"""

from collections.abc import Iterator, Mapping
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple, TypeAlias, cast

from atoll.model.balancer import ALL_ZONES, Listener, LoadBalancer, TargetGroup
from atoll.model.interface import Interface
from atoll.model.resource import Resource
from atoll.network.compile.appliances import LOCAL, SETTINGS, appliance, one_way
from atoll.network.compile.fragment import Wanted
from atoll.network.compile.interfaces import Standing
from atoll.network.compile.marks import GUEST_LINK, INSIDE_MTU, chain, far_mac
from atoll.network.compile.wires import DOOR, Wire
from atoll.network.facts import Chain, Fact, Hook, Neighbour, Route, Veth
from atoll.network.flow import TCP
from atoll.network.rules import ACCEPT, DROP, RESET, Forward, Rule, Translate, equal, other, refuse, rule

Bucket: TypeAlias = Mapping[str, Resource]
UDP_IDLE_SECONDS = 120
UDP_TIMES = ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream")
TIMES = {**SETTINGS, **dict.fromkeys(UDP_TIMES, UDP_IDLE_SECONDS)}
IN_SERVICE = ("initial", "healthy", "unhealthy")


class Door(NamedTuple):
    """A listener of a node, resolved to what the kernel can do with it."""

    protocols: tuple[str, ...]  # "tcp", "udp"
    port: int
    choices: tuple[tuple[IPv4Address, int], ...]  # none: nobody is there, and flows are dropped
    dead: tuple[tuple[IPv4Address, int], ...]  # targets whose flows end
    sticky: bool


def balancers(
    standings: Iterator[tuple[Interface, Standing]],
    wires: Mapping[str, tuple[Wire, ...]],
    owners: Bucket,
    listeners: Bucket,
    groups: Bucket,
    silent: Bucket,
    interfaces: Bucket,
) -> Wanted:
    """Yield the fragments of a VPC's nodes: `owners` are its balancers, `groups` its target groups."""
    nodes = {n.interface_id: b for b in cast("Mapping[str, LoadBalancer]", owners).values() for n in b.nodes}
    firsts = {
        i.instance_id: i.address
        for i in cast("Mapping[str, Interface]", interfaces).values()
        if i.instance_id and i.attachment and i.attachment.device_index == 0
    }
    for one, standing in standings:
        owner = nodes.get(one.id)
        if owner is None or not standing.is_live:
            continue
        doors = []
        for listener in cast("Mapping[str, Listener]", listeners).values():
            if listener.balancer_id == owner.id:
                group = cast(TargetGroup, groups[listener.group_id])
                doors.append(_door(listener, group, owner, one.zone, firsts, silent))
        mine = wires.get(one.id, ())
        yield one.id, (one, standing, tuple(doors), mine), partial(node, one, standing, tuple(doors), mine)


def _door(
    listener: Listener,
    group: TargetGroup,
    owner: LoadBalancer,
    zone: str,
    firsts: Mapping[str, IPv4Address],
    silent: Bucket,
) -> Door:
    """Resolve a listener of the node in a zone: healthy targets get its flows, or all, if none is healthy."""
    found: dict[str, list[tuple[IPv4Address, int]]] = {}
    for target in group.targets:
        ip = firsts.get(target.id) if group.target_type == "instance" else IPv4Address(target.id)
        if ip is None or not (owner.crosses_zones or target.zone in (zone, ALL_ZONES)) or target.id in silent:
            continue
        found.setdefault(target.state, []).append((ip, target.port))
    choices = found.get("healthy") or [place for state in IN_SERVICE for place in found.get(state, ())]
    ill = found.get("unhealthy", ()) if group.resets_unhealthy else ()
    dead = tuple(place for place in ill if place not in choices)
    return Door(listener.protocols, listener.port, tuple(sorted(choices)), dead, group.is_sticky)


def node(it: Interface, standing: Standing, doors: tuple[Door, ...], wires: tuple[Wire, ...]) -> Iterator[Fact]:
    """Yield the facts of a node; `wires` lead to it from endpoints."""
    yield from appliance(it, standing, TIMES)
    yield from _rules(it, doors)
    for wire in wires:
        yield Route(it.id, wire_network(wire.source), link=wire.link)
        yield Neighbour(it.id, wire.link, wire.source, far_mac(f"{wire.link} near"))


def wire_network(address: IPv4Address) -> IPv4Network:
    """Return the network of one address at the end of a wire."""
    return IPv4Network((address, LOCAL))


def pair(wire: Wire) -> Veth:
    """Return the links of a wire, as the endpoint's side makes them."""
    near, far = far_mac(f"{wire.link} near"), far_mac(f"{wire.link} far")
    return Veth(wire.near_id, wire.link, near, wire.far_id, wire.link, far, INSIDE_MTU)


def _rules(it: Interface, doors: tuple[Door, ...]) -> Iterator[Chain]:
    yield chain(
        it.id,
        "listeners",
        *(one for door in doors if door.choices for one in _listening(it, door)),
        hook=Hook("nat", "prerouting", -100, accepts=True),
    )
    yield asked(it, (*it.private_ips, DOOR))
    begins = rule(equal("oifname", GUEST_LINK), ACCEPT)
    yield one_way(it.id, begins, *(one for door in doors for one in _ending(door)))
    yield chain(
        it.id,
        "translate",
        rule(other("ip saddr", *it.private_ips), Translate(it.private_ips)),
        hook=Hook("nat", "postrouting", 100, accepts=True),
    )


def _listening(it: Interface, door: Door) -> Iterator[Rule]:
    for name in door.protocols:
        yield rule(
            equal("ip daddr", *it.private_ips, DOOR),
            equal(f"{name} dport", door.port),
            Forward(door.choices, door.sticky),
        )


def _ending(door: Door) -> Iterator[Rule]:
    """End the flows of targets that became unhealthy."""
    for address, port in door.dead:
        for name in door.protocols:
            end = RESET if name == "tcp" else DROP
            to_it = equal("ip daddr", address), equal(f"{name} dport", port)
            through = equal("ct direction", "original"), equal("ct original proto-dst", door.port)
            yield rule(*to_it, *through, end, comment="its target is unhealthy")


def asked(it: Interface, own: tuple[IPv4Address, ...], *more: Rule) -> Chain:
    """Return the chain that refuses what is for an appliance itself and answers nothing; `more` let something in."""
    return chain(
        it.id,
        "asked",
        rule(equal("iifname", "lo"), ACCEPT),
        rule(equal("ct state", "established", "related"), ACCEPT),
        *more,
        rule(equal("meta l4proto", TCP), equal("ct state", "invalid"), ACCEPT, comment="idle for too long: reset"),
        refuse("nobody listens", equal("ip daddr", *own)),
        hook=Hook("filter", "prerouting", -90, accepts=True),
    )
