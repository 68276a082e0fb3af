"""Snapshots of serverless caches: taken, listed, copied, exported, deleted.

Each is a snapshot of what is behind the cache, which belongs to the service; its user sees this side of it.
Source: ElastiCache API Reference, ServerlessCacheSnapshot.
"""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_tokens
from atoll.cache import backup
from atoll.cache.serverless import behind, snapshot_of
from atoll.elasticache import errors, serverless, snapshot_copy, snapshot_create, snapshot_delete
from atoll.elasticache.find import owner_key
from atoll.elasticache.naming import snapshot_name
from atoll.elasticache.serverless import NOT_FOR_MEMCACHED
from atoll.elasticache.tags import tags_of
from atoll.model.lifecycle import SNAPSHOT
from atoll.model.names import arn
from atoll.model.serverless import SERVICE, ServerlessCache, ServerlessSnapshot
from atoll.model.snapshot import Snapshot
from atoll.model.world import Tx, World

RESULTS_MAX = 50
TYPES = ("user", "automated", "all")

EXISTS = Err("ServerlessCacheSnapshotAlreadyExistsFault", "Serverless cache snapshot {name} already exists.")
BUSY = Err(
    "InvalidServerlessCacheSnapshotStateFault",
    "Serverless cache snapshot {name} is not in available state: {status}.",
)
CACHE_BUSY = Err("InvalidServerlessCacheStateFault", "Serverless cache {name} is not in available state.")


@operation("elasticache", "CreateServerlessCacheSnapshot")
def create_serverless_cache_snapshot(
    tx: Tx,
    *,
    serverless_cache_snapshot_name: str,
    serverless_cache_name: str,
    kms_key_id: str | None = None,
    tags: Sequence[Shape] = (),
) -> Shape:
    """Take a snapshot of a serverless cache; it is `creating` until its file is on the disk."""
    name = free_name(tx, serverless_cache_snapshot_name)
    cache = serverless.find(tx.world, serverless_cache_name)
    made = take(tx, cache, name).but(kms_key_id=kms_key_id, tags=tags_of(tags))
    return {"ServerlessCacheSnapshot": render(tx.world, tx.put(made))}


@operation("elasticache", "CopyServerlessCacheSnapshot")
def copy_serverless_cache_snapshot(
    tx: Tx,
    *,
    source_serverless_cache_snapshot_name: str,
    target_serverless_cache_snapshot_name: str,
    kms_key_id: str | None = None,
    tags: Sequence[Shape] = (),
) -> Shape:
    """Make a second snapshot of the same data."""
    source = available(tx.world, source_serverless_cache_snapshot_name)
    name = free_name(tx, target_serverless_cache_snapshot_name)
    with tx.acting_as(SERVICE):
        copy = snapshot_copy.copied(tx, tx.world[Snapshot, source.snapshot_id], f"sl{tx.new_hex(12)}")
    made = source.but(
        id=owner_key(tx.world, name),
        name=name,
        snapshot_id=copy.id,
        created=tx.now,
        is_automated=False,
        expires=None,
        kms_key_id=kms_key_id or source.kms_key_id,
        tags=tags_of(tags),
    )
    return {"ServerlessCacheSnapshot": render(tx.world, tx.put(made))}


@operation("elasticache", "ExportServerlessCacheSnapshot")
def export_serverless_cache_snapshot(tx: Tx, *, serverless_cache_snapshot_name: str, s3_bucket_name: str) -> Shape:
    """Put the file of a snapshot into a bucket as NAME-0001.rdb."""
    found = available(tx.world, serverless_cache_snapshot_name)
    snapshot_copy.export(tx, tx.world[Snapshot, found.snapshot_id], found.name, s3_bucket_name)
    return {"ServerlessCacheSnapshot": render(tx.world, found)}


