"""What root in an instance tries on the kernel, and what it answers: one line `name errno` for each.

Run inside the instance, by its own Python.  Where it can be chosen, the arguments are such that a kernel without our
filter answers otherwise than with EPERM, so that what refuses is the filter and not a missing capability.
"""

import ctypes
import fcntl
import os
import platform
import socket

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
NUMBERS = {
    # name: (x86_64, aarch64), arguments
    "user namespace": ((272, 97), (0x10000000,)),
    "user namespace by clone": ((56, 220), (0x10000000 | 17, 0, 0, 0, 0)),
    "clone3": ((435, 435), (0, 0)),
    "mount": ((165, 40), (0, 0, 0, 0, 0)),
    "fsopen": ((430, 430), (0, 0)),
    "open_tree": ((428, 428), (-100, 0, 0)),
    "move_mount": ((429, 429), (0, 0, 0, 0, 0)),
    "pivot_root": ((155, 41), (0, 0)),
    "setns": ((308, 268), (-1, 0)),
    "kexec_load": ((246, 104), (0, 0, 0, -1)),
    "init_module": ((175, 105), (0, 0, 0)),
    "finit_module": ((313, 273), (-1, 0, 0)),
    "bpf": ((321, 280), (-1, 0, 0)),
    "perf_event_open": ((298, 241), (0, 0, -1, -1, 0)),
    "userfaultfd": ((323, 282), (1,)),  # of user mode only: anybody may
    "keyctl": ((250, 219), (0, -3, 0)),  # one's own session keyring: anybody may
    "add_key": ((248, 217), (0, 0, 0, 0, 0)),
    "reboot": ((169, 142), (0, 0, 0, 0)),
    "swapon": ((167, 224), (0, 0)),
    "clock_settime": ((227, 112), (0, 0)),
    "settimeofday": ((164, 170), (0, 0)),
    "open_by_handle_at": ((304, 265), (-1, 0, 0)),
    "fanotify_init": ((300, 262), (-1, -1)),
    "kcmp": ((312, 272), (0, 0, -1, 0, 0)),
    "io_uring_setup": ((425, 425), (0, 0)),
    "a call of tomorrow": ((480, 480), ()),
    "x32": ((0x40000000 + 39, 480), ()),
}
place = ("x86_64", "aarch64").index(platform.machine())
for name, (numbers, arguments) in NUMBERS.items():
    pid = os.getpid()
    result = libc.syscall(numbers[place], *(ctypes.c_long(one) for one in arguments))
    if os.getpid() != pid:  # the child of a clone that was not refused
        os._exit(0)
    print(f"{name}: {ctypes.get_errno() if result < 0 else 0}")


def attempt(name, run):
    try:
        run()
        print(f"{name}: 0")
    except OSError as error:
        print(f"{name}: {error.errno}")


def deadline():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))


for name, family in (("vsock", 40), ("AF_ALG", 38), ("Bluetooth", 31), ("TIPC", 30), ("XDP", 44)):
    attempt(name, lambda family=family: socket.socket(family, socket.SOCK_STREAM).close())
for name, request in (("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541C)):
    near, far = os.openpty()
    attempt(name, lambda request=request, far=far: fcntl.ioctl(far, request, b"x"))
attempt("real-time priority", deadline)
attempt("a better nice value", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))
for name, kind in (
    ("raw", (socket.AF_INET, socket.SOCK_RAW, 1)),
    ("packet", (17, socket.SOCK_RAW, 0)),
    ("netlink", (16, socket.SOCK_RAW, 0)),
    ("unix", (socket.AF_UNIX, socket.SOCK_STREAM, 0)),
):
    attempt(f"may: {name}", lambda kind=kind: socket.socket(*kind).close())
attempt("may: fork", lambda: os.waitpid(os.spawnlp(os.P_NOWAIT, "true", "true"), 0))
attempt("may: trace", lambda: print(end="") if libc.ptrace(0, 0, 0, 0) == 0 else fcntl.ioctl(-1, 0))
