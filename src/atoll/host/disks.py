"""The disks of instances, as files; and a host's that runs no instances."""

from pathlib import Path
from typing import NamedTuple, Protocol

SPARE_BYTES, SPARE_SHARE = 256 << 20, 0.02  # what guests leave to the rest of the machine: the smaller of the two


def spare(size_bytes: int) -> int:
    """Return how much of a file system guests leave to the rest: when less is free, they may write no more."""
    return min(SPARE_BYTES, int(SPARE_SHARE * size_bytes))


class Room(NamedTuple):
    """What the file system of the disks has."""

    bytes: int
    free_bytes: int  # for us
    free_files: int


class Use(NamedTuple):
    """What an instance has taken of it."""

    bytes: int
    files: int


class Disks(Protocol):
    """The disks of instances, as files."""

    def save_disk(self, instance_id: str, file: Path) -> bool:
        """Write what an instance has changed on its disk to a new file; False: it has no disk.  Raises OSError."""
        ...

    def unpack_disk(self, file: Path, directory: Path) -> None:
        """Make of such a file a directory that an instance can boot from.  Raises HostError, OSError."""
        ...

    def room(self) -> Room:
        """Return what the file system has.  Raises OSError."""
        ...

    def use(self, instance_id: str, pid: int, bytes_max: int, files_max: int) -> Use:
        """Return what a running instance has on its disk, counted no further than either limit."""
        ...

    def hold(self, pid: int, *, held: bool) -> bool:
        """Forbid an instance to write to files, or allow it again; tells whether that could be done."""
        ...


class NoDisks:
    """There are none."""

    def save_disk(self, instance_id: str, file: Path) -> bool:  # noqa: ARG002
        """No instance has a disk."""
        return False

    def unpack_disk(self, file: Path, directory: Path) -> None:
        """No instance boots."""

    def room(self) -> Room:
        """There is none, and nobody to take it."""
        return Room(0, 0, 0)

    def use(self, instance_id: str, pid: int, bytes_max: int, files_max: int) -> Use:  # noqa: ARG002
        """No instance takes any."""
        return Use(0, 0)

    def hold(self, pid: int, *, held: bool) -> bool:  # noqa: ARG002
        """No instance writes."""
        return True
