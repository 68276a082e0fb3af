"""Sender: something must run behind an interface, or it sends nothing.  What it sends to itself stays inside."""

from atoll.model.fault import dead
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import HALTED, companions
from atoll.model.world import World
from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, refuse


def nobody_runs(world: World, interface: Interface) -> tuple[str, str, Code] | None:
    """Return who is missing behind an interface, why, and the code; `None` if somebody is there.

    A service's interface (a cache node) always counts as there, and so does a machine that boots or shuts down: it
    uses its network then.  Whether it answers is not the network's affair.
    """
    if interface.attachment is None:
        return interface.id, f"{interface.id} is attached to nothing", Code.BAD_STATE_ATTACHMENT
    if fault := dead(world, interface):
        return fault.id, f"{fault.target} is down ({fault.act})", Code.ATOLL_FAULT
    if interface.instance_id is None:
        return None
    instance = world[Instance, interface.instance_id]
    if instance.state not in HALTED:
        return None
    return instance.id, f"{instance.id} is {instance.state}", Code.BAD_STATE


def judge(hop: Hop) -> Finding | None:
    """Refuse what an interface without a running machine would send; keep what is for the machine itself."""
    sender = hop.sender
    if sender is None:
        return None
    # Who answers was looked for when the request came: see `delivery`.
    missing = nobody_runs(hop.world, sender) if hop.asked is None else None
    if missing is not None:
        at, because, code = missing
        return refuse(Verdict.DOWN, code, at, because)
    for one in companions(hop.world, sender):
        if hop.packet.destination in one.ips:
            return Finding(one.id, f"{hop.packet.destination} is its own address", receiver=one.id)
    if hop.packet.version == 6 and not sender.ipv6_addresses:
        because = f"{sender.id} has no IPv6 address: its machine knows no IPv6"
        return refuse(Verdict.NO_ROUTE, Code.NO_ROUTE_TO_DESTINATION, sender.id, because)
    return None
