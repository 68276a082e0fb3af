"""What the kernel tests share.  They make namespaces and processes of their own and touch nothing else."""

import os
from collections.abc import Iterator
from functools import cache

import pytest

from atoll.host.linux.namespaces import THIS_NETWORK
from atoll.host.linux.syscalls import CLONE_NEWNET, setns, unshare


@cache
def why_not_root() -> str:
    """Return why this process may not make namespaces as root; empty if it may."""
    pid = os.fork()
    if pid == 0:
        try:
            unshare(CLONE_NEWNET)
        except OSError:
            os._exit(1)
        os._exit(0)
    failed = os.waitpid(pid, 0)[1]
    return "NO KERNEL TESTS AS ROOT: this user may not unshare(CLONE_NEWNET)" if failed else ""


class Nameless:
    """Network namespaces that live as long as their descriptors."""

    def __init__(self):
        self.descriptors: list[int] = []

    def new(self) -> int:
        home = os.open(THIS_NETWORK, os.O_RDONLY)
        try:
            unshare(CLONE_NEWNET)
            fd = os.open(THIS_NETWORK, os.O_RDONLY)
        finally:
            setns(home, CLONE_NEWNET)
            os.close(home)
        self.descriptors.append(fd)
        return fd


@pytest.fixture
def nameless() -> Iterator[Nameless]:
    if reason := why_not_root():
        pytest.skip(reason)
    made = Nameless()
    yield made
    for fd in made.descriptors:
        os.close(fd)
