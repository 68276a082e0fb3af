"""Snapshots, taken: what the World says is to be taken, copied, exported or removed, is, and then noted.

It takes no input: a snapshot that is `creating` is taken from the begin, by this daemon or by the next; what was half
written has no name that anybody reads.  Large files are read and written by threads, so that nobody waits for them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar, cast

from atoll.cache import backup
from atoll.cache import backup_transitions as transitions
from atoll.cache.node import NodePlan
from atoll.control.events import going_on, log
from atoll.control.news import News
from atoll.control.sight import Book
from atoll.control.snapshot_files import SnapshotFiles
from atoll.host.contract import Host, HostError, Machine, Saved
from atoll.model.cache import ReplicationGroup
from atoll.model.snapshot import Dump, Export, NodeSnapshot, Snapshot
from atoll.model.world import Caller, Tx
from atoll.store.sqlite import StoreError

T = TypeVar("T")

LOOK_SECONDS = 20.0  # a look at the clock: snapshot windows are an hour long
AT_ONCE = 2  # files that are taken at a time: each engine forks for it
TRIES, TRY_SECONDS = 5, 2.0  # of a part, by each node that has it; a failover takes a second or two
LEVEL_SECONDS, LEVEL_PAUSE_SECONDS = 2.0, 0.01  # for a replica to have all; else the primary gives it
AGAIN_SECONDS = 1.0  # after a note that could not be written
WORK = ("creating", "exporting", "deleting")  # the statuses in which there is something to do


class Snapshots:
    """Takes the snapshots of one host's caches."""

    def __init__(
        self,
        store: Book,
        want: Callable[[], Mapping[str, Machine]],
        host: Host,
        files: SnapshotFiles,
        now: Callable[[], datetime],
    ) -> None:
        """Prepare.  `want` compiles the machines of the newest World."""
        self._store, self._want, self._host, self._files, self._now = store, want, host, files, now
        self._news, self._places = News(), asyncio.Semaphore(AT_ONCE)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """The World has changed: look, soon."""
        self._news.tell()

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            await self._check()
            while True:
                with going_on("snapshots", "no snapshots begun", StoreError):
                    self._keep_dates()
                self._follow()
                await self._news.wait(LOOK_SECONDS)
        finally:
            await self._end_tasks()
            self._thread.shutdown(wait=True)

    async def forget(self) -> None:
        """Give everything up, and remove all files: the World has forgotten them."""
        await self._end_tasks()
        await self._call(self._files.clear)

    async def drop(self, files: Collection[str]) -> None:
        """Remove the files of snapshots that the World has forgotten."""
        for name in files:
            await self._call(partial(self._files.remove, name))

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _check(self) -> None:
        """Remove what a daemon that was killed left, and see whether every file is there that the World counts on."""
        with contextlib.suppress(OSError):
            expected = {
                (snapshot.id, snapshot.file(part)): part.dump
                for snapshot in self._store.world.all(Snapshot)
                for part in snapshot.parts
            }
            await self._call(partial(self._files.sweep, {name for _, name in expected}))
            for (id, name), dump in expected.items():
                size = await self._call(partial(self._files.size, name))
                if dump and size != dump.bytes:
                    wrong = "is missing" if size is None else f"has {size} bytes instead of {dump.bytes}"
                    await self._note("lost", transitions.lost, id, f"its file {name} {wrong}")

    def _keep_dates(self) -> None:
        """Begin the snapshots whose window is open, and let go those whose days are over."""
        world, now = self._store.world, self._now()
        waiting, ended = backup.due(world, now), backup.expired(world, now)
        if not waiting and not ended:
            return
        from atoll.elasticache import snapshot_create, snapshot_delete  # with its verbs: no start waits for them

        for it in waiting:
            owner = Caller(account=it.account, region=it.region, arn="atoll")
            self._store.write(partial(snapshot_create.take_automatic, it=it), caller=owner, what="snapshot window")
        for snapshot in ended:
            self._store.write(partial(snapshot_delete.start_deleting, snapshot=snapshot), what="snapshot expired")

    def _follow(self) -> None:
        """Have a task for each snapshot with which something is to be done."""
        for status in WORK:
            for id, found in self._store.world.bucket(Snapshot, "status", status).items():
                if id not in self._tasks:
                    task = self._tasks[id] = asyncio.ensure_future(self._work(cast(Snapshot, found)))
                    task.add_done_callback(partial(self._done, id))

    def _done(self, id: str, _: object) -> None:
        self._tasks.pop(id, None)
        self._news.tell()

    async def _work(self, snapshot: Snapshot) -> None:
        with going_on("snapshot"):
            if snapshot.status == "deleting":
                await self._call(partial(self._files.remove, snapshot.files))
                await self._note("removed", transitions.gone, snapshot.id)
            elif snapshot.status == "exporting":
                await self._export(snapshot, snapshot.exports[0])
            elif snapshot.copy_of is not None:
                await self._copy(snapshot, snapshot.copy_of)
            else:
                await self._take(snapshot)
            return
        await asyncio.sleep(AGAIN_SECONDS)

    async def _take(self, snapshot: Snapshot) -> None:
        parts = [asyncio.ensure_future(self._part(snapshot, part)) for part in snapshot.parts]
        try:
            dumps = await asyncio.gather(*parts)
        except (HostError, OSError) as error:
            await self._fail(snapshot, str(error))
            return
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        by_shard = {part.shard_id: dump for part, dump in zip(snapshot.parts, dumps, strict=True)}
        await self._note("taken", transitions.taken, snapshot.id, by_shard)

    async def _part(self, snapshot: Snapshot, part: NodeSnapshot) -> Dump:
        """Take the file of one shard, from whoever can give it.  Raises HostError, OSError."""
        name, because = snapshot.file(part), "none of its nodes is available"
        async with self._places:
            for _ in range(TRIES):
                for node in self._nodes(snapshot, part):
                    if not await self._is_level(snapshot, node):
                        continue
                    taken = self._now()
                    path = await self._call(partial(self._files.begin, name))
                    try:
                        saved = await self._host.dump(node, path)
                        await self._call(partial(self._files.finish, name))
                        return _dump(saved, taken)
                    except HostError as error:
                        because = str(error)
                        log("snapshot not taken", snapshot=snapshot.name, node=node.process, because=because)
                        await self._call(partial(self._files.give_up, name))
                await asyncio.sleep(TRY_SECONDS)
        raise HostError(because)

    async def _is_level(self, snapshot: Snapshot, node: NodePlan) -> bool:
        """Wait until a replica has all that its primary has now; False: it has not in time, so another is better."""
        group = self._store.world.get(ReplicationGroup, snapshot.group_id or "")
        shard = group.shard_of(node.cluster_id) if group else None
        if shard is None or shard.leader_id == node.cluster_id:
            return True
        leader = next((n for n in self._plans() if n.cluster_id == shard.leader_id), None)
        until = asyncio.get_running_loop().time() + LEVEL_SECONDS
        with contextlib.suppress(HostError):
            aim = await self._host.replication(leader) if leader else None
            while aim and asyncio.get_running_loop().time() < until:
                said = await self._host.replication(node)
                if said and said.link_up and said.offset >= aim.offset:
                    return True
                await asyncio.sleep(LEVEL_PAUSE_SECONDS)
        return False

    def _plans(self) -> list[NodePlan]:
        return [machine for machine in self._want().values() if isinstance(machine, NodePlan)]

    def _nodes(self, snapshot: Snapshot, part: NodeSnapshot) -> list[NodePlan]:
        plans = {node.cluster_id: node for node in self._plans()}
        able = backup.nodes_for(self._store.world, snapshot, part)
        return [plans[cluster.id] for cluster in able if cluster.id in plans]

    async def _copy(self, snapshot: Snapshot, files: str) -> None:
        world = self._store.world
        source = next((s for s in world.all(Snapshot) if s.files == files), None)
        try:
            if source is None:
                raise FileNotFoundError("the snapshot that it was to be a copy of is gone")
            for part in source.parts:
                await self._call(partial(self._files.copy, source.file(part), snapshot.file(part)))
        except OSError as error:
            await self._fail(snapshot, str(error))
            return
        dumps = {part.shard_id: part.dump for part in source.parts if part.dump}
        await self._note("copied", transitions.taken, snapshot.id, dumps)

    async def _export(self, snapshot: Snapshot, export: Export) -> None:
        because = None
        try:
            for part in snapshot.parts:
                key = f"{export.name}-{part.shard_id}.rdb"
                await self._call(partial(self._files.export, snapshot.file(part), export.bucket, key))
        except FileExistsError:
            because = f"the S3 bucket {export.bucket} already contains an object with key {key}"
        except OSError as error:
            because = str(error)
        await self._note("exported", transitions.exported, snapshot.id, export, because)

    async def _fail(self, snapshot: Snapshot, because: str) -> None:
        log("snapshot failed", snapshot=snapshot.name, because=because)
        with contextlib.suppress(OSError):
            await self._call(partial(self._files.remove, snapshot.files))
        await self._note("failed", transitions.failed, snapshot.id, because)

    async def _note(self, what: str, transition: Callable[..., None], *about: object) -> None:
        """Write down what happened, as soon as that can be written."""

        def note(tx: Tx) -> None:
            transition(tx, *about)

        while True:
            try:
                self._store.write(note, what=f"snapshot: {what}")
                return
            except StoreError as error:
                log("not written down", because=str(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _call(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _dump(saved: Saved, taken: datetime) -> Dump:
    return Dump(taken=taken, bytes=saved.bytes, data_bytes=saved.data_bytes, digest=saved.digest, header=saved.header)
