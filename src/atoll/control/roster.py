"""Who belongs to a cluster: its nodes forget those that have left it, and are told of those that they do not know.

Looked at when a group in cluster mode has changed, and now and then.  A node that starts finds the others in its
file, and introduces itself (host/engine/cluster.py), so that there is mostly nothing to do but to forget.
"""

import asyncio
from collections.abc import Callable, Mapping

from atoll.cache.node import NodePlan, Seat
from atoll.cache.shards import bus_port, gossip_terms, nobody
from atoll.control.events import going_on, log
from atoll.control.news import News
from atoll.host.contract import Host, HostError, Machine

LOOK_SECONDS = 10.0  # all must forget a node within a minute, or one reminds the others
AGAIN_SECONDS = 0.5  # while somebody does not know everybody


class Rosters:
    """Keeps the nodes of clusters informed of who is in them."""

    def __init__(self, want: Callable[[], Mapping[str, Machine]], host: Host) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._want, self._host = want, host
        self._news = News()
        self._told: dict[int, tuple[Seat, ...]] = {}  # those who all know each other, by identity
        self._terms: dict[str, tuple[tuple[str, str], ...]] = {}  # of gossip, that processes were told

    def wake(self) -> None:
        """The World has changed."""
        self._news.tell()

    async def run(self) -> None:
        """Run until cancelled."""
        loop = asyncio.get_running_loop()
        looked = float("-inf")
        while True:
            if loop.time() - looked >= LOOK_SECONDS:
                self._told, looked = {}, loop.time()
            settled = True
            with going_on("roster"):
                settled = await self._round()
            await self._news.wait(LOOK_SECONDS if settled else AGAIN_SECONDS)

    async def _round(self) -> bool:
        """Look at each cluster whose members are others than before; tells whether everybody knows everybody."""
        clusters: dict[int, list[NodePlan]] = {}
        for plan in self._want().values():
            if isinstance(plan, NodePlan) and plan.cluster:
                clusters.setdefault(id(plan.cluster.seats), []).append(plan)
        self._told = {key: seats for key, seats in self._told.items() if key in clusters}
        running = {plan.process for plans in clusters.values() for plan in plans}
        self._terms = {process: said for process, said in self._terms.items() if process in running}
        settled = True
        for key, plans in clusters.items():
            assert plans[0].cluster, "chosen so"
            settled = all([await self._agree(plan) for plan in plans]) and settled
            if key in self._told:
                continue
            if all([await self._inform(plan) for plan in plans]):
                self._told[key] = plans[0].cluster.seats
            else:
                settled = False
        return settled

    async def _agree(self, plan: NodePlan) -> bool:
        """Tell one node the terms of gossip, once for each process and value; tells whether it knows them."""
        assert plan.cluster, "chosen so"
        wanted, told = gossip_terms(plan.cluster), self._terms.get(plan.process, ())
        if told == wanted or self._host.vital(plan.process) is None:
            return True  # it will read them when it starts
        try:
            for name, value in wanted:
                if (name, value) not in told:
                    await self._host.command(plan, "CONFIG", "SET", name, value)
        except HostError as error:
            log("cluster not told", node=plan.name, because=str(error))
            return False
        self._terms[plan.process] = wanted
        return True

    async def _inform(self, plan: NodePlan) -> bool:
        """Have one node forget who has left, and meet whom it does not know; tells whether all was well."""
        if plan.cluster is None or self._host.vital(plan.process) is None:
            return True  # it will read of the others when it starts
        members = {seat.id: seat for seat in plan.cluster.seats}
        try:
            ids = (await self._host.known(plan)).ids - {nobody(plan.cluster.id)}
            for stranger in ids - members.keys():
                await self._host.command(plan, "CLUSTER", "FORGET", stranger)
            for unknown in members.keys() - ids:
                at = members[unknown]
                bus = str(bus_port(at.port))
                await self._host.command(plan, "CLUSTER", "MEET", str(at.address), str(at.port), bus)
        except HostError as error:
            log("cluster not told", node=plan.name, because=str(error))
            return False
        return ids == members.keys()
