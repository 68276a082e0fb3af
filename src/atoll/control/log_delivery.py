"""The loop of log delivery: reads the logs of caches' engines once a second, and writes them into log groups.

It also removes the files of log groups that were deleted, and those that are older than their group keeps.  What was
delivered is on the disk (`log_cursor.py`), so that a daemon that is killed loses and repeats nothing.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from atoll.cache.logs import engine_record, engine_time, slow_record, stream_name
from atoll.cache.node import NodePlan
from atoll.control.events import going_on
from atoll.control.log_cursor import Cursor, tail_of
from atoll.control.log_files import LogFiles
from atoll.control.pulse import rest, waits
from atoll.control.sight import Book
from atoll.host.contract import Host, HostError, Machine
from atoll.logs import shelf
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.log_delivery import SLOW, LogDelivery, LogGroup
from atoll.model.names import digest
from atoll.model.world import Tx, World
from atoll.store.sqlite import StoreError

LOOK_SECONDS = 1.0
EXPIRE_SECONDS = 600.0  # between looks for old files; verbs show nothing that is too old meanwhile
DAY_SECONDS = 86_400


class LogDeliveries:
    """Delivers the logs of all caches."""

    def __init__(self, store: Book, want: Callable[[], Mapping[str, Machine]], host: Host, state_dir: Path) -> None:
        """Prepare, and let the `logs` API read.  `want` compiles the machines of the newest World."""
        self._store, self._want, self._host = store, want, host
        self.files, self._directory = LogFiles(state_dir / "flow-logs"), state_dir / "log-delivery"
        shelf.read_with(self.files)
        self._cursors: dict[Path, Cursor] = {}
        self._expiry_due = 0.0  # Unix time
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Have a look, if there is something to do."""
        if any(True for kind in (LogDelivery, LogGroup) for _ in self._store.world.seen_by(None).all(kind)):
            self._wake.set()

    async def run(self) -> None:
        """Run until cancelled; asleep as long as there are no logs."""
        self.wake()
        while True:
            waits(None)
            await self._wake.wait()
            self._wake.clear()
            with going_on("log delivery", "not written down", StoreError):
                await self.look()
            await rest(LOOK_SECONDS)
            self.wake()

    async def look(self) -> None:
        """Deliver what is new.  Raises StoreError."""
        world = self._store.world.seen_by(None)
        await self._expire(world, time.time())
        for group in list(world.all(LogGroup)):
            if group.is_deleted:
                await asyncio.to_thread(self.files.remove, group.account, group.region, group.name)
                self._note(_forget_group, group.id)
        for delivery in list(world.all(LogDelivery)):
            clusters = _clusters(world, delivery)
            if clusters is None:
                self._note(_forget, delivery.id)
                self._drop(delivery)
                continue
            await self._deliver(delivery, {cluster.id: cluster for cluster in clusters})

    async def _expire(self, world: World, now: float) -> None:
        """Remove what is older than its group keeps, now and then."""
        if now < self._expiry_due:
            return
        self._expiry_due = now + EXPIRE_SECONDS
        for group in list(world.all(LogGroup)):
            if group.retention_days is not None:
                before = now - group.retention_days * DAY_SECONDS
                await asyncio.to_thread(self.files.expire, group.account, group.region, group.name, before)

    def clear(self) -> None:
        """Forget how far everything was delivered."""
        for path in self._directory.glob("*.json"):
            path.unlink(missing_ok=True)
        self._cursors.clear()

    async def _deliver(self, delivery: LogDelivery, clusters: Mapping[str, CacheCluster]) -> None:
        """Deliver one log of all nodes of a cache, and write down what has become of it."""
        nodes = [n for n in self._want().values() if isinstance(n, NodePlan) and n.cluster_id in clusters]
        reached, trouble = bool(nodes), None
        for node in nodes:
            try:
                await self._of_node(delivery, node, clusters[node.cluster_id].name)
            except HostError:  # it does not run just now; what it has said is still there when it does
                reached = False
            except OSError as error:
                trouble = f"The log group cannot be written: {error.strerror or error}"
        status, message = delivery.status, delivery.message
        if trouble:
            status, message = "error", trouble
        elif reached and status in ("enabling", "modifying", "error"):
            status, message = "active", None
        if delivery.status == "disabling" or (status, message) != (delivery.status, delivery.message):
            self._note(_settle, delivery, status, message)
            if delivery.status == "disabling":
                self._drop(delivery)

    async def _of_node(self, delivery: LogDelivery, node: NodePlan, cluster: str) -> None:
        cursor = self._cursor(delivery, node)
        stream = self.files.stream(
            delivery.account,
            delivery.region,
            delivery.log_group,
            stream_name(node.engine, cluster, node.node_id, delivery.log_type),
        )
        if delivery.log_type == SLOW:
            run, entries = await self._host.slow_log(node, cursor.slow)
            since = int(delivery.since.timestamp())
            events = [slow_record(e, cluster, node.node_id, delivery.format) for e in entries if e.at >= since]
            if entries:
                await asyncio.to_thread(cursor.deliver, stream, events, run=run, id=entries[-1].id)
            return
        said = await asyncio.to_thread(self._host.engine_log, node)
        lines = said.split("\n")[:-1]  # the last may not be whole yet
        new = cursor.after(lines)
        made = [
            record
            for line in new
            if (engine_time(line) or datetime.min.replace(tzinfo=UTC)) >= delivery.since
            and (record := engine_record(line, cluster, node.node_id, delivery.format))
        ]
        if new:
            await asyncio.to_thread(cursor.deliver, stream, made, **tail_of(lines))

    def _cursor(self, delivery: LogDelivery, node: NodePlan) -> Cursor:
        path = self._directory / f"{_of(delivery)}-{digest(node.name, 16)}.json"
        if path not in self._cursors:
            self._cursors[path] = Cursor(path)
        return self._cursors[path]

    def _drop(self, delivery: LogDelivery) -> None:
        """Forget how far a log was delivered that is delivered no more."""
        for path in self._directory.glob(f"{_of(delivery)}-*"):
            path.unlink(missing_ok=True)
            self._cursors.pop(path, None)

    def _note(self, change: Callable[..., None], *about: object) -> None:
        self._store.write(lambda tx: change(tx, *about), what="observed: log delivery")


def _of(delivery: LogDelivery) -> str:
    return digest(f"{delivery.id} {delivery.since.isoformat()}", 16)


def _clusters(world: World, delivery: LogDelivery) -> list[CacheCluster] | None:
    """Return whose logs are delivered; None: it is no more, or another one has its name."""
    if delivery.is_group:
        group = world.get(ReplicationGroup, delivery.owner_id)
        if group is None or group.created > delivery.since:
            return None
        found = (world.get(CacheCluster, id) for id in group.member_ids)
        return [cluster for cluster in found if cluster]
    cluster = world.get(CacheCluster, delivery.owner_id)
    return None if cluster is None or cluster.created > delivery.since else [cluster]


def _settle(tx: Tx, delivery: LogDelivery, status: str, message: str | None) -> None:
    """Write down what has become of a log, if nobody has asked for something else meanwhile."""
    now = tx.get(LogDelivery, delivery.id)
    if now is None or now != delivery:
        return
    if delivery.status == "disabling":
        tx.delete(now)
    else:
        tx.put(now.but(status=status, message=message))


def _forget(tx: Tx, id: str) -> None:
    if found := tx.get(LogDelivery, id):
        tx.delete(found)


def _forget_group(tx: Tx, id: str) -> None:
    found = tx.get(LogGroup, id)
    if found and found.is_deleted:
        tx.delete(found)
