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

from atoll.host import trees
from atoll.host.disks import Use
from atoll.host.linux.chamber import LIMITS
from atoll.host.linux.syscalls import set_real_ids

_BLOCK_BYTES = 512  # of st_blocks, whatever the file system's own are
_PASSES_MAX = 8  # over all processes: some fork meanwhile, but children of who is held are held
_HELD = (0, 0)
_LEVELS_MIN = 3  # of process ids, from ours: the machine's, the keeper's, the guest's
_DELETED = re.compile(rb"^(\w+)-(\w+) \S+ \S+ \S+ \d+ +/.* \(deleted\)$", re.M)


def used(upper: Path, *, bytes_max: int, files_max: int) -> Use:
    """Return what is in a directory, each file once; counts no further than either limit.

    What is deeper than anybody can look counts as too much.
    """
    bytes_, files, seen = 0, 0, set[int]()
    try:
        with contextlib.closing(trees.entries(upper)) as found:
            for entry in found:
                with contextlib.suppress(OSError):  # deleted since
                    stat = entry.stat(follow_symlinks=False)
                    if stat.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        if stat.st_ino in seen:
                            continue
                        seen.add(stat.st_ino)
                    bytes_ += stat.st_blocks * _BLOCK_BYTES
                    files += 1
                    if bytes_ > bytes_max or files > files_max:
                        break
    except FileNotFoundError:  # it has no disk any more
        pass
    except trees.TooDeepError:
        return Use(bytes_, files_max + 1)
    return Use(bytes_, files)


def nameless(init: int) -> int:
    """Return the bytes of files without a name that processes of an instance have open or mapped.

    What is only mapped is seen by who has CAP_CHECKPOINT_RESTORE in the machine's own user namespace.
    """
    found: dict[tuple[int, int], int] = {}
    in_memory = _devices_in_memory(init)
    for pid in processes(init):
        for path in (*_opened(pid), *_mapped(pid)):
            with contextlib.suppress(OSError):
                stat = os.stat(path)
                if stat.st_nlink == 0 and stat.st_dev not in in_memory:
                    found[stat.st_dev, stat.st_ino] = stat.st_blocks * _BLOCK_BYTES
    return sum(found.values())


def _opened(pid: int) -> Iterator[str]:
    """Yield what leads to the open files of a process: a thread may have some of its own, and outlive the first."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/task/{thread}/fd") as entries:
                yield from (entry.path for entry in entries)


def _mapped(pid: int) -> Iterator[str]:
    """Yield what leads to the files that a process has mapped, and that have no name any more."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            if told := Path(f"/proc/{pid}/task/{thread}/maps").read_bytes():  # nothing: this thread has ended
                for first, last in _DELETED.findall(told):
                    yield f"/proc/{thread}/map_files/{int(first, 16):x}-{int(last, 16):x}"
                return


def _devices_in_memory(init: int) -> set[int]:
    """Return the devices of files of an instance that are memory, and not on the machine's disk.

    A mount that it may not write to is not its own: of a state directory in memory, it sees a part so.
    """
    found = set()
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{init}/mountinfo").read_text().splitlines():
            mount, _, of = line.partition(" - ")
            device, options = mount.split()[2], mount.split()[5]
            if of.startswith("tmpfs ") and options.split(",")[0] == "rw":
                found.add(os.makedev(*map(int, device.split(":"))))
    with contextlib.suppress(OSError):
        memory = os.memfd_create("atoll")  # where every other one is, with shared memory
        try:
            found.add(os.fstat(memory).st_dev)
        finally:
            os.close(memory)
    return found


def hold(init: int, *, held: bool) -> bool:
    """Forbid all processes of an instance to write to files, or allow it again; tells whether that could be done.

    To allow it again takes CAP_SYS_RESOURCE, which an ordinary user lacks, and root in many a container: without it
    this lasts until the next boot.  A process that cannot be forbidden it is killed.  A process may have limited
    itself: that stays, and an instance whose first process is not held is not, whatever others limited themselves to.
    """
    wanted = _HELD if held else LIMITS["fsize"]
    if not held and not _is_held(init):
        return True
    for _ in range(_PASSES_MAX):
        others = [pid for pid in processes(init) if _is_held(pid) is (not held)]
        for pid in sorted(others, key=lambda pid: pid == init):  # last, as long as it is held, the others may be
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


def _is_held(pid: int) -> bool | None:
    """Tell whether a process may write to no file for good, as everybody may read it; None: it has ended."""
    try:
        found = re.search(r"^Max file size +\S+ +(\d+) ", Path(f"/proc/{pid}/limits").read_text(), re.M)
    except OSError:
        return None
    return found is not None and int(found[1]) == _HELD[1]


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
    """Yield the pids here of all processes of an instance, those that entered from outside too.

    There are none if `init` has ended: its pid may be another's since, whose namespace is the whole machine's.
    """
    try:
        own = os.stat(f"/proc/{init}/ns/pid").st_ino
        levels = _ids(init)  # afterwards: what they say of one process, is then said of that
    except OSError:
        return
    if len(levels) < _LEVELS_MIN or levels[-1] != 1:
        return
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}/ns/pid").st_ino == own:
                    yield int(name)


def _ids(pid: int) -> list[int]:
    """Return the ids of a process, from ours to that in its own PID namespace.  Raises OSError."""
    found = re.search(r"^NSpid:((?:\s+\d+)+)$", Path(f"/proc/{pid}/status").read_text(), re.M)
    return [int(id) for id in found[1].split()] if found else []
