"""Where the state is kept, and where the daemon that keeps it listens: the state directory says so while one runs."""

import contextlib
import fcntl
import os
from pathlib import Path

NAME = "endpoint"  # of the file; it is there as long as a daemon serves the state
BYTES_MAX = 256
UP = b"\0up\0"  # in the command line of a daemon


def default_state() -> Path:
    """Return where the state is kept: ATOLL_STATE, else the system's place for it, else the user's."""
    if chosen := os.environ.get("ATOLL_STATE"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/atoll")
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base) / "atoll"


def note(state: Path, url: str) -> None:
    """Write down where this process, the daemon of a state, listens.  A full disk is no reason not to serve."""
    with contextlib.suppress(OSError):
        (state / NAME).write_text(f"{url} {os.getpid()}\n")


def forget(state: Path) -> None:
    """The daemon of a state has ended."""
    with contextlib.suppress(OSError):
        (state / NAME).unlink()


def noted(state: Path) -> str | None:
    """Return where the daemon of a state listens; None: none runs, or it is not ours to know.

    A daemon that was killed leaves its note: its process is asked for, as another state's may have its port by now.
    """
    try:
        with (state / NAME).open() as file:
            url, pid = file.read(BYTES_MAX).split()
        command = Path(f"/proc/{int(pid)}/cmdline").read_bytes() if os.path.isdir("/proc/self") else UP
    except (OSError, ValueError):
        return None
    return url if url.startswith(("http://", "https://")) and UP in command else None


def is_kept(state: Path) -> bool:
    """Tell whether a daemon keeps a state that is ours alone; somebody else may have named the directory."""
    try:
        found = state.lstat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return False
        with (state / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def holder(state: Path) -> int | None:
    """Return the process that holds a state, whether it answers or not; None: there is none, or it is not ours."""
    try:
        with (state / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read(BYTES_MAX))
    except (OSError, ValueError):
        pass
    return None
