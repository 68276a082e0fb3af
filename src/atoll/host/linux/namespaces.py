"""Network namespaces by name: held by bind mounts on the keeper's tmpfs, so that they outlive the daemon.

    names = Namespaces(run_dir)                        # after `enter`: the daemon sees the keeper's mounts
    names.create("vpc-1", {"net.ipv4.ip_forward": 1})  # does nothing if it exists (the sysctls are set again)
    with names.opened("vpc-1") as fd, inside(fd):      # the calling thread only
        ...
    sock = names.socket("vpc-1", AF_INET, SOCK_DGRAM)  # a socket stays in the namespace it was opened in
    names.delete("vpc-1")

A descriptor is opened for a moment and closed: one per interface would exhaust the process (and libnftables aborts
with descriptors above 1023).  The fabric works in one dedicated thread; `inside` is not for an event loop's thread
across an await.
"""

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from atoll.host.contract import HostError
from atoll.host.linux.syscalls import CLONE_NEWNET, MS_BIND, mount, setns, unmount, unshare

THIS_NETWORK = "/proc/thread-self/ns/net"
SILENT_IPV6: Mapping[str, int] = {
    "net.ipv6.conf.all.disable_ipv6": 1,
    "net.ipv6.conf.default.disable_ipv6": 1,
}


class Namespaces:
    """The network namespaces of one installation."""

    def __init__(self, run_dir: Path) -> None:
        """Use the tmpfs that the keeper mounted at `run_dir`/net."""
        self.directory = run_dir.resolve() / "net"

    def create(self, name: str, sysctls: Mapping[str, int | str] | None = None) -> None:
        """Make a namespace, or set the sysctls of the one that exists.  Costs about half a millisecond."""
        path = self._path(name)
        with _thread_returns_home():
            if self.exists(name):
                self.enter(name)
            else:
                _hold_new_namespace(path)
            for key, value in (sysctls or {}).items():
                set_sysctl(key, value)

    def delete(self, name: str) -> None:
        """Let go of a namespace; the kernel frees it, with its links, when no process or socket is in it."""
        path = self._path(name)
        with suppress(FileNotFoundError):
            try:
                unmount(str(path))
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOENT):  # not a mount, not there
                    raise HostError(str(error), step=f"delete namespace {name}") from error
            path.unlink()

    def names(self) -> frozenset[str]:
        """Return the names of all namespaces.  A file left by a crash between its steps is not one."""
        mounted = set()
        with open("/proc/thread-self/mountinfo", encoding="utf-8") as mounts:
            for line in mounts:
                path = line.split(" ", 5)[4]
                if path.startswith(f"{self.directory}/"):
                    mounted.add(path.rpartition("/")[2])
        return frozenset(mounted)

    def exists(self, name: str) -> bool:
        """Tell whether a namespace has this name.  Costs two stats, whatever the number of namespaces."""
        try:
            return self._path(name).stat().st_dev != self.directory.stat().st_dev
        except FileNotFoundError:
            return False

    @contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """Give a descriptor of the namespace, closed afterwards."""
        if not self.exists(name):
            raise HostError("no such namespace", step=f"open namespace {name}")
        fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)

    def enter(self, name: str) -> None:
        """Move the calling thread into a namespace, for good."""
        with self.opened(name) as fd:
            setns(fd, CLONE_NEWNET)

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Move the calling thread into a namespace by name, and back."""
        with self.opened(name) as fd, inside(fd):
            yield

    def socket(self, name: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Open a socket in a namespace; it stays there, whoever uses it."""
        with self.opened(name) as fd:
            return socket_in(fd, family, kind, protocol)

    def _path(self, name: str) -> Path:
        if not name or "/" in name or name.startswith("."):
            raise HostError(f"{name!r} cannot name a namespace", step="name namespace")
        return self.directory / name


@contextmanager
def inside(fd: int) -> Iterator[None]:
    """Move the calling thread into a network namespace, and back."""
    with _thread_returns_home():
        setns(fd, CLONE_NEWNET)
        yield


def socket_in(fd: int, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """Open a socket in the namespace of a descriptor."""
    with inside(fd):
        return socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)


def set_sysctl(key: str, value: int | str) -> None:
    """Write a sysctl of the calling thread's network namespace."""
    path = "/proc/sys/" + key.replace(".", "/")
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(str(value))
    except OSError as error:
        raise HostError(error.strerror or str(error), step=f"set {key}={value}") from error


def _hold_new_namespace(path: Path) -> None:
    try:
        path.touch(mode=0o400)
        unshare(CLONE_NEWNET)
        mount(THIS_NETWORK, str(path), None, MS_BIND)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise HostError(str(error), step=f"create namespace {path.name}") from error


@contextmanager
def _thread_returns_home() -> Iterator[None]:
    home = os.open(THIS_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            setns(home, CLONE_NEWNET)
        finally:
            os.close(home)
