"""The loop that takes snapshots, on paper: what it finishes, what it gives up, and what a kill at any step leaves.

A kill is an exception that nobody catches, and after which everything fails; then another loop begins, with the same
World and the same directory.
"""

import asyncio
import errno
from functools import partial

import pytest

from atoll.cache import backup_transitions as transitions
from atoll.cache.node import NodePlan
from atoll.cache.plan import nodes
from atoll.control import snapshots as loop
from atoll.control.snapshot_files import SnapshotFiles
from atoll.host.contract import HostError
from atoll.host.paper import PaperHost
from atoll.model.snapshot import Snapshot
from atoll.store.sqlite import StoreError
from tests.api import caches
from tests.api.snapshots import statuses

STEPS_MAX = 40  # more than any of these takes


class Killed(BaseException):
    """The daemon is."""


class Fate:
    """Counts the steps of a loop, and kills it before one of them."""

    def __init__(self, at=None):
        self.at, self.steps = at, 0

    def step(self):
        self.steps += 1
        if self.at is not None and self.steps >= self.at:
            raise Killed

    @property
    def killed(self):
        return self.at is not None and self.steps >= self.at


class Host(PaperHost):
    """Engines that give files, or do not."""

    def __init__(self, paper, fate, refuses=(), full=False):
        super().__init__()
        self.fate, self.refuses, self.full, self.asked = fate, refuses, full, []
        for plan in nodes(paper.world):
            self.start(plan)

    async def dump(self, node: NodePlan, file):
        self.fate.step()
        name = node.cluster_id.rpartition("/")[2]
        self.asked.append(name)
        file.write_bytes(b"half")
        self.fate.step()
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        if name in self.refuses:
            raise HostError("it ended")
        return await super().dump(node, file)


class Files(SnapshotFiles):
    """Files, each of whose changes is a step."""

    def __init__(self, directory, fate):
        super().__init__(directory)
        self.fate = fate

    def _stepwise(self, change, *about):
        self.fate.step()
        change(*about)
        self.fate.step()

    def finish(self, name):
        self._stepwise(super().finish, name)

    def copy(self, name, target):
        self._stepwise(super().copy, name, target)

    def export(self, name, bucket, key):
        self._stepwise(super().export, name, bucket, key)

    def remove(self, files):
        self._stepwise(super().remove, files)


class Store:
    """A store in which each change is a step."""

    def __init__(self, store, fate, fails=0):
        self._store, self.fate, self.fails = store, fate, fails

    @property
    def world(self):
        return self._store.world

    def write(self, fn, **about):
        self.fate.step()
        if self.fails:
            self.fails -= 1
            raise StoreError("the disk is full")
        out = self._store.write(fn, **about)
        self.fate.step()
        return out


class Bench:
    """A loop's surroundings."""

    def __init__(self, paper, directory):
        self.paper, self.directory = paper, directory
        (directory / "objects" / "exports").mkdir(parents=True)

    def run(self, *, kill_at=None, fails=0, **about):
        """Run a loop until nothing is to be done, or it is killed; returns its host."""
        fate = Fate(kill_at)
        store = Store(self.paper.store, fate, fails)
        host, files = Host(self.paper, fate, **about), Files(self.directory, fate)

        def want():
            return {plan.process: plan for plan in nodes(self.paper.world)}

        async def main():
            snapshots = loop.Snapshots(store, want, host, files, lambda: self.paper.clock)
            task = asyncio.ensure_future(snapshots.run())
            while not fate.killed and not task.done() and self.busy():  # noqa: ASYNC110  (a World tells nobody)
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())
        return host

    def busy(self):
        return any(s.status in loop.WORK for s in self.paper.world.all(Snapshot))

    @property
    def files(self):
        return sorted(path.name for path in (self.directory / "snapshots").glob("*"))

    @property
    def exported(self):
        return sorted(path.name for path in (self.directory / "objects" / "exports").iterdir())

    def consistent(self):
        """Tell whether every available snapshot has its file, whole, and there is no other file."""
        return self._sizes() == self._expected()

    def keeps_what_is_available(self):
        """Tell whether every available snapshot has its file, whole."""
        return self._expected().items() <= self._sizes().items()

    def _expected(self):
        available = [s for s in self.paper.world.all(Snapshot) if s.status == "available"]
        return {s.file(part): part.dump.bytes for s in available for part in s.parts}

    def _sizes(self):
        return {path.name: path.stat().st_size for path in (self.directory / "snapshots").glob("*")}


