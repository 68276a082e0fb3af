"""Who used how much network: NAT gateways, instances and cache nodes, under the names of AWS's CloudWatch metrics.

Each number is a total since the gateway or the interface is in the kernel: since it was made, and anew after
a restart of the machine.  Sources: VPC User Guide, "Monitor NAT gateways with Amazon CloudWatch";
EC2 User Guide, "CloudWatch metrics for your instances"; ElastiCache User Guide, "Host-level metrics".
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from atoll.host.contract import LinkCount, Tallied, Tracked
from atoll.model.cache import CacheCluster
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import interfaces_of
from atoll.model.names import link_name
from atoll.model.nat_gateway import NatGateway
from atoll.model.resource import Resource
from atoll.model.world import World
from atoll.network.compile.refusals import DROPS
from atoll.network.compile.usage import ATTEMPTS, CAME, ESTABLISHED, IDLE, KEYS, LEFT, ORIGINAL, REPLY
from atoll.network.facts import Container
from atoll.network.plan import Plan

Counts = Mapping[tuple[str, str], list[Tallied]]  # by namespace and set
THROUGH = {
    "FromSource": (CAME, ORIGINAL, "In"),
    "ToDestination": (LEFT, ORIGINAL, "Out"),
    "FromDestination": (CAME, REPLY, "In"),
    "ToSource": (LEFT, REPLY, "Out"),
}


def counting(plan: Plan, spaces: Iterable[str]) -> list[Container]:
    """Return the sets of gateways' namespaces that count their usage."""
    wanted, names = set(spaces), {DROPS, *KEYS}
    return [f for f in plan.facts() if isinstance(f, Container) and f.namespace in wanted and f.name in names]


def gateways(world: World) -> dict[str, NatGateway]:
    """Return the caller's NAT gateways that stand, by their namespaces."""
    return {g.interface_id: g for g in world.all(NatGateway) if g.stands and g.interface_id}


def vpc_ids(world: World) -> set[str]:
    """Return the VPCs in whose routers the caller's machines are linked."""
    return {i.vpc_id for _, found in _machines(world) for i in found}


def gateway_counts(
    world: World, tallies: Iterable[Tallied], tracked: Mapping[str, Tracked]
) -> list[tuple[NatGateway, Mapping[str, int]]]:
    """Return the metrics of each of the caller's NAT gateways."""
    counts = _by_set(tallies)
    return [(g, _gateway(space, counts, tracked.get(space))) for space, g in gateways(world).items()]


def usage(
    world: World,
    now: datetime,
    tallies: Iterable[Tallied],
    tracked: Mapping[str, Tracked],
    links: Mapping[str, Mapping[str, LinkCount]],
) -> dict[str, Any]:
    """Return everybody's usage, as JSON-able values."""
    machines = [(who, _link_counts(links, found)) for who, found in _machines(world)]
    return {
        "nat_gateways": [
            _named(g, g.created, now) | {"metrics": counts} for g, counts in gateway_counts(world, tallies, tracked)
        ],
        "instances": [
            _named(i, i.launched, now) | {"type": i.type, "metrics": _machine(count, "Network{way}")}
            for i, count in machines
            if isinstance(i, Instance)
        ],
        "caches": [
            {"id": c.name, "hours": _hours(c.created, now), "metrics": _machine(count, "NetworkBytes{way}")}
            for c, count in machines
            if isinstance(c, CacheCluster)
        ],
    }


def _by_set(tallies: Iterable[Tallied]) -> Counts:
    counts: dict[tuple[str, str], list[Tallied]] = {}
    for it in tallies:
        counts.setdefault((it.container.namespace, it.container.name), []).append(it)
    return counts


def _named(it: Resource, since: datetime, now: datetime) -> dict[str, Any]:
    return {"id": it.id, "name": it.tags.get("Name"), "hours": _hours(since, now)}


def _hours(since: datetime, now: datetime) -> float:
    return round((now - since).total_seconds() / 3600, 3)


def _gateway(space: str, counts: Counts, tracked: Tracked | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for where, (container, direction, way) in THROUGH.items():
        mine = [t for t in counts.get((space, container), ()) if t.key[0] == direction]
        found[f"Bytes{way}{where}"] = sum(t.bytes for t in mine)
        found[f"Packets{way}{where}"] = sum(t.packets for t in mine)

    def packets(container: str) -> int:
        return sum(t.packets for t in counts.get((space, container), ()))

    return found | {
        "ActiveConnectionCount": tracked.established if tracked else 0,
        "ConnectionAttemptCount": packets(ATTEMPTS),
        "ConnectionEstablishedCount": packets(ESTABLISHED),
        "ErrorPortAllocation": tracked.refused if tracked else 0,
        "IdleTimeoutCount": packets(IDLE),
        "PacketsDropCount": packets(DROPS),
    }


def _machines(world: World) -> Iterator[tuple[Instance | CacheCluster, list[Interface]]]:
    """Yield the caller's instances and caches with their interfaces."""
    everyone = world.seen_by(None)
    for instance in world.all(Instance):
        yield instance, interfaces_of(world, instance.id)
    for cluster in world.all(CacheCluster):
        found = (everyone.get(Interface, node.interface_id) for node in cluster.nodes)
        yield cluster, [i for i in found if i is not None]


def _link_counts(links: Mapping[str, Mapping[str, LinkCount]], interfaces: Iterable[Interface]) -> LinkCount:
    total = LinkCount(0, 0, 0, 0)
    for it in interfaces:
        count = links.get(it.vpc_id, {}).get(link_name(it.id))
        if count is not None:
            total = LinkCount(*(a + b for a, b in zip(total, count, strict=True)))
    return total


def _machine(count: LinkCount, bytes_name: str) -> dict[str, int]:
    """Name the counts of a router's ends of links: what the router receives, the machine has sent."""
    return {
        bytes_name.format(way="In"): count.sent_bytes,
        bytes_name.format(way="Out"): count.received_bytes,
        "NetworkPacketsIn": count.sent,
        "NetworkPacketsOut": count.received,
    }
