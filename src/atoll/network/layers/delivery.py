"""Delivery: the machine behind the interface takes the packet, or forwards it, or is not there.

A machine that forwards is assumed to send the packet on unchanged: the trace reads the World, and a guest's own
`iptables` are not in it.
"""

from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, refuse
from atoll.network.layers.sender import nobody_runs


def judge(hop: Hop) -> Finding | None:
    """Hand the packet over."""
    target = hop.target
    if target is None:
        return None
    is_ours = hop.packet.destination in target.private_ips
    missing = nobody_runs(hop.world, target)
    if missing is not None:
        at, because, code = missing
        receiver, forwards = (target.id, None) if is_ours else (None, target)
        return Finding(at, because, False, code, Verdict.DOWN, receiver=receiver, forwards=forwards)
    if is_ours:
        return Finding(target.id, f"arrived at {target.id}", receiver=target.id)
    if target.instance_id is None:
        because = f"{target.id} belongs to no instance that could forward the packet"
        return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, target.id, because)
    because = f"{target.instance_id} is assumed to forward it unchanged"
    return Finding(target.instance_id, because, forwards=target)
