"""The files of snapshots: written beside their place, moved there when they are whole and on the disk, never changed.

    snapshots/FILES-SHARD.rdb           of a snapshot
    snapshots/FILES-SHARD.rdb.new       one that is being written; the next start removes it
    objects/BUCKET/KEY                  of a bucket (guest/objects.py)

As no file changes, a copy or an export is another name of the same bytes.
"""

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote

from atoll.cache.backup import SEEDS
from atoll.cache.rdb import HEADER_BYTES
from atoll.guest.objects import FILE_NAME_BYTES_MAX

NEW = ".new"


class SnapshotFiles:
    """The files below one state directory.  Everything here may wait for the disk, and raises OSError."""

    def __init__(self, state_dir: Path) -> None:
        """Use a state directory; what is below it is made when there is something to write."""
        self.directory, self._objects = state_dir / SEEDS, state_dir / "objects"

    def begin(self, name: str) -> Path:
        """Return where to write a new file."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.directory / f"{name}{NEW}"

    def finish(self, name: str) -> None:
        """Give a whole file its name."""
        (self.directory / f"{name}{NEW}").replace(self.directory / name)
        _sync(self.directory)

    def give_up(self, name: str) -> None:
        """Remove what was written of a file."""
        (self.directory / f"{name}{NEW}").unlink(missing_ok=True)

    def copy(self, name: str, target: str) -> None:
        """Give a snapshot's file another name."""
        _link(self.directory / name, self.directory / target)

    def export(self, name: str, bucket: str, key: str) -> None:
        """Put a snapshot's file into a bucket, in which there is no such object yet."""
        place = self._objects / bucket
        if not place.is_dir():
            raise FileNotFoundError(f"the S3 bucket {bucket} does not exist")
        _link(self.directory / name, place / quote(key, safe=""))

    def remove(self, files: str) -> None:
        """Remove all of a snapshot's files."""
        for path in self.directory.glob(f"{files}-*"):
            path.unlink(missing_ok=True)

    def sweep(self, keep: Collection[str]) -> None:
        """Remove what no snapshot has: what was half written, or whose snapshot is forgotten.  `keep`: names."""
        for path in self.directory.glob("*"):
            if path.name not in keep:
                path.unlink(missing_ok=True)

    def size(self, name: str) -> int | None:
        """Return how long a file is; None: it is not there."""
        try:
            return (self.directory / name).stat().st_size
        except FileNotFoundError:
            return None

    def clear(self) -> None:
        """Remove everything but buckets."""
        shutil.rmtree(self.directory, ignore_errors=True)

    # What verbs ask of buckets: one look at the disk's directory

    def has_bucket(self, bucket: str) -> bool:
        """Tell whether there is a bucket."""
        return (self._objects / bucket).is_dir()

    def beginning(self, bucket: str, key: str) -> tuple[str, int, bytes] | None:
        """Return an object's path below the state directory, its length and its first bytes; None: there is none."""
        name = quote(key, safe="")
        path = self._objects / bucket / name
        if len(name) > FILE_NAME_BYTES_MAX or name in (".", ".."):
            return None
        try:
            with path.open("rb") as file:
                return f"objects/{bucket}/{name}", path.stat().st_size, file.read(HEADER_BYTES)
        except OSError:
            return None


def _link(source: Path, target: Path) -> None:
    """Make another name for a file; one that an earlier try made stays."""
    if target.exists() and target.samefile(source):
        return
    os.link(source, target)
    _sync(target.parent)


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
