"""Explain a trace: one line for each step, what would mend it, and the same as data."""

from collections.abc import Iterator
from typing import Any

from atoll.model.image import image
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import cache_node_of
from atoll.model.world import World
from atoll.network.flow import ICMP, Packet, Step, Trace, Verdict, protocol_name
from atoll.network.layers.groups import is_untracked
from atoll.network.mend import mend

YES, NO = "✓", "✗"
WIDTH = 20  # of the longest layer's name

FATES = {
    Verdict.DELIVERED: "arrives, and the answer comes back",
    Verdict.DENIED: "is denied",
    Verdict.SPOOFED: "fails the source/destination check",
    Verdict.NO_ROUTE: "has no route",
    Verdict.BLACKHOLE: "falls into a blackhole route",
    Verdict.REFUSED: "is refused at the edge of its VPC",
    Verdict.NOBODY: "has a destination that nobody has",
    Verdict.DOWN: "meets an interface behind which nothing runs",
    Verdict.CUT: "meets a link that was cut on purpose",
    Verdict.LOOP: "goes round in a loop",
    Verdict.NO_ANSWER: "arrives, but the answer does not come back",
}


def explain(world: World, trace: Trace) -> list[str]:
    """Write a trace for people: a headline, the steps there and back, and the commands that mend it."""
    lines = [headline(trace), *map(line, telling(trace.steps))]
    back = trace.back if trace.arrived else tuple(s for s in trace.back if not s.allowed)
    if back:
        lines += ["the answer:", *map(line, telling(back))]
    lines += [f"note: {note}" for note in notes(world, trace)]
    for one in mend(world, trace):
        lines.append(f"mend: {one.says}")
        if one.command:
            lines.append(f"  {one.command}")
    return lines


def notes(world: World, trace: Trace) -> Iterator[str]:
    """Yield what a person should know beside the steps."""
    world = world.seen_by(None)
    for id in trace.assumed:
        instance = world[Interface, id].instance_id
        yield f"{instance} may translate addresses by its own iptables; a trace cannot see them"
    if told := stand_in(world, trace):
        yield told
    receiver = world.get(Interface, trace.receiver) if isinstance(trace.receiver, str) else None
    asked = any(s.layer == "ingress-groups" and s.at == trace.receiver for s in trace.steps)
    if receiver is None or trace.received is None or not asked:
        return
    layers = [step.layer for step in trace.steps]
    appliances = ("nat-gateway", "load-balancer", "endpoint")  # what comes from these is always tracked
    is_carried = any(layer in layers for layer in appliances) and "internet" not in layers
    if not is_carried and is_untracked(world, receiver, trace.received, egress=False):
        yield f"the groups of {receiver.id} do not track this flow: revoking its rule cuts it at once"


def stand_in(world: World, trace: Trace) -> str | None:
    """Say that who is reached only stands for what was recorded of a real account; None: it is itself."""
    interface = world.get(Interface, trace.came_to) if isinstance(trace.came_to, str) else None
    if interface is None or interface.kind != "interface":
        return None
    instance = world.get(Instance, interface.instance_id) if interface.instance_id else None
    if instance is not None and image(instance.region, instance.image_id) is None:
        return f"{instance.id} is a stand-in: what serves in the imported instance, and its firewall, are not known"
    if instance is None and interface.attachment is not None and cache_node_of(world, interface) is None:
        what = interface.description[:80] or "a service"
        return f"{interface.id} is a stand-in for {what}: nobody answers there for real"
    return None


def headline(trace: Trace) -> str:
    """Say in one line what becomes of the flow."""
    return f"{trace.packet} {FATES[trace.verdict]}"


def telling(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Leave out what a thorough trace found allowed behind a refusal: the packet never came there."""
    refused = False
    for step in steps:
        refused = refused or not step.allowed
        if not step.allowed or not refused:
            yield step


def line(step: Step) -> str:
    """Write a step for people."""
    return f"{YES if step.allowed else NO} {step.layer:<{WIDTH}} {step.because}"


def as_dict(world: World, trace: Trace) -> dict[str, Any]:
    """Return a trace as plain JSON values, for other programs."""
    return {
        "verdict": trace.verdict.value,
        "headline": headline(trace),
        "sender": str(trace.sender),
        "packet": _packet(trace.packet),
        "receiver": str(trace.receiver) if trace.receiver is not None else None,
        "received": _packet(trace.received) if trace.received else None,
        "steps": [_step(s) for s in trace.steps],
        "back": [_step(s) for s in trace.back],
        "assumed": list(trace.assumed),
        "notes": list(notes(world, trace)),
        "mend": [{"says": m.says, "command": m.command} for m in mend(world, trace)],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "layer": step.layer,
        "at": step.at,
        "allowed": step.allowed,
        "because": step.because,
        "code": str(step.code) if step.code else None,
        "packet": str(step.packet),
    }


def _packet(packet: Packet) -> dict[str, Any]:
    ports = ("icmp_type", "icmp_code") if packet.protocol == ICMP else ("source_port", "port")
    return {
        "source": str(packet.source),
        "destination": str(packet.destination),
        "protocol": protocol_name(packet.protocol),
        ports[0]: packet.source_port,
        ports[1]: packet.port,
    }
