"""What passes a VPC now, and what was refused there, as flows for its map: read from its router's kernel, bounded."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Protocol

from atoll.admin.drops import behind_links, counted_flows
from atoll.host.contract import Connection, Tallied
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import nat_interface, public_ip_of, route_table_of
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.compile.refusals import FORGET_SECONDS, REFUSED_FLOWS, reasons
from atoll.network.facts import Container
from atoll.network.flow import TCP, UDP, Verdict, protocol_name
from atoll.network.layers.hop import best_route, owner
from atoll.network.plan import Plan
from atoll.network.trace import trace
from atoll.picture.scene import INTERNET, Flow

CONNECTIONS_MAX = 10_000  # flows that are looked at: a tenth of a second
FORWARDERS_MAX = 16  # machines that forward, into whose translations we look
FLOWS_MAX = 200  # of each kind in an answer
SETTLED_SECONDS = 3.0  # after the last packet: what the rules allow by then is no longer refused
RESOURCE = re.compile(r"\b(?:sg|acl|rtb|igw|eigw|nat|pcx|vpce|fault)-[\w-]+")
STOPS = {"out": "sender", "in": "receiver", "way": "network", "": "sender"}


class Counters(Protocol):
    """What the kernel counts; reading raises HostError."""

    @property
    def plan(self) -> Plan: ...  # noqa: D102
    async def tallies(self, containers: list[Container]) -> Iterable[Tallied]: ...  # noqa: D102
    async def connections(self, names: list[str], most: int) -> Mapping[str, Mapping[Connection, int]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Passing:
    """What was seen."""

    flows: tuple[Flow, ...]  # what is refused comes first, then by how much
    translates: Mapping[str, tuple[str, ...]]  # by interface of a machine that forwards
    notes: tuple[str, ...] = ()


async def passing(world: World, counters: Counters, vpc_id: str) -> Passing:
    """Look at a VPC's kernel.  Raises HostError."""
    world = world.seen_by(None)
    forwarders = [i for i in world.all(Interface, vpc_id=vpc_id) if i.instance_id and not i.source_dest_check]
    names = [i.id for i in forwarders[:FORWARDERS_MAX]]
    seen = await counters.connections([vpc_id, *names], CONNECTIONS_MAX)
    plan = counters.plan
    refused = await counters.tallies(counted_flows(plan, vpc_id))
    ways = _Ways(world, vpc_id)
    tracked = seen.get(vpc_id, {})
    blocked = sorted(_refused(ways, plan, refused), key=lambda f: (-f.count, f.source, f.target, f.port or 0))
    is_open = sorted(_open(ways, tracked), key=lambda f: (-f.count, f.source, f.target, f.port or 0))
    notes = []
    if sum(tracked.values()) >= CONNECTIONS_MAX:
        notes.append(f"More than {CONNECTIONS_MAX:,} connections are open: not all of them were counted.")
    if len(blocked) > FLOWS_MAX or len(is_open) > FLOWS_MAX:
        notes.append(f"Only the {FLOWS_MAX} most frequent of each kind are told.")
    flows = (*blocked[:FLOWS_MAX], *is_open[:FLOWS_MAX])
    return Passing(flows, {n: found for n in names if (found := _translations(seen.get(n, {})))}, tuple(notes))


def _translations(seen: Mapping[Connection, int]) -> tuple[str, ...]:
    """Return how a machine translates destinations: what was asked of it, and who answered."""
    found = {(c.port, c.answers, c.answers_port) for c in seen if c.answers != c.asked}
    return tuple(f"{port} to {answers}:{its_port}" for port, answers, its_port in sorted(found, key=str))


