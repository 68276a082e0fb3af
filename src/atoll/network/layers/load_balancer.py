"""Load balancer: a node gives a new flow one of its targets, and its own address as the source.

Source: User Guide for Network Load Balancers; Reachability Analyzer, "Explanation codes".
"""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from typing import cast

from atoll.model.balancer import ALL_ZONES, KIND, USABLE, Listener, LoadBalancer, Target, TargetGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import HALTED, primary_interface
from atoll.model.world import World
from atoll.network.flow import Code, Verdict, protocol_name
from atoll.network.layers.groups import what
from atoll.network.layers.hop import Finding, Hop, refuse
from atoll.network.layers.sender import nobody_runs

DOOR = IPv4Address("169.254.255.1")  # as endpoints know a node


def judge(hop: Hop) -> Finding | None:
    """Choose a target for what comes to a listener; give answers back; refuse everything else."""
    target, packet = hop.target, hop.packet
    if target is None or target.kind != KIND:
        return None
    if missing := nobody_runs(hop.world, target):
        at, because, code = missing
        return Finding(at, because, False, code, Verdict.DOWN, receiver=target.id)
    if hop.asked is not None:
        return _answer(hop, target)
    owner = owner_of(hop.world, target)
    listener = next((one for one in listeners_of(hop.world, owner) if _listens(one, hop)), None)
    if listener is None:
        because = f"{owner.name} has no listener for {what(packet)}"
        return refuse(Verdict.REFUSED, Code.ELBV2_LISTENERS_MISMATCH, target.id, because)
    group = hop.world[TargetGroup, listener.group_id]
    found = candidates(hop.world, owner, group, target.zone)
    if not found:
        return _nobody(owner, group, target)
    number = int(packet.source) + (0 if group.is_sticky else packet.source_port)
    chosen, address = found[number % len(found)]
    after = packet.but(source=target.address, destination=address, port=chosen.port)
    how = "" if len(found) == 1 else f", one of {len(found)}"
    because = f"{owner.name} gives it to {chosen.id} port {chosen.port} of {group.name}{how}, from {target.address}"
    return Finding(target.id, because, then=replace(hop, packet=after), forwards=target)


def _answer(hop: Hop, target: Interface) -> Finding:
    assert hop.asked, "an answer"
    back = hop.asked.translated.get((target.id, hop.packet))
    if back is None:
        because = f"{target.id} carries no flow that it answers"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    then = replace(hop, packet=back)
    if back.source != DOOR:
        return Finding(target.id, f"{target.id} gives it back to {back.destination}", then=then, forwards=target)
    near = next(id for id, answer in hop.asked.translated if answer == back and id != target.id)
    then = replace(then, sender=None, subnet=None, table=None, route=None, target=hop.world[Interface, near])
    return Finding(target.id, f"{target.id} gives it back to {near}", then=then)


def owner_of(world: World, node: Interface) -> LoadBalancer:
    """Return the balancer that an interface is a node of."""
    owners = cast("Iterator[LoadBalancer]", world.bucket(LoadBalancer, "vpc_id", node.vpc_id).values())
    return next(b for b in owners if any(n.interface_id == node.id for n in b.nodes))


def listeners_of(world: World, owner: LoadBalancer) -> list[Listener]:
    """Return a balancer's listeners."""
    return cast("list[Listener]", list(world.bucket(Listener, "balancer_id", owner.id).values()))


def _listens(listener: Listener, hop: Hop) -> bool:
    return hop.packet.port == listener.port and protocol_name(hop.packet.protocol) in listener.protocols


def candidates(world: World, owner: LoadBalancer, group: TargetGroup, zone: str) -> list[tuple[Target, IPv4Address]]:
    """Return the targets that a node uses, with their addresses: the healthy ones; all, if none is."""
    found = []
    for target in group.targets:
        near = owner.crosses_zones or target.zone in (zone, ALL_ZONES)
        address = target_address(world, group, target)
        if near and address is not None and target.state in USABLE:
            found.append((target, address))
    healthy = [pair for pair in found if pair[0].state == "healthy"]
    return sorted(healthy or found, key=lambda pair: (pair[1], pair[0].port))


def target_address(world: World, group: TargetGroup, target: Target) -> IPv4Address | None:
    """Return a target's address; None while its instance is stopped."""
    if group.target_type != "instance":
        return IPv4Address(target.id)
    instance = world.get(Instance, target.id)
    interface = primary_interface(world, target.id)
    return interface.address if instance and interface and instance.state not in HALTED else None


def _nobody(owner: LoadBalancer, group: TargetGroup, node: Interface) -> Finding:
    usable = [t for t in group.targets if t.state in USABLE]
    if not usable:
        because = f"{group.name} has no target that takes new flows"
        return refuse(Verdict.REFUSED, Code.ELBV2_LISTENER_HAS_NO_TG, node.id, because)
    if not owner.crosses_zones and all(t.zone not in (node.zone, ALL_ZONES) for t in usable):
        because = f"{group.name} has no target in {node.zone}, and {owner.name} does not cross zones"
        return refuse(Verdict.REFUSED, Code.ELB_NOT_CROSSZONE, node.id, because)
    return refuse(Verdict.REFUSED, Code.BAD_STATE, node.id, f"nothing runs behind the targets of {group.name}")
