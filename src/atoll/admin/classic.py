"""`atoll classic`: EC2-Classic for an account in a region, which AWS gives to nobody any more."""

from typing import Any

from atoll.ec2 import classic
from atoll.model.classic import network_of
from atoll.model.world import Caller, Tx, World

InUse = classic.InUse


def change(tx: Tx, caller: Caller, *, enabled: bool) -> None:
    """Give an account EC2-Classic, or take it away.  Raises InUse."""
    inner = Tx(tx.world.seen_by(None), caller=caller, now=tx.now, new_hex=tx.new_hex)
    if enabled:
        classic.enable(inner)
    else:
        classic.disable(inner)
    for (kind, id), resource in inner.changes.items():
        if resource is not None:
            tx.put(resource)
        elif there := tx.get(kind, id):
            tx.delete(there)


def shown(world: World) -> dict[str, Any]:
    """Tell whether the caller of `world` has EC2-Classic."""
    caller, network = world.caller, network_of(world)
    assert caller, "somebody asks"
    return {
        "account": caller.account,
        "region": caller.region,
        "enabled": network is not None,
        "cidr": str(network.cidr) if network else None,
    }
