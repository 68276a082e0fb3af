"""Flows that were open before a change: what AWS's documents say becomes of them, by the tracer alone.

- A rule is revoked: a group that tracked the flow lets it go on, one that did not refuses its next packet (EC2 User
  Guide, "Untracked connections").
- A network ACL denies it, or its route goes: its next packet is refused, whatever the groups say.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.route import RouteTable
from atoll.model.world import World
from atoll.network.decide import Kernel
from atoll.network.flow import ALL, TCP, UDP, Step, Trace, Verdict
from atoll.network.layers.groups import is_untracked
from atoll.network.plan import compile
from tests.network.compare import booted, comparable, packet_of
from tests.network.worlds import Probe

GROUPS = ("egress-groups", "ingress-groups")
FIRST_PORT = 34000  # each flow has a port of its own, of those that Linux chooses itself
# What translates or balances has a state of its own; what passes an egress-only gateway is tracked whatever the
# groups say ("Automatically tracked connections"), and here what passes a gateway endpoint, too.
NOT_HERE = ("nat-gateway", "load-balancer", "endpoint", "guest", "egress-only-gateway-out", "gateway-endpoint")


def open_flows(world: World, probes: Iterable[Probe]) -> dict[int, tuple[Probe, Trace]]:
    """Return those TCP and UDP probes that are delivered and answered, with ports of their own and their traces."""
    found = {}
    for n, probe in enumerate(probes):
        if probe.protocol in (TCP, UDP) and not probe.options.get("source"):
            own = replace(probe, options={**probe.options, "source_port": FIRST_PORT + n})
            trace = own.ask(world)
            layers = {step.layer for step in (*trace.steps, *trace.back)}
            plain = comparable(trace) and not trace.assumed and layers.isdisjoint(NOT_HERE)
            if trace.verdict is Verdict.DELIVERED and plain and trace.receiver != trace.sender:
                found[n] = own, trace
    return found


def change(world: World, dice: random.Random, flows: Mapping[int, tuple[Probe, Trace]]) -> tuple[World, str] | None:
    """Return the world with one thing changed that one of the flows rests on, and what it was."""
    steps = [step for _, trace in flows.values() for step in (*trace.steps, *trace.back)]
    for step in dice.sample(steps, len(steps)):
        if after := _without(world, step):
            return after, f"{step.layer} at {step.at}: {step.because}"
    return None


def _without(world: World, step: Step) -> World | None:
    if step.layer in GROUPS and step.rule:
        for group in world.all(SecurityGroup):
            left = tuple(rule for rule in group.rules if rule.id != step.rule)
            if len(left) < len(group.rules):
                return world.after({(SecurityGroup, group.id): group.but(rules=left)})
    if step.layer in ("acl-out", "acl-in") and step.at.startswith("acl-"):
        egress = step.layer == "acl-out"
        address = step.packet.destination if egress else step.packet.source
        deny = AclEntry(
            number=1, egress=egress, protocol=ALL, allow=False, cidr=ip_network(address), from_port=-1, to_port=-1
        )
        acl = world[NetworkAcl, step.at]
        return world.after({(NetworkAcl, acl.id): acl.but(entries=(deny, *acl.entries))})
    if step.layer == "route-table" and (table := world.get(RouteTable, step.at)):
        left = tuple(route for route in table.routes if route.target == "local")
        if len(left) < len(table.routes):
            return world.after({(RouteTable, table.id): table.but(routes=left)})
    return None


def goes_on(before: World, after: World, probe: Probe) -> bool:
    """Tell whether a flow that was open goes on after a change."""
    thorough = replace(probe, options={**probe.options, "thorough": True}).ask(after)
    return all(_was_tracked(before, step) for step in thorough.refusals)


def _was_tracked(before: World, step: Step) -> bool:
    if step.layer not in GROUPS:
        return False
    interface = before.get(Interface, step.at)
    return interface is not None and not is_untracked(
        before, interface, step.packet, egress=step.layer == "egress-groups"
    )


def differences(world: World, dice: random.Random, probes: Iterable[Probe]) -> Iterator[str]:
    """Change something under open flows; yield each about which the plan says another thing than the documents."""
    world = booted(world)
    flows = open_flows(world, probes)
    changed = change(world, dice, flows)
    if changed is None:
        return
    after, what = changed
    kernel = Kernel(compile(world).facts())
    for probe, _ in flows.values():
        assert kernel.ask(probe.sender, packet_of(world, probe)).answered, f"{probe} is open"
    kernel.put(compile(after).facts())
    for probe, _ in flows.values():
        expected = goes_on(world, after, probe)
        decision = kernel.ask(probe.sender, packet_of(world, probe))
        if decision.answered is not expected:
            yield f"{what}\n  {probe}\n  {'goes on' if expected else 'ends'}, but the plan says {decision}"