@operation("elasticache", "DescribeServerlessCacheSnapshots")
def describe_serverless_cache_snapshots(
    world: World,
    *,
    serverless_cache_name: str | None = None,
    serverless_cache_snapshot_name: str | None = None,
    snapshot_type: str | None = None,
    next_token: str | None = None,
    max_results: int | None = None,
) -> Shape:
    """List snapshots, by name; `SnapshotType`: user, automated or all."""
    if snapshot_type not in (None, *TYPES):
        raise errors.BAD_VALUE(got=snapshot_type, name="SnapshotType", why="Must be one of user, automated, all.")
    if serverless_cache_snapshot_name:
        found = [find(world, serverless_cache_snapshot_name)]
    else:
        found = sorted(world.all(ServerlessSnapshot), key=lambda one: one.name)
    shown = [
        one
        for one in found
        if serverless_cache_name in (None, one.cache)
        and snapshot_type in (None, "all", "automated" if one.is_automated else "user")
    ]
    page, token = page_tokens(shown, lambda one: one.name, max_results, next_token, high=RESULTS_MAX)
    return {"ServerlessCacheSnapshots": [render(world, one) for one in page], "NextToken": token}


@operation("elasticache", "DeleteServerlessCacheSnapshot")
def delete_serverless_cache_snapshot(tx: Tx, *, serverless_cache_snapshot_name: str) -> Shape:
    """Delete a snapshot; it disappears when its file has."""
    found = find(tx.world, serverless_cache_snapshot_name)
    with tx.acting_as(SERVICE):
        of = tx.world[Snapshot, found.snapshot_id]
        if not SNAPSHOT.allows(of.status, "delete") or backup.in_use(tx.world, of):
            raise BUSY(name=found.name, status=of.status)
        snapshot_delete.start_deleting(tx, of)
    return {"ServerlessCacheSnapshot": render(tx.world, found)}


def take(tx: Tx, cache: ServerlessCache, name: str, *, is_final: bool = False) -> ServerlessSnapshot:
    """Begin a snapshot of an available cache."""
    if cache.is_memcached:
        raise NOT_FOR_MEMCACHED(name="A snapshot")
    group = behind(tx.world, cache).group
    if group is None or group.status != "available":
        raise CACHE_BUSY(name=cache.name)
    with tx.acting_as(SERVICE):
        taken = snapshot_create.begin(tx, f"sl{tx.new_hex(12)}", None, group, is_final=is_final)
    return snapshot_of(tx, cache, name, taken)


def find(world: World, name: str) -> ServerlessSnapshot:
    """Return a snapshot by its name, in whatever case.  Raises SERVERLESS_SNAPSHOT_NOT_FOUND."""
    found = world.get(ServerlessSnapshot, owner_key(world, name.lower()))
    if found is None:
        raise errors.SERVERLESS_SNAPSHOT_NOT_FOUND(name=name)
    return found


def render(world: World, one: ServerlessSnapshot) -> Shape:
    """Return a snapshot as AWS's ServerlessCacheSnapshot."""
    of = world[Snapshot, one.snapshot_id]
    sizes = [part.dump.data_bytes for part in of.parts if part.dump]
    return {
        "ServerlessCacheSnapshotName": one.name,
        "ARN": arn("elasticache", one.region, one.account, f"serverlesscachesnapshot:{one.name}"),
        "KmsKeyId": one.kms_key_id,
        "SnapshotType": "automated" if one.is_automated else "manual",
        "Status": of.status,
        "CreateTime": one.created,
        "ExpiryTime": one.expires,
        "BytesUsedForCache": str(sum(sizes)) if sizes else None,
        "ServerlessCacheConfiguration": {
            "ServerlessCacheName": one.cache,
            "Engine": one.engine,
            "MajorEngineVersion": one.major_version,
        },
    }


def free_name(tx: Tx, text: str) -> str:
    """Return the name of a new snapshot, in lower case."""
    name = snapshot_name(text, "ServerlessCacheSnapshotName")
    if tx.get(ServerlessSnapshot, owner_key(tx.world, name)):
        raise EXISTS(name=name)
    return name


def available(world: World, name: str) -> ServerlessSnapshot:
    """Return an available snapshot by its name.  Raises BUSY."""
    found = find(world, name)
    of = world[Snapshot, found.snapshot_id]
    if of.status != "available":
        raise BUSY(name=found.name, status=of.status)
    return found
