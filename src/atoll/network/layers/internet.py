"""The internet: it knows outside hosts and the public addresses of VPCs, and carries everything between them."""

from dataclasses import replace

from atoll.model.internet import OutsideHost
from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, refuse
from atoll.network.layers.internet_gateway import behind, global_owner, is_private


def judge(hop: Hop) -> Finding | None:
    """Find who has a public destination: an outside host, an interface behind its gateway, or nobody."""
    if not hop.abroad:
        return None
    destination = hop.packet.destination
    found = behind(hop.world, destination) or global_owner(hop.world, destination)
    if found is not None:
        return Finding(str(destination), f"{destination} is {found[0].id}", then=replace(hop, target=found[0]))
    asker = hop.asked.asker if hop.asked else None
    if destination == asker or hop.world.get(OutsideHost, str(destination)):
        return Finding(str(destination), f"arrived at {destination}", receiver=destination)
    if is_private(destination):
        because = f"{destination} is a private address: nobody reaches it from the internet"
        return refuse(Verdict.REFUSED, Code.NO_POSSIBLE_DESTINATION, str(destination), because)
    because = f"nobody on the internet has {destination}"
    return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, str(destination), because)
