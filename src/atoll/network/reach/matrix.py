"""The matrix: for each pair of ends, the ports on which one reaches the other and gets an answer."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.balancer import Listener
from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.ip import Ip, Net
from atoll.model.lookup import companions, public_ip_of, same_cache
from atoll.model.peering import peerings_of
from atoll.model.prefix_list import rule_ranges
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.flow import (
    ALL,
    ECHOES,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    At,
    Packet,
    Trace,
    Verdict,
    protocol_name,
    protocol_number,
)
from atoll.network.layers.endpoint import API_PORTS
from atoll.network.layers.hop import is_judged, leave
from atoll.network.layers.internet_gateway import has_gateway
from atoll.network.reach.ends import End, ends, public_networks
from atoll.network.reach.ranges import Ranges, merged, pieces
from atoll.network.trace import EPHEMERAL, trace

# How a flow is named -> its protocol and version of IP.
KINDS = {
    "tcp": (TCP, 4), "udp": (UDP, 4), "icmp": (ICMP, 4), "tcp6": (TCP, 6), "udp6": (UDP, 6), "icmpv6": (ICMPV6, 6),
}  # fmt: skip
ECHO_KINDS = ("icmp", "icmpv6")
VERSIONS = (4, 6)
Ports: TypeAlias = Mapping[str, Ranges]  # a name of KINDS -> ports; an echo has the one "port" 0
PORT_MAX = 65535
EVERY_PORT: Ranges = ((0, PORT_MAX),)
NONE: Ranges = ()
TRACES_MAX = 400_000  # of one matrix: some 20 s; a World with more classes is asked VPC by VPC


class TooMuch(Exception):
    """The matrix would take too long; ask for a part of it."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Who reaches what.  `paths` holds (index of sender, index of receiver) -> ports; others are not reached."""

    world: World
    ends: tuple[End, ...]
    paths: Mapping[tuple[int, int], Ports]
    traces: int


def matrix(
    world: World,
    *,
    vpc_ids: Collection[str] | None = None,
    ports: Collection[int] | None = None,
    outside: Collection[Net] | None = None,
) -> Matrix:
    """Ask of every pair.  `vpc_ids`: only these VPCs (and the internet); `ports`: only these, of TCP and UDP.

    `outside`: the ranges of the internet to tell apart; `None`: those that the World's rules name.  A destination is
    asked on the ports that its rules name; from the internet, at its public address.  Raises TooMuch.
    """
    world = world.seen_by(None)
    interfaces = [i for i in world.all(Interface) if vpc_ids is None or i.vpc_id in vpc_ids]
    found = ends(world, interfaces, public_networks(world) if outside is None else outside)
    world = _with_hosts(world, [address for end in found for address in end.outside])
    asking = _Asking(world, set(ports) if ports else None)
    paths = {}
    for a, sender in enumerate(found):
        for b, receiver in enumerate(found):
            if reached := asking.pair(sender, receiver):
                paths[a, b] = reached
    return Matrix(world, tuple(found), paths, asking.traces)


def _with_hosts(world: World, addresses: Collection[Ip]) -> World:
    """Return the World with a host at each public address that is asked about."""
    hosts = [OutsideHost(id=str(a), account="", region="", address=a) for a in addresses]
    return world.after({(OutsideHost, host.id): host for host in hosts})


def path(world: World, sender: End, receiver: End, kind: str, port: int) -> Trace | None:
    """Trace from an end to another; `None`: there is nobody to ask, or no address of that version of IP."""
    protocol, version = KINDS[kind]
    pair = _pair(world, sender, receiver, version)
    return trace(world, pair.at, pair.address, protocol, 0 if kind in ECHO_KINDS else port) if pair else None


@dataclass(frozen=True, slots=True)
class _Pair:
    """Who sends, from which address, to which one, and who must receive it."""

    at: At
    source: Ip
    address: Ip
    end: At


def _pair(world: World, sender: End, receiver: End, version: int) -> _Pair | None:
    source = _own(sender.members[0], version) if sender.members else _of(sender.outside, version)
    if source is None:
        return None
    at: At = sender.members[0].id if sender.members else source
    if not receiver.members:
        address = _of(receiver.outside, version) if sender.members else None
        return _Pair(at, source, address, address) if address else None
    target = next((i for i in receiver.members[:2] if i.id != at), None)
    if target is None:
        return None
    public = public_ip_of(world, target) if version == 4 and not sender.members else None
    address = _own(target, version) if sender.members or version == 6 else public
    return _Pair(at, source, address, target.id) if address else None


