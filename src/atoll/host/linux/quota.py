"""What an instance takes of the machine's disk, and an end to it.

Its disk is a directory, and no kernel bounds a directory on every file system without asking for a mount of its own.
So it is measured, as `du` does it, and whoever has too much is held: no process of his may write to a file any more,
by RLIMIT_FSIZE, which they have for good as they lack CAP_SYS_RESOURCE, and which their children inherit.  Files may
still be deleted.  A write that begins under the limit ends under it, so what is held has all that it had written.
"""

import contextlib
import os
import re
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from atoll.host.disks import Use
from atoll.host.linux.chamber import LIMITS
from atoll.host.linux.syscalls import set_real_ids

_BLOCK_BYTES = 512  # of st_blocks, whatever the file system's own are
_PASSES_MAX = 8  # over all processes: some fork meanwhile, but children of who is held are held
_HELD = (0, 0)


def used(upper: Path, *, bytes_max: int, files_max: int) -> Use:
    """Return what is in a directory, each file once; counts no further than either limit."""
    bytes_, files, seen, todo = 0, 0, set[int](), [str(upper)]
    while todo and bytes_ <= bytes_max and files <= files_max:
        with contextlib.suppress(OSError), os.scandir(todo.pop()) as entries:  # deleted since
            for entry in entries:
                with contextlib.suppress(OSError):
                    stat = entry.stat(follow_symlinks=False)
                    if stat.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        if stat.st_ino in seen:
                            continue
                        seen.add(stat.st_ino)
                    bytes_ += stat.st_blocks * _BLOCK_BYTES
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
    return Use(bytes_, files)


def nameless(init: int) -> int:
    """Return the bytes of files that processes of an instance have open, and that have no name any more."""
    found: dict[tuple[int, int], int] = {}
    for pid in processes(init):
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    stat = os.stat(entry.path)
                    if stat.st_nlink == 0:
                        found[stat.st_dev, stat.st_ino] = stat.st_blocks * _BLOCK_BYTES
    return sum(found.values())


def hold(init: int, *, held: bool) -> bool:
    """Forbid all processes of an instance to write to files, or allow it again; tells whether that could be done.

    To allow it again takes CAP_SYS_RESOURCE, which an ordinary user lacks, and root in many a container: without it
    this lasts until the next boot.  A process that cannot be forbidden it is killed.
    """
    wanted = _HELD if held else LIMITS["fsize"]
    for _ in range(_PASSES_MAX):
        others = []
        for pid in processes(init):
            with contextlib.suppress(OSError):
                if _limit_of(pid) != wanted[1]:
                    others.append(pid)
        for pid in others:
            try:
                _limit(pid, wanted)
            except PermissionError:
                if not held:
                    return False
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if not others:
            break
    return True


def _limit_of(pid: int) -> int | None:
    """Return the hard limit of a process, as everybody may read it; None: it has none."""
    found = re.search(r"^Max file size +\S+ +(\d+) ", Path(f"/proc/{pid}/limits").read_text(), re.M)
    return int(found[1]) if found else None


def _limit(pid: int, wanted: tuple[int, int]) -> None:
    """Limit a process; without CAP_SYS_RESOURCE that takes its own real ids.  Raises PermissionError."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, wanted)
        except PermissionError:
            if os.geteuid():
                raise
            stat = os.stat(f"/proc/{pid}")  # of the effective ids; of a set-uid program the real ones differ
            try:
                set_real_ids(stat.st_uid, stat.st_gid)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, wanted)
            finally:
                set_real_ids(0, 0)


def processes(init: int) -> Iterator[int]:
    """Yield the pids here of all processes of an instance, those that entered from outside too."""
    try:
        own = os.stat(f"/proc/{init}/ns/pid").st_ino
    except OSError:
        return
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}/ns/pid").st_ino == own:
                    yield int(name)
