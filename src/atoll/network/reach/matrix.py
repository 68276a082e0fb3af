"""The matrix: for each pair of ends, the ports on which one reaches the other and gets an answer."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import TypeAlias

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.balancer import Listener
from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.lookup import public_ip_of, same_cache
from atoll.model.peering import peerings_of
from atoll.model.prefix_list import rule_ranges
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.network.flow import ALL, ECHOES, ICMP, TCP, UDP, Packet, Trace, Verdict, protocol_name, protocol_number
from atoll.network.layers.endpoint import API_PORTS
from atoll.network.layers.hop import is_judged, leave
from atoll.network.reach.ends import End, ends, public_networks
from atoll.network.reach.ranges import Ranges, merged, pieces
from atoll.network.trace import EPHEMERAL, trace

Ports: TypeAlias = Mapping[int, Ranges]  # protocol -> ports; ICMP has the one "port" 0
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
    outside: Collection[IPv4Network] | None = None,
) -> Matrix:
    """Ask of every pair.  `vpc_ids`: only these VPCs (and the internet); `ports`: only these, of TCP and UDP.

    `outside`: the ranges of the internet to tell apart; `None`: those that the World's rules name.  A destination is
    asked on the ports that its rules name; from the internet, at its public address.  Raises TooMuch.
    """
    world = world.seen_by(None)
    interfaces = [i for i in world.all(Interface) if vpc_ids is None or i.vpc_id in vpc_ids]
    found = ends(world, interfaces, public_networks(world) if outside is None else outside)
    world = _with_hosts(world, [end.outside for end in found if end.outside is not None])
    asking = _Asking(world, set(ports) if ports else None)
    paths = {}
    for a, sender in enumerate(found):
        for b, receiver in enumerate(found):
            if reached := asking.pair(sender, receiver):
                paths[a, b] = reached
    return Matrix(world, tuple(found), paths, asking.traces)


def _with_hosts(world: World, addresses: Collection[IPv4Address]) -> World:
    """Return the World with a host at each public address that is asked about."""
    hosts = [OutsideHost(id=str(a), account="", region="", address=a) for a in addresses]
    return world.after({(OutsideHost, host.id): host for host in hosts})


def path(world: World, sender: End, receiver: End, protocol: int, port: int) -> Trace | None:
    """Trace from an end to another; `None` if there is no way to ask: nobody outside reaches another outside."""
    pair = _pair(world, sender, receiver)
    if pair is None:
        return None
    at, address, _ = pair
    return trace(world, at, address, protocol, 0 if protocol == ICMP else port)


def _pair(
    world: World, sender: End, receiver: End
) -> tuple[str | IPv4Address, IPv4Address, str | IPv4Address] | None:
    """Return who sends, to which address, and who must receive it."""
    if sender.outside is not None:
        target = receiver.members[0] if receiver.members else None
        public = public_ip_of(world, target) if target else None
        return (sender.outside, public, target.id) if target and public else None
    first = sender.members[0]
    if receiver.outside is not None:
        return first.id, receiver.outside, receiver.outside
    others = (i for i in receiver.members[:2] if i is not first)
    target = next(others, None)
    return (first.id, target.address, target.id) if target else None


@dataclass(slots=True)
class _Asking:
    """Asks pairs, and keeps what is the same for many."""

    world: World
    only: set[int] | None
    traces: int = 0
    _meeting: dict[tuple[str, str], bool] = field(default_factory=dict)
    _bounds: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    _doors: set[int] = field(default_factory=set)  # ports at which a service's own interface may listen

    def pair(self, sender: End, receiver: End) -> Ports:
        """Return the ports on which the sender reaches the receiver."""
        if not self._may_meet(sender, receiver):
            return {}
        pair = _pair(self.world, sender, receiver)
        if pair is None:
            return {}
        at, address, end = pair
        straight = self._goes_straight(sender, receiver, address)
        out: dict[int, Ranges] = {}
        for protocol, whole in self._openings(sender, receiver, straight=straight).items():
            cuts = self._cuts(sender, receiver, protocol)
            if not straight:
                cuts |= self._cuts_between(sender, receiver, protocol)
            reached = []
            for low, high in pieces(whole, cuts):
                self.traces += 1
                if self.traces > TRACES_MAX:
                    raise TooMuch(f"more than {TRACES_MAX:,} questions")
                found = trace(self.world, at, address, protocol, 0 if protocol == ICMP else low)
                if found.verdict is Verdict.DELIVERED and found.receiver == end:
                    reached.append((low, high))
            if reached:
                out[protocol] = merged(reached)
        return out

    def _may_meet(self, sender: End, receiver: End) -> bool:
        """Tell whether two ends are in one VPC, in peered ones, or one of them is outside."""
        if not sender.members or not receiver.members:
            return bool(sender.members or receiver.members)
        one, other = sender.members[0].vpc_id, receiver.members[0].vpc_id
        if one == other:
            return True
        if (one, other) not in self._meeting:
            peers = {p.beyond(one).vpc_id for p in peerings_of(self.world, one) if p.is_open}
            self._meeting[one, other] = other in peers
        return self._meeting[one, other]

    def _goes_straight(self, sender: End, receiver: End, address: IPv4Address) -> bool:
        """Tell whether no machine is between two ends that could translate, or that has rules of its own."""
        if sender.outside is not None:
            vpc_id = receiver.members[0].vpc_id
            tables = self.world.bucket(RouteTable, "vpc_id", vpc_id).values()
            return not any(isinstance(t, RouteTable) and t.is_of_gateway for t in tables)
        first = sender.members[0]
        hop = leave(self.world, first, Packet(first.address, address, TCP, EPHEMERAL, 1))
        return hop.target is None or any(hop.target.id == i.id for i in receiver.members[:2])

    def _openings(self, sender: End, receiver: End, *, straight: bool) -> Ports:
        """Return the ports that the rules of the last interface may let in, before anything else is asked."""
        rules: list[Rule] | None
        if receiver.members:
            rules = self._ingress(sender, receiver.members[0], straight=straight)
        else:
            rules = [r for r in self._rules(sender.members[0]) if r.egress and r.group_id is None]
        if rules is None:
            whole: dict[int, Ranges] = {TCP: EVERY_PORT, UDP: EVERY_PORT, ICMP: ((0, 0),)}
        else:
            whole = {p: merged(_range(r, p) for r in rules if _covers(r, p)) for p in (TCP, UDP, ICMP)}
        if self.only is not None:
            whole = {p: self._asked(whole[p]) for p in (TCP, UDP)}
        return {protocol: ranges for protocol, ranges in whole.items() if ranges}

    def _asked(self, ranges: Ranges) -> Ranges:
        return merged((n, n) for n in self.only or () if any(low <= n <= high for low, high in ranges))

    def _ingress(self, sender: End, target: Interface, *, straight: bool) -> list[Rule] | None:
        """Return the rules of an interface that may let the sender in; `None`: nothing asks for rules.

        Where the packet goes straight from one to the other its source is known; behind a machine it is not.
        """
        if not is_judged(target):
            return None
        inward = [r for r in self._rules(target) if not r.egress]
        if sender.outside is not None and straight:
            return [r for r in inward if self._names(r, target, sender.outside, None)]
        first = sender.members[0] if sender.members else None
        if first is None:
            return inward
        if same_cache(self.world, first, target):
            return None
        if not straight:
            return inward
        return [r for r in inward if self._names(r, target, first.address, first)]

    def _names(self, rule: Rule, target: Interface, source: IPv4Address, member: Interface | None) -> bool:
        if rule.group_id is not None:
            return member is not None and rule.group_id in member.group_ids
        return any(source in network for network in rule_ranges(self.world, target.region, rule))

    def _rules(self, interface: Interface) -> Iterator[Rule]:
        for id in interface.group_ids:
            yield from self.world[SecurityGroup, id].rules

    def _cuts(self, sender: End, receiver: End, protocol: int) -> set[int]:
        """Return the ports at which the answer may change."""
        found: set[int] = set()
        if any(i.kind != "interface" for i in receiver.members[:1]):
            self._doors = self._doors or {*API_PORTS, *(one.port for one in self.world.all(Listener))}
            found |= self._doors | {port + 1 for port in self._doors}
        for end, egress in ((sender, True), (receiver, False)):
            for interface in end.members[:1]:
                rules = [r for r in self._rules(interface) if r.egress is egress]
                acl = self.world[NetworkAcl, self.world[Subnet, interface.subnet_id].acl_id]
                bounds = [*(_range(r, protocol) for r in rules if _covers(r, protocol)),
                          *(_entry_range(e) for e in acl.entries if e.egress is egress)]  # fmt: skip
                found |= {low for low, _ in bounds} | {high + 1 for _, high in bounds}
        return found

    def _cuts_between(self, sender: End, receiver: End, protocol: int) -> set[int]:
        """Return the ports at which any rule of the VPCs on the way may change the answer."""
        found: set[int] = set()
        for vpc_id in {i.vpc_id for end in (sender, receiver) for i in end.members[:1]}:
            if (vpc_id, protocol) not in self._bounds:
                self._bounds[vpc_id, protocol] = set(_bounds_in(self.world, vpc_id, protocol))
            found |= self._bounds[vpc_id, protocol]
        return found


def _bounds_in(world: World, vpc_id: str, protocol: int) -> Iterator[int]:
    for group in world.all(SecurityGroup, vpc_id=vpc_id):
        for low, high in (_range(r, protocol) for r in group.rules if _covers(r, protocol)):
            yield from (low, high + 1)
    for acl in world.all(NetworkAcl, vpc_id=vpc_id):
        for low, high in map(_entry_range, acl.entries):
            yield from (low, high + 1)


def _covers(rule: Rule, protocol: int) -> bool:
    number = protocol_number(rule.protocol)
    if number == ICMP == protocol:
        return rule.from_port in (-1, ECHOES[ICMP])
    return number in (ALL, protocol)


def _range(rule: Rule, protocol: int) -> tuple[int, int]:
    if protocol == ICMP:
        return 0, 0
    return (0, PORT_MAX) if rule.from_port < 0 else (rule.from_port, rule.to_port)


def _entry_range(entry: AclEntry) -> tuple[int, int]:
    return (0, PORT_MAX) if entry.from_port < 0 or entry.protocol == ICMP else (entry.from_port, entry.to_port)


def spelt(ports: Ports) -> str:
    """Write ports as people do: "tcp 22, 6379-6381; icmp"."""
    if all(ports.get(p) == EVERY_PORT for p in (TCP, UDP)) and ICMP in ports:
        return "everything"
    parts = []
    for protocol, ranges in sorted(ports.items(), key=lambda pair: (pair[0] == ICMP, pair[0])):
        words = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)
        whole = protocol == ICMP or ranges == EVERY_PORT
        parts.append(protocol_name(protocol) if whole else f"{protocol_name(protocol)} {words}")
    return "; ".join(parts)