def _own(interface: Interface, version: int) -> Ip | None:
    return interface.address if version == 4 else interface.ipv6_address


def _of(addresses: Collection[Ip], version: int) -> Ip | None:
    return next((a for a in addresses if a.version == version), None)


@dataclass(slots=True)
class _Asking:
    """Asks pairs, and keeps what is the same for many."""

    world: World
    only: set[int] | None
    traces: int = 0
    _meeting: dict[tuple[str, str], bool] = field(default_factory=dict)
    _bounds: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    _doors: set[int] = field(default_factory=set)  # ports at which a service's own interface may listen

    def pair(self, sender: End, receiver: End) -> Ports:
        """Return the ports on which the sender reaches the receiver."""
        out: dict[str, Ranges] = {}
        for version in VERSIONS:
            pair = _pair(self.world, sender, receiver, version)
            if pair is not None and self._may_meet(sender, receiver, version):
                out |= self._reached(sender, receiver, pair, version)
        return out

    def _reached(self, sender: End, receiver: End, pair: _Pair, version: int) -> Ports:
        straight = self._goes_straight(sender, receiver, pair)
        out: dict[str, Ranges] = {}
        for kind, whole in self._openings(sender, receiver, pair, version, straight=straight).items():
            cuts = self._cuts(sender, receiver, kind)
            if not straight:
                cuts |= self._cuts_between(sender, receiver, kind)
            reached = [(low, high) for low, high in pieces(whole, cuts) if self._arrives(pair, kind, low)]
            if reached:
                out[kind] = merged(reached)
        return out

    def _arrives(self, pair: _Pair, kind: str, port: int) -> bool:
        self.traces += 1
        if self.traces > TRACES_MAX:
            raise TooMuch(f"more than {TRACES_MAX:,} questions")
        protocol, _ = KINDS[kind]
        found = trace(self.world, pair.at, pair.address, protocol, 0 if kind in ECHO_KINDS else port)
        return found.verdict is Verdict.DELIVERED and found.receiver == pair.end

    def _may_meet(self, sender: End, receiver: End, version: int) -> bool:
        """Tell whether two ends are in one VPC, in peered ones, or on the internet: IPv6 addresses are global."""
        if not sender.members or not receiver.members:
            return bool(sender.members or receiver.members)
        one, other = sender.members[0].vpc_id, receiver.members[0].vpc_id
        if one == other or (version == 6 and has_gateway(self.world, one) and has_gateway(self.world, other)):
            return True
        if (one, other) not in self._meeting:
            peers = {p.beyond(one).vpc_id for p in peerings_of(self.world, one) if p.is_open}
            self._meeting[one, other] = other in peers
        return self._meeting[one, other]

    def _goes_straight(self, sender: End, receiver: End, pair: _Pair) -> bool:
        """Tell whether no machine is between two ends that could translate, or that has rules of its own."""
        if not sender.members:
            vpc_id = receiver.members[0].vpc_id
            tables = self.world.bucket(RouteTable, "vpc_id", vpc_id).values()
            return not any(isinstance(t, RouteTable) and t.is_of_gateway for t in tables)
        hop = leave(self.world, sender.members[0], Packet(pair.source, pair.address, TCP, EPHEMERAL, 1))
        return hop.target is None or any(hop.target.id == i.id for i in receiver.members[:2])

    def _openings(self, sender: End, receiver: End, pair: _Pair, version: int, *, straight: bool) -> Ports:
        """Return the ports that the rules of the last interface may let in, before anything else is asked."""
        rules: list[Rule] | None
        if receiver.members:
            target = receiver.members[0]
            mine = [i.id for i in companions(self.world, target)]
            # Inside a machine nothing is asked, and what a route leads to one of its interfaces may be for another.
            by_others = len(mine) > 1 and (pair.at in mine or not straight)
            rules = None if by_others else self._ingress(sender, target, pair, straight=straight)
        else:
            rules = [r for r in self._rules(sender.members[0]) if r.egress and r.group_id is None]
        whole: dict[str, Ranges] = {}
        for kind in (name for name, (_, of) in KINDS.items() if of == version):
            if rules is not None:
                whole[kind] = merged(_range(r, kind) for r in rules if _covers(r, kind))
            else:
                whole[kind] = ((0, 0),) if kind in ECHO_KINDS else EVERY_PORT
        if self.only is not None:
            whole = {kind: self._asked(ranges) for kind, ranges in whole.items() if kind not in ECHO_KINDS}
        return {kind: ranges for kind, ranges in whole.items() if ranges}

    def _asked(self, ranges: Ranges) -> Ranges:
        return merged((n, n) for n in self.only or () if any(low <= n <= high for low, high in ranges))

    def _ingress(self, sender: End, target: Interface, pair: _Pair, *, straight: bool) -> list[Rule] | None:
        """Return the rules of an interface that may let the sender in; `None`: nothing asks for rules.

        Where the packet goes straight from one to the other its source is known; behind a machine it is not.
        """
        member = sender.members[0] if sender.members else None
        if not is_judged(target) or (member is not None and same_cache(self.world, member, target)):
            return None
        inward = [r for r in self._rules(target) if not r.egress]
        return [r for r in inward if self._names(r, target, pair.source, member)] if straight else inward

    def _names(self, rule: Rule, target: Interface, source: Ip, member: Interface | None) -> bool:
        if rule.group_id is not None:
            return member is not None and rule.group_id in member.group_ids
        return any(source in network for network in rule_ranges(self.world, target.region, rule))

    def _rules(self, interface: Interface) -> Iterator[Rule]:
        for id in interface.group_ids:
            yield from self.world[SecurityGroup, id].rules

    def _cuts(self, sender: End, receiver: End, kind: str) -> set[int]:
        """Return the ports at which the answer may change."""
        found: set[int] = set()
        if any(i.kind != "interface" for i in receiver.members[:1]):
            self._doors = self._doors or {*API_PORTS, *(one.port for one in self.world.all(Listener))}
            found |= self._doors | {port + 1 for port in self._doors}
        for end, egress in ((sender, True), (receiver, False)):
            for interface in end.members[:1]:
                rules = [r for r in self._rules(interface) if r.egress is egress]
                acl = self.world[NetworkAcl, self.world[Subnet, interface.subnet_id].acl_id]
                bounds = [*(_range(r, kind) for r in rules if _covers(r, kind)),
                          *(_entry_range(e) for e in acl.entries if e.egress is egress)]  # fmt: skip
                found |= {low for low, _ in bounds} | {high + 1 for _, high in bounds}
        return found

    def _cuts_between(self, sender: End, receiver: End, kind: str) -> set[int]:
        """Return the ports at which any rule of the VPCs on the way may change the answer."""
        found: set[int] = set()
        for vpc_id in {i.vpc_id for end in (sender, receiver) for i in end.members[:1]}:
            if (vpc_id, kind) not in self._bounds:
                self._bounds[vpc_id, kind] = set(_bounds_in(self.world, vpc_id, kind))
            found |= self._bounds[vpc_id, kind]
        return found


