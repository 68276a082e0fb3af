"""What became of VPC endpoints, recorded: the network is seen to obey, and only then they say so."""

from atoll.model.endpoint import VpcEndpoint
from atoll.model.lifecycle import VPC_ENDPOINT
from atoll.model.world import Tx


def in_force(tx: Tx, seen: VpcEndpoint) -> bool:
    """Record that the network obeys what an endpoint was when it was looked at; one that is deleted has gone.

    Tells whether it recorded: another change may be under way, whose own look will tell.
    """
    if tx.get(VpcEndpoint, seen.id) != seen:
        return False
    if seen.state == "deleting":
        tx.delete(seen)
    elif VPC_ENDPOINT.allows(seen.state, "in-force"):
        tx.put(seen.but(state=VPC_ENDPOINT.after(seen.state, "in-force")))
    return True
