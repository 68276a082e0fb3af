"""Limits of memory and of processes, and shares of the processors, where this machine lets us set them.

Root with cgroup v1 (hybrid) or v2; an ordinary user with a delegated v2 subtree (`systemd-run --user`).  The groups
live below one named after the run directory, so that `remove_all` finds what a killed keeper left.

Of the processors nobody is given less than there is: whoever wants more than there is gets his share.  All that an
installation runs counts together as PROCESSES_EACH busy processes on each processor, whatever it starts, so that it
starves neither the daemon nor the machine; among themselves, each instance counts as much as each other, and a cache
node as much as four of them.
"""

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = ("memory", "pids")
_SHARES = "cpu"  # the controller that we can do without
_PROCESSES_EACH = 2
_USUAL_WEIGHT = 100  # of a group, and of one process that is in none, as v2 counts; v1 says 1024
_V1_PER_V2 = 10.24
INSTANCE_WEIGHT, NODE_WEIGHT = 100, 400
_WEIGHT_MAX = 10_000  # the kernel's own
_LEAVE_SECONDS = 0.5  # from a process's end until its group is empty; some milliseconds here
_LEAVE_POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Support:
    """Which limits can be set, and where."""

    version: int  # 1 or 2; 0: none
    parents: tuple[Path, ...]  # the directories in which we may make groups, one per hierarchy
    because: str  # why there is none; empty if there is

    @property
    def available(self) -> bool:
        """Tell whether groups can be made."""
        return bool(self.parents)


def support() -> Support:
    """Find out what can be limited here, by looking for directories that we may write to."""
    separate = tuple(_ROOT / name for name in _CONTROLLERS if (_ROOT / name / "cgroup.procs").exists())
    if separate:
        if all(os.access(path, os.W_OK) for path in separate):
            shares = _ROOT / _SHARES
            more = (shares,) if (shares / "cpu.shares").exists() and os.access(shares, os.W_OK) else ()
            return Support(1, (*separate, *more), "")
        return Support(0, (), "cgroup v1 can be written to by root only")
    controllers = _ROOT / "cgroup.controllers"
    if not controllers.exists():
        return Support(0, (), "no cgroup file system is mounted")
    own = _own_group()
    for parent in (_ROOT, own) if os.access(_ROOT / "cgroup.procs", os.W_OK) else (own.parent,):
        if os.access(parent, os.W_OK) and _delegates(parent):
            return Support(2, (parent,), "")
    return Support(0, (), f"the memory and pids controllers of {own.parent} are not delegated to this user")


def create(
    run_dir: Path, name: str, *, memory_bytes: int | None, processes: int | None, weight: int = INSTANCE_WEIGHT
) -> tuple[Path, ...]:
    """Make a group and return its directories for `Spawn.cgroups`: none where limits cannot be set."""
    found = support()
    made = []
    for parent in found.parents:
        group = parent / _ours(run_dir) / name
        with suppress(OSError):  # a limit that cannot be set is reported by `detect`, and does not stop a machine
            if not group.parent.exists():
                group.parent.mkdir(exist_ok=True)
                _share(group.parent, _USUAL_WEIGHT * _PROCESSES_EACH * (os.cpu_count() or 1))
            if found.version == 2:
                (group.parent / "cgroup.subtree_control").write_text("+memory +pids")
                with suppress(OSError):  # it may not be delegated
                    (group.parent / "cgroup.subtree_control").write_text(f"+{_SHARES}")
            group.mkdir(exist_ok=True)
            _share(group, weight)
            _set(group, ("memory.max", "memory.limit_in_bytes"), memory_bytes)
            _set(group, ("pids.max",), processes)
            made.append(group)
    return tuple(made)


def join(pid: int) -> None:
    """Move this process into the groups of another one, so that its limits hold for both; where that may be done."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or any(name in (*_CONTROLLERS, _SHARES) for name in controllers.split(",")):
            with suppress(OSError):
                (_ROOT / controllers / path.lstrip("/") / "cgroup.procs").write_text("0")


def remove(run_dir: Path, name: str) -> None:
    """Remove a group whose processes have ended, waiting a moment for the last of them.

    One that is still used stays until the installation ends.
    """
    for parent in support().parents:
        _remove_soon(parent / _ours(run_dir) / name)


def remove_all(run_dir: Path) -> None:
    """Remove every group of an installation."""
    for parent in support().parents:
        ours = parent / _ours(run_dir)
        if ours.is_dir():
            for group in ours.iterdir():
                if group.is_dir():
                    _remove_soon(group)
            _remove_soon(ours)


def _remove_soon(group: Path) -> None:
    """Remove a group: a process leaves it a little after it was seen to end, and its children after it."""
    end = time.monotonic() + _LEAVE_SECONDS
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > end:
                return
            time.sleep(_LEAVE_POLL_SECONDS)
        else:
            return


def _ours(run_dir: Path) -> str:
    return "atoll-" + hashlib.sha256(str(run_dir.resolve()).encode()).hexdigest()[:12]


def _own_group() -> Path:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return _ROOT / line[3:].lstrip("/")
    return _ROOT


def _delegates(group: Path) -> bool:
    controllers = (group / "cgroup.controllers").read_text().split()
    return all(name in controllers for name in _CONTROLLERS)


def _share(group: Path, weight: int) -> None:
    """Say how much of the processors a group gets beside others, where that can be said."""
    weight = min(weight, _WEIGHT_MAX)
    _set(group, ("cpu.weight",), weight)
    _set(group, ("cpu.shares",), round(weight * _V1_PER_V2))


def _set(group: Path, files: tuple[str, ...], value: int | None) -> None:
    for name in files:
        if value is not None and (group / name).exists():
            (group / name).write_text(str(value))
