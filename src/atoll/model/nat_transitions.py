"""What became of NAT gateways, recorded: the network is seen to obey, and only then they say so.

As in `transitions`, an operation may have come in between the look and the record; each function tells whether it
recorded.
"""

from dataclasses import replace
from datetime import timedelta

from atoll.model.lifecycle import NAT_GATEWAY
from atoll.model.nat_gateway import NatGateway
from atoll.model.world import Tx

ENDED_SHOWN = timedelta(hours=1)  # VPC User Guide, "Troubleshoot NAT gateways": "about an hour"


def in_force(tx: Tx, seen: NatGateway) -> bool:
    """Record that the network obeys what a gateway was when it was looked at.

    One that could not be made fails now; one that is deleted has gone; the addresses of the others are put on.
    """
    if tx.get(NatGateway, seen.id) != seen:
        return False  # another change is under way: its own look will tell
    event = "refused" if seen.state == "pending" and seen.failure else "in-force"
    after = seen
    if NAT_GATEWAY.allows(seen.state, event):
        after = after.but(state=NAT_GATEWAY.after(seen.state, event))
    if after.state in ("failed", "deleted"):
        after = after.but(ended=tx.now)
    else:
        after = after.but(addresses=tuple(replace(a, status="succeeded") for a in after.addresses))
    tx.put(after)
    return True


def forget_old(tx: Tx) -> int:
    """Forget gateways that failed or were deleted an hour ago; return how many."""
    old = [g for g in tx.all(NatGateway) if g.ended and tx.now - g.ended >= ENDED_SHOWN]
    for gateway in old:
        tx.delete(gateway)
    return len(old)
