"""The world that an instance sees: its own disk, the host's programs read-only, and nothing else of the host.

`build` runs in a child of the keeper that is already the first process of a new PID namespace and in the network
namespace of its interface.  Afterwards "/" is the instance's root disk.  Whoever adds a mount here: tests/kernel/
test_chamber.py lists what an instance must not see.
"""

import os
import socket
from typing import Any

from atoll.host.linux.seccomp import pretend_ownership
from atoll.host.linux.syscalls import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNS,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    bind,
    install_seccomp,
    make_writable,
    mount,
    pivot_root,
    unmount,
    unshare,
)

# What the documented commands need: networking, sudo, sshd, packet capture.  Without: sys_admin (mounts), sys_module,
# sys_time, sys_boot, sys_rawio, mknod, syslog, mac_*, bpf, perfmon; dac_read_search, with which a file handle opens
# any file of the host's disk; sys_nice, with which one loop at a real-time priority starves the machine; sys_ptrace,
# with which root inside looks into who enters from outside (one's own processes can be traced without it).
_CAPABILITIES = (
    0,  # chown
    1,  # dac_override
    3,  # fowner
    4,  # fsetid
    5,  # kill
    6,  # setgid
    7,  # setuid
    8,  # setpcap
    10,  # net_bind_service
    11,  # net_broadcast
    12,  # net_admin
    13,  # net_raw
    14,  # ipc_lock
    18,  # sys_chroot
    28,  # lease
    29,  # audit_write: sudo reports to it
)
CAPABILITIES = sum(1 << number for number in _CAPABILITIES)
# Open files of one process, as on Amazon Linux, and the size of one file: that of its root volume (8 GiB).
LIMITS = {"nofile": (1024, 65_536), "fsize": (8 << 30, 8 << 30)}

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "console": "/proc/1/fd/1",
}
_HIDDEN_FILES = (
    *("proc/kcore", "proc/keys", "proc/kmsg", "proc/latency_stats", "proc/sched_debug"),
    *("proc/sysrq-trigger", "proc/timer_list"),
    # The one setting among those of his own network that is the machine's, and stays switched on.
    "proc/sys/net/netfilter/nf_hooks_lwtunnel",
)
_HIDDEN_DIRECTORIES = (
    *("proc/acpi", "proc/asound", "proc/scsi", "sys/firmware", "sys/devices/virtual/powercap"),
    # The host's settings of its kernel: `sysctl --system` would try, and fail, to apply them.
    *("usr/lib/sysctl.d", "usr/local/lib/sysctl.d"),
)
# What belongs to /usr but lies beside it, and changes with it: the index of libraries, the choice of programs.
_FROM_HOST = ("etc/ld.so.cache", "etc/alternatives")
_READONLY = ("proc/bus", "proc/fs", "proc/irq", "proc/sys")
_BYTES_PER_FILE = 16 << 10  # as ext4 does it
_QUIET = MS_NOSUID | MS_NODEV | MS_NOEXEC


def build(guest: dict[str, Any]) -> None:
    """Make the instance's world and move into it.

    `guest` has: "image" and "directory" (paths), "hostname", "rootless", "memory_bytes".  The directory has upper,
    work, root and seed (see `guest.prepare`).
    """
    unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    root = f"{guest['directory']}/root"
    _mount_disk(guest, root)
    bind("/usr", f"{root}/usr", readonly=True, recursive=True)
    for name in _FROM_HOST:
        if os.path.exists(f"/{name}"):
            bind(f"/{name}", f"{root}/{name}", readonly=True)
    bind(f"{guest['directory']}/seed", f"{root}/opt/atoll/seed", readonly=True)
    _mount_kernel_views(root)
    _make_devices(root, guest)
    for name, mode, share in (("run", "0755", 5), ("tmp", "1777", 2)):  # of its memory, as systemd has it
        options = f"mode={mode},{_sized(guest['memory_bytes'] // share)}"
        mount("tmpfs", f"{root}/{name}", "tmpfs", MS_NOSUID | MS_NODEV, options)
    _hide(root)
    os.chdir(root)
    pivot_root(".", ".")  # the old root is now above the new one, at the same place
    unmount(".")
    os.chdir("/")
    socket.sethostname(guest["hostname"])
    if guest["rootless"]:
        install_seccomp(pretend_ownership())


def _mount_disk(guest: dict[str, Any], root: str) -> None:
    directory = _escape(guest["directory"])
    layers = f"lowerdir={_escape(guest['image'])},upperdir={directory}/upper,workdir={directory}/work"
    # In a user namespace overlayfs may keep its notes only in user attributes.
    mount("overlay", root, "overlay", MS_NODEV, layers + (",userxattr" if guest["rootless"] else ""))


def _mount_kernel_views(root: str) -> None:
    mount("proc", f"{root}/proc", "proc", _QUIET)
    try:
        mount("sysfs", f"{root}/sys", "sysfs", _QUIET | MS_RDONLY)
    except PermissionError:
        # Rootless inside a container that hides parts of its own /sys: the kernel then gives us none at all.
        mount("tmpfs", f"{root}/sys", "tmpfs", _QUIET | MS_RDONLY)


def _make_devices(root: str, guest: dict[str, Any]) -> None:
    dev = f"{root}/dev"
    mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, f"mode=0755,{_sized(1 << 20)}")
    for name in _DEVICES:
        os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_CLOEXEC, 0o666))
        bind(f"/dev/{name}", f"{dev}/{name}")
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{dev}/{name}")
    for name in ("pts", "shm"):
        os.mkdir(f"{dev}/{name}", 0o755)
    group = "" if guest["rootless"] else ",gid=5"  # tty, which a single-id user namespace does not have
    mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, f"newinstance,ptmxmode=0666,mode=0620{group}")
    mount("tmpfs", f"{dev}/shm", "tmpfs", _QUIET, f"mode=1777,{_sized(guest['memory_bytes'] // 2)}")


def _hide(root: str) -> None:
    for name in _READONLY:
        if os.path.isdir(f"{root}/{name}"):
            bind(f"{root}/{name}", f"{root}/{name}", readonly=True)
    # The settings of the instance's own network are its own; all others are the host's.
    bind(f"{root}/proc/sys/net", f"{root}/proc/sys/net")
    make_writable(f"{root}/proc/sys/net")
    for name in _HIDDEN_FILES:
        if os.path.exists(f"{root}/{name}"):
            bind("/dev/null", f"{root}/{name}")
    for name in _HIDDEN_DIRECTORIES:
        if os.path.isdir(f"{root}/{name}"):
            mount("tmpfs", f"{root}/{name}", "tmpfs", _QUIET | MS_RDONLY, "size=0")


def _sized(bytes_: int) -> str:
    """Bound a file system in memory: else it may fill half of the machine's, with data or with empty files."""
    return f"size={bytes_},nr_inodes={max(bytes_ // _BYTES_PER_FILE, 1024)}"


def _escape(path: str) -> str:
    """Escape what separates overlay's options and layers."""
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")