@dataclass(slots=True)
class _Ways:
    """Says which end of the map an address is."""

    world: World
    vpc_id: str

    def end(self, address: Ip, near: Interface | None) -> str | None:
        """Return the end that has an address, or behind which it is as seen from `near`; `None`: none on the map."""
        if address.is_link_local or address.is_multicast:
            return None
        if found := owner(self.world, self.vpc_id, address):
            return found.id
        vpc = self.world[Vpc, self.vpc_id]
        if any(address in cidr for cidr in vpc.cidrs) or any(address in cidr for cidr in vpc.cidrs6):
            return None  # the VPC's own services
        route = self._route(address, near) if near else None
        if route is not None and route.startswith("nat-") and (gateway := nat_interface(self.world, route)):
            return gateway.id if near and gateway.id != near.id else str(address)
        if route is not None and route.startswith(("pcx-", "vpce-", "eni-")):
            return route
        return str(address)

    def _route(self, address: Ip, near: Interface) -> str | None:
        table = route_table_of(self.world, self.world[Subnet, near.subnet_id])
        route = best_route(self.world, table, address)
        return route.target if route else None

    def holder(self, address: Ip) -> Interface | None:
        """Return the interface of the VPC that has an address."""
        return owner(self.world, self.vpc_id, address)


def _open(ways: _Ways, tracked: Mapping[Connection, int]) -> list[Flow]:
    found: dict[Flow, int] = {}
    for one, count in tracked.items():
        near, far = ways.holder(one.source), ways.holder(one.answers)
        source, target = ways.end(one.source, far), ways.end(one.answers, near)
        if source is None or target is None or (near is None and far is None):
            continue
        port = one.answers_port if one.protocol in (TCP, UDP) else None
        flow = Flow(
            source=source, target=target, protocol=protocol_name(one.protocol), port=port, count=0,
            source_address=str(one.source), target_address=str(one.answers),
        )  # fmt: skip
        found[flow] = found.get(flow, 0) + count
    return [replace(flow, count=count) for flow, count in found.items()]


def _refused(ways: _Ways, plan: Plan, tallies: Iterable[Tallied]) -> list[Flow]:
    facts = [fact for fact in plan.facts() if fact.namespace == ways.vpc_id]
    said, links = reasons(facts), behind_links(plan, ways.vpc_id, facts)
    found: dict[Flow, tuple[int, float]] = {}
    for it in tallies:
        (mark, link, source, target, port), protocol = it.key, REFUSED_FLOWS[it.container.name]
        side, reason = said.get(int(str(mark)), ("", "a rule that is no more"))
        idle = it.idle_seconds if it.idle_seconds is not None else float(FORGET_SECONDS)
        flow = _flow(ways, links.get(str(link)), ip_address(str(source)), ip_address(str(target)), protocol,
                     int(str(port)), side, reason)  # fmt: skip
        if flow is None or (idle > SETTLED_SECONDS and _passes_now(ways, flow)):
            continue
        packets, newest = found.get(flow, (0, idle))
        found[flow] = packets + it.packets, min(newest, idle)
    return [replace(flow, count=packets, seconds_ago=round(idle, 1)) for flow, (packets, idle) in found.items()]


def _flow(
    ways: _Ways, sender: str | None, source: Ip, target: Ip, protocol: int, port: int, side: str, reason: str
) -> Flow | None:
    if sender is None:
        return None
    near = ways.world.get(Interface, sender)
    begins = str(source) if sender == INTERNET else sender
    ends_at = ways.end(target, near) or f"nobody at {target}"
    receiver = ways.holder(target)
    groups = receiver.group_ids if side == "in" and receiver else near.group_ids if side == "out" and near else ()
    named = RESOURCE.search(reason)
    by = named[0] if named else ", ".join(groups) if reason.startswith("no rule") else ""
    return Flow(
        source=begins, target=ends_at, protocol=protocol_name(protocol), port=port, blocked=True, because=reason,
        by=by, stops=STOPS.get(side, "network"), source_address=str(source), target_address=str(target),
    )  # fmt: skip


def _passes_now(ways: _Ways, flow: Flow) -> bool:
    """Tell whether the rules allow by now what they have refused: somebody has mended it."""
    world, target = ways.world, ip_address(flow.target_address)
    sender: str | Ip = flow.source
    if world.get(Interface, flow.source) is None:
        if flow.source.startswith("pcx-"):
            return False
        sender = ip_address(flow.source)
        receiver = ways.holder(target)
        public = public_ip_of(world, receiver) if receiver and target.version == 4 else None
        target = public or target
    found = trace(world, sender, target, flow.protocol, flow.port or 0)
    return found.verdict is Verdict.DELIVERED
