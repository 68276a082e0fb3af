"""Source check: an interface sends only from its own addresses, unless its source/destination check is off.

Source: VPC User Guide, "NAT instances", "Disable source/destination checks".
"""

from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, refuse


def judge(hop: Hop) -> Finding | None:
    """Refuse a foreign source address."""
    sender = hop.sender
    if sender is None or hop.packet.source in sender.ips:
        return None
    if sender.source_dest_check:
        because = f"{hop.packet.source} is not an address of {sender.id}, which checks sources"
        return refuse(Verdict.SPOOFED, Code.ENI_SOURCE_DEST_CHECK_RESTRICTION, sender.id, because)
    return Finding(sender.id, f"the source/destination check of {sender.id} is off")
