"""The daemon's side of the keeper: start it or find it, have processes started, adopt those that run.

    keeper = Keeper.start(run_dir, state_dir, rootless=False)     # starts one, or connects to the one that runs
    enter(keeper.pid, rootless=keeper.rootless)                   # while still single-threaded
    process = keeper.spawn(Spawn("sessions-001", ("/usr/bin/redis-server",), network="eni-1", log=path))
    process.exited(timeout_seconds=1.0)
    keeper.processes()                                            # after a restart of the daemon: adopt by name

Methods may be called from several threads.  All raise HostError.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from atoll.host.contract import HostError
from atoll.host.linux import cgroups, packets
from atoll.host.linux.guard import Kind
from atoll.host.linux.ignition import Ignition, begin
from atoll.host.linux.keeper import PROTOCOL
from atoll.host.linux.namespaces import Namespaces
from atoll.host.linux.syscalls import unmount

_ANSWER_SECONDS = 30.0  # likewise; an answer takes some milliseconds
_END_SECONDS = 60.0  # the kernel frees thousands of namespaces and processes behind a kill


@dataclass(frozen=True, slots=True)
class Spawn:
    """A program to start.  Without `out`, `log` or `console` what it says is lost."""

    name: str  # unique; the daemon finds it again by this
    argv: tuple[str, ...]  # the first is a path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None  # None: "/"
    network: str | None = None  # a namespace's name; None: the internet's
    uid: int | None = None  # None: root (rootless: the user himself)
    gid: int | None = None
    capabilities: int | None = None  # bit mask of those it may keep; None: all
    no_new_privs: bool = True
    guard: Kind | None = None  # which system calls it has no business with; None: it may try all
    rlimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # "nofile": (soft, hard)
    cgroups: tuple[Path, ...] = ()
    log: Path | None = None  # both outputs are appended to this file, which grows without bound
    console: Path | None = None  # both outputs go through the keeper to this file, which keeps the last 64 KiB
    stdin: int | None = None  # descriptors of ours, for the program's 0, 1, 2
    stdout: int | None = None
    stderr: int | None = None
    guest: Mapping[str, Any] | None = None  # a world of its own: see `chamber.build`


@dataclass(frozen=True, slots=True)
class Kept:
    """What the keeper knows of a process."""

    name: str
    started: float  # seconds since 1970
    ended: float | None  # None: it runs
    status: int | None  # exit code, or minus the signal that killed it; None: it runs

    @property
    def alive(self) -> bool:
        """Tell whether it runs."""
        return self.status is None


@dataclass(frozen=True, slots=True)
class Process:
    """A running process: its pid here, and a descriptor that becomes readable when it ends."""

    name: str
    pid: int
    pidfd: int

    def exited(self, *, timeout_seconds: float = 0.0) -> bool:
        """Wait for its end, and tell whether it came.  The status is `Keeper.find`'s to say."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(timeout_seconds * 1000))

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one who has ended does not mind."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def close(self) -> None:
        """Close the descriptor; the process goes on."""
        os.close(self.pidfd)


def end_keeper(run_dir: Path) -> None:
    """Kill the keeper of a run directory with all that it runs, whatever its version, also if it does not answer.

    Does nothing if there is none.  Raises HostError if it may be there still.
    """
    step = "end the keeper"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(str(run_dir.resolve() / "keeper.sock"))
            pidfd = os.pidfd_open(pid := _listener(connection))
        except (FileNotFoundError, ConnectionRefusedError, ProcessLookupError):
            return
        except OSError as error:
            raise HostError(f"{error}", step) from error
    try:
        _kill(pid, pidfd)
    except PermissionError as error:
        raise HostError(f"pid {pid}: {error}", step) from error
    finally:
        os.close(pidfd)


def _listener(connection: socket.socket) -> int:
    """Return who listened at the other end of a connection, as a pid of ours."""
    return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)


def _kill(pid: int, pidfd: int) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(_END_SECONDS * 1000):
        raise HostError(f"pid {pid} did not end within {_END_SECONDS:.0f} s", "end the keeper")