def _bounds_in(world: World, vpc_id: str, kind: str) -> Iterator[int]:
    for group in world.all(SecurityGroup, vpc_id=vpc_id):
        for low, high in (_range(r, kind) for r in group.rules if _covers(r, kind)):
            yield from (low, high + 1)
    for acl in world.all(NetworkAcl, vpc_id=vpc_id):
        for low, high in map(_entry_range, acl.entries):
            yield from (low, high + 1)


def _covers(rule: Rule, kind: str) -> bool:
    number, (protocol, _) = protocol_number(rule.protocol), KINDS[kind]
    if kind in ECHO_KINDS and number == protocol:
        return rule.from_port in (-1, ECHOES[protocol])
    return number in (ALL, protocol)


def _range(rule: Rule, kind: str) -> tuple[int, int]:
    if kind in ECHO_KINDS:
        return 0, 0
    return (0, PORT_MAX) if rule.from_port < 0 else (rule.from_port, rule.to_port)


def _entry_range(entry: AclEntry) -> tuple[int, int]:
    without = entry.from_port < 0 or entry.protocol in (ICMP, ICMPV6)
    return (0, PORT_MAX) if without else (entry.from_port, entry.to_port)


def spelt(ports: Ports) -> str:
    """Write ports as people do: "tcp 22, 6379-6381; icmp; tcp 22 over IPv6"."""
    parts = []
    for version, suffix in ((4, ""), (6, " over IPv6")):
        kinds = [kind for kind, (_, of) in KINDS.items() if of == version and kind in ports]
        if len(kinds) == len(KINDS) // 2 and all(ports[k] == EVERY_PORT for k in kinds if k not in ECHO_KINDS):
            parts.append("everything" + suffix)
            continue
        parts += [_spelt(kind, ports[kind]) + suffix for kind in kinds]
    return "; ".join(parts)


def _spelt(kind: str, ranges: Ranges) -> str:
    name = protocol_name(KINDS[kind][0])
    if kind in ECHO_KINDS or ranges == EVERY_PORT:
        return name
    return f"{name} " + ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)
