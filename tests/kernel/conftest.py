"""What the kernel tests share.  They make namespaces and processes of their own and touch nothing else."""

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from atoll.host.contract import HostError
from atoll.host.linux.client import Keeper
from atoll.host.linux.enter import enter
from atoll.host.linux.guest import remove
from atoll.host.linux.namespaces import THIS_NETWORK
from atoll.host.linux.syscalls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, prctl, setns, unshare


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


MODES = ["root", "rootless"]
AS_ORDINARY_USER = "test_as_an_ordinary_user"
NOBODY = 65534
PR_SET_DUMPABLE = 4
CHILD_SECONDS = int(os.environ.get("ATOLL_CHILD_SECONDS", "60"))  # `tests.unified` gives an emulated machine more


@pytest.fixture(params=MODES)
def mode(request) -> str:
    """Run a test twice: as root, and as an ordinary user."""
    if reason := why_not(request.param):
        pytest.skip(reason)
    return request.param


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave rootless mode to a later run, by a user who really is ordinary, if there is one: see bin/test."""
    if os.environ.get("ATOLL_TESTS_ROOTLESS") != "later":
        return
    later = [
        item
        for item in items
        if item.get_closest_marker("kernel") and is_rootless(item) and not item.get_closest_marker("by_root")
    ]
    items[:] = [item for item in items if item not in later]
    config.hook.pytest_deselected(items=later)


def is_rootless(item: pytest.Item) -> bool:
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return parameters.get("mode") == "rootless" or item.name.startswith(AS_ORDINARY_USER)


@cache
def why_not(mode: str) -> str:
    if mode == "root":
        return why_not_root()
    try:
        in_child(lambda: unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS), rootless=True)
    except AssertionError as error:
        return f"NO ROOTLESS KERNEL TESTS: {str(error).splitlines()[-1]}"
    return ""


def in_child(run, *, rootless: bool = False) -> None:
    """Run a function in a fork, as an ordinary user if rootless, and fail if it fails.

    A process that entered namespaces cannot leave them, so what enters does it in a child.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(CHILD_SECONDS)
            if rootless:
                become_ordinary()
            run()
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-60_000:])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        complaint = pipe.read().decode()
    status = os.waitpid(pid, 0)[1]
    assert not complaint, complaint
    assert status == 0, f"the child ended with wait status {status}"


def become_ordinary() -> None:
    if os.getuid():
        return
    "loaded".encode("idna")  # Python's own files may be out of reach afterwards
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    prctl(PR_SET_DUMPABLE, 1)
    if not os.access(sys.executable, os.X_OK):  # a virtual environment in root's home
        sys.executable = "/usr/bin/python3"


@pytest.fixture
def place(mode) -> Iterator[Path]:
    """A short directory that the user of the test may write to: run/ and state/ come to be in it."""
    path = Path(tempfile.mkdtemp(prefix="atk-", dir="/tmp"))
    if mode == "rootless" and os.getuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    yield path
    in_child(lambda: end_keeper(path), rootless=mode == "rootless")
    remove(path)


def end_keeper(place: Path) -> None:
    with suppress(HostError):
        Keeper.connect(place / "run").destroy()


def start(place: Path, mode: str) -> Keeper:
    return Keeper.start(place / "run", place / "state", rootless=mode == "rootless")


def start_and_enter(place: Path, mode: str) -> Keeper:
    keeper = start(place, mode)
    enter(keeper.pid, rootless=keeper.rootless)
    return keeper


def until(true, seconds: float = 10.0) -> None:
    """Wait until something is true, and fail if it does not become so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not true within {seconds} s"
        time.sleep(0.005)
