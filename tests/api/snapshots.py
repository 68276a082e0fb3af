"""Snapshots on paper: what the loop that takes them would have done, said by hand."""

from atoll.cache import backup_transitions as transitions
from atoll.model.snapshot import Dump, Snapshot

MIB = 1 << 20


def dump(paper, data_bytes=3 * MIB, header="VALKEY080"):
    return Dump(taken=paper.clock, bytes=100, data_bytes=data_bytes, digest="d" * 32, header=header)


def settle(paper, **about):
    """Let every snapshot be taken, copied, exported or removed."""
    for snapshot in list(paper.world.all(Snapshot)):
        if snapshot.status == "creating":
            files = {part.shard_id: part.dump or dump(paper, **about) for part in snapshot.parts}
            paper.write(lambda tx, id=snapshot.id, files=files: transitions.taken(tx, id, files))
        for export in snapshot.exports:
            paper.write(lambda tx, id=snapshot.id, e=export: transitions.exported(tx, id, e))
        if snapshot.status == "deleting":
            paper.write(lambda tx, id=snapshot.id: transitions.gone(tx, id))


def fail(paper, because="the disk is full"):
    """Let every snapshot that is being taken fail."""
    for snapshot in list(paper.world.all(Snapshot)):
        if snapshot.status == "creating":
            paper.write(lambda tx, id=snapshot.id: transitions.failed(tx, id, because))


def shown(cache, **asked):
    """Return the snapshots that are listed, by name."""
    return {s["SnapshotName"]: s for s in cache.describe_snapshots(**asked)["Snapshots"]}


def statuses(cache, **asked):
    return {name: s["SnapshotStatus"] for name, s in shown(cache, **asked).items()}