@pytest.fixture
def bench(paper, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "TRY_SECONDS", 0.0)
    monkeypatch.setattr(loop, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(loop, "LEVEL_SECONDS", 0.01)
    return Bench(paper, tmp_path)


@pytest.fixture
def group(cache, paper):
    cache.group("rg", 3)
    caches.settle(paper)
    return "rg"


def create(cache):
    cache.create_snapshot(SnapshotName="s", ReplicationGroupId="rg")


def copy(cache):
    cache.copy_snapshot(SourceSnapshotName="first", TargetSnapshotName="s")


def delete(cache):
    cache.delete_snapshot(SnapshotName="first")


def last(cache):
    cache.delete_replication_group(ReplicationGroupId="rg", FinalSnapshotIdentifier="s")


@pytest.mark.parametrize("act", [create, copy, delete, last])
def test_a_kill_at_any_step_is_mended_by_the_next_start(cache, paper, bench, group, act):
    cache.create_snapshot(SnapshotName="first", ReplicationGroupId=group)
    bench.run()
    assert statuses(cache) == {"first": "available"}
    expected = {create: {"first", "s"}, copy: {"first", "s"}, delete: set(), last: {"first", "s"}}[act]
    act(cache)
    for step in range(1, STEPS_MAX):
        bench.run(kill_at=step)
        assert bench.keeps_what_is_available()
        if not bench.busy():
            break

    bench.run()

    assert statuses(cache) == dict.fromkeys(expected, "available")
    assert bench.consistent()
    assert step > 2, "it was killed now and then"
    caches.settle(paper)
    groups = cache.describe_replication_groups()["ReplicationGroups"]
    assert [g["Status"] for g in groups] == ([] if act is last else ["available"])


def test_a_kill_during_an_export_is_mended_too(cache, bench, group):
    cache.create_snapshot(SnapshotName="s", ReplicationGroupId=group)
    bench.run()
    paper = bench.paper
    export = partial(cache.copy_snapshot, SourceSnapshotName="s", TargetSnapshotName="out", TargetBucket="exports")
    with_buckets(bench.directory, export)
    for step in range(1, STEPS_MAX):
        bench.run(kill_at=step)
        if not bench.busy():
            break

    bench.run()

    assert bench.exported == ["out-0001.rdb"]
    assert statuses(cache) == {"s": "available"}
    messages = cache.told("rg", "replication-group")
    assert messages[-1].startswith("Export of snapshot with ID 's' to the S3 bucket exports as 'out' succeeded"), (
        paper
    )


def with_buckets(directory, call):
    from atoll.elasticache import buckets

    before = buckets.buckets()
    buckets.look_with(SnapshotFiles(directory))
    try:
        call()
    finally:
        buckets.look_with(before)


def test_a_full_disk_is_a_failed_snapshot_and_leaves_no_file(cache, bench, group):
    create(cache)

    bench.run(full=True)

    assert statuses(cache) == {"s": "failed"}
    assert bench.files == []
    assert "No space left on device" in cache.told(group, "replication-group")[-1]
    assert cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "available"


def test_what_cannot_be_written_down_is_written_down_later(cache, bench, group):
    assert group
    create(cache)

    bench.run(fails=3)

    assert statuses(cache) == {"s": "available"}
    assert bench.consistent()


def test_a_replica_is_asked_first_and_the_others_when_it_fails(cache, bench, group):
    assert group
    create(cache)

    host = bench.run(refuses=("rg-002",))

    assert host.asked == ["rg-002", "rg-003"]
    assert statuses(cache) == {"s": "available"}
    assert bench.consistent()


def test_a_final_snapshot_is_the_primarys(cache, bench, group):
    assert group
    last(cache)

    assert bench.run().asked == ["rg-001"]


def test_what_no_node_gives_is_failed(cache, bench, group):
    assert group
    create(cache)

    bench.run(refuses=("rg-001", "rg-002", "rg-003"))

    assert statuses(cache) == {"s": "failed"}
    assert bench.files == []


@pytest.mark.parametrize("harm", ["missing", "shortened"])
def test_a_file_that_is_not_what_it_was_is_seen_at_the_next_start(cache, bench, group, harm):
    assert group
    create(cache)
    bench.run()
    (path,) = (bench.directory / "snapshots").glob("*")
    path.unlink() if harm == "missing" else path.write_bytes(b"REDIS")
    cache.create_snapshot(SnapshotName="t", ReplicationGroupId="rg")  # something to wait for

    bench.run()

    assert statuses(cache) == {"s": "failed", "t": "available"}


def test_an_object_that_is_there_already_is_not_replaced(cache, bench, group):
    cache.create_snapshot(SnapshotName="s", ReplicationGroupId=group)
    bench.run()
    export = partial(cache.copy_snapshot, SourceSnapshotName="s", TargetSnapshotName="out", TargetBucket="exports")
    with_buckets(bench.directory, export)
    (bench.directory / "objects" / "exports" / "out-0001.rdb").write_bytes(b"another")

    bench.run()

    assert "already contains an object with key out-0001.rdb" in cache.told(group, "replication-group")[-1]
    assert statuses(cache) == {"s": "available"}


def test_what_a_late_observation_is_about_may_be_gone(paper):
    for change in (transitions.taken, transitions.failed, transitions.lost):
        paper.write(lambda tx, change=change: change(tx, "nothing", {}))
    paper.write(lambda tx: transitions.gone(tx, "nothing"))
