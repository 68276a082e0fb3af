"""Destination check: an interface takes only what is for its own addresses, unless its check is off."""

from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, refuse


def judge(hop: Hop) -> Finding | None:
    """Refuse a foreign destination address."""
    target = hop.target
    if target is None or hop.packet.destination in target.ips:
        return None
    if target.source_dest_check:
        because = f"{hop.packet.destination} is not an address of {target.id}, which checks destinations"
        return refuse(Verdict.SPOOFED, Code.ENI_SOURCE_DEST_CHECK_RESTRICTION, target.id, because)
    return Finding(target.id, f"the source/destination check of {target.id} is off")
