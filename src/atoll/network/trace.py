"""Trace a packet and its answer through the World, as AWS documents it.  Reads only; sends nothing.

A trace costs tens of microseconds, whatever the size of the World: it follows references and indexes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from atoll.model.endpoint import VpcEndpoint
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.world import World
from atoll.network.flow import ECHOES, ICMP, ICMPV6, NOWHERE, At, Code, Packet, Step, Trace, Verdict, protocol_number
from atoll.network.inside.seen import Inside
from atoll.network.layers import (
    acl,
    delivery,
    destination_check,
    egress_only_gateway,
    endpoint,
    fault,
    gateway_endpoint,
    gateway_route_table,
    groups,
    internet,
    internet_gateway,
    load_balancer,
    nat_gateway,
    peering,
    route_table,
    same_subnet,
    sender,
    source_check,
    vpc_services,
)
from atoll.network.layers.hop import Asked, Finding, Hop, leave

# The way of a packet from one interface to the next, or out to the internet and in again.  The order is AWS's.
LAYERS = (
    ("sender", sender.judge),
    ("source-check", source_check.judge),
    ("vpc-services", vpc_services.judge),
    ("fault-out", fault.outward),
    ("egress-groups", groups.egress),
    ("same-subnet", same_subnet.judge),
    ("acl-out", acl.outward),
    ("route-table", route_table.judge),
    ("peering", peering.judge),
    ("gateway-endpoint", gateway_endpoint.judge),
    ("internet-gateway-out", internet_gateway.outward),
    ("egress-only-gateway-out", egress_only_gateway.outward),
    ("internet", internet.judge),
    ("internet-gateway-in", internet_gateway.inward),
    ("egress-only-gateway-in", egress_only_gateway.inward),
    ("gateway-route-table", gateway_route_table.judge),
    ("fault-in", fault.inward),
    ("acl-in", acl.inward),
    ("destination-check", destination_check.judge),
    ("ingress-groups", groups.ingress),
    ("nat-gateway", nat_gateway.judge),
    ("endpoint", endpoint.request),
    ("load-balancer", load_balancer.judge),
    ("endpoint-answer", endpoint.answer),
    ("delivery", delivery.judge),
)

EPHEMERAL = 40000  # a source port that Linux may choose (32768-60999)
HOPS_MAX = 16  # machines on the way; far more than anybody chains, far fewer than a packet's time to live
NOBODY_LOOKED: Mapping[str, Inside] = MappingProxyType({})
PASSABLE = (Verdict.DENIED, Verdict.SPOOFED, Verdict.DOWN, Verdict.CUT)  # a thorough trace goes on behind these


def trace(
    world: World,
    sender: At,
    destination: Ip,
    protocol: int | str,
    port: int = 0,
    *,
    source_port: int | None = None,
    source: Ip | None = None,
    thorough: bool = False,
    inside: Mapping[str, Inside] = NOBODY_LOOKED,
) -> Trace:
    """Follow a new flow from an interface (its id) or an outside address to a destination, and its answer back.

    For ICMP (of the destination's version) `source_port` is the type, an echo request by default, and `port` the
    code.  `source` is another source
    address than the sender's first.  `thorough`: go on behind a filter that refuses, as if it allowed, so that the
    trace shows everything that is in the way; the verdict is still that of the first refusal.  `inside`: what was
    seen in machines, by interface: how they translate what they forward, instead of what is assumed.
    """
    world = world.seen_by(None)
    number = protocol_number(protocol)
    if number == ICMP and destination.version == 6:
        number = ICMPV6  # as people mean it
    if source_port is None:
        source_port = ECHOES.get(number, EPHEMERAL)
    if source is None:
        source = _own(world[Interface, sender], destination) if isinstance(sender, str) else sender
    packet = Packet(source, destination, number, source_port, port)
    there = _walk(world, sender, packet, thorough=thorough, inside=inside)
    answer = there.packet.reply()
    if there.end is None or (there.verdict and not thorough) or answer is None:
        return _conclude(sender, packet, there, None)
    if there.end_is_service(world) and world.get(VpcEndpoint, str(there.end)) is None:
        return _conclude(sender, packet, there, _answered_by_service(world, sender, there, answer))
    asked = Asked(sender, frozenset(there.passed), there.translated)
    back = _walk(world, there.end, answer, asked, thorough=thorough, inside=inside)
    _check_answer(back, sender, packet)
    return _conclude(sender, packet, there, back)


def _own(sender: Interface, destination: Ip) -> Ip:
    """Return the address from which an interface sends: its first one of the version."""
    if destination.version == 4:
        return sender.address
    return sender.ipv6_address or NOWHERE


@dataclass(slots=True)
class _Walk:
    """What was seen on one way."""

    packet: Packet
    steps: list[Step] = field(default_factory=list)
    passed: set[tuple[str, bool, Packet | None]] = field(default_factory=set)
    translated: dict[tuple[str, Packet], Packet] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    verdict: Verdict | None = None  # of the first refusal
    end: At | None = None

    def end_is_service(self, world: World) -> bool:
        """Tell whether a service of the VPC took the packet."""
        return isinstance(self.end, str) and world.get(Interface, self.end) is None


def _walk(
    world: World,
    start: At,
    packet: Packet,
    asked: Asked | None = None,
    *,
    thorough: bool = False,
    inside: Mapping[str, Inside] = NOBODY_LOOKED,
) -> _Walk:
    """Carry a packet from hop to hop until somebody has it or refuses it."""
    walk = _Walk(packet)
    if asked is not None and isinstance(start, str) and world.get(VpcEndpoint, start):
        hop = gateway_endpoint.comes_back(world, start, packet, asked)
    elif isinstance(start, str):
        hop = leave(world, world[Interface, start], packet, asked)
    else:
        hop = Hop(world, packet, abroad=True, asked=asked)
    seen: set[tuple[str, Packet]] = set()
    while True:
        next_sender = _pass(walk, replace(hop, inside=inside) if inside else hop, thorough)
        if next_sender is None:
            return walk
        if (next_sender.id, walk.packet) in seen or len(seen) >= HOPS_MAX:
            because = f"the packet was at {next_sender.id} before"
            walk.verdict = walk.verdict or Verdict.LOOP
            walk.steps.append(
                Step("route-table", next_sender.id, False, because, walk.packet, Code.NO_POSSIBLE_DESTINATION)
            )
            return walk
        seen.add((next_sender.id, walk.packet))
        if next_sender.instance_id is not None:
            walk.assumed.append(next_sender.id)
        hop = leave(world, next_sender, walk.packet, asked)


def _pass(walk: _Walk, hop: Hop, thorough: bool) -> Interface | None:
    """Take one hop through the layers; return the interface that sends the packet on, if one does."""
    for name, judge in LAYERS:
        finding = judge(hop)
        if finding is None:
            continue
        walk.steps.append(_step(name, finding, hop))
        if not finding.allowed:
            walk.verdict = walk.verdict or finding.verdict
            if not thorough or not _may_pass(name, finding):
                return None
        if name in ("egress-groups", "ingress-groups") and hop.asked is None:
            walk.passed.add((finding.at, name == "egress-groups", hop.packet.reply()))
        translator = finding.forwards or finding.translator
        if translator is not None and finding.then is not None:
            _remember(walk, translator.id, hop.packet, finding.then.packet)
        hop = finding.then or hop
        walk.packet = hop.packet
        if finding.receiver is not None:
            walk.end = finding.receiver
            return None
        if finding.forwards is not None:
            return finding.forwards
    raise AssertionError("every hop ends: somebody takes the packet, forwards it or refuses it")


def _may_pass(layer: str, finding: Finding) -> bool:
    """Tell whether a thorough trace knows where the packet would go if this had not refused it.

    Not behind a service that is down: whither it leads only it knows.
    """
    is_down = finding.verdict is Verdict.DOWN
    return finding.verdict in PASSABLE and (not is_down or layer in ("sender", "delivery"))


def _remember(walk: _Walk, id: str, before: Packet, after: Packet) -> None:
    """Keep what a machine translated, so that it can translate the answer back."""
    answer, original = after.reply(), before.reply()
    if after != before and answer is not None and original is not None:
        walk.translated[id, answer] = original


def _step(layer: str, finding: Finding, hop: Hop) -> Step:
    return Step(layer, finding.at, finding.allowed, finding.because, hop.packet, finding.code, finding.rule)


def _check_answer(back: _Walk, sender: At, request: Packet) -> None:
    """Refuse an answer that reaches another than who asked, or that seems to come from another than was asked."""
    if back.end is None:
        return
    if back.end != sender:
        because = f"the answer reached {back.end}, which did not ask"
    elif back.packet.source != request.destination:
        because = f"the answer comes from {back.packet.source}, not from {request.destination}"
    else:
        return
    back.verdict = back.verdict or Verdict.NOBODY
    back.steps.append(Step("delivery", str(back.end), False, because, back.packet, Code.NO_POSSIBLE_DESTINATION))


def _answered_by_service(world: World, sender: At, there: _Walk, answer: Packet) -> _Walk:
    """Return the way of a service's answer: straight to whoever has the address it was asked from."""
    back = _Walk(answer, end=sender)
    asker = world[Interface, str(sender)]
    if there.packet.source not in asker.ips:
        back.end = None
        because = f"the answer goes to {answer.destination}, which did not ask"
        back.verdict = Verdict.NOBODY
        back.steps.append(Step("delivery", str(there.end), False, because, answer, Code.NO_POSSIBLE_DESTINATION))
    return back


def _conclude(sender: At, packet: Packet, there: _Walk, back: _Walk | None) -> Trace:
    """Put both ways together."""
    verdict = there.verdict or Verdict.DELIVERED
    if there.verdict is None and back is not None and back.verdict is not None:
        verdict = Verdict.NO_ANSWER
    arrived = there.verdict is None
    return Trace(
        sender=sender,
        packet=packet,
        verdict=verdict,
        steps=tuple(there.steps),
        back=tuple(back.steps) if back else (),
        receiver=there.end if arrived else None,
        received=there.packet if arrived else None,
        came_to=there.end,
        came_as=there.packet if there.end is not None else None,
        assumed=tuple(dict.fromkeys(there.assumed + (back.assumed if back else []))),
    )
