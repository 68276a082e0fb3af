"""Programs that outlive the daemon, without a keeper: each holds a lock for as long as it lives.

A program inherits the descriptor of a locked file and knows nothing of it; the kernel lets go of the lock when it has
ended.  So the next daemon knows who lives by trying the locks, whatever pids are used again, and a thread that
waits for a lock waits for an end.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from atoll.host.contract import HostError, Seen, Vital

UNKNOWN_STATUS = -1  # of a program that another daemon started: nobody was told how it ended
LOG_BYTES_MAX, LOG_BYTES_KEPT = 1 << 20, 64 << 10
PS_SECONDS = 2.0
_STOPPED = ("T", "t")  # by a signal, by a tracer


@dataclass(eq=False)
class Process:
    """A program, and its end."""

    name: str
    pid: int
    child: "subprocess.Popen[bytes] | None"  # None: an earlier daemon's
    status: int | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and its children; one who has ended does not mind."""
        if not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)  # it leads a group of its own


class Processes:
    """The programs of one installation.  Methods may be called from several threads."""

    def __init__(self, directory: Path) -> None:
        """Keep locks in `directory`, and adopt the programs of an earlier daemon."""
        self._directory = directory
        self._all: dict[str, Process] = {}
        self.on_end: Callable[[str], None] = lambda _: None  # called in a thread of its own
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in directory.glob("*.lock"):
            self._adopt(file)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        directory: Path,
        log: Path,
        stdin: IO[bytes] | None = None,
        uid: int | None = None,
    ) -> Process:
        """Start a program; returns when it was executed.  Raises HostError."""
        file = self._file(name)
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with log.open("ab") as out:
                child = subprocess.Popen(
                    command,
                    stdin=stdin or subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    cwd=directory,
                    env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                    pass_fds=(lock,),
                    start_new_session=True,
                    user=uid,
                    group=uid,
                    extra_groups=None if uid is None else (),
                )
            os.truncate(lock, 0)
            os.write(lock, json.dumps({"name": name, "pid": child.pid}).encode())
        except (OSError, subprocess.SubprocessError) as error:
            raise HostError(str(error), f"start {name}") from error
        finally:
            os.close(lock)
        return self._watch(Process(name, child.pid, child))

    def find(self, name: str) -> Process | None:
        """Return a program that was started and not forgotten."""
        return self._all.get(name)

    def runs(self, name: str) -> bool:
        """Tell whether a program lives."""
        found = self._all.get(name)
        return found is not None and not found.ended.is_set()

    def seen(self) -> Mapping[str, Seen]:
        """Return all programs."""
        return {
            one.name: Seen(one.name, alive=not one.ended.is_set(), pid=one.pid, status=one.status)
            for one in list(self._all.values())
        }

    def vital(self, name: str) -> Vital | None:
        """Return what the system says of a program; `None`: it has ended."""
        found = self._all.get(name)
        return None if found is None or found.ended.is_set() else _vital(found.pid)

    def end(self, name: str, *, grace_seconds: float, seconds_max: float) -> bool:
        """End a program: politely, then by force; tell whether it has ended."""
        found = self._all.get(name)
        if found is None:
            return True
        if grace_seconds > 0:
            found.send(signal.SIGTERM)
            if found.ended.wait(grace_seconds):
                return True
        found.send(signal.SIGKILL)
        return found.ended.wait(seconds_max)

    def forget(self, name: str) -> None:
        """Forget a program that has ended."""
        found = self._all.get(name)
        if found and found.ended.is_set():
            del self._all[name]
            self._file(name).unlink(missing_ok=True)

    def end_all(self, seconds_max: float) -> None:
        """Kill every program, and wait for their ends."""
        for one in list(self._all.values()):
            one.send(signal.SIGCONT)
            one.send(signal.SIGKILL)
        until = time.monotonic() + seconds_max
        for one in list(self._all.values()):
            if not one.ended.wait(max(until - time.monotonic(), 0)):
                raise HostError(f"{one.name} did not end", "end everything")
            self.forget(one.name)

    def _file(self, name: str) -> Path:
        return self._directory / f"{hashlib.blake2s(name.encode(), digest_size=8).hexdigest()}.lock"

    def _adopt(self, file: Path) -> None:
        lock = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # somebody lives
            with contextlib.suppress(ValueError, KeyError):  # not written to its end: nobody ever heard of it
                said = json.loads(file.read_text())
                self._watch(Process(said["name"], said["pid"], None))
        else:
            file.unlink(missing_ok=True)
        finally:
            os.close(lock)

    def _watch(self, process: Process) -> Process:
        self._all[process.name] = process
        waiting = threading.Thread(target=self._wait, args=(process,), name=f"end of {process.name}", daemon=True)
        waiting.start()
        return process

    def _wait(self, process: Process) -> None:
        if process.child:
            process.status = process.child.wait()
        else:
            with contextlib.suppress(OSError):  # somebody removed the file: then it is forgotten
                lock = os.open(self._file(process.name), os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                finally:
                    os.close(lock)
            process.status = UNKNOWN_STATUS
        process.ended.set()
        self.on_end(process.name)


def trim(log: Path) -> None:
    """Keep a log, to which a program appends, from growing without bound."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_BYTES_MAX:
            with log.open("r+b") as file:
                file.seek(-LOG_BYTES_KEPT, os.SEEK_END)
                newest = file.read()
                file.truncate(0)
                file.seek(0)
                file.write(newest)


def _vital(pid: int) -> Vital | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()  # the name before it may hold anything
        state, ticks = fields[0], int(fields[11]) + int(fields[12])
    except (FileNotFoundError, ProcessLookupError):
        if os.path.exists("/proc/self/stat"):
            return None
        return _asked(pid)
    return None if state in ("Z", "X") else Vital(is_stopped=state in _STOPPED, ticks=ticks)


def _asked(pid: int) -> Vital | None:
    """Ask ps, where there is no /proc: its processor time is "minutes:seconds.hundredths"."""
    try:
        asked = ("ps", "-o", "stat=,time=", "-p", str(pid))
        said = subprocess.run(asked, capture_output=True, text=True, timeout=PS_SECONDS, check=False).stdout.split()
    except (OSError, subprocess.TimeoutExpired):
        return None
    if len(said) < 2 or said[0].startswith("Z"):
        return None
    seconds = 0.0
    for part in said[1].replace("-", ":").split(":"):
        seconds = seconds * 60 + float(part)
    return Vital(is_stopped=said[0].startswith(_STOPPED), ticks=int(seconds * 100))