class Keeper:
    """A connection to the keeper of one installation, and the lock that keeps a second daemon out."""

    def __init__(self, run_dir: Path, connection: socket.socket, lock: int | None) -> None:
        """Use `start` or `connect`."""
        self.run_dir = run_dir
        self.namespaces = Namespaces(run_dir)
        self._connection, self._lock = connection, lock
        self._turn = threading.Lock()
        self._requests = 0
        self.pid = _listener(connection)
        self.pidfd = os.pidfd_open(self.pid)  # readable when it has ended
        hello, _ = self._ask("hello")
        self.rootless: bool = hello["mode"] == "rootless"
        self.protocol: int = hello["protocol"]

    @classmethod
    def start(cls, run_dir: Path, state_dir: Path, *, rootless: bool, begun: Ignition | None = None) -> Self:
        """Connect to the keeper that runs or comes up (`begun`), or start one.

        See `ignition.begin` for the directories.  Raises HostError also when another daemon holds the lock.
        """
        run_dir, state_dir = run_dir.resolve(), state_dir.resolve()
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(run_dir)
        try:
            try:
                begun = begun or begin(run_dir, state_dir, rootless=rootless)
            except OSError as error:
                raise HostError(str(error), "start the keeper") from error
            if complaint := begun.wait():
                raise HostError(complaint, "start the keeper")
            if begun.process:
                cgroups.remove_all(run_dir)  # of a keeper that was killed: they alone outlive it
            keeper = cls.connect(run_dir, lock=lock)
        except BaseException:
            os.close(lock)
            raise
        if keeper.rootless != rootless:
            keeper.close()
            raise HostError(f"it runs {'rootless' if keeper.rootless else 'as root'}", "start the keeper")
        return keeper

    @classmethod
    def connect(cls, run_dir: Path, *, lock: int | None = None) -> Self:
        """Connect to the keeper that runs; raises HostError if none does.  Without a lock: for reading."""
        run_dir = run_dir.resolve()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(str(run_dir / "keeper.sock"))
            keeper = cls(run_dir, connection, lock)
        except OSError as error:
            connection.close()
            raise HostError(f"none runs in {run_dir} ({error})", "connect to the keeper") from error
        if keeper.protocol != PROTOCOL:
            keeper.close()
            raise HostError(
                f"it speaks protocol {keeper.protocol}, this version {PROTOCOL}: end it with `atoll down --purge`",
                "connect to the keeper",
            )
        return keeper

    def spawn(self, spawn: Spawn) -> Process:
        """Start a program; returns when it has been executed.  HostError says why it was not."""
        given = [fd for fd in (spawn.stdin, spawn.stdout, spawn.stderr) if fd is not None]
        answer, pidfd = self._ask("spawn", given, **_request(spawn, given))
        if pidfd is None:
            raise HostError(f"ended at once, status {answer['process']['status']}", f"start {spawn.name}")
        return Process(spawn.name, _pid_of(pidfd), pidfd)

    def processes(self) -> tuple[Kept, ...]:
        """Return every process that was started and not forgotten."""
        found: list[Kept] = []
        more = True
        while more:
            answer, _ = self._ask("list", after=found[-1].name if found else "")
            found += [Kept(**record) for record in answer["processes"]]
            more = answer["more"]
        return tuple(found)

    def find(self, name: str) -> Kept | None:
        """Return what is known of one process; None if nothing."""
        answer, pidfd = self._ask("find", name=name)
        if pidfd is not None:
            os.close(pidfd)
        return None if answer["process"] is None else Kept(**answer["process"])

    def adopt(self, name: str) -> Process | None:
        """Return a running process by its name; None if it does not run."""
        _, pidfd = self._ask("find", name=name)
        if pidfd is None:
            return None
        pid = _pid_of(pidfd)
        if pid <= 0:  # it ended while we asked
            os.close(pidfd)
            return None
        return Process(name, pid, pidfd)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, *, group: bool = False) -> bool:
        """Send a signal to a process (with `group`: and to its children that made no group); False if it ended."""
        answer, _ = self._ask("signal", name=name, signal=int(number), group=group)
        return bool(answer["sent"])

    def forget(self, name: str) -> None:
        """Drop the record of a process that has ended; does nothing if there is none."""
        self._ask("forget", name=name)

    def close(self) -> None:
        """Leave the keeper alone: everything goes on without us."""
        self._connection.close()
        os.close(self.pidfd)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def destroy(self) -> None:
        """Kill the keeper and with it all processes, mounts and namespaces; remove the run directory.

        A process that entered the keeper's namespaces holds them until it ends.
        """
        _kill(self.pid, self.pidfd)
        cgroups.remove_all(self.run_dir)
        with suppress(OSError):  # only a process that entered sees this mount
            unmount(str(self.namespaces.directory))
        shutil.rmtree(self.run_dir, ignore_errors=True)
        self.close()

    def _ask(self, verb: str, descriptors: Sequence[int] = (), **fields: Any) -> tuple[dict[str, Any], int | None]:
        with self._turn:
            self._requests += 1
            packet = json.dumps({"id": self._requests, "do": verb, **fields}).encode()
            if len(packet) > packets.PACKET_BYTES_MAX:
                raise HostError(f"{len(packet)} bytes are too long a request", f"ask the keeper to {verb}")
            try:
                packets.send(self._connection, packet, descriptors)
                answer, received = self._await_answer()
            except OSError as error:
                raise HostError(f"the keeper does not answer ({error})", f"ask the keeper to {verb}") from error
        if "error" in answer:
            raise HostError(answer["error"], f"{verb} {fields.get('name', '')}".strip())
        return answer, received

    def _await_answer(self) -> tuple[dict[str, Any], int | None]:
        while True:
            packet, received = packets.receive(self._connection)
            if not packet:
                raise ConnectionResetError("it has ended")
            answer = json.loads(packet)
            fd = received[0] if received else None
            if answer["id"] == self._requests:
                return answer, fd
            if fd is not None:  # the answer to a question whose asker gave up
                os.close(fd)


def _request(spawn: Spawn, given: Sequence[int]) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "name": spawn.name,
        "argv": spawn.argv,
        "env": dict(spawn.env),
        "cwd": str(spawn.cwd or "/"),
        "network": spawn.network,
        "uid": spawn.uid,
        "gid": spawn.gid,
        "capabilities": spawn.capabilities,
        "no_new_privs": spawn.no_new_privs,
        "guard": spawn.guard,
        "rlimits": dict(spawn.rlimits),
        "cgroups": [str(path) for path in spawn.cgroups],
        "log": str(spawn.log) if spawn.log else None,
        "console": str(spawn.console) if spawn.console else None,
        "guest": None if spawn.guest is None else dict(spawn.guest),
    }
    for stream, fd in (("in", spawn.stdin), ("out", spawn.stdout), ("err", spawn.stderr)):
        wanted[stream] = None if fd is None else given.index(fd)
    return wanted


def _lock(run_dir: Path) -> int:
    fd = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise HostError(f"another daemon uses {run_dir}", "start the keeper") from error
    return fd


def _pid_of(pidfd: int) -> int:
    """Return the pid of a pidfd in our own PID namespace: -1 if it has ended."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    raise HostError("the kernel does not tell", "read the pid of a pidfd")
