"""A piece of ground for the fabric: a network namespace that is the internet, and a place for the others.

The test's own thread lives on this internet, and comes home afterwards; every socket of a test is in its process.
"""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from atoll.host.linux.fabric import Fabric
from atoll.host.linux.namespaces import THIS_NETWORK, Namespaces, set_sysctl
from atoll.host.linux.syscalls import CLONE_NEWNET, CLONE_NEWNS, MS_PRIVATE, MS_REC, mount, setns, unmount, unshare
from atoll.model.names import link_name
from atoll.model.world import World
from atoll.network.facts import INTERNET, Veth
from atoll.network.plan import Plan, compile
from tests.kernel.conftest import why_not_root

SOON_SECONDS, NEVER_SECONDS = 2.0, 0.35  # how long to wait for what must come, and for what must not
THIS_MOUNTS = "/proc/thread-self/ns/mnt"


class Ground:
    """Namespaces, the fabric that fills them, and sockets in them."""

    def __init__(self, directory: Path) -> None:
        self.namespaces = Namespaces(directory)
        self._fabrics: list[Fabric] = []
        self.fabric = self.another()
        self.plan = Plan()
        self.sockets: list[socket.socket] = []
        self.ends: dict[str, str] = {}  # link of a router -> the namespace at its other end

    def another(self) -> Fabric:
        """Return the fabric of one more daemon; what the former ones have open is closed with the ground."""
        self._fabrics.append(Fabric(self.namespaces))
        return self._fabrics[-1]

    def apply(self, world: World) -> None:
        """Make the kernel obey a world."""
        self.plan = compile(world, self.plan)
        self.ends = {f.name: f.peer_namespace for f in self.plan.facts() if isinstance(f, Veth)}
        assert self.fabric.apply(self.plan) == []
        assert not self.fabric._suspect, "everything was done at the first attempt, not fragment by fragment"

    def open(
        self, place: str, kind: int = socket.SOCK_STREAM, protocol: int = 0, *, to: str = "0.0.0.0"
    ) -> socket.socket:
        """Open a socket, for addresses as `to` is, that times out in an interface's or outside host's namespace."""
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        made = self.fabric.socket_in(self.place(place), family, kind, protocol)
        made.settimeout(SOON_SECONDS)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sockets.append(made)
        return made

    def place(self, name: str) -> str:
        """Return the namespace of an instance by its short name, of an outside address, or a name as it is."""
        if name and (name[0].isdigit() or ":" in name):
            return f"out-{name}"
        full = name if name.startswith(("eni-", "vpc-", "vpce-", "out-")) or name == INTERNET else f"eni-{name}"
        return self.ends.get(link_name(full), full)  # a further interface is in the namespace of the first

    def listen(self, place: str, port: int, at: str = "0.0.0.0") -> socket.socket:
        """Listen on a port in a place."""
        made = self.open(place, to=at)
        made.bind((at, port))
        made.listen(16)
        return made

    def flow(self, here: str, there: str, address: str, port: int) -> tuple[socket.socket, socket.socket]:
        """Open a connection to a fresh listener; return both ends."""
        with self.listen(there, port, "::" if ":" in address else "0.0.0.0") as listener:
            near = self.open(here, to=address)
            near.connect((address, port))
            far, _ = listener.accept()
        far.settimeout(SOON_SECONDS)
        self.sockets.append(far)
        return near, far

    def connects(self, here: str, address: str, port: int) -> bool:
        """Tell whether a new connection is possible."""
        near = self.open(here, to=address)
        near.settimeout(NEVER_SECONDS)
        try:
            near.connect((address, port))
        except TimeoutError:
            return False
        finally:
            near.close()
        return True

    def run(self, place: str, *command: str) -> str:
        """Run a command in a place."""
        enter = ("nsenter", f"--net={self.namespaces.directory / self.place(place)}") if place != INTERNET else ()
        done = subprocess.run((*enter, *command), capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set(self, place: str, key: str, value: int | str) -> None:
        """Set a sysctl in a place."""
        with self.namespaces.inside(self.place(place)):
            set_sysctl(key, value)

    def close(self) -> None:
        """Close the sockets and let all namespaces go."""
        for made in self.sockets:
            made.close()
        for fabric in self._fabrics:
            fabric.close()
        for name in self.namespaces.names():
            self.namespaces.delete(name)


def alive(near: socket.socket, far: socket.socket) -> bool:
    """Tell whether bytes still pass in both directions."""
    for one, two in ((near, far), (far, near)):
        two.settimeout(NEVER_SECONDS)
        try:
            one.send(b"x")
            if two.recv(100) == b"":
                return False
        except TimeoutError:
            return False
    return True


def soon(holds: Callable[[], bool]) -> bool:
    """Wait, for a bounded time, until something holds."""
    end = time.monotonic() + SOON_SECONDS
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.01)
    return False


@contextmanager
def internet_of_our_own(*, for_good: bool = False) -> Iterator[Path]:
    """Move the thread to a new network and mounts of its own, and home again; gives a directory for `Namespaces`.

    For good, when the thread could not go home: it has become root in a user namespace.
    """
    homes = [(os.open(THIS_NETWORK, os.O_RDONLY), CLONE_NEWNET), (os.open(THIS_MOUNTS, os.O_RDONLY), CLONE_NEWNS)]
    directory = Path(tempfile.mkdtemp(prefix="atoll-ground-"))
    unshare(CLONE_NEWNS | CLONE_NEWNET)
    try:
        mount(None, "/", None, MS_PRIVATE | MS_REC)
        (directory / "net").mkdir()
        mount("tmpfs", str(directory / "net"), "tmpfs")
        yield directory
    finally:
        with suppress(OSError):
            unmount(str(directory / "net"))
        for fd, kind in homes:
            if not for_good:
                setns(fd, kind)
            os.close(fd)
        (directory / "net").rmdir()
        directory.rmdir()


def lay_ground() -> Iterator[Ground]:
    """Give a test its ground; the body of a fixture."""
    if reason := why_not_root():
        pytest.skip(reason)
    with internet_of_our_own() as directory:
        ground = Ground(directory)
        try:
            yield ground
        finally:
            ground.close()
