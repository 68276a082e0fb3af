"""The keeper: the small process that owns all that Atoll has in the kernel, and survives the daemon.

It is the first process of its own PID namespace, and owns a mount namespace, a network namespace (the simulated
internet) and, rootless, a user namespace.  It starts and reaps every engine and instance and holds every network
namespace by a mount on a tmpfs of its own.  So its death removes everything: processes, mounts, namespaces.

    python -I -S -c '...' RUN_DIR root|rootless        # see client.Keeper.start

It speaks JSON over a SOCK_SEQPACKET socket, one object per packet: {"id": 7, "do": "list", ...} is answered by
{"id": 7, ...} or {"id": 7, "error": "..."}; descriptors travel beside.  It decides nothing, so there is nothing in
it that needs to be upgraded often.  It imports little (about 9 MB resident) and never waits for a client.
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from atoll.host.linux import packets
from atoll.host.linux.console import Console
from atoll.host.linux.launch import Request, become
from atoll.host.linux.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_REC,
    MS_SLAVE,
    mount,
    setns,
    unshare,
)

PROTOCOL = 1
INTERNET = "internet"  # the name of the keeper's own network namespace
_CLIENTS_MAX = 64
_PROCESSES_MAX = 20_000  # kept at once, the ended ones included
_PAGE = 200  # processes in one answer to "list"


class Kept:
    """A process that the keeper started."""

    def __init__(self, name: str, pid: int) -> None:
        """Begin its record."""
        self.name, self.pid = name, pid
        self.started = time.time()
        self.ended: float | None = None
        self.status: int | None = None  # exit code, or minus the signal that killed it; None: it runs


class Launching:
    """A spawn whose child has not executed its program yet."""

    def __init__(self, client: socket.socket, request_id: Any, kept: Kept) -> None:
        """Remember whom to answer."""
        self.client, self.request_id, self.kept = client, request_id, kept
        self.complaint = b""


class Server:
    """The keeper's loop: everything happens here, one thing at a time."""

    def __init__(self, listener: socket.socket, network_dir: str, mode: str) -> None:
        """Serve the clients of a listening socket."""
        self._listener, self._network_dir, self._mode = listener, network_dir, mode
        self._kept: dict[str, Kept] = {}
        self._by_pid: dict[int, Kept] = {}
        self._poll = select.epoll()
        self._on_ready: dict[int, Callable[[], None]] = {}
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._clients: set[socket.socket] = set()

    def end_with(self, pipe: int) -> None:
        """End when this pipe does: whoever held the other end is gone, and nobody is left to want anything."""

        def look() -> None:
            if not os.read(pipe, 4096):
                os._exit(0)

        self._watch(pipe, look)

    def serve(self) -> None:
        """Run until killed."""
        wake, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # for the wake-up; reaping is done in the loop
        self._watch(wake, lambda: self._reap(wake))
        self._listener.setblocking(False)
        self._watch(self._listener.fileno(), self._accept)
        while True:
            for fd, _ in self._poll.poll():
                ready = self._on_ready.get(fd)
                if ready is not None:  # else an earlier event of this round closed it
                    ready()

    # Clients

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # it has gone again, or descriptors are short: the next one may have more luck
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        uid = int.from_bytes(credentials[4:8], sys.byteorder)
        if uid != os.getuid() or len(self._clients) >= _CLIENTS_MAX:
            client.close()
            return
        client.setblocking(False)
        self._clients.add(client)
        self._watch(client.fileno(), lambda: self._receive(client))

    def _receive(self, client: socket.socket) -> None:
        descriptors: list[int] = []
        try:
            packet, descriptors = packets.receive(client)
            if not packet:
                self._drop(client)
            else:
                self._obey(client, packet, descriptors)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
        finally:
            packets.close_all(descriptors)

    def _obey(self, client: socket.socket, packet: bytes, descriptors: list[int]) -> None:
        request_id = None
        try:
            request = json.loads(packet)
            request_id = request.get("id")
            verb = getattr(self, f"_do_{request['do']}")
            answer = verb(client, request, descriptors)
        except Exception as error:  # whatever a client sends, the keeper lives: it holds everybody's processes
            answer = {"error": f"{type(error).__name__}: {error}"}
        if answer is not None:
            self._answer(client, request_id, answer)

    def _answer(self, client: socket.socket, request_id: Any, answer: dict[str, Any], fd: int | None = None) -> None:
        packet = json.dumps({"id": request_id, **answer}).encode()
        try:
            packets.send(client, packet, () if fd is None else (fd,))
        except OSError:  # it does not read, or it has gone
            self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        if client in self._clients:
            self._clients.remove(client)
            self._forget_descriptor(client.fileno())
            client.close()

    # Verbs: each returns its answer, or None if it answers later

    def _do_hello(self, *_: Any) -> dict[str, Any]:
        return {"protocol": PROTOCOL, "mode": self._mode}

    def _do_spawn(self, client: socket.socket, request: Request, descriptors: list[int]) -> None:
        name = request["name"]
        if not isinstance(name, str) or not name or name in self._kept:
            raise ValueError(f"a process cannot be named {name!r}: it must be a new text")
        if len(self._kept) >= _PROCESSES_MAX:
            raise ValueError(f"{_PROCESSES_MAX} processes are kept already")
        console = Console(request["console"]) if request.get("console") else None
        given = list(descriptors)
        if console is not None:
            request["out"] = request["err"] = len(given)
            given.append(console.writing)
        reading, report = os.pipe2(os.O_CLOEXEC)
        try:
            pid = self._fork(request)
        except OSError:  # the process table is full: it is asked again, and again
            packets.close_all([reading, report])
            if console is not None:
                console.release()
                console.close()
            raise
        if pid == 0:
            become(request, given, report, self._network_dir)
        os.close(report)
        if console is not None:
            console.release()
            self._watch(console.reading, lambda: self._listen(console))
        kept = self._kept[name] = self._by_pid[pid] = Kept(name, pid)
        launching = Launching(client, request.get("id"), kept)
        self._watch(reading, lambda: self._launched(reading, launching))

    def _do_list(self, _client: socket.socket, request: Request, _descriptors: list[int]) -> dict[str, Any]:
        self._reap()
        later = sorted(name for name in self._kept if name > request.get("after", ""))
        page = [self._kept[name] for name in later[:_PAGE]]
        return {"processes": [_record(kept) for kept in page], "more": len(later) > _PAGE}

    def _do_find(self, client: socket.socket, request: Request, _descriptors: list[int]) -> dict[str, Any] | None:
        self._reap()
        kept = self._kept.get(request["name"])
        if kept is None or kept.status is not None:
            return {"process": None if kept is None else _record(kept)}
        self._hand_out(client, request.get("id"), kept)
        return None

    def _do_signal(self, _client: socket.socket, request: Request, _descriptors: list[int]) -> dict[str, Any]:
        self._reap()
        kept = self._kept[request["name"]]
        if kept.status is not None:
            return {"sent": False}
        # The pid cannot be another's: it is free only after we have reaped it.
        (os.killpg if request.get("group") else os.kill)(kept.pid, request["signal"])
        return {"sent": True}

    def _do_forget(self, _client: socket.socket, request: Request, _descriptors: list[int]) -> dict[str, Any]:
        self._reap()
        kept = self._kept.get(request["name"])
        if kept is not None and kept.status is None:
            raise ValueError(f"{kept.name} runs")
        self._kept.pop(request["name"], None)
        return {}

    # Processes

    def _fork(self, request: Request) -> int:
        if request.get("guest") is None:
            return os.fork()
        unshare(CLONE_NEWPID)  # for the next child: it is the first process of the guest
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid:  # not in the child: it cannot, and an exception there would make it a second keeper
                setns(self._own_pids, CLONE_NEWPID)
        return pid

    def _launched(self, reading: int, launching: Launching) -> None:
        part = os.read(reading, 4096)
        if part:
            launching.complaint += part
            return
        self._forget_descriptor(reading)
        os.close(reading)
        kept, client = launching.kept, launching.client
        if launching.complaint:
            self._kept.pop(kept.name, None)
            if client in self._clients:
                self._answer(client, launching.request_id, {"error": launching.complaint.decode(errors="replace")})
        elif client in self._clients:
            self._hand_out(client, launching.request_id, kept)

    def _hand_out(self, client: socket.socket, request_id: Any, kept: Kept) -> None:
        try:
            fd = os.pidfd_open(kept.pid)
        except OSError:  # it has ended and was reaped since
            self._answer(client, request_id, {"process": _record(kept)})
            return
        self._answer(client, request_id, {"process": _record(kept)}, fd)
        os.close(fd)

    def _listen(self, console: Console) -> None:
        if not console.take():
            self._forget_descriptor(console.reading)
            console.close()

    def _reap(self, wake: int | None = None) -> None:
        if wake is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            kept = self._by_pid.pop(pid, None)
            if kept is not None:  # else an orphan, which only the first process can reap
                kept.status, kept.ended = os.waitstatus_to_exitcode(status), time.time()

    # Events

    def _watch(self, fd: int, ready: Callable[[], None]) -> None:
        self._on_ready[fd] = ready
        self._poll.register(fd, select.EPOLLIN)

    def _forget_descriptor(self, fd: int) -> None:
        del self._on_ready[fd]
        self._poll.unregister(fd)


