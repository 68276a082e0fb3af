"""Route table: the longest prefix decides where a packet goes that leaves its subnet.

A kind of target is one row of `TARGETS`; a target that is not there yet is a blackhole (`lookup.route_state`).
"""

from collections.abc import Callable

from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, refuse


def judge(hop: Hop) -> Finding | None:
    """Refuse what no route fits, what a blackhole swallows, and what goes to nobody."""
    if hop.sender is None or hop.table is None:
        return None
    destination, table, route = hop.packet.destination, hop.table, hop.route
    if route is None:
        because = f"no route of {table.id} leads to {destination}"
        return refuse(Verdict.NO_ROUTE, Code.NO_ROUTE_TO_DESTINATION, table.id, because)
    kind = route.target.split("-")[0]
    if hop.state != "active" or kind not in TARGETS:
        because = f"{route.towards} -> {route.target} of {table.id} is a blackhole"
        return refuse(Verdict.BLACKHOLE, Code.BAD_STATE_ROUTE, table.id, because, rule=route.towards)
    refusal = TARGETS[kind](hop)
    return refusal or Finding(table.id, f"{route.towards} -> {route.target}", rule=route.towards)


def _local(hop: Hop) -> Finding | None:
    if hop.target is not None or hop.sender is None:
        return None
    because = f"no interface of {hop.sender.vpc_id} has {hop.packet.destination}"
    return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, hop.sender.vpc_id, because)


def _interface(hop: Hop) -> Finding | None:
    if hop.sender is None or hop.target is None:
        return None
    if hop.packet.version == 6 and not hop.target.ipv6_addresses:
        because = f"{hop.target.id} has no IPv6 address: its machine knows no IPv6"
        return refuse(Verdict.NOBODY, Code.NO_POSSIBLE_DESTINATION, hop.target.id, because)
    if hop.target.id != hop.sender.id:
        return None
    because = f"the route leads back to {hop.sender.id}, which sent the packet"
    return refuse(Verdict.LOOP, Code.NO_POSSIBLE_DESTINATION, hop.sender.id, because)


def _peering(_hop: Hop) -> Finding | None:
    return None  # as does the peering's


def _gateway(_hop: Hop) -> Finding | None:
    return None  # the gateway's own layer judges


# The prefix of a target's id -> what else a route to it needs.
TARGETS: dict[str, Callable[[Hop], Finding | None]] = {
    "local": _local, "eni": _interface, "nat": _interface, "igw": _gateway, "eigw": _gateway, "pcx": _peering,
    "vpce": _gateway,
}  # fmt: skip
