"""Limits of memory and of processes, and shares of the processors, where this machine lets us set them.

The groups live below one named after the run directory, where `cgroup_places` found a place for it.  A note of that
place lies in the run directory: `remove_all`, which may be called from elsewhere, finds what a killed keeper left.

Of the processors nobody is given less than there is: whoever wants more than there is gets his share.  All that an
installation runs counts together as PROCESSES_EACH busy processes on each processor, whatever it starts, so that it
starves neither the daemon nor the machine; where the machine's processes are in groups themselves (systemd's slices),
it counts as one of these.  Among themselves, each instance counts as much as each other, and a cache node as much as
four of them.
"""

import errno
import hashlib
import logging
import os
import signal
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from atoll.host.linux.cgroup_places import LIMITS, ROOT, SHARES, Support, support, words

__all__ = ["INSTANCE_WEIGHT", "NODE_WEIGHT", "Support", "create", "join", "remove", "remove_all", "support", "trial"]

_PROCESSES_EACH = 2
_USUAL_WEIGHT = 100  # of a group, and of one process that is in none, as v2 counts; v1 says 1024
_V1_PER_V2 = 10.24
INSTANCE_WEIGHT, NODE_WEIGHT = 100, 400
_WEIGHT_MAX = 10_000  # the kernel's own
_LEAVE_SECONDS = 0.5  # from a process's end until its group is empty; some milliseconds here
_LEAVE_POLL_SECONDS = 0.005
_OTHERS = "atoll-others"  # where a container's own processes go, so that its group can pass on limits
_ROUNDS_MAX = 20  # of moving them, while they start new ones
_NOTE = "cgroups"
# What the kernel cannot take back when it lowers a limit, by its names in `memory.stat`.
_KEPT = ("anon", "shmem", "kernel_stack", "pagetables", "slab_unreclaimable")
_FILES = {
    "memory": ("memory.max", "memory.limit_in_bytes"),
    "pids": ("pids.max",),
    "cpu": ("cpu.weight", "cpu.shares"),
}
_log = logging.getLogger("atoll")


def create(
    run_dir: Path,
    name: str,
    *,
    memory_bytes: int | None,
    processes: int | None,
    weight: int = INSTANCE_WEIGHT,
    keeper: int | None = None,
) -> tuple[Path, ...]:
    """Make a group, or change its limits, and return its directories for `Spawn.cgroups`: none where that cannot be.

    `keeper`: the pid of who will start what goes into it, if that is not this process.  What cannot be limited runs
    without a limit: `atoll doctor` tells, and the log.
    """
    found = support(keeper)
    made = []
    for parent in found.parents:
        try:
            group = _make(found, parent, run_dir, name)
            _set(group / "pids.max", processes)
            if memory_bytes is not None and (because := _limit_memory(group, memory_bytes)):
                fields = {"of": name, "bytes": memory_bytes, "because": because}
                _log.warning("limit_not_lowered", extra={"fields": fields})
            _share(group, weight)
            made.append(group)
        except OSError as error:
            _log.warning("limits_missing", extra={"fields": {"of": name, "because": str(error)}})
    return tuple(made)


def trial() -> str:
    """Make a group and remove it; return what is wrong with it, empty if nothing or if it was not tried."""
    found = support()
    if found.crowded:  # to look is no reason to move anybody
        return ""
    run_dir = Path(f"/proc/{os.getpid()}/trial")  # it is not there, so nothing is noted
    try:
        groups = [_make(found, parent, run_dir, "trial") for parent in found.parents]
    except OSError as error:
        return str(error)
    else:
        limits = [name for name in found.controllers if name in LIMITS]  # without shares it goes, too
        files = [(name, [group / file for group in groups for file in _FILES[name]]) for name in limits]
        lacks = [name for name, paths in files if not any(path.exists() for path in paths)]
        return f"a group was made, but without {' and '.join(lacks)}" if lacks else ""
    finally:
        remove_all(run_dir)


def _make(found: Support, parent: Path, run_dir: Path, name: str) -> Path:
    _open(found, parent, run_dir)
    group = parent / _ours(run_dir) / name
    group.mkdir(exist_ok=True)
    return group


def _open(found: Support, parent: Path, run_dir: Path) -> None:
    """Make the group of an installation, and have it and the one above pass on the controllers."""
    ours = parent / _ours(run_dir)
    if found.crowded:
        _make_room(parent)
    if found.version == 2:
        _pass_on(parent, found.controllers)
    if not ours.is_dir():
        _write_note(run_dir, parent)
        ours.mkdir(exist_ok=True)
        busy = _PROCESSES_EACH * (os.cpu_count() or 1) if found.alone else 1
        _share(ours, _USUAL_WEIGHT * busy)
    if found.version == 2:
        _pass_on(ours, found.controllers)


