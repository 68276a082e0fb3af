"""Faults: what `atoll chaos` cut.  No AWS layer: it stands for cables, which nobody's rules can replace.

Two layers, `outward` for what an interface sends and `inward` for what comes from the internet.  A zone that is cut
off still has its own gateway to the internet, as a lost link between two zones leaves it.
"""

from atoll.model.fault import CUTS, Fault, cutting, faults, parting
from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, refuse


def outward(hop: Hop) -> Finding | None:
    """Refuse what is sent by or to an instance that is cut off, or between two zones that are parted."""
    sender, target = hop.sender, hop.target
    if sender is None or not faults(hop.world, *CUTS):
        return None
    cut = cutting(hop.world, sender) or (cutting(hop.world, target) if target else None)
    return _refusal(cut or (parting(hop.world, sender.zone, target.zone) if target else None))


def inward(hop: Hop) -> Finding | None:
    """Refuse what comes from the internet to an instance that is cut off."""
    if hop.sender is not None or hop.target is None:
        return None
    return _refusal(cutting(hop.world, hop.target))


def _refusal(fault: Fault | None) -> Finding | None:
    if fault is None:
        return None
    because = f"{fault.id} cuts {fault.target} off ({fault.act})"
    return refuse(Verdict.CUT, Code.ATOLL_FAULT, fault.id, because)
