"""System calls that instances and engines have no business with: seccomp filters, as classic BPF programs.

    guard("guest")    # root in an instance: his network is his, the machine's kernel is not
    guard("engine")   # a cache's engine, or what speaks TLS for it: it needs less still

Capabilities refuse most of these already.  The filter refuses them also to who has found a way to capabilities, above
all in a user namespace of his own, and keeps code of the kernel out of reach that has been broken before.  It refuses
by name, and everything that is newer than this list (`_NEWEST`): a kernel's next call is not offered before somebody
has looked at it.  What is refused as unknown (ENOSYS) has another way that programs then take.

Sources: Docker's default profile; seccomp(2); include/uapi/asm-generic/unistd.h for the numbers of aarch64.
"""

import errno
import functools
import platform
import socket
import struct
from typing import Literal

Kind = Literal["guest", "engine"]

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_MACHINES = ("x86_64", "aarch64")
_NEWEST = 469  # file_setattr, Linux 6.17; since 5.1 the same number on every architecture
_X32 = 0x40000000  # the other calls of x86_64, with the same audit number

# name: number on x86_64, on aarch64 (None: it has no such call)
_Numbers = dict[str, tuple[int | None, int | None]]
_REFUSED: _Numbers = {
    # Mounts, the old way and the new
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    # The machine itself: its kernel, its modules, its clock, its power, its swap, its accounting
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "syslog": (103, 116), "vhangup": (153, 58),
    "ioperm": (173, None), "iopl": (172, None), "modify_ldt": (154, None), "uselib": (134, None),
    "sysfs": (139, None), "nfsservctl": (180, 42), "lookup_dcookie": (212, 18),
    # Other namespaces; files by handles, which know no root; keys, which know no namespace
    "setns": (308, 268), "open_by_handle_at": (304, 265), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219),
    # What exploits of the kernel are made with
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262),
    "kcmp": (312, 272), "move_pages": (279, 239), "migrate_pages": (256, 238),
}  # fmt: skip
# An engine does not look into others: all engines of an installation are one user.
_REFUSED_TO_ENGINES: _Numbers = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "unshare": (272, 97),
}  # fmt: skip
_UNKNOWN: _Numbers = {
    "clone3": (435, 435),  # its flags are behind a pointer, which a filter does not follow; libraries then use clone
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
}  # fmt: skip
_MAKE_NAMESPACES: _Numbers = {"clone": (56, 220), "unshare": (272, 97)}  # by flags in the first argument
_NAMESPACES = 0x7E020080  # CLONE_NEW: user, pid, net, ipc, uts; cgroup, mount; time
_SOCKET: _Numbers = {"socket": (41, 198)}  # of a family in the first argument
# Others (vsock, which leads to the machine's own host; AF_ALG, Bluetooth, RDS, TIPC ...) know no network namespace,
# or are what nobody here needs.
_FAMILIES: dict[Kind, tuple[int, ...]] = {
    "guest": (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16, 17),  # netlink, packet
    "engine": (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16),
}

_IOCTL: _Numbers = {"ioctl": (16, 29)}
# A terminal is lent to `atoll exec`: TIOCSTI and TIOCLINUX would type into it what its owner's shell then executes.
_TYPES = (0x5412, 0x541C)

_LOAD, _EQUAL, _GREATER, _HAS, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_AT, _SECOND_AT = 0, 4, 16, 24  # in struct seccomp_data; low words of arguments
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_REFUSE, _NO_CALL, _NO_FAMILY = (_ERROR | number for number in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT))


@functools.cache
def guard(kind: Kind, machine: str = "") -> bytes:
    """Return the program for what is started as `kind`, on this machine or an architecture of `_MACHINES`."""
    machine = machine or platform.machine()
    refused = _of(_REFUSED, machine) + (_of(_REFUSED_TO_ENGINES, machine) if kind == "engine" else [])
    program = _Program()
    program.load(_ARCHITECTURE_AT)
    program.unless(_EQUAL, _AUDIT[machine], _NO_CALL)
    program.load(_NUMBER_AT)
    program.when(_GREATER, _NEWEST, _NO_CALL)  # those of x32, too
    for number in refused:
        program.when(_EQUAL, number, _REFUSE)
    for number in _of(_UNKNOWN, machine):
        program.when(_EQUAL, number, _NO_CALL)
    for number in _of(_MAKE_NAMESPACES, machine):
        program.block(number, [(_LOAD, _FIRST_AT), (_HAS, _NAMESPACES, _REFUSE), (_RETURN, _ALLOW)])
    families = [(_EQUAL, family, _ALLOW) for family in _FAMILIES[kind]]
    for number in _of(_SOCKET, machine):
        program.block(number, [(_LOAD, _FIRST_AT), *families, (_RETURN, _NO_FAMILY)])
    for number in _of(_IOCTL, machine):
        typing = [(_EQUAL, request, _REFUSE) for request in _TYPES]
        program.block(number, [(_LOAD, _SECOND_AT), *typing, (_RETURN, _ALLOW)])
    program.end(_ALLOW)
    return program.text()


def _of(calls: _Numbers, machine: str) -> list[int]:
    place = _MACHINES.index(machine)
    return [number for numbers in calls.values() if (number := numbers[place]) is not None]


class _Program:
    """Instructions; a jump leads over the next one or not, so none is long."""

    def __init__(self) -> None:
        self._instructions: list[tuple[int, int, int, int]] = []

    def load(self, offset: int) -> None:
        self._add(_LOAD, offset)

    def when(self, test: int, value: int, answer: int) -> None:
        """Answer so if the loaded word passes the test."""
        self._add(test, value, 0, 1)
        self._add(_RETURN, answer)

    def unless(self, test: int, value: int, answer: int) -> None:
        """Answer so if it does not."""
        self._add(test, value, 1, 0)
        self._add(_RETURN, answer)

    def block(self, number: int, steps: list[tuple[int, ...]]) -> None:
        """Judge a call by these steps, of which the last answers in any case."""
        at = len(self._instructions)
        self._add(_EQUAL, number)
        for code, operand, *answer in steps:
            if answer:
                self.when(code, operand, answer[0])
            else:
                self._add(code, operand)
        self._instructions[at] = (_EQUAL, 0, len(self._instructions) - at - 1, number)

    def end(self, answer: int) -> None:
        self._add(_RETURN, answer)

    def text(self) -> bytes:
        return b"".join(struct.pack("HBBI", *one) for one in self._instructions)

    def _add(self, code: int, operand: int, if_true: int = 0, if_false: int = 0) -> None:
        self._instructions.append((code, if_true, if_false, operand))