def _make_room(parent: Path) -> None:
    """Move all processes of a container's group into one below it, as whoever nests containers does."""
    others = parent / _OTHERS
    others.mkdir(exist_ok=True)
    for _ in range(_ROUNDS_MAX):
        pids = [pid for pid in words(parent / "cgroup.procs") if pid != "0"]  # 0: outside of our PID namespace
        if not pids:
            return
        for pid in pids:
            with suppress(OSError):  # it has ended
                _write(others / "cgroup.procs", pid)


def _pass_on(group: Path, controllers: tuple[str, ...]) -> None:
    passed = words(group / "cgroup.subtree_control")
    for name in controllers:
        if name in passed:
            continue
        try:
            _write(group / "cgroup.subtree_control", f"+{name}")
        except OSError:
            if name != SHARES:
                raise


def join(pid: int) -> None:
    """Move this process into the groups of another one, so that its limits hold for both; where that may be done."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or any(name in (*LIMITS, SHARES) for name in controllers.split(",")):
            with suppress(OSError):
                _write(ROOT / controllers / path.lstrip("/") / "cgroup.procs", "0")


def remove(run_dir: Path, name: str) -> None:
    """Remove a group whose processes have ended, waiting a moment for the last of them.

    One that is still used stays until the installation ends.
    """
    for parent in _places(run_dir):
        _remove_soon(parent / _ours(run_dir) / name)


def remove_all(run_dir: Path) -> tuple[Path, ...]:
    """Remove every group of an installation that has ended, and end what is still in one; return those that stay.

    Nothing is ended where no note says that we made groups: another installation, in a container, may have a run
    directory of the same name.
    """
    noted, left = _noted(run_dir), []
    for parent in _places(run_dir):
        for path, _, _ in os.walk(parent / _ours(run_dir), topdown=False):
            group = Path(path)
            if _remove_soon(group) or parent not in noted:
                continue
            _end(group)
            if not _remove_soon(group):
                left.append(group)
    return tuple(left)


def _end(group: Path) -> None:
    """Kill all processes of a group, at once where the kernel can: v2, since 5.14."""
    try:
        _write(group / "cgroup.kill", "1")
    except OSError:
        for pid in words(group / "cgroup.procs"):
            if pid != "0":
                with suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)


def _remove_soon(group: Path) -> bool:
    """Remove a group: a process leaves it a little after it was seen to end, and its children after it."""
    end = time.monotonic() + _LEAVE_SECONDS
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() > end:
                return False
            time.sleep(_LEAVE_POLL_SECONDS)
        else:
            return True


def _write_note(run_dir: Path, parent: Path) -> None:
    with suppress(OSError), (run_dir / _NOTE).open("a") as note:  # without it we look where groups would be made now
        note.write(f"{parent}\n")


def _places(run_dir: Path) -> tuple[Path, ...]:
    """Return where groups of an installation may be."""
    return tuple(dict.fromkeys((*_noted(run_dir), *support().parents)))


def _noted(run_dir: Path) -> tuple[Path, ...]:
    """Return where groups of an installation were made, as it noted."""
    try:
        return tuple(map(Path, (run_dir / _NOTE).read_text().splitlines()))
    except OSError:
        return ()


@lru_cache(maxsize=16)  # each start asks six times; to resolve a path takes 30 us
def _ours(run_dir: Path) -> str:
    return "atoll-" + hashlib.sha256(str(run_dir.resolve()).encode()).hexdigest()[:12]


def _share(group: Path, weight: int) -> None:
    """Say how much of the processors a group gets beside others, where that can be said."""
    weight = min(weight, _WEIGHT_MAX)
    _set(group / "cpu.weight", weight)
    _set(group / "cpu.shares", round(weight * _V1_PER_V2))


def _limit_memory(group: Path, bytes_: int) -> str | None:
    """Limit memory, and memory with swap to as much: else who has too much of the one fills the machine's other.

    Returns why it has more than that all the same.
    """
    if (group / "memory.max").exists():
        _set(group / "memory.swap.max", 0)
        # v1 refuses a limit below what is used (EBUSY); v2 takes it, and kills: an engine may have freed what its
        # allocator keeps.
        if bytes_ < (kept := _memory_kept(group)):
            return f"{kept} bytes are in use, and who uses them would be killed"
        _set(group / "memory.max", bytes_)
        return None
    both, because = group / "memory.memsw.limit_in_bytes", None
    for path in (both, group / "memory.limit_in_bytes", both):  # it is never less than the other: first when it grows
        try:
            _set(path, bytes_)
        except OSError as error:
            if error.errno == errno.EBUSY:
                because = f"the kernel cannot take back so much of what is in use ({path.name})"
            elif not (path == both and error.errno == errno.EINVAL):
                raise
    return because


def _memory_kept(group: Path) -> int:
    """Return how much of a group's memory cannot be reclaimed without a swap, at least."""
    stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return sum(int(stat.get(name, 0)) for name in _KEPT)


def _set(path: Path, value: int | None) -> None:
    if value is not None and path.exists():
        _write(path, str(value))


def _write(path: Path, text: str) -> None:
    """Write to a file of the kernel's; one that is not there is not made, as where v1's top is a plain tmpfs."""
    with open(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC), "w") as file:
        file.write(text)
