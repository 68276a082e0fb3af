"""CopySnapshot: a second snapshot of the same data, or files in a bucket.

Source: ElastiCache API Reference, CopySnapshot, with its messages; User Guide, "Exporting a backup".
"""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.elasticache.buckets import BUCKET, buckets
from atoll.elasticache.find import find_snapshot, owner_key
from atoll.elasticache.naming import snapshot_name
from atoll.elasticache.snapshot import render
from atoll.elasticache.snapshot_create import check_name_is_free
from atoll.elasticache.tags import tags_of
from atoll.model.lifecycle import SNAPSHOT
from atoll.model.snapshot import MANUAL, Export, Snapshot
from atoll.model.world import Tx

BAD_STATE = Err("InvalidSnapshotState", "Snapshot {name} is not in available state: {status}.")
NO_BUCKET = Err("InvalidParameterValue", "The S3 bucket {bucket} does not exist.")
OBJECT_EXISTS = Err("InvalidParameterValue", "The S3 bucket {bucket} already contains an object with key {key}.")


@operation("elasticache", "CopySnapshot")
def copy_snapshot(
    tx: Tx,
    *,
    source_snapshot_name: str,
    target_snapshot_name: str,
    target_bucket: str | None = None,
    kms_key_id: str | None = None,
    tags: Sequence[Shape] = (),
) -> Shape:
    """Copy a snapshot, or, with `TargetBucket`, put its files into a bucket as NAME-0001.rdb and so on."""
    source = find_snapshot(tx.world, source_snapshot_name)
    if target_bucket:
        name = snapshot_name(target_snapshot_name, "TargetSnapshotName")
        return {"Snapshot": render(tx.world, export(tx, source, name, target_bucket))}
    name = check_name_is_free(tx, target_snapshot_name)
    if source.status != "available":
        raise BAD_STATE(name=source.name, status=source.status)
    copy = copied(tx, source, name).but(kms_key_id=kms_key_id or source.kms_key_id, tags=tags_of(tags))
    return {"Snapshot": render(tx.world, tx.put(copy))}


def copied(tx: Tx, source: Snapshot, name: str) -> Snapshot:
    """Begin a second snapshot of the same data, with files of its own."""
    return tx.put(
        source.but(
            id=owner_key(tx.world, name),
            name=name,
            status=SNAPSHOT.initial,
            source=MANUAL,
            created=tx.now,
            files=tx.new_hex(16),
            copy_of=source.files,
            tags={},
        )
    )


def export(tx: Tx, source: Snapshot, name: str, bucket: str) -> Snapshot:
    """Begin to put a snapshot's files into a bucket."""
    if not BUCKET.fullmatch(bucket) or not buckets().has_bucket(bucket):
        raise NO_BUCKET(bucket=bucket)
    for part in source.parts:
        key = f"{name}-{part.shard_id}.rdb"
        if buckets().beginning(bucket, key) or any(e == Export(name=name, bucket=bucket) for e in source.exports):
            raise OBJECT_EXISTS(bucket=bucket, key=key)
    if source.status not in ("available", "exporting"):
        raise BAD_STATE(name=source.name, status=source.status)
    status = "exporting" if source.status == "exporting" else SNAPSHOT.after(source.status, "export")
    return tx.put(source.but(status=status, exports=(*source.exports, Export(name=name, bucket=bucket))))
