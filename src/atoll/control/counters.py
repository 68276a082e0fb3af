"""What the kernel counts, for whoever asks, and for flow logs.

The loop of flow logs is imported when there is one, or when somebody asks: no start waits for it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.control.pulse import waits
from atoll.host.contract import Connection, Host, LinkCount, Tallied, Tracked
from atoll.model.flow_log import FlowLog
from atoll.model.world import Tx, World
from atoll.network.facts import Container
from atoll.network.plan import Plan
from atoll.store.sqlite import Store, StoreError

if TYPE_CHECKING:
    from atoll.control.flow_logs import FlowLogs


class Counters:
    """Reads the counters of one host; every call that reads raises HostError."""

    def __init__(self, host: Host, store: Store, plan: Callable[[], Plan], directory: Path) -> None:
        """Prepare; flow logs are written into the directory."""
        self._host, self._store, self._plan, self._directory = host, store, plan, directory
        self._flow_logs: FlowLogs | None = None
        self._is_asked_for = asyncio.Event()
        store.watch(self._notice)
        self._notice(store.world)

    @property
    def plan(self) -> Plan:
        """The plan of the network that was applied last: it says what is counted where."""
        return self._plan()

    async def tallies(self, containers: Sequence[Container]) -> Sequence[Tallied]:
        """Return what packets counted in these sets."""
        return await asyncio.to_thread(self._host.tallies, containers)

    async def traffic(
        self, vpc_ids: Collection[str], gateways: Collection[str]
    ) -> tuple[Mapping[str, Mapping[str, LinkCount]], Mapping[str, Tracked]]:
        """Return what passed the links of VPCs' routers, and what NAT gateways track."""
        links = await asyncio.to_thread(self._host.link_counts, tuple(vpc_ids))
        return links, await asyncio.to_thread(self._host.tracked, tuple(gateways))

    async def connections(self, names: Collection[str], most: int) -> Mapping[str, Mapping[Connection, int]]:
        """Return how many connections are open in namespaces, and alike."""
        return await asyncio.to_thread(self._host.connections, tuple(names), most)

    @property
    def flow_logs(self) -> "FlowLogs":
        """The loop of flow logs."""
        if self._flow_logs is None:
            from atoll.control.flow_files import FlowFiles
            from atoll.control.flow_logs import FlowLogs

            files = FlowFiles(self._directory)
            self._flow_logs = FlowLogs(
                lambda: self._store.world, self._plan, self._take, files, self._note, self._forget
            )
        return self._flow_logs

    async def run(self) -> None:
        """Write flow logs, as soon as there is one, until cancelled."""
        waits(None)
        await self._is_asked_for.wait()
        await self.flow_logs.run()

    def _notice(self, world: World) -> None:
        if not self._is_asked_for.is_set() and world.table(FlowLog):
            self._is_asked_for.set()

    async def _take(self, containers: Sequence[Container]) -> Sequence[Tallied]:
        return await asyncio.to_thread(partial(self._host.tallies, containers, take=True)) if containers else ()

    def _note(self, log: FlowLog, trouble: str | None) -> None:
        """Write into the World whether a flow log could be delivered, when that has changed."""

        def note(tx: Tx) -> None:
            if (now := tx.get(FlowLog, log.id)) is not None:
                tx.put(now.but(trouble=trouble))

        if log.trouble != trouble:
            with contextlib.suppress(StoreError):  # it is noted the next time
                self._store.write(note, what="flow log delivery")

    def _forget(self, logs: Sequence[FlowLog]) -> None:
        def forget(tx: Tx) -> None:
            for log in logs:
                if tx.get(FlowLog, log.id) is not None:
                    tx.delete(log)

        with contextlib.suppress(StoreError):  # the next minute sees them again
            self._store.write(forget, what="flow logs of nothing")
