"""A daemon of this process's own, on a leash: it ends with this process, however that ends, and leaves nothing.

    daemon = shared("real", None)         # the first call starts it; later ones return the same, warm
    daemon.post("/_atoll/reset", {"accounts": ["100000000001"]})

Two that were killed together, this process and the daemon, leave files; the next start there removes them.
"""

import atexit
import fcntl
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

import atoll
from atoll.cli import private
from atoll.cli.failure import Failure

Mode = Literal["real", "paper"]
MODES = get_args(Mode)
PREFIX = "atoll-world-"
END_SECONDS = 60.0  # every instance and node ends; on a quiet machine it takes less than a second
LOG_LINES_SHOWN = 12
LOG_BYTES_MAX = 64 << 20
_READY = re.compile(rb"^Ready\. (http://\S+)")
_HOSTS = {"real": "root" if os.geteuid() == 0 else "rootless", "paper": "paper"}  # never the flat host


class AtollError(Exception):
    """What went wrong, and the next step."""


class Daemon:
    """One daemon, and the accounts that worlds on it have."""

    def __init__(self, mode: Mode, below: Path | None) -> None:
        """Start it, with its state in a new directory `below` (None: the system's for temporary files).

        Takes about half a second.  Raises AtollError.
        """
        self.mode = mode
        base = Path(below or tempfile.gettempdir())
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(base)
        self.state = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base)).resolve()
        self._accounts = itertools.count(random.randrange(10**11, 9 * 10**11))
        self._log = os.memfd_create("atoll daemon")  # not in the state, which goes when a start fails
        self._process = self._start()
        self._leash = self._process.stdin
        _ALL.add(self)
        self.endpoint = self._wait_until_ready()

    def get(self, path: str, **query: str) -> Any:
        """Ask the private API a question; returns the decoded answer.  Raises AtollError."""
        try:
            return private.get(path, at=self.endpoint, **query)
        except Failure as failure:
            raise AtollError(failure.told()) from None

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the private API for an act; returns the decoded answer.  Raises AtollError."""
        try:
            return private.post(path, body, at=self.endpoint)
        except Failure as failure:
            raise AtollError(failure.told()) from None

    def log(self) -> str:
        """Return what it has logged."""
        return os.pread(self._log, LOG_BYTES_MAX, 0).decode(errors="replace")

    def new_account(self) -> str:
        """Return the number of an account that nobody has used."""
        return str(next(self._accounts))

    @property
    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def let_go(self) -> None:
        """Close our end of the leash, and wait for nothing."""
        if self._leash:
            with suppress(OSError):
                self._leash.close()

    def stop(self) -> None:
        """End it and all that it runs, and remove its state.  Raises AtollError if something is left."""
        _ALL.discard(self)
        self.let_go()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self.state.exists():  # it was killed
            _remove(self.state)

    def _start(self) -> "subprocess.Popen[bytes]":
        options = ["--port", "0", "--state", str(self.state), "--host", _HOSTS[self.mode], "--leash"]
        ours = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and k != "ATOLL_STATE"}
        root = str(Path(atoll.__file__).resolve().parents[1])
        return subprocess.Popen(
            [sys.executable, "-m", "atoll.cli", "up", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=root, env=ours,
            start_new_session=True,
        )  # fmt: skip

    def _wait_until_ready(self) -> str:
        out = self._process.stdout
        assert out, "it is piped"
        if found := _READY.match(out.readline()):
            threading.Thread(target=_drain, args=(out,), daemon=True, name="atoll daemon").start()
            return found[1].decode()
        self.stop()
        told = "\n".join(self.log().splitlines()[-LOG_LINES_SHOWN:]) or "it said nothing"
        raise AtollError(
            f"Atoll did not start:\n{told}\nnext:  `atoll doctor` says what this machine lacks; "
            "with atoll_mode = paper every call works and nothing runs"
        )


def shared(mode: Mode, below: Path | None) -> Daemon:
    """Return this process's daemon of a mode; starts it if it does not run.  Raises AtollError."""
    with _TURN:
        found = _SHARED.get((mode, below))
        if found is None or not found.is_alive:
            found = _SHARED[mode, below] = Daemon(mode, below)
        return found


def stop_all() -> None:
    """End every daemon of this process; what cannot be ended is told on standard error."""
    with _TURN:
        ending = list(_ALL)  # before they are forgotten: the set holds none of them, and nobody would wait
        _SHARED.clear()
        for daemon in ending:
            daemon.let_go()  # all at once
        for daemon in ending:
            try:
                daemon.stop()
            except AtollError as error:
                print(error, file=sys.stderr)


_ALL: "weakref.WeakSet[Daemon]" = weakref.WeakSet()
_SHARED: dict[tuple[Mode, Path | None], Daemon] = {}
_TURN = threading.Lock()


def _let_all_go() -> None:
    """In a fork of this process: the leash is the parent's alone."""
    for daemon in list(_ALL):
        daemon.let_go()
    _ALL.clear()
    _SHARED.clear()


atexit.register(stop_all)
os.register_at_fork(after_in_child=_let_all_go)


def _drain(out: Any) -> None:
    with suppress(ValueError, OSError):
        while out.readline():
            pass


def _sweep(base: Path) -> None:
    """Remove what daemons that were killed together with their owners have left."""
    for state in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if state.lstat().st_uid != os.geteuid() or not (state / "atoll.db").exists():
                continue
            lock = os.open(state / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it runs
            finally:
                os.close(lock)
            with suppress(AtollError):
                _remove(state)


def _remove(state: Path) -> None:
    from atoll.cli.purge import purge

    try:
        if (state / "atoll.db").exists():
            purge(state)
    except (Failure, OSError) as error:
        raise AtollError(f"{state} could not be removed: {error}") from None
    shutil.rmtree(state, ignore_errors=True)
