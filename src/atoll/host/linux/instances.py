"""Instances of one installation: from the loop's plan to a guest on its own disk."""

import os
from collections.abc import Collection
from pathlib import Path

from atoll.host.authority import Authority
from atoll.host.contract import GuestPlan
from atoll.host.disks import Room, Use
from atoll.host.linux import disks, guest, image, quota
from atoll.host.linux.client import Keeper, Process
from atoll.host.linux.gone import ASIDE, Gone


class Instances:
    """Starts guests, and knows where their disks are."""

    def __init__(self, keeper: Keeper, state_dir: Path) -> None:
        """Keep disks under `state_dir`/instances."""
        self._keeper, self._state_dir = keeper, state_dir
        self._authority = Authority(state_dir)
        self._gone = Gone(state_dir / "instances")
        self._image: Path | None = None

    def prepare(self) -> Path:
        """Return the base image; makes it, in some tenths of a second, if it is not there.  Raises HostError."""
        if self._image is None:
            self._authority.found_apart()
            self._image = image.build(self._state_dir, single_id=guest.single_id(self._keeper))
        return self._image

    def start(self, plan: GuestPlan) -> Process:
        """Boot an instance; its disk is made at its first boot, or taken from where it waits.  Raises HostError."""
        if plan.disk and (waiting := self._state_dir / plan.disk).is_dir():
            directory = self._directory(plan.instance_id)
            if directory.exists():  # of the same instance in another World
                self._gone.add(directory)
            waiting.replace(directory)
        return guest.start(
            self._keeper,
            guest.Guest(
                name=plan.process,
                network=plan.interface_id,
                directory=self._directory(plan.instance_id),
                image=self.prepare(),
                hostname=plan.hostname,
                resolvers=plan.resolvers,
                authority=self._authority.certificate(),
                search=plan.search,
                user=plan.user,
                authorized_keys=plan.authorized_keys,
                user_data=plan.user_data,
                nat_cidr=plan.vpc_cidr if plan.is_nat else None,
                memory_bytes=plan.memory_bytes,
            ),
        )

    def forget(self, process: str) -> None:
        """Drop what is left of a boot that has ended."""
        guest.forget(self._keeper, process)

    def sweep(self, keep: Collection[str]) -> None:
        """Take away the disks of all other instances, which are deleted in a while.  Raises HostError."""
        for directory in self._state_dir.glob("instances/*"):
            if directory.name not in keep and not directory.name.startswith(ASIDE):
                self._gone.add(directory)
        self._gone.look()

    def wait_for_swept(self) -> None:
        """Return when all disks are deleted that were taken away.  Raises HostError."""
        self._gone.wait()

    def save_disk(self, instance_id: str, file: Path) -> bool:
        """Write what an instance has changed on its disk to a new file; False: it has none.  Raises OSError."""
        upper = self._directory(instance_id) / "upper"
        if not upper.is_dir():
            return False
        disks.pack(upper, file, rootless=self._keeper.rootless)
        return True

    def unpack_disk(self, file: Path, directory: Path) -> None:
        """Make of such a file a directory that an instance can boot from.  Raises HostError, OSError."""
        directory.mkdir(mode=0o700, parents=True)
        disks.unpack(file, directory / "upper", rootless=self._keeper.rootless)

    def room(self) -> Room:
        """Return what the file system of the state directory has."""
        found = os.statvfs(self._state_dir)
        # Root has its reserve, too; a rootless daemon only seems to be uid 0, to itself.
        free = found.f_bavail if self._keeper.rootless else found.f_bfree
        return Room(found.f_blocks * found.f_frsize, free * found.f_frsize, found.f_ffree)

    def use(self, instance_id: str, pid: int, bytes_max: int, files_max: int) -> Use:
        """Return what an instance has on its disk, with files that it has open and that have no name."""
        found = quota.used(self._directory(instance_id) / "upper", bytes_max=bytes_max, files_max=files_max)
        return Use(found.bytes + quota.nameless(pid), found.files)

    def hold(self, pid: int, *, held: bool) -> bool:
        """Forbid an instance to write to files, or allow it again."""
        return quota.hold(pid, held=held)

    def console(self, instance_id: str) -> bytes:
        """Return what the instance's console has kept."""
        try:
            return (self._directory(instance_id) / "console.log").read_bytes()
        except FileNotFoundError:
            return b""

    def _directory(self, instance_id: str) -> Path:
        return self._state_dir / "instances" / instance_id
