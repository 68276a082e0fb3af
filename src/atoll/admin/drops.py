"""What the network refused: by reason and by the two ends between which it was to pass.  Evidence, not a verdict.

The kernel counts from a VPC's first interface on, and anew after a restart of the machine.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from atoll.host.contract import Tallied
from atoll.model.names import link_name
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.compile.refusals import DROPS, REFUSED_FLOWS, reasons
from atoll.network.facts import Container, Fact, Veth
from atoll.network.plan import Plan

WHO = {"": "check", "out": "sender", "in": "receiver", "way": "network"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Packets that were refused for one reason between two ends.

    `by`: "sender" and "receiver" are the groups and the network ACL of that side, "network" is what is between,
    "check" refuses what nobody had the right to send, or what leads to nobody.  An end is an interface, a peering
    connection, "internet", or None: the packet was refused before it was known where it leads.
    """

    vpc: str
    gateway: str | None  # the interface of the NAT gateway, load balancer or endpoint that refused; None: the router
    by: str
    reason: str
    source: str | None
    target: str | None
    packets: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)


def counted(plan: Plan) -> list[Container]:
    """Return the sets in which refusals are counted."""
    return [fact for fact in plan.facts() if isinstance(fact, Container) and fact.name == DROPS]


def counted_flows(plan: Plan, vpc_id: str) -> list[Container]:
    """Return the sets in which a VPC's router counts what it refuses, by addresses and port."""
    facts = (f for f in plan.facts() if isinstance(f, Container) and f.name in REFUSED_FLOWS)
    return [container for container in facts if container.namespace == vpc_id]


def drops(world: World, plan: Plan, tallies: Iterable[Tallied]) -> list[Drop]:
    """Return the refusals in the VPCs that `world` shows its caller, the most frequent first."""
    facts: dict[str, list[Fact]] = {}
    for fact in plan.facts():
        facts.setdefault(fact.namespace, []).append(fact)
    vpc_ids = [vpc.id for vpc in world.all(Vpc) if vpc.id in facts]
    ends = {vpc_id: behind_links(plan, vpc_id, facts[vpc_id]) for vpc_id in vpc_ids}
    counting = {container.namespace for container in counted(plan)}
    spaces = {end: vpc_id for vpc_id in vpc_ids for end in (vpc_id, *ends[vpc_id].values()) if end in counting}
    found = _together(_drops(spaces, ends, facts, tallies))  # the two IP versions count by themselves
    return sorted(found, key=lambda drop: (-drop.packets, drop.vpc, drop.reason))


def _drops(
    spaces: Mapping[str, str],
    ends: Mapping[str, Mapping[str, str]],
    facts: Mapping[str, Sequence[Fact]],
    tallies: Iterable[Tallied],
) -> Iterator[Drop]:
    said = {name: reasons(facts[name]) for name in spaces}
    for it in tallies:
        name, (mark, source, target) = it.container.namespace, it.key
        vpc_id = spaces.get(name)
        if vpc_id is None or not isinstance(mark, int):
            continue
        side, reason = said[name].get(mark, ("", "a rule that is no more"))
        known = ends[vpc_id] if name == vpc_id else {}
        yield Drop(
            vpc=vpc_id,
            gateway=None if name == vpc_id else name,
            by=WHO[side],
            reason=reason,
            source=known.get(str(source)),
            target=known.get(str(target)),
            packets=it.packets,
            bytes=it.bytes,
        )


def _together(drops: Iterable[Drop]) -> list[Drop]:
    found: dict[Drop, tuple[int, int]] = {}
    for drop in drops:
        key = replace(drop, packets=0, bytes=0)
        packets, size = found.get(key, (0, 0))
        found[key] = packets + drop.packets, size + drop.bytes
    return [replace(key, packets=packets, bytes=size) for key, (packets, size) in found.items()]


def behind_links(plan: Plan, vpc_id: str, facts: Iterable[Fact]) -> dict[str, str]:
    """Return what is behind the links of a router, by link: interfaces, endpoints, peerings, the internet."""
    ends = {fact.name: fact.peer_namespace or "internet" for fact in facts if isinstance(fact, Veth)}
    ends |= {link_name(id): id for id in plan.made_from[vpc_id].interfaces}  # in whatever namespace they end
    return ends | {peer.link.name: peer.link.id for peer in plan.made_from[vpc_id].peers}
