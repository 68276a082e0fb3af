"""System calls that Python does not have, by ctypes.  Not more than names, types and errors: no policy.

The keeper imports this file, so it imports nothing large.
"""

import ctypes
import os
import platform

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
SECCOMP_MODE_FILTER = 2

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture since 5.12
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_CAPGET = {"x86_64": 125, "aarch64": 90}
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
_SYS_SETRESUID = {"x86_64": 117, "aarch64": 147}
_SYS_SETRESGID = {"x86_64": 119, "aarch64": 149}
_UNCHANGED = (ctypes.c_long(-1), ctypes.c_long(-1))
_CAPABILITY_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_libc.syscall.restype = ctypes.c_long


def setns(fd: int, flags: int = 0) -> None:
    """Move the calling thread into the namespace (or, for a pidfd, the namespaces) that a descriptor means."""
    _check(_libc.setns(fd, flags), "setns")


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def mount(
    source: str | None, target: str, kind: str | None = None, flags: int = 0, options: str | None = None
) -> None:
    """Mount, bind or change a mount, as mount(2)."""
    result = _libc.mount(_text(source), os.fsencode(target), _text(kind), flags, _text(options))
    _check(result, f"mount {kind or source or ''} on {target}")


def bind(source: str, target: str, *, readonly: bool = False, recursive: bool = False) -> None:
    """Show a file or directory at another path."""
    mount(source, target, None, MS_BIND | (MS_REC if recursive else 0))
    if readonly:
        make_readonly(target)


def make_readonly(target: str) -> None:
    """Make a mount and those below it read-only, leaving its other flags (a user namespace may not clear them)."""
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, attributes, ctypes.c_size_t(32)
    )
    if result == 0:
        return
    # Before Linux 5.12: a remount of the bind, repeating the flags that are locked.
    had = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | had)


def make_writable(target: str) -> None:
    """Undo `make_readonly` for one mount of our own."""
    mount(None, target, None, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC)


def unmount(target: str) -> None:
    """Detach a mount: it disappears now and is freed when its last user goes."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root and put the former root at `old`, a directory below it."""
    number = _SYS_PIVOT_ROOT[platform.machine()]
    _check(_libc.syscall(number, os.fsencode(new), os.fsencode(old)), "pivot_root")


def prctl(option: int, first: int = 0, second: int = 0) -> int:
    """Call prctl(2) with two arguments."""
    return _check(_libc.prctl(option, first, second, 0, 0), f"prctl {option}")


def bound_capabilities(kept: int) -> None:
    """Bound the calling process, and all that it will execute, to the capabilities of the bit mask `kept`.

    It must come before a change of uid, which loses the right to do it; `hold_capabilities` comes after.
    """
    for capability in range(64):
        if not kept >> capability & 1 and _libc.prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1:
            prctl(PR_CAPBSET_DROP, capability)


def hold_capabilities(kept: int) -> None:
    """Give up every capability that the calling process holds outside the bit mask `kept`."""
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    held = _held_capabilities() & kept
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    low, high = held & 0xFFFFFFFF, held >> 32
    sets = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)  # effective, permitted, inheritable; twice
    _check(_libc.syscall(_SYS_CAPSET[platform.machine()], header, sets), "capset")


def set_real_ids(uid: int, gid: int) -> None:
    """Set the real ids of this thread alone; the effective ones, and with them its capabilities, stay.

    The C library would set those of all threads.
    """
    machine = platform.machine()
    _check(_libc.syscall(_SYS_SETRESGID[machine], ctypes.c_long(gid), *_UNCHANGED), "setresgid")
    _check(_libc.syscall(_SYS_SETRESUID[machine], ctypes.c_long(uid), *_UNCHANGED), "setresuid")


def install_seccomp(instructions: bytes) -> None:
    """Install a classic BPF program (8 bytes per instruction) that judges every later system call."""
    code = ctypes.create_string_buffer(instructions, len(instructions))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    program = Program(len(instructions) // 8, ctypes.addressof(code))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))


def _held_capabilities() -> int:
    """Ask the kernel: /proc may be that of a PID namespace that this process is not in."""
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    _check(_libc.syscall(_SYS_CAPGET[platform.machine()], header, sets), "capget")
    return int(sets[1]) | int(sets[4]) << 32  # permitted


def _check(result: int, step: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} ({step})")
    return result


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)
