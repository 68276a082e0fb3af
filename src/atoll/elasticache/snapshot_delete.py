"""DeleteSnapshot: the files go first, then the snapshot."""

from atoll.aws.operation import Shape, operation
from atoll.cache import backup
from atoll.elasticache.find import find_snapshot
from atoll.elasticache.snapshot import render
from atoll.elasticache.snapshot_copy import BAD_STATE
from atoll.model.lifecycle import SNAPSHOT
from atoll.model.snapshot import Snapshot
from atoll.model.world import Tx


@operation("elasticache", "DeleteSnapshot")
def delete_snapshot(tx: Tx, *, snapshot_name: str) -> Shape:
    """Delete a snapshot; one that is being taken, exported or restored has to end that first."""
    snapshot = find_snapshot(tx.world, snapshot_name)
    if not SNAPSHOT.allows(snapshot.status, "delete"):
        raise BAD_STATE(name=snapshot.name, status=snapshot.status)
    if backup.in_use(tx.world, snapshot):
        raise BAD_STATE(name=snapshot.name, status="restoring")
    return {"Snapshot": render(tx.world, start_deleting(tx, snapshot))}


def start_deleting(tx: Tx, snapshot: Snapshot) -> Snapshot:
    """Let a snapshot go; it disappears when its files have."""
    found = tx.get(Snapshot, snapshot.id)
    if found is None or not SNAPSHOT.allows(found.status, "delete"):
        return snapshot
    return tx.put(found.but(status=SNAPSHOT.after(found.status, "delete")))
