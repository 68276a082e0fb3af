"""Where on this machine control groups can be made, and which limits they have there.  Reads, and changes nothing.

Of cgroup v1 it is the root of each hierarchy, for root only.  Of cgroup v2 it is one directory:

    root        the top of what is mounted: the machine's root group, beside systemd's slices; in a container its own
    a user      beside the group that he runs in, where systemd gave that to him (`systemd-run --user`)

A limit needs more than a directory that may be written to: the kernel gives a group its files (`memory.max`) only
where the group above passes the controller on, and a group that has processes of its own can pass on none, but for
the machine's root (Documentation/admin-guide/cgroup-v2.rst, "Top-down Constraint", "No Internal Process Constraint").
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
LIMITS = {"memory": "memory", "pids": "processes"}  # controllers, and what they limit
SHARES = "cpu"  # the controller that we can do without

_AS_ROOT = "run Atoll as root"
_BY_SYSTEMD = "as root, or in a session of systemd that delegates them: systemd-run --user --scope -p Delegate=yes"
_IN_CONTAINER = "of a container: docker run --privileged (and --cgroupns=private, which is usual)"
_BY_KERNEL = "boot with cgroup_enable=memory; of a container, ask who runs it for the memory and pids controllers"
_TO_USERS = (
    "sudo systemctl edit user@.service, with `Delegate=cpu memory pids` below `[Service]`; then log in anew, and: "
    "systemd-run --user --scope -p Delegate=yes"
)


@dataclass(frozen=True, slots=True)
class Support:
    """Which limits can be set, and where."""

    version: int  # 1 or 2; 0: none
    parents: tuple[Path, ...]  # the directories in which we may make groups, one per hierarchy
    because: str  # why there is none; empty if there is
    mend: str = field(default="", kw_only=True)  # what would give more of them
    controllers: tuple[str, ...] = field(default=(), kw_only=True)  # of LIMITS and SHARES, those that hold
    crowded: bool = field(default=False, kw_only=True)  # the parent has processes, which must move first
    alone: bool = field(default=False, kw_only=True)  # we are in the parent itself, not in a group beside ours

    @property
    def available(self) -> bool:
        """Tell whether groups can be made."""
        return bool(self.parents)

    @property
    def warning(self) -> str:
        """Say what is not limited, and why; empty if all is."""
        lacking = [what for name, what in LIMITS.items() if name not in self.controllers]
        if not lacking:
            return ""
        because = f": {self.because}" if self.because else ""
        return f"Nothing limits {' and '.join(lacking)} here{because}; atoll doctor says what mends it."


def support(pid: int | None = None, *, root: Path = ROOT) -> Support:
    """Find out what can be limited for what a process starts (None: this one), by looking."""
    groups = _groups_of(pid)
    separate = tuple(root / name for name in LIMITS if (root / name / "cgroup.procs").exists())
    if separate:
        return _separate(root, separate, alone=groups.get(SHARES) == "/")
    if not (root / "cgroup.controllers").exists():
        mend = f"as root: mount -t cgroup2 cgroup2 {root}"
        return Support(0, (), f"no cgroup file system is mounted at {root}", mend=mend)
    return unified(root, groups.get("", ""))


def _separate(root: Path, found: tuple[Path, ...], *, alone: bool) -> Support:
    """Look at cgroup v1, where each controller has a tree of its own."""
    if not all(os.access(path, os.W_OK) for path in found):
        return Support(0, (), "cgroup v1 can be written to by root only", mend=_AS_ROOT)
    shares = root / SHARES
    more = (shares,) if (shares / "cpu.shares").exists() and os.access(shares, os.W_OK) else ()
    parents = (*found, *more)
    controllers = tuple(path.name for path in parents)
    mend = "" if {*LIMITS} <= {*controllers} else _BY_KERNEL
    return Support(1, parents, "", mend=mend, controllers=controllers, alone=alone)


def unified(root: Path, own: str) -> Support:
    """Look at cgroup v2, mounted at `root`, for a process whose group is `own` as the kernel says it ("/a/b")."""
    parents = [root] if os.access(root / "cgroup.procs", os.W_OK) else []
    if own.strip("/") and ".." not in own and not parents:  # `..`: of another cgroup namespace than the mount
        parents.append((root / own.strip("/")).parent)
    refused = Support(0, (), f"{root} {_why_closed(root)}", mend=_mend_closed(root))
    for parent in parents:
        found = _within(parent, at_top=parent == root, alone=parent == root / own.strip("/"))
        if found.available:
            return found
        refused = found
    return refused


def _within(parent: Path, *, at_top: bool, alone: bool) -> Support:
    """Look whether groups with limits can be made in a group of cgroup v2."""
    # The last to be needed: to move a process, one must be allowed to in the group above both its places.
    if not all(os.access(parent / name, os.W_OK) for name in ("", "cgroup.subtree_control", "cgroup.procs")):
        return Support(0, (), f"{parent} {_why_closed(parent)}", mend=_mend_closed(parent))
    given, passed_on = words(parent / "cgroup.controllers"), words(parent / "cgroup.subtree_control")
    if lacks := [name for name in LIMITS if name not in given]:
        because = f"{parent} has no {' and no '.join(lacks)} controller to give"
        return Support(0, (), because, mend=_BY_KERNEL if at_top else _TO_USERS)
    kind = words(parent / "cgroup.type")  # the machine's root group has none, and may have processes
    if kind and kind != ["domain"]:
        return Support(0, (), f"{parent} is for threads ({' '.join(kind)})", mend=_BY_SYSTEMD)
    controllers = tuple(name for name in (*LIMITS, SHARES) if name in given)
    crowded = bool(kind) and not {*controllers} <= {*passed_on} and bool(words(parent / "cgroup.procs"))
    if crowded and not at_top:
        return Support(0, (), f"{parent} has processes, and can pass on no limits while it has", mend=_BY_SYSTEMD)
    mend = "" if SHARES in controllers or at_top else _TO_USERS
    return Support(2, (parent,), "", mend=mend, controllers=controllers, crowded=crowded, alone=alone and not crowded)


def _why_closed(path: Path) -> str:
    return "is mounted read-only" if _is_readonly(path) else "is not delegated to this user"


def _mend_closed(path: Path) -> str:
    return _IN_CONTAINER if _is_readonly(path) else _BY_SYSTEMD


def _is_readonly(path: Path) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _groups_of(pid: int | None) -> dict[str, str]:
    """Return a process's groups by controller; that of cgroup v2 by no name at all."""
    try:
        lines = Path(f"/proc/{pid or 'self'}/cgroup").read_text().splitlines()
    except OSError:  # it has ended
        return {}
    found = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def words(path: Path) -> list[str]:
    """Return what a file of the kernel lists; nothing if it is not there."""
    try:
        return path.read_text().split()
    except OSError:
        return []
