"""The loop of auto discovery: the nodes of each Memcached cluster tell clients of its members, all the same.

Woken by a revision; looks once a second all the same, because what the nodes tell is kept in them as items, and
clients may flush these.  A cluster whose membership has changed is `modifying` until its nodes tell so, and a node
that leaves runs until then.  A node that does not answer is not waited for: it is told before it is available again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from atoll.cache.discovery import version_of
from atoll.cache.node import NodePlan
from atoll.control.events import going_on, log
from atoll.control.news import News
from atoll.control.record import Recorder
from atoll.host.contract import Host, HostError, Machine
from atoll.store.sqlite import StoreError

LOOK_SECONDS = 1.0


class Discovery:
    """Announces the members of every Memcached cluster."""

    def __init__(self, want: Callable[[], Mapping[str, Machine]], host: Host, record: Recorder) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._want, self._host, self._record = want, host, record
        self._news = News()
        self._told: dict[str, bytes] = {}  # by process; only what spares a question
        self._complaints: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by cluster
        self._missed: set[str] = set()

    def wake(self) -> None:
        """Have a look, soon."""
        self._news.tell()

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            while True:
                self._look(only_news=await self._news.wait(LOOK_SECONDS))
        finally:
            for task in self._tasks.values():
                task.cancel()

    def _look(self, *, only_news: bool) -> None:
        clusters = self._clusters()
        processes = {node.process for nodes in clusters.values() for node in nodes}
        for kept in (self._told, self._complaints):
            for gone in kept.keys() - processes:
                del kept[gone]
        for id, nodes in clusters.items():
            self._attend(id, nodes, only_news=only_news)

    def _clusters(self) -> dict[str, list[NodePlan]]:
        clusters: dict[str, list[NodePlan]] = {}
        for machine in self._want().values():
            if isinstance(machine, NodePlan) and machine.is_memcached:
                clusters.setdefault(machine.cluster_id, []).append(machine)
        return clusters

    def _attend(self, cluster_id: str, nodes: Iterable[NodePlan], *, only_news: bool) -> None:
        asked = [n for n in nodes if not only_news or self._told.get(n.process) != n.discovery]
        if asked and cluster_id in self._tasks:
            self._missed.add(cluster_id)
        elif asked:
            self._tasks[cluster_id] = asyncio.create_task(self._announce(cluster_id, asked))
            self._tasks[cluster_id].add_done_callback(partial(self._done, cluster_id))

    def _done(self, cluster_id: str, task: "asyncio.Task[None]") -> None:
        del self._tasks[cluster_id]
        if cluster_id in self._missed and not task.cancelled():  # there were news meanwhile
            self._missed.discard(cluster_id)
            # This one only: two whose nodes do not run would each find the other's question under way, for ever.
            self._attend(cluster_id, self._clusters().get(cluster_id, ()), only_news=True)

    async def _announce(self, cluster_id: str, nodes: Iterable[NodePlan]) -> None:
        """Tell the nodes of a cluster, all at once, and write down that it was done."""
        nodes = tuple(nodes)
        with going_on("auto discovery", "not written down", StoreError):
            await asyncio.gather(*(self._tell(node) for node in nodes))
            self._record.announced(cluster_id, min(version_of(node.discovery) for node in nodes))

    async def _tell(self, node: NodePlan) -> None:
        if self._host.vital(node.process) is None:  # else whoever has its port would be spoken to
            self._told.pop(node.process, None)
            return
        try:
            complaint = await self._host.announce(node)
        except HostError:  # it is down or cut off; others say so
            self._told.pop(node.process, None)
            return
        self._told[node.process] = node.discovery
        if complaint and self._complaints.get(node.process) != complaint:
            log("discovery does not answer", node=node.process, because=complaint)
        self._complaints[node.process] = complaint or ""
