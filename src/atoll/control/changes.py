"""Changes of engine, version and node type, acted out: what `cache/changes.py` says is next is done, again and again.

Woken by a commit and by the clock.  Most steps are transactions, after which the machine loop and the failover have
work; what acts on engines is a task of its own for each cache.  After a crash the next daemon asks what is next.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from atoll.cache import changed, updates
from atoll.cache.changes import Carry, HandOver, Resize, Restart, Step, resized, room, steps, to_be_looked_at
from atoll.cache.node import NodePlan
from atoll.control.events import going_on, log
from atoll.control.news import News
from atoll.control.sight import Book
from atoll.host.contract import Host, HostError, Machine
from atoll.model.cache import CacheCluster
from atoll.model.world import Tx
from atoll.store.sqlite import StoreError

NEWS_SECONDS = 0.5  # a look at the World even when nothing woke us
COOLING_SECONDS = 5.0  # before a step that failed, or a change of primary that was given up, is tried again
# A new process that says why it does not run, for so long, is given up: the one before it comes back.
HOPELESS_SECONDS = 10.0
SILENT_SECONDS = 900.0  # likewise one that says nothing, and may have much to load


class Changes:
    """Carries out the changes of one host's caches."""

    def __init__(
        self, store: Book, want: Callable[[], Mapping[str, Machine]], host: Host, wake_machines: Callable[[], None]
    ) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._store, self._want, self._host, self._wake_machines = store, want, host, wake_machines
        self._news = News()
        self._tasks: dict[Step, asyncio.Task[None]] = {}
        self._not_before: dict[Step, float] = {}
        self._failing: dict[str, float] = {}  # since when a changed cluster's process does not run

    def wake(self) -> None:
        """The World has changed."""
        self._news.tell()

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            while True:
                with going_on("changes", "change not written down", StoreError):
                    self._round()
                await self._news.wait(NEWS_SECONDS)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _round(self) -> None:
        self._give_up()
        if updates.open_actions(self._store.world):
            self._store.write(updates.settle, what="service updates")
        now = _now()
        self._not_before = {step: at for step, at in self._not_before.items() if at > now}
        world = self._store.world.seen_by(None)
        for step in steps(world):
            if step in self._tasks or step in self._not_before:
                continue
            match step:
                case Restart() | HandOver():
                    if primary := to_be_looked_at(world, step):
                        self._task(step, self._look_at_databases(step, primary))
                    else:
                        self._begin(step)
                case Carry(id):
                    self._task(step, self._carry(step, id))
                case Resize(ids):
                    self._task(step, self._resize(step, ids))

    def _begin(self, step: Restart | HandOver) -> None:
        self._say(step)
        match step:
            case Restart(id):
                self._write("restarting", changed.restarting, id)
                self._wake_machines()
            case HandOver(group_id, shard_id):
                self._not_before[step] = _now() + COOLING_SECONDS
                self._write("handing over", changed.handing_over, group_id, shard_id)

    async def _look_at_databases(self, step: Restart | HandOver, primary: CacheCluster) -> None:
        """Go on toward cluster mode if all keys are in database 0; else take the change back."""
        plan = self._plan(primary.id)
        if plan is None or primary.group_id is None:
            return
        said = await self._host.statistics(plan)
        if others := sorted(name for name in said if re.fullmatch("db[1-9][0-9]*", name)):
            because = f"there are keys in {', '.join(others)}; in cluster mode all must be in database 0"
            log("change refused", cluster=primary.id, because=because)
            self._write("mode refused", changed.mode_refused, primary.group_id, because)
        else:
            self._begin(step)

    async def _carry(self, step: Step, cluster_id: str) -> None:
        """Have a lone node leave its data to another process; until that is noted, it can take writes again."""
        plan = self._plan(cluster_id)
        if plan is None:
            return
        self._say(step)
        try:
            await self._host.save(plan)
            self._write("carried", partial(changed.restarting, boots=(plan.boot,)), cluster_id)
        except BaseException:
            with contextlib.suppress(HostError):
                await self._host.resume(plan)
            raise
        with contextlib.suppress(HostError):  # the machine loop stops it, too, but politely
            await self._host.fence(plan.process)
        self._wake_machines()

    async def _resize(self, step: Step, cluster_ids: tuple[str, ...]) -> None:
        """Tell all nodes of a cache their new limits; memory is given before it may be used, and taken after."""
        world = self._store.world
        pairs = [(world[CacheCluster, id], plan) for id in cluster_ids if (plan := self._plan(id))]
        if len(pairs) < len(cluster_ids):
            return
        self._say(step)
        for cluster, plan in pairs:
            used = int((await self._host.statistics(plan)).get("used_memory", "0"))
            if used > room(cluster):
                log(
                    "change refused",
                    cluster=plan.cluster_id,
                    because=f"{used} bytes are more than its new type holds",
                )
                self._write("does not fit", changed.does_not_fit, cluster_ids)
                return
        for cluster, plan in pairs:
            orders, memory_bytes = resized(cluster)
            self._host.limit(plan, max(memory_bytes, plan.memory_bytes))
            for directive, value in orders:
                if refusal := await self._host.tune(plan, directive, value):
                    raise HostError(refusal, f"CONFIG SET {directive} {plan.name}")
            self._host.limit(plan, memory_bytes)
        boots = {(plan.cluster_id, plan.boot) for _, plan in pairs}
        self._write("resized", changed.resized, cluster_ids, boots)

    def _give_up(self) -> None:
        """Take back a change whose new process does not run."""
        world, now, failing = self._store.world.seen_by(None), _now(), {}
        for cluster in world.bucket(CacheCluster, "is_on_trial", True).values():
            node = next((n for n in cast(CacheCluster, cluster).nodes if n.status != "available"), None)
            if node is None:
                continue
            failing[cluster.id] = since = self._failing.get(cluster.id, now)
            if now - since > (HOPELESS_SECONDS if node.host_error else SILENT_SECONDS):
                self._write("rolled back", changed.rolled_back, cluster.id, node.host_error or "it does not answer")
                self._wake_machines()
        self._failing = failing

    def _plan(self, cluster_id: str) -> NodePlan | None:
        """Return the plan of a cluster's only node; None: its host is down."""
        found = (m for m in self._want().values() if isinstance(m, NodePlan) and m.cluster_id == cluster_id)
        return next(found, None)

    def _task(self, step: Step, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks[step] = task
        task.add_done_callback(lambda done: self._done(step, done))

    def _done(self, step: Step, task: asyncio.Future[None]) -> None:
        self._tasks.pop(step, None)
        if not task.cancelled() and (error := task.exception()):
            log("change failed", step=str(step), because=str(error) or repr(error))
            self._not_before[step] = _now() + COOLING_SECONDS
        self._news.tell()

    def _write(self, what: str, change: Callable[..., None], *about: Any) -> None:
        def write(tx: Tx) -> None:
            change(tx, *about)

        self._store.write(write, what=f"change: {what}")

    def _say(self, step: Step) -> None:
        log("change", step=type(step).__name__.lower(), about=str(getattr(step, "cluster_id", None) or step))


def _now() -> float:
    return asyncio.get_running_loop().time()
