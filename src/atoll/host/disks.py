"""The disks of instances, as files; and a host's that runs no instances."""

from pathlib import Path
from typing import Protocol


class Disks(Protocol):
    """The disks of instances, as files."""

    def save_disk(self, instance_id: str, file: Path) -> bool:
        """Write what an instance has changed on its disk to a new file; False: it has no disk.  Raises OSError."""
        ...

    def unpack_disk(self, file: Path, directory: Path) -> None:
        """Make of such a file a directory that an instance can boot from.  Raises HostError, OSError."""
        ...


class NoDisks:
    """There are none."""

    def save_disk(self, instance_id: str, file: Path) -> bool:  # noqa: ARG002
        """No instance has a disk."""
        return False

    def unpack_disk(self, file: Path, directory: Path) -> None:
        """No instance boots."""
