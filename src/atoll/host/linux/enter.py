"""Enter the keeper's namespaces: afterwards root and rootless are one and the same for the daemon."""

import os

from atoll.host.errors import HostError
from atoll.host.linux.syscalls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, setns


def enter(keeper_pid: int, *, rootless: bool) -> None:
    """Move this process into the keeper's user (if rootless), network and mount namespaces, for good.

    The process must be single-threaded, and sockets of the host's network must be bound before.  It stays in its
    own PID namespace.  The working directory becomes "/".
    """
    step = "enter the keeper's namespaces"
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise HostError(f"the process has {threads} threads, and namespaces are entered by one", step)
    kinds = [("net", CLONE_NEWNET), ("mnt", CLONE_NEWNS)]
    if rootless:
        kinds.insert(0, ("user", CLONE_NEWUSER))
    opened: list[tuple[int, int]] = []
    try:
        for name, flag in kinds:
            opened.append((os.open(f"/proc/{keeper_pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), flag))
        for fd, flag in opened:
            setns(fd, flag)
    except OSError as error:
        raise HostError(str(error), step) from error
    finally:
        for fd, _ in opened:
            os.close(fd)
