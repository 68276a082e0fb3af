"""Delivery: the machine behind the interface takes the packet, or forwards it, or is not there.

What a machine that forwards does to the packet is an assumption: see `guest`.
"""

from dataclasses import replace

from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import companions, sends_by
from atoll.model.world import World
from atoll.network.flow import Code, Packet, Verdict
from atoll.network.layers.guest import forwarded, moved
from atoll.network.layers.hop import APPLIANCES, Finding, Hop, refuse
from atoll.network.layers.sender import nobody_runs


def judge(hop: Hop) -> Finding | None:
    """Hand the packet over."""
    target = hop.target
    if target is None or target.kind in APPLIANCES:
        return None
    back = hop.asked.translated.get((target.id, hop.packet)) if hop.asked else None
    owner = next((one for one in companions(hop.world, target) if hop.packet.destination in one.ips), None)
    is_ours = owner is not None and back is None
    missing = nobody_runs(hop.world, target)
    if missing is not None:
        at, because, code = missing
        receiver, forwards = (owner.id, None) if owner and is_ours else (None, target)
        return Finding(at, because, False, code, Verdict.DOWN, receiver=receiver, forwards=forwards)
    if is_ours and hop.asked is None and (after := moved(hop.world, target, hop.packet, hop.inside.get(target.id))):
        return _sent_on(hop, target, after)
    if owner is not None and is_ours:
        return Finding(owner.id, f"arrived at {owner.id}{_unready(hop.world, target)}", receiver=owner.id)
    if hop.packet.version == 6 and not target.ipv6_addresses:
        because = f"{target.id} has no IPv6 address: its machine knows no IPv6"
        return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    if target.instance_id is None:
        because = f"{target.id} belongs to no instance that could forward the packet"
        return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    if back is not None:
        because = f"{target.instance_id} gives it back to {back.destination}"
        return Finding(target.instance_id, because, then=replace(hop, packet=back), forwards=target)
    seen = hop.inside.get(target.id)
    after = forwarded(hop.world, target, hop.packet, answers=hop.asked is not None, seen=seen)
    if seen is not None:
        return _sent_on(hop, target, after)
    how = "unchanged" if after == hop.packet else f"from {after.source}"
    because = f"{target.instance_id} is assumed to forward it {how}"
    out = sends_by(hop.world, target, after.source)
    return Finding(target.instance_id, because, then=replace(hop, packet=after), forwards=out)


def _sent_on(hop: Hop, target: Interface, after: Packet) -> Finding:
    """Say what a machine that was looked into makes of a packet."""
    assert target.instance_id, "only instances are looked into"
    if after.destination in target.ips:
        because = f"{target.instance_id} takes it on port {after.port}"
        return Finding(target.instance_id, because, then=replace(hop, packet=after), receiver=target.id)
    how = "unchanged" if after == hop.packet else f"as {after}"
    return Finding(
        target.instance_id,
        f"{target.instance_id} sends it on {how}",
        then=replace(hop, packet=after),
        forwards=target,
    )


def _unready(world: World, target: Interface) -> str:
    """Say that a machine may not answer yet, or not any more."""
    instance = world[Instance, target.instance_id] if target.instance_id else None
    return f"; {instance.id} is {instance.state}" if instance and instance.state != "running" else ""
