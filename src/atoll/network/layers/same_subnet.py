"""Same subnet: a neighbour is reached directly, past the route table and the ACLs."""

from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, refuse


def judge(hop: Hop) -> Finding | None:
    """Say that the packet stays in its subnet, or that nobody there has the address."""
    if hop.subnet is None or not hop.is_local:
        return None
    if hop.target is None:
        because = f"no interface of {hop.subnet.id} has {hop.packet.destination}"
        return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, hop.subnet.id, because)
    return Finding(hop.subnet.id, f"{hop.packet.destination} is in {hop.subnet.id} too: no ACL, no route table")
