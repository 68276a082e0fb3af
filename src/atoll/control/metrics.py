"""Measures caches and NAT gateways once a minute, for CloudWatch's metrics; and whenever a Prometheus server asks.

Each engine is asked over a connection of its own, so that no failover waits for an answer to this.  A node that does
not answer in time has no sample, as on AWS.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from atoll.cache.metrics import Reading, read, since, unit
from atoll.cache.node import NodePlan
from atoll.cache.node_types import NODE_TYPES
from atoll.cloudwatch.samples import Metric, Samples
from atoll.control.counters import Counters
from atoll.control.events import going_on, log
from atoll.control.pulse import rest
from atoll.host.contract import Host, HostError, LinkCount, Machine
from atoll.model.cache import CacheCluster
from atoll.model.names import link_name
from atoll.model.nat_gateway import NatGateway
from atoll.model.world import World

SECONDS = 60.0  # between samples: CloudWatch has those of ElastiCache and of NAT gateways once a minute
REST_SECONDS = 1.0  # after a start: the first requests go first
ASKED_AT_ONCE = 16  # engines: an answer takes a millisecond of the daemon's time
CACHES, GATEWAYS = "AWS/ElastiCache", "AWS/NATGateway"
LAG = "GlobalDatastoreReplicationLag"
GATEWAY_GAUGES = ("ActiveConnectionCount",)  # all others count since the gateway was made

Gateways: TypeAlias = Callable[[], Awaitable[Sequence[tuple[NatGateway, Mapping[str, int]]]]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A cache node or a NAT gateway, and what it says."""

    process: str  # another one began counting anew
    account: str
    region: str
    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    vcpus: int
    reading: Reading

    def metric(self, name: str) -> Metric:
        """Return one of its metrics."""
        of_bytes = self.namespace == GATEWAYS and name.startswith("Bytes")
        named = "Bytes" if of_bytes else unit(name)
        return Metric(self.account, self.region, self.namespace, name, self.dimensions, named)


class Sampler:
    """Measures."""

    def __init__(
        self,
        world: Callable[[], World],
        machines: Callable[[], Mapping[str, Machine]],
        host: Host,
        counters: Counters,
        gateways: Gateways,
        now: Callable[[], datetime],
        seconds: float,
    ) -> None:
        """Measure what should run by `machines`; `gateways` reads what gateways count, and may raise HostError."""
        self._world, self._machines, self._host, self._counters = world, machines, host, counters
        self._gateways, self._now, self._seconds = gateways, now, seconds
        self._before: dict[str, tuple[float, Reading]] = {}
        self._older: frozenset[str] | None = None  # than we: what they counted before our first look is not new
        self._looked = 0.0
        self._room = asyncio.Semaphore(ASKED_AT_ONCE)
        self.samples = Samples()
        self.lags: Mapping[str, float] = {}  # of global datastores: seconds, by the cluster of a secondary's leader

    async def run(self) -> None:
        """Sample until cancelled."""
        self._begin()
        await rest(REST_SECONDS)
        while True:
            with going_on("metrics"):
                await self.sample()
            await rest(self._seconds)

    async def sample(self) -> None:
        """Measure everything once, and keep it."""
        there = self._there()
        if self._older is None:
            self._begin()
        found = await self.measure()
        if self._older is None:
            return  # everything was reset meanwhile
        at = self._now().timestamp()
        values: dict[Metric, float] = {}
        for one in found:
            when, before = self._before.get(one.process) or self._at_birth(one)
            added = since(one.reading, before, at - when, vcpus=one.vcpus)
            values.update({one.metric(name): value for name, value in added.items()})
        self.samples.add(at, values)
        self._before.update({one.process: (at, one.reading) for one in found})
        self._before = {process: before for process, before in self._before.items() if process in there}
        self._looked = at

    async def measure(self) -> list[Measured]:
        """Return what every node and gateway says now."""
        world = self._world().seen_by(None)
        nodes = [m for m in self._machines().values() if isinstance(m, NodePlan)]
        links = await self._links({node.vpc_id for node in nodes})
        asked = await asyncio.gather(*(self._node(world, node, links) for node in nodes))
        return [*filter(None, asked), *await self._nat()]

    def forget(self) -> None:
        """Forget everything: the World was reset."""
        self._before.clear()
        self._older = None
        self.samples.clear()

    def _begin(self) -> None:
        self._older, self._looked = frozenset(self._there()), self._now().timestamp()

    def _there(self) -> set[str]:
        """Return the names of all that can be measured, whether it answers or not."""
        gateways = self._world().seen_by(None).all(NatGateway)
        return {*self._machines(), *(gateway.id for gateway in gateways)}

    def _at_birth(self, one: Measured) -> tuple[float, Reading | None]:
        """Return what stands for the reading before the first one: nothing counted, unless it is older than we."""
        if one.process in (self._older or ()):
            return self._looked, None
        return self._looked, Reading({}, dict.fromkeys(one.reading.totals, 0.0), 0.0, 0.0)

    async def _links(self, vpc_ids: set[str]) -> Mapping[str, Mapping[str, LinkCount]]:
        if vpc_ids:
            with contextlib.suppress(HostError):  # a router that comes up has nothing to tell yet
                return (await self._counters.traffic(vpc_ids, ()))[0]
        return {}

    async def _node(
        self, world: World, node: NodePlan, links: Mapping[str, Mapping[str, LinkCount]]
    ) -> Measured | None:
        cluster = world.get(CacheCluster, node.cluster_id)
        if cluster is None:
            return None
        async with self._room:
            try:
                said = await self._host.statistics(node)
                reading = read(said, is_memcached=node.is_memcached, memory_bytes=node.memory_bytes)
            except (HostError, ValueError) as error:
                log("not measured", node=node.name, because=str(error))
                return None
        if not said:
            return None
        if (lag := self.lags.get(cluster.id)) is not None:
            reading = replace(reading, gauges={**reading.gauges, LAG: lag})
        if link := links.get(node.vpc_id, {}).get(link_name(node.interface_id)):
            reading = replace(reading, totals={**reading.totals, **_network(link)})
        return Measured(
            process=node.process,
            account=cluster.account,
            region=cluster.region,
            namespace=CACHES,
            dimensions=(("CacheClusterId", cluster.name), ("CacheNodeId", node.node_id)),
            vcpus=NODE_TYPES[cluster.node_type].vcpus,
            reading=reading,
        )

    async def _nat(self) -> list[Measured]:
        try:
            found = await self._gateways()
        except HostError as error:
            log("not measured", node="NAT gateways", because=str(error))
            return []
        return [_gateway(gateway, counts) for gateway, counts in found]


def _gateway(gateway: NatGateway, counts: Mapping[str, int]) -> Measured:
    gauges = {name: float(counts[name]) for name in GATEWAY_GAUGES}
    totals = {name: float(count) for name, count in counts.items() if name not in GATEWAY_GAUGES}
    return Measured(
        process=gateway.id,
        account=gateway.account,
        region=gateway.region,
        namespace=GATEWAYS,
        dimensions=(("NatGatewayId", gateway.id),),
        vcpus=1,
        reading=Reading(gauges, totals, None, None),
    )


def _network(link: LinkCount) -> dict[str, float]:
    """Name the counts of a router's end of a link: what the router sends, the node receives."""
    return {
        "NetworkBytesIn": float(link.sent_bytes),
        "NetworkBytesOut": float(link.received_bytes),
        "NetworkPacketsIn": float(link.sent),
        "NetworkPacketsOut": float(link.received),
    }