def main(run_dir: str, mode: str, leash: str = "") -> None:
    """Make the namespaces, fork their first process, wait until it listens, say so, and leave it alone.

    On a leash, standard input is a pipe that somebody holds: its end is the keeper's.
    """
    os.umask(0o077)
    flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET
    if mode == "rootless":
        become_root_of_own(flags)
    else:
        unshare(flags)
    listening, report = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid:
        os.close(report)
        if os.read(listening, 1) != b"1":
            sys.exit("the keeper did not start")
        os._exit(0)
    os.close(listening)
    _detach()
    _hold_network_namespaces(f"{run_dir}/net")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{run_dir}/keeper.sock")
    listener.bind(f"{run_dir}/keeper.sock")
    listener.listen(16)
    os.write(report, b"1")
    os.close(report)
    server = Server(listener, f"{run_dir}/net", mode)
    if leash:
        server.end_with(0)
    server.serve()


def become_root_of_own(flags: int) -> None:
    """Unshare with a new user namespace, in which this user is uid 0 and nobody else exists."""
    uid, gid = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER | flags)
    # An ordinary user may map only himself, and only after giving up setgroups: user_namespaces(7).
    for file, line in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        _write_whole(f"/proc/self/{file}", line)


def _detach() -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends by SIGKILL only, and with it all that it keeps
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    os.chdir("/")
    with contextlib.suppress(OSError):  # an ordinary user may not; the machine's memory shall end others first
        _write_whole("/proc/self/oom_score_adj", "-900")
    mount("none", "/", None, MS_REC | MS_SLAVE)  # the host's later mounts are seen here, ours never there


def _hold_network_namespaces(directory: str) -> None:
    os.makedirs(directory, exist_ok=True)
    mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700")
    own = f"{directory}/{INTERNET}"
    _write_whole(own, "")
    mount("/proc/self/ns/net", own, None, MS_BIND)


def _record(kept: Kept) -> dict[str, Any]:
    return {"name": kept.name, "started": kept.started, "ended": kept.ended, "status": kept.status}


def _write_whole(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
