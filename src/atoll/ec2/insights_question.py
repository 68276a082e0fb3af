"""What an Insights path asks of the tracer: flows, of which one that arrives is enough.

AWS's analyzer looks for any packet that makes it from one component to the other.  So what a path leaves open (who on
the internet sends, which port) is tried with what the rules on the way name, and with one value that they do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from atoll.model.endpoint import VpcEndpoint
from atoll.model.gateway import InternetGateway
from atoll.model.group import SecurityGroup
from atoll.model.insight import InsightsPath
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.lookup import primary_interface, public_ip_of
from atoll.model.peering import Peering
from atoll.model.prefix_list import rule_ranges
from atoll.model.world import World
from atoll.network.flow import At, Step, Trace, protocol_number
from atoll.network.layers.internet_gateway import behind, is_private
from atoll.network.trace import trace

SOMEBODY = IPv4Address("192.0.2.1")  # on the internet, whom no rule names (RFC 5737)
ANY_PORT = 80  # when no rule says which
TRIES_MAX = 64  # flows; a path that leaves all open in a VPC of many rules has more, and some are enough


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow that would be an answer."""

    sender: At
    source: IPv4Address
    destination: IPv4Address
    port: int
    begins: str | None = None  # a gateway or peering: what is before it does not matter
    ends: str | None = None  # what is behind it does not matter
    unreached: str | None = None  # an interface without the public address that the flow would need


@dataclass(frozen=True, slots=True)
class Found:
    """A flow and what became of it."""

    flow: Flow
    trace: Trace

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the request between the two ends that were asked about."""
        steps, flow = self.trace.steps, self.flow
        where = {step.at: index for index, step in enumerate(steps)}
        first = where.get(flow.begins, 0) if flow.begins and isinstance(flow.sender, str) else 0
        return steps[first : where[flow.ends] + 1 if flow.ends in where else None]

    @property
    def back(self) -> tuple[Step, ...]:
        """The steps of the answer, if both ends that were asked about are ends of the flow."""
        inside = self.flow.ends is not None or (self.flow.begins and isinstance(self.flow.sender, str))
        return () if inside else self.trace.back

    @property
    def refusals(self) -> tuple[Step, ...]:
        """What is in the way between the two ends."""
        return tuple(step for step in (*self.steps, *self.back) if not step.allowed)

    @property
    def passes(self) -> bool:
        """Tell whether the flow passes what it was to pass."""
        passed = {step.at for step in self.trace.steps}
        return {self.flow.begins, self.flow.ends} - {None} <= passed

    @property
    def arrives(self) -> bool:
        """Tell whether the flow is an answer."""
        return not self.refusals and self.flow.unreached is None and self.passes


def answer(world: World, path: InsightsPath) -> Found | None:
    """Return a flow that arrives, else the one with the fewest obstacles; `None`: there is nobody to ask about."""
    world = world.seen_by(None)
    best: Found | None = None
    for count, flow in enumerate(flows(world, path)):
        if count >= TRIES_MAX:
            break
        populated = _populated(world, flow.destination)
        found = Found(flow, trace(
            populated, flow.sender, flow.destination, path.protocol, flow.port, source=flow.source, thorough=True,
        ))  # fmt: skip
        if found.arrives:
            return found
        if best is None or len(found.refusals) < len(best.refusals):
            best = found
    return best


def _populated(world: World, address: IPv4Address) -> World:
    """Return the World with somebody at a public address that nobody has: the analyzer asks for no host outside."""
    if is_private(address) or behind(world, address):
        return world
    host = OutsideHost(id=str(address), account="", region="", address=address)
    return world.after({(OutsideHost, host.id): host})


def flows(world: World, path: InsightsPath) -> Iterator[Flow]:
    """Yield the flows that would be answers, the likeliest first."""
    target = _interface(world, path.destination)
    for sender, source, begins in _sources(world, path, target):
        for destination, ends, unreached in _destinations(world, path, target, abroad=not isinstance(sender, str)):
            for port in _ports(world, path, target):
                yield Flow(sender, source, destination, port, begins, ends, unreached)


def _sources(
    world: World, path: InsightsPath, target: Interface | None
) -> Iterator[tuple[At, IPv4Address, str | None]]:
    interface = _interface(world, path.source)
    if interface is not None:
        yield interface.id, path.source_ip or interface.address, None
    elif world.get(InternetGateway, path.source):
        named = [path.source_ip] if path.source_ip else _outsiders(world, target, egress=False)
        for address in named:
            yield address, address, path.source
    elif (peering := world.get(Peering, path.source)) and target is not None and peering.has(target.vpc_id):
        far = peering.beyond(target.vpc_id)
        for found in world.all(Interface, vpc_id=far.vpc_id):
            if path.source_ip in (None, *found.private_ips):
                yield found.id, path.source_ip or found.address, path.source


def _destinations(
    world: World, path: InsightsPath, target: Interface | None, *, abroad: bool
) -> Iterator[tuple[IPv4Address, str | None, str | None]]:
    """Yield addresses, what they are behind, and an interface that lacks the public address it would need."""
    if path.destination_ip is not None and not (abroad and target):
        yield path.destination_ip, path.destination if target is None else None, None
    elif target is not None and abroad:
        public = public_ip_of(world, target)
        yield public or target.address, None, None if public else target.id
    elif target is not None:
        yield target.address, None, None
    elif path.destination is not None and world.get(InternetGateway, path.destination):
        source = _interface(world, path.source)
        for address in _outsiders(world, source, egress=True):
            yield address, path.destination, None
    elif path.destination is not None and (endpoint := world.get(VpcEndpoint, path.destination)):
        for foot in endpoint.feet:
            yield world[Interface, foot.interface_id].address, foot.interface_id, None
    elif path.destination is not None and (peering := world.get(Peering, path.destination)):
        source = _interface(world, path.source)
        far = peering.beyond(source.vpc_id) if source and peering.has(source.vpc_id) else peering.accepter
        for found in world.all(Interface, vpc_id=far.vpc_id):
            yield found.address, path.destination, None


def _interface(world: World, id: str | None) -> Interface | None:
    if id is None:
        return None
    instance = world.get(Instance, id)
    return primary_interface(world, id) if instance else world.get(Interface, id)


def _outsiders(world: World, near: Interface | None, *, egress: bool) -> list[IPv4Address]:
    """Return somebody in each public range that the groups of an interface name, and somebody whom they do not."""
    found: dict[IPv4Address, None] = {}
    for id in near.group_ids if near else ():
        group = world[SecurityGroup, id]
        for rule in group.rules:
            if rule.egress is egress and rule.group_id is None:
                for network in rule_ranges(world, group.region, rule):
                    if isinstance(network, IPv4Network) and network.prefixlen:
                        found[network.network_address + (network.prefixlen < 31)] = None
    return [SOMEBODY, *(a for a in found if not is_private(a))]


def _ports(world: World, path: InsightsPath, target: Interface | None) -> list[int]:
    """Return the port that is asked for, or the first of each range that the destination's groups name."""
    if path.port is not None:
        return [path.port]
    number = protocol_number(path.protocol)
    rules = (r for id in (target.group_ids if target else ()) for r in world[SecurityGroup, id].rules)
    named = {r.from_port for r in rules if not r.egress and r.from_port > 0 and protocol_number(r.protocol) == number}
    return [ANY_PORT, *sorted(named - {ANY_PORT})]
